/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/jail-names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "resource/extra.h"

/* login.defs(5): SYS_GID_MAX. Groups above may be customers'. */
#define SYSTEM_GID_MAX 999
/* The tree is the customer's: no more than this is looked at, or named. */
enum { LOOK_MAX = 256, SEEN_MAX = 8 };

/* An extra login's own home is for sshd alone. */
static const char *home_inside(const struct sp_ctx *c)
{
    return sp_extra_is(&c->desired->extra) ? c->desired->domains[0].document_root : c->user->home;
}

/* The shell shown inside is the one that runs inside. */
int sp_jail_passwd(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err)
{
    sp_buf_printf(
        out,
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        "%s:x:%u:%u::%s:/bin/bash\n",
        c->user->name, c->user->uid, c->user->gid, home_inside(c));
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* Panels give document roots to groups of theirs (psaserv, www-data), of which the account is no member:
 * `ls -l` says whose. The names of the groups that own what he was given, behind those in `names`. A link
 * on the way could bring no more than the name of a group. What is not there belongs to nobody. */
static int add_owners(const struct sp_ctx *c, const char **names, size_t n, char (*store)[64],
                      struct sp_error *err)
{
    const char *paths[SP_ROOTS_MAX + 1];
    size_t n_paths = sp_account_roots(c->desired, paths);

    if (n_paths == 0 || !sp_streq(paths[0], c->user->home))
        paths[n_paths++] = c->user->home;
    for (size_t i = 0; i < n_paths; i++) {
        struct stat st;
        size_t k = 0;
        int named;

        if (fstatat(c->host->root_fd, paths[i] + 1, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            (void)sp_fail(err, errno == ENOENT ? SP_E_NOT_FOUND : SP_E_IO, errno, "%s", paths[i]);
            if (sp_error_is_blind(err))
                return -1;
            continue;
        }
        if (st.st_gid == 0 || st.st_gid == c->user->gid)
            continue;
        named = sp_userdb_group_name_of(c->host, st.st_gid, store[i], err);
        if (named < 0)
            return -1;
        if (named == 0)
            continue;
        while (k < n && !sp_streq(names[k], store[i]))
            k++;
        if (k == n)
            names[n++] = store[i];
    }
    return 0;
}

/* Different system's groups, in the order of their numbers: the order of a directory is nobody's. */
struct seen {
    uint32_t v[SEEN_MAX];
    size_t n;
};

static void note(struct seen *s, uint32_t gid)
{
    size_t i = 0;

    if (gid == 0 || gid > SYSTEM_GID_MAX)
        return;
    while (i < s->n && s->v[i] < gid)
        i++;
    if ((i < s->n && s->v[i] == gid) || s->n == SEEN_MAX)
        return;
    memmove(&s->v[i + 1], &s->v[i], (s->n - i) * sizeof(*s->v));
    s->v[i] = gid;
    s->n++;
}

/* By the directory's descriptor, through no link, and asking no server of a network. */
static void look_below(int root_fd, const char *root, struct seen *ret)
{
    struct sp_error ignored;
    _cleanup_closedir_ DIR *dir = sp_fsat_list(root_fd, root, SP_FSAT_NONE, &ignored);
    struct dirent *entry;

    if (dir == NULL)
        return;
    for (int i = 0; i < LOOK_MAX && (entry = readdir(dir)) != NULL; i++) {
        struct statx stx;
        if (!sp_streq(entry->d_name, ".") && !sp_streq(entry->d_name, "..") &&
            statx(dirfd(dir), entry->d_name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                  STATX_GID, &stx) == 0)
            note(ret, stx.stx_gid);
    }
}

/* Is there a line for that name already? The first line is root's. */
static bool has_name(const struct sp_buf *text, const char *name)
{
    char begin[80];

    return sp_str_format(begin, sizeof(begin), "\n%s:", name) == 0 &&
           strstr(sp_buf_str(text), begin) != NULL;
}

/* The policy's groups are named whether he is in them or not, so that a change of policy changes no file.
 */
static int known_groups(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err)
{
    static const char *const policy[] = {SP_GROUP_ALL,     SP_GROUP_CHROOT, SP_GROUP_NONE,
                                         SP_GROUP_KEYONLY, SP_GROUP_BOTH,   SP_GROUP_NOFORWARD,
                                         SP_GROUP_FORWARD};
    const char *also[SP_COUNT(policy) + SP_ROOTS_MAX + 2] = {0};
    char owners[SP_ROOTS_MAX + 1][64];

    sp_buf_puts(out, "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n");
    memcpy(also, policy, sizeof(policy));
    if (add_owners(c, also, SP_COUNT(policy), owners, err) < 0)
        return -1;
    return sp_userdb_group_lines(c->host, c->user, also, out, err);
}

static int seen_groups(const struct sp_ctx *c, enum sp_jail_look look, struct sp_buf *out,
                       struct sp_error *err)
{
    const char *roots[SP_ROOTS_MAX];
    size_t n = look == SP_JAIL_LOOK ? sp_account_roots(c->desired, roots) : 0;
    struct seen seen = {.n = 0};

    for (size_t i = 0; i < n; i++)
        look_below(c->host->root_fd, roots[i], &seen);
    for (size_t i = 0; i < seen.n; i++) {
        char name[64];
        int named = sp_userdb_group_name_of(c->host, seen.v[i], name, err);

        if (named < 0)
            return -1;
        if (named > 0 && !has_name(out, name))
            sp_buf_printf(out, "%s:x:%u:\n", name, seen.v[i]);
    }
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_jail_group(const struct sp_ctx *c, enum sp_jail_look look, struct sp_buf *out, struct sp_error *err)
{
    return known_groups(c, out, err) < 0 || seen_groups(c, look, out, err) < 0 ? -1 : 0;
}

/* Is this line "NAME:x:GID:" of a system's group, as the host has it? */
static bool line_stands(const struct sp_ctx *c, const char *line, size_t len)
{
    char text[128], name[64], right[128], *number;
    struct sp_error ignored;
    uint64_t gid;

    if (len >= sizeof(text))
        return false;
    memcpy(text, line, len);
    text[len] = '\0';
    number = strstr(text, ":x:");
    if (number == NULL || len < 2 || text[len - 1] != ':')
        return false;
    text[len - 1] = '\0';
    return sp_str_to_u64(number + 3, SYSTEM_GID_MAX, &gid) == 0 &&
           sp_userdb_group_name_of(c->host, (gid_t)gid, name, &ignored) > 0 &&
           sp_str_format(right, sizeof(right), "%s:x:%llu", name, (unsigned long long)gid) == 0 &&
           sp_streq(right, text);
}

/* Every line from `from` on has its name in `have`. */
static bool has_all(const struct sp_buf *have, const struct sp_buf *want, size_t from)
{
    const char *p = sp_buf_str(want) + from;

    while (*p != '\0') {
        char name[64];
        if (sp_str_format(name, sizeof(name), "%.*s", (int)strcspn(p, ":"), p) < 0 || !has_name(have, name))
            return false;
        p += strcspn(p, "\n") + 1;
    }
    return true;
}

static bool all_stand(const struct sp_ctx *c, const struct sp_buf *have, size_t from)
{
    const char *p = sp_buf_str(have) + from, *newline;
    size_t n = 0;

    for (; *p != '\0'; p = newline + 1, n++) {
        newline = strchr(p, '\n');
        if (newline == NULL || n == SEEN_MAX || !line_stands(c, p, (size_t)(newline - p)))
            return false;
    }
    return true;
}

int sp_jail_group_stands(const struct sp_ctx *c, enum sp_jail_look look, const struct sp_buf *have,
                         bool *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf want = {0};
    size_t known;

    if (known_groups(c, &want, err) < 0)
        return -1;
    known = want.len;
    if (seen_groups(c, look, &want, err) < 0)
        return -1;
    *ret = have->len >= known && memcmp(have->data, want.data, known) == 0 && has_all(have, &want, known) &&
           all_stand(c, have, known);
    return 0;
}
