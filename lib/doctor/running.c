/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does the sshd that runs go by the files as they are? It reads them when it starts and on SIGHUP, and each
 * login goes by what it read then; somebody who edits them and forgets that sees `sshd -T` say one thing
 * and sshd do another. At each reading it writes its pid file anew (sighup_restart() of sshd.c), so that
 * file is as old as what it knows.
 *
 * A file counts as changed by its bytes (mtime), or where it was moved into place: then its inode and the
 * directory are newer (ctime, mtime). A chmod, or a backup that puts times back, is no change.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/fsat.h"
#include "model/when.h"
#include "resource/sshd-files.h"
#include "resource/sshd-master.h"

#define SETTLED_S 2 /* who has just written a file may be about to tell sshd */

struct search {
    struct sp_visit *visit;
    struct timespec read; /* when sshd read its files */
    bool takes_dir;       /* the main file includes the directory */
    char path[SP_PATH_SIZE];
    int64_t changed;
};

static bool is_newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static int look(const struct sp_ctx *c, const char *path, void *data)
{
    struct search *s = data;
    size_t n = path != NULL ? strlen(path) : 0;
    bool is_main = path != NULL && sp_streq(path, c->config->sshd_config);
    struct stat file, dir;
    struct sp_error ignored;
    char above[SP_PATH_SIZE];
    _cleanup_close_ int fd = -1;

    if (path == NULL || (!is_main && (!s->takes_dir || n < 5 || !sp_streq(path + n - 5, ".conf"))) ||
        sp_str_copy(above, sizeof(above), path) < 0)
        return 0;
    fd = sp_fsat_open(c->host->root_fd, path, O_PATH, 0, SP_FSAT_FOLLOW, &ignored);
    *strrchr(above, '/') = '\0';
    if (fd < 0 || fstat(fd, &file) != 0 ||
        fstatat(c->host->root_fd, above[0] != '\0' ? above + 1 : ".", &dir, 0) != 0)
        return 0;
    if (!is_newer(&file.st_mtim, &s->read) &&
        !(is_newer(&file.st_ctim, &s->read) && is_newer(&dir.st_mtim, &s->read)))
        return 0;
    if (file.st_ctim.tv_sec + SETTLED_S > c->host->ops->now(c->host))
        return 0;
    s->changed = file.st_ctim.tv_sec;
    return sp_str_copy(s->path, sizeof(s->path), path) == 0;
}

int sp_doctor_running(struct sp_visit *v, struct sp_error *err)
{
    const struct sp_ctx c = {.host = v->login->host, .config = v->login->config, .user = &v->user};
    struct search s = {.visit = v};
    struct sp_sshd_master master;
    char where[SP_SSHD_WHERE], changed[SP_WHEN_SIZE], read[SP_WHEN_SIZE], word[SP_MEND_SIZE];
    struct sp_error ignored;

    if (sp_sshd_master(c.host, c.config, &v->sshd, &master, &ignored) < 0 || master.pid == 0)
        return sp_finding_add(
            v, "sshd", SP_FINDING_OK, err,
            "sshd accepts its configuration (a running one has it since its last reload)");
    s.read = master.st.st_mtim;
    s.takes_dir = sp_sshd_where(&c, "include", SP_SSHD_CONFIG_DIR "/*.conf", where);
    (void)sp_sshd_each_file(&c, look, &s);
    if (s.path[0] == '\0')
        return sp_finding_add(v, "sshd", SP_FINDING_OK, err,
                              "sshd accepts its configuration, and the one that runs has read it");
    sp_when_format(s.changed, changed);
    sp_when_format(s.read.tv_sec, read);
    if (sp_finding_add(v, "sshd", SP_FINDING_WARNING, err,
                       "%.200s was changed (%s) after sshd read its files (%s): the sshd that runs goes by "
                       "what it read, not by what is said below",
                       s.path, changed, read) < 0)
        return -1;
    if (sp_str_quote(word, sizeof(word), master.pid_file) < 0)
        return 0;
    return sp_finding_mend(v, "%s -t && kill -HUP $(cat %s)", v->login->config->sshd, word);
}
