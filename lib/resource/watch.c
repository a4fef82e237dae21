/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/slice.h"
#include "host/wake.h"
#include "model/pamrecord.h"
#include "resource/certstore.h"
#include "resource/globalkeys.h"
#include "resource/keys.h"
#include "resource/sshd-files.h"
#include "resource/sshd.h"

void sp_watch_clear(struct sp_watch *w)
{
    sp_buf_clear(&w->list);
    *w = (struct sp_watch){0};
}

void sp_watch_add(struct sp_watch *w, char kind, const char *path)
{
    sp_buf_printf(&w->list, "%c%s\n", kind, path);
}

/* A directory of small files: who comes and goes shows in its own time, who changes in his. */
static void add_files(struct sp_host *h, const char *dir, const char *below, struct sp_buf *out)
{
    struct sp_error ignored;
    _cleanup_close_ int fd =
        sp_fsat_open(h->root_fd, dir, O_RDONLY | O_DIRECTORY, 0, SP_FSAT_FOLLOW, &ignored);
    struct dirent **names = NULL;
    int n = fd >= 0 ? scandirat(fd, ".", &names, NULL, alphasort) : 0;

    sp_buf_printf(out, "F%s\n", dir);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.' && strchr(names[i]->d_name, '\n') == NULL)
            sp_buf_printf(out, "F%s/%s\nS%s/%s%s\n", dir, names[i]->d_name, dir, names[i]->d_name, below);
        free(names[i]);
    }
    free(names);
}

int sp_watch_host(struct sp_host *h, const struct sp_config *config, struct sp_buf *out,
                  struct sp_error *err)
{
    static const char *const files[] = {"/usr/bin/sallyport",
                                        SP_CHROOT_BASH,
                                        SP_BASH,
                                        "/etc/ssh/sshrc",
                                        "/etc/sallyport/sallyport.conf",
                                        "/usr/share/sallyport/sallyport.conf",
                                        SP_GLOBAL_DIR,
                                        SP_STORE "/dev/null"};
    static const char *const dirs[] = {SP_SSHD_CONFIG_DIR, "/etc/sallyport/sallyport.conf.d",
                                       "/usr/share/sallyport/sallyport.conf.d"};
    const char *ignored;

