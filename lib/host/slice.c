/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/slice.h"

#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/spawn.h"

#define SYSTEMCTL "/usr/bin/systemctl"
#define DEADLINE_MS 5000
#define CGROUP "/sys/fs/cgroup"
#define PAM_DEPTH 8 /* @include of @include: a stack deeper than this is a circle */
#define PAM_BYTES 65536

/* A file of the host's own; authselect(8) makes links of those in /etc/pam.d. 1: it is there, and cannot be
 * read at the moment. What it says then is taken for what it mostly says: writing to a slice that is none
 * fails by itself. */
static int read_own(struct sp_host *h, const char *path, struct sp_buf *out)
{
    struct sp_error why;
    _cleanup_close_ int fd = -1;

    fd = sp_fsat_open(h->root_fd, path, O_RDONLY | O_NONBLOCK, 0, SP_FSAT_FOLLOW, &why);
    if (fd >= 0 && sp_fsat_read_fd(fd, path, PAM_BYTES, out, NULL, &why) == 0)
        return 0;
    return sp_error_is_blind(&why) ? 1 : -1;
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + n, word))
        if ((at == text || strchr(" \t\n", at[-1]) != NULL) && strchr(" \t\n", at[n]) != NULL)
            return true;
    return false;
}

static bool stack_names(struct sp_host *h, const char *service, int depth);

/* One line of a stack (pam.d(5)): the module itself, or another file that is part of it. */
static bool line_names(struct sp_host *h, char *line, int depth)
{
    char *save = NULL, *word = strtok_r(line, " \t", &save);
    bool included = false;

    if (word == NULL || word[0] == '#')
        return false;
    for (; word != NULL && word[0] != '#'; word = strtok_r(NULL, " \t", &save)) {
        const char *name = strrchr(word, '/');

        if (included)
            return stack_names(h, word, depth + 1);
        if (sp_streq(name != NULL ? name + 1 : word, "pam_systemd.so"))
            return true;
        included = sp_streq(word, "@include") || sp_streq(word, "include") || sp_streq(word, "substack");
    }
    return false;
}

static bool has_controllers(struct sp_host *h)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    int rc = read_own(h, CGROUP "/cgroup.controllers", &text);

    return rc > 0 ||
           (rc == 0 && has_word(sp_buf_str(&text), "pids") && has_word(sp_buf_str(&text), "memory"));
}

/* Does the stack open its sessions with systemd's module? */
static bool stack_names(struct sp_host *h, const char *service, int depth)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE], *save = NULL;
    int rc;

    if (depth > PAM_DEPTH || service[0] == '.' || strchr(service, '/') != NULL ||
        sp_str_format(path, sizeof(path), "/etc/pam.d/%s", service) < 0)
        return false;
    rc = read_own(h, path, &text);
    if (rc != 0 || text.len == 0)
        return rc > 0;
    for (char *line = strtok_r(text.data, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        if (line_names(h, line, depth))
            return true;
    return false;
}

bool sp_slice_usable(struct sp_host *h, const char **ret_why)
{
    if (sp_fsat_is_missing(h->root_fd, "/run/systemd/system")) /* sd_booted(3) */
        *ret_why = "systemd does not run here";
    else if (!has_controllers(h))
        *ret_why = "there is no cgroup v2 with pids and memory at " CGROUP;
    else if (!stack_names(h, "sshd", 0))
        *ret_why = "pam_systemd.so is not in /etc/pam.d/sshd";
    else
        return true;
    return false;
}

void sp_slice_dir(uint32_t uid, char out[SP_PATH_SIZE])
{
    (void)sp_str_format(out, SP_PATH_SIZE, "/etc/systemd/system/user-%u.slice.d", uid);
}

bool sp_slice_lives(struct sp_host *h, uint32_t uid)
{
    char path[SP_PATH_SIZE];

    (void)sp_str_format(path, sizeof(path), CGROUP "/user.slice/user-%u.slice", uid);
    return !sp_fsat_is_missing(h->root_fd, path);
}

int sp_slice_set(struct sp_host *h, uint32_t uid, const struct sp_limits *l, struct sp_error *err)
{
    char slice[32], tasks[40] = "TasksMax=infinity", memory[40] = "MemoryMax=infinity";
    const char *swap = l->memory_mib != 0 ? "MemorySwapMax=0" : "MemorySwapMax=infinity";
    const char *const argv[] = {SYSTEMCTL, "--runtime", "set-property", slice, tasks, memory, swap, NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = DEADLINE_MS, .max_output = 4096};

    (void)sp_str_format(slice, sizeof(slice), "user-%u.slice", uid);
    if (l->processes != 0)
        (void)sp_str_format(tasks, sizeof(tasks), "TasksMax=%u", l->processes);
    if (l->memory_mib != 0)
        (void)sp_str_format(memory, sizeof(memory), "MemoryMax=%uM", l->memory_mib);
    if (sp_spawn_run(h, &run, err) < 0)
        return -1;
    if (run.status == 0)
        return 0;
    return sp_fail(err, SP_E_IO, 0, "systemctl set-property %s ended with %d", slice, run.status);
}

/* "max" is no limit, and so is a file that is not there. */
static uint64_t read_limit(struct sp_host *h, uint32_t uid, const char *name)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE];
    uint64_t n = 0;

    (void)sp_str_format(path, sizeof(path), CGROUP "/user.slice/user-%u.slice/%s", uid, name);
    if (read_own(h, path, &text) != 0 || text.len == 0)
        return 0;
    text.data[strcspn(text.data, "\n")] = '\0';
    return sp_str_to_u64(text.data, UINT64_MAX, &n) == 0 ? n : 0;
}

void sp_slice_read(struct sp_host *h, uint32_t uid, struct sp_limits *ret)
{
    *ret = (struct sp_limits){.processes = (uint32_t)read_limit(h, uid, "pids.max"),
                              .memory_mib = (uint32_t)(read_limit(h, uid, "memory.max") >> 20)};
}
