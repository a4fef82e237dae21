/* SPDX-License-Identifier: GPL-3.0-or-later */
/* floor: the least that a look at every account can cost: its state is read and parsed, five files are
 * looked at, and passwd(5), read once, is searched by a table. No check of any value, no answer; not every
 * account has all of them. */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE "/var/lib/sallyport"
#define SLOTS (1U << 16)

struct slot {
    const char *name, *uid, *home;
};

static struct slot table[SLOTS];

static unsigned hash(const char *s)
{
    unsigned h = 5381;

    while (*s != '\0')
        h = h * 33 + (unsigned char)*s++;
    return h % SLOTS;
}

static char *slurp(const char *path, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *bytes = NULL;
    ssize_t n = -1;

    if (fd >= 0 && fstat(fd, &st) == 0) {
        bytes = malloc((size_t)st.st_size + 1);
        n = bytes != NULL ? read(fd, bytes, (size_t)st.st_size) : -1;
    }
    if (fd >= 0)
        (void)close(fd);
    if (n < 0) {
        free(bytes);
        return NULL;
    }
    bytes[n] = '\0';
    *ret_len = (size_t)n;
    return bytes;
}

static void read_passwd(void)
{
    size_t len;
    char *rest = slurp("/etc/passwd", &len), *line;

    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        char *fields[6] = {0};
        unsigned at;

        for (int i = 0; i < 6; i++)
            fields[i] = strsep(&line, ":");
        if (fields[5] == NULL)
            continue;
        for (at = hash(fields[0]); table[at].name != NULL; at = (at + 1) % SLOTS)
            ;
        table[at] = (struct slot){fields[0], fields[2], fields[5]};
    }
}

static const struct slot *find(const char *name)
{
    unsigned at = hash(name);

    while (table[at].name != NULL && strcmp(table[at].name, name) != 0)
        at = (at + 1) % SLOTS;
    return table[at].name != NULL ? &table[at] : NULL;
}

static int look(const char *file, size_t name_len)
{
    static const char *const paths[][2] = {{"entry", ""}, {"names", "/passwd"}, {"names", "/group"}};
    char path[512], user[128];
    const struct slot *slot;
    struct stat st;
    int missing = 0;
    size_t len;
    cJSON *json;
    char *bytes;

    (void)snprintf(path, sizeof(path), STORE "/state/%s", file);
    bytes = slurp(path, &len);
    json = bytes != NULL ? cJSON_ParseWithLength(bytes, len) : NULL;
    free(bytes);
    (void)snprintf(user, sizeof(user), "%.*s", (int)name_len, file);
    slot = find(user);
    if (json == NULL || slot == NULL) {
        cJSON_Delete(json);
        return 1;
    }
    cJSON_Delete(json);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), STORE "/%s/%s%s", paths[i][0], slot->uid, paths[i][1]);
        missing += stat(path, &st) != 0;
    }
    missing += stat(slot->home, &st) != 0;
    (void)snprintf(path, sizeof(path), "%s/.ssh/authorized_keys", slot->home);
    return missing + (stat(path, &st) != 0);
}

int main(void)
{
    DIR *dir = opendir(STORE "/state");
    const struct dirent *e;
    int n = 0, missing = 0;

    if (dir == NULL)
        return 1;
    read_passwd();
    while ((e = readdir(dir)) != NULL) {
        size_t len = strlen(e->d_name);
        if (len <= 5 || strcmp(e->d_name + len - 5, ".json") != 0)
            continue;
        missing += look(e->d_name, len - 5);
        n++;
    }
    (void)closedir(dir);
    (void)printf("%d accounts, %d files missing\n", n, missing);
    return n == 0;
}