    sp_buf_printf(out, "F%s\nS%s\nF%s\nS%s\n", config->sshd, config->sshd, config->sshd_config,
                  config->sshd_config);
    for (size_t i = 0; i < SP_COUNT(files); i++)
        sp_buf_printf(out, "F%s\n", files[i]);
    for (size_t i = 0; i < SP_COUNT(dirs); i++)
        add_files(h, dirs[i], "", out);
    add_files(h, SP_STORE "/sets", "/usr", out);
    if (config->key_store == SP_KEY_STORE_HOME)
        sp_buf_puts(out, "F" SP_KEYS_ROOT_DIR "\n");
    if (!sp_cas_exist(h))
        sp_buf_puts(out, "F" SP_PRINCIPALS_DIR "\n");
    /* Names that nothing has: they stand for an answer. */
    sp_buf_printf(out, "F/%s-%d-%d\n", SP_VERSION, sp_slice_usable(h, &ignored), sp_cas_exist(h));
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* When it is near, each look has a timer armed for it. */
static void sooner(struct sp_watch *w, int64_t when, int64_t now)
{
    int64_t near = when - SP_WAKE_AHEAD_S;

    if (when > now && (w->until == 0 || near < w->until))
        w->until = near;
}

/* Keys that end, days that come. A key that is over, like an account that is shut, keeps nobody in: his
 * logins would have to be looked for. */
static void watch_time(const struct sp_ctx *c, struct sp_watch *w)
{
    const struct sp_account *a = c->desired;
    int64_t now = c->host->ops->now(c->host);

    sooner(w, a->access.valid_from, now);
    sooner(w, a->access.valid_until, now);
    w->quiet = sp_ctx_shut(c);
    for (size_t i = 0; i < a->n_domains; i++)
        for (size_t k = 0; k < a->domains[i].keys.n; k++) {
            int64_t end = a->domains[i].keys.v[k].expires_at;
            sooner(w, end, now);
            w->quiet |= end != 0 && end <= now;
        }
}

/* "directory/" and his uid or name, and what comes behind. */
static void watch_own(const struct sp_ctx *c, struct sp_watch *w, const char *before, const char *after)
{
    char name[SP_PATH_SIZE];
    bool by_uid = sp_streq(before, "entry") || sp_streq(before, "names");

    if ((by_uid ? sp_str_format(name, sizeof(name), "%s/%u%s", before, c->user->uid, after)
                : sp_str_format(name, sizeof(name), "%s/%s%s", before, c->user->name, after)) == 0)
        sp_watch_add(w, 'F', name);
}

/* A file of one kind that no account has yet shows in its directory, which the host's list names. */
static void watch_store(const struct sp_ctx *c, struct sp_watch *w)
{
    char name[SP_PATH_SIZE];
    size_t sources = 0;

    sp_watch_add(w, 'B', SP_STORE);
    watch_own(c, w, "state", ".json");
    watch_own(c, w, "entry", "");
    watch_own(c, w, "names", "/passwd");
    watch_own(c, w, "names", "/group");
    watch_own(c, w, "access", "");
    if (c->config->key_store == SP_KEY_STORE_ROOT)
        watch_own(c, w, "keys", "");
    for (size_t i = 0; i < c->desired->n_domains; i++) {
        sources += c->desired->domains[i].sources.n;
        if (sp_str_format(name, sizeof(name), "domains/%s", c->desired->domains[i].name) == 0)
            sp_watch_add(w, 'F', name);
    }
    if (sources > 0)
        sp_watch_add(w, 'F', "firewall.json"); /* they are to stand there, too */
    if (!sp_cas_exist(c->host))
        return;
    watch_own(c, w, "principals", "");
    sp_watch_add(w, 'F', "ca/issued");
}

static void watch_home(const struct sp_ctx *c, struct sp_watch *w)
{
    char path[SP_PATH_SIZE];

    /* Mostly it is the jail's first root, too. */
    if (c->desired->shell != SP_SHELL_CHROOT || c->desired->n_domains == 0 ||
        !sp_streq(c->user->home, c->desired->domains[0].document_root))
        sp_watch_add(w, 'D', c->user->home);
    if (sp_str_format(path, sizeof(path), "%s/.ssh", c->user->home) == 0)
        sp_watch_add(w, 'D', path);
    if (sp_str_format(path, sizeof(path), "%s/" SP_KEYS_HOME_FILE, c->user->home) == 0)
        sp_watch_add(w, 'F', path);
}

/* The jail's first root is points.c's. */
static void watch_roots(const struct sp_ctx *c, struct sp_watch *w)
{
    for (size_t i = c->desired->shell == SP_SHELL_CHROOT; i < c->desired->n_domains; i++)
        sp_watch_add(w, 'D', c->desired->domains[i].document_root);
}

static void watch_limits(const struct sp_ctx *c, struct sp_watch *w)
{
    char dir[SP_PATH_SIZE], path[SP_PATH_SIZE];
    const char *why;

    if (!sp_slice_usable(c->host, &why))
        return;
    sp_slice_dir(c->user->uid, dir);
    if (sp_str_format(path, sizeof(path), "%s/" SP_SLICE_FILE, dir) == 0)
        sp_watch_add(w, 'F', path);
}

int sp_watch_account(const struct sp_ctx *c, struct sp_watch *ret, bool *ret_can, struct sp_error *err)
{
    const char *why;

    *ret_can = c->user != NULL && !sp_ctx_absent(c) && !sp_extra_is(&c->desired->extra) &&
               c->desired->sudo.n == 0 && sp_sshd_is_proved(c) &&
               !(sp_slice_usable(c->host, &why) && sp_slice_lives(c->host, c->user->uid));
    if (!*ret_can)
        return 0;
    watch_time(c, ret);
    watch_limits(c, ret);
    watch_roots(c, ret);
    watch_home(c, ret);
    watch_store(c, ret);
    return sp_buf_ok(&ret->list) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}
