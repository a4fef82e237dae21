/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * measure ROUNDS FIRST: times commands against each other. Each line of stdin is one command, its words
 * separated by tabs: NAME EVERY UID GID STDIN PROGRAM [ARGUMENT...]. Every EVERY-th round runs it once,
 * from the spawn to the end of the process; all commands of a round run one after the other, so that a
 * machine that slows down slows all of them. "{}" in a word is the number of the round, from FIRST on;
 * STDIN "-" is /dev/null. Prints "NAME MILLISECONDS..." for each, one figure for each round. A command that
 * fails ends the whole.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 16
#define MAX_WORDS 40
#define MAX_ROUNDS 10000
#define WORD 512

struct command {
    char *words[MAX_WORDS]; /* NAME EVERY UID GID STDIN PROGRAM..., NULL-terminated */
    double *ms;
    size_t n;
};

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The word with the first "{}" in it replaced. */
static void expand(const char *word, unsigned round, char out[WORD])
{
    const char *at = strstr(word, "{}");

    if (at == NULL)
        (void)snprintf(out, WORD, "%s", word);
    else
        (void)snprintf(out, WORD, "%.*s%05u%s", (int)(at - word), word, round, at + 2);
}

/* Between vfork and exec: system calls only, since memory is the parent's. */
static void become(const char *in, unsigned uid, unsigned gid, char *const *argv)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", home[] = "HOME=/";
    static char *const environment[] = {path, home, NULL};
    int from = open(in, O_RDONLY), to = open("/dev/null", O_WRONLY);

    if (from < 0 || dup2(from, 0) < 0 || dup2(to, 1) < 0 || close(from) < 0 || close(to) < 0)
        _exit(126);
    if (uid != 0 && (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, gid, gid, gid) < 0 ||
                     syscall(SYS_setresuid, uid, uid, uid) < 0))
        _exit(126);
    (void)execve(argv[0], argv, environment);
    _exit(127);
}

static int run(struct command *c, unsigned round)
{
    static char words[MAX_WORDS][WORD];
    char *argv[MAX_WORDS + 1] = {NULL};
    unsigned uid = (unsigned)atoi(c->words[2]), gid = (unsigned)atoi(c->words[3]);
    double start;
    int status = 0;
    pid_t pid;

    for (size_t i = 4; c->words[i] != NULL; i++) {
        expand(c->words[i], round, words[i]);
        if (i > 4)
            argv[i - 5] = words[i];
    }
    start = now_ms();
    pid = vfork();
    if (pid == 0)
        become(strcmp(words[4], "-") == 0 ? "/dev/null" : words[4], uid, gid, argv);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        (void)fprintf(stderr, "measure: %s (%s), round %u: status %#x\n", c->words[0], argv[0], round,
                      status);
        return -1;
    }
    c->ms[c->n++] = now_ms() - start;
    return 0;
}

static size_t read_commands(struct command *commands)
{
    static char line[8192];
    size_t n = 0;

    while (n < MAX_COMMANDS && fgets(line, sizeof(line), stdin) != NULL) {
        size_t words = 0;
        line[strcspn(line, "\n")] = '\0';
        for (char *w = strtok(line, "\t"); w != NULL && words + 1 < MAX_WORDS; w = strtok(NULL, "\t"))
            commands[n].words[words++] = strdup(w);
        if (words < 6)
            break;
        commands[n].ms = calloc(MAX_ROUNDS, sizeof(double));
        n++;
    }
    return n;
}

int main(int argc, char **argv)
{
    static struct command commands[MAX_COMMANDS];
    unsigned rounds = argc == 3 ? (unsigned)atoi(argv[1]) : 0,
             first = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    size_t n = read_commands(commands);

    if (n == 0 || rounds == 0 || rounds > MAX_ROUNDS)
        return 2;
    for (unsigned r = 0; r < rounds; r++)
        for (size_t i = 0; i < n; i++)
            if (r % (unsigned)atoi(commands[i].words[1]) == 0 && run(&commands[i], first + r) < 0)
                return 1;
    for (size_t i = 0; i < n; i++) {
        (void)printf("%s", commands[i].words[0]);
        for (size_t k = 0; k < commands[i].n; k++)
            (void)printf("\t%.4f", commands[i].ms[k]);
        (void)printf("\n");
    }
    return 0;
}
