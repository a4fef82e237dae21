/* SPDX-License-Identifier: GPL-3.0-or-later */
/* callers SOCKET CALLERS FOLDER FIRST COUNT: so many callers at once send the requests FOLDER/FIRST and the
 * next COUNT - 1, each once, each over a connection of its own, the next one when the answer is there.
 * Prints how many seconds all took, then the milliseconds of each request, one a line. An answer without a
 * result is printed and ends it with 1. */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_REQUEST 4096
#define MAX_ANSWER 65536
#define MAX_CALLERS 512

struct request {
    char text[MAX_REQUEST];
    size_t len;
    double ms;
};

static struct request *requests;
static size_t count, next, busy;
static bool failed;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool read_all(int fd, char *to, size_t size, size_t *ret_len)
{
    ssize_t n;

    for (*ret_len = 0; *ret_len < size - 1; *ret_len += (size_t)n) {
        n = read(fd, to + *ret_len, size - 1 - *ret_len);
        if (n <= 0)
            break;
    }
    to[*ret_len] = '\0';
    return *ret_len > 0 && *ret_len < size - 1;
}

static bool ask(const struct request *r, char answer[MAX_ANSWER])
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0;
    bool done = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                write(fd, r->text, r->len) == (ssize_t)r->len && shutdown(fd, SHUT_WR) == 0 &&
                read_all(fd, answer, MAX_ANSWER, &len);

    if (fd >= 0)
        (void)close(fd);
    return done;
}

static bool ask_until_done(const struct request *r, char answer[MAX_ANSWER])
{
    while (ask(r, answer)) {
        if (strstr(answer, "\"result\"") != NULL)
            return true;
        if (strstr(answer, "\"busy\"") == NULL)
            return false;
        (void)__atomic_fetch_add(&busy, 1, __ATOMIC_RELAXED);
    }
    return false;
}

static void *call(void *unused)
{
    char *answer = calloc(1, MAX_ANSWER);
    size_t i;

    (void)unused;
    while (answer != NULL && !__atomic_load_n(&failed, __ATOMIC_RELAXED) &&
           (i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < count) {
        double start = now_ms();

        if (!ask_until_done(&requests[i], answer)) {
            (void)fprintf(stderr, "callers: request %zu: %s\n", i, answer);
            __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
        }
        requests[i].ms = now_ms() - start;
    }
    free(answer);
    return NULL;
}

static bool load(const char *folder, size_t first)
{
    char path[512];

    requests = calloc(count, sizeof(*requests));
    for (size_t i = 0; requests != NULL && i < count; i++) {
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%05zu", folder, first + i);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || !read_all(fd, requests[i].text, MAX_REQUEST, &requests[i].len)) {
            (void)fprintf(stderr, "callers: %s\n", path);
            return false;
        }
        (void)close(fd);
    }
    return requests != NULL;
}

int main(int argc, char **argv)
{
    static pthread_t threads[MAX_CALLERS];
    size_t callers = argc == 6 ? (size_t)atoi(argv[2]) : 0;
    double start;

    if (callers == 0 || callers > MAX_CALLERS || strlen(argv[1]) >= sizeof(address.sun_path))
        return 2;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
    count = (size_t)atoi(argv[5]);
    if (!load(argv[3], (size_t)atoi(argv[4])))
        return 2;
    start = now_ms();
    for (size_t i = 0; i < callers; i++)
        if (pthread_create(&threads[i], NULL, call, NULL) != 0)
            return 2;
    for (size_t i = 0; i < callers; i++)
        (void)pthread_join(threads[i], NULL);
    (void)printf("%.4f %zu\n", (now_ms() - start) / 1e3, busy);
    for (size_t i = 0; i < count; i++)
        (void)printf("%.3f\n", requests[i].ms);
    return failed;
}
