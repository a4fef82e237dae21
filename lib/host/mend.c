/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/mend.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/name.h"

/* Who could put something else on the way while root types: nobody, the user, or others too. */
enum hand { NOBODYS, THE_USERS, OTHERS };

struct way {
    enum hand hand;
    bool exists;
    struct stat st;             /* of the end, where it exists */
    char foreign[SP_PATH_SIZE]; /* the first part that the user can move and does not own; "" */
};

/* Who may exchange an entry of `above`: whoever writes to that directory, and in a sticky one its owner
 * (unlink(2)). An ACL that lets more people write shows in the group's bits. */
static enum hand of_entry(const struct sp_user *u, const struct stat *above, const struct stat *entry)
{
    bool group = (above->st_mode & S_IWGRP) != 0 && above->st_gid != 0;
    bool everybody = (above->st_mode & S_IWOTH) != 0;

    if (above->st_uid != 0)
        return above->st_uid == u->uid ? THE_USERS : OTHERS;
    if (!group && !everybody)
        return NOBODYS;
    if ((above->st_mode & S_ISVTX) == 0 || entry == NULL)
        return OTHERS;
    return entry->st_uid == 0 ? NOBODYS : entry->st_uid == u->uid ? THE_USERS : OTHERS;
}

static void widen(enum hand *hand, enum hand more)
{
    if (more > *hand)
        *hand = more;
}

static void look(struct sp_host *h, const struct sp_user *u, const char *path, struct way *ret)
{
    struct stat above;
    char part[SP_PATH_SIZE];
    size_t len = 0;

    *ret = (struct way){.hand = OTHERS};
    if (fstat(h->root_fd, &above) != 0)
        return;
    ret->hand = NOBODYS;
    while ((len = sp_str_next_part(path, len)) != 0) {
        if (sp_str_format(part, sizeof(part), "%.*s", (int)len, path) < 0) {
            ret->hand = OTHERS;
            return;
        }
        ret->exists = part[1] == '\0' ? fstat(h->root_fd, &ret->st) == 0
                                      : fstatat(h->root_fd, part + 1, &ret->st, AT_SYMLINK_NOFOLLOW) == 0;
        widen(&ret->hand, of_entry(u, &above, ret->exists ? &ret->st : NULL));
        if (!ret->exists)
            return;
        if (S_ISLNK(ret->st.st_mode)) /* it leads where its owner likes */
            ret->hand = OTHERS;
        if (ret->hand == THE_USERS && ret->foreign[0] == '\0' && ret->st.st_uid != u->uid)
            (void)sp_str_copy(ret->foreign, sizeof(ret->foreign), part);
        above = ret->st;
    }
}

static bool say(char ret[SP_MEND_SIZE], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool say(char ret[SP_MEND_SIZE], const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(ret, SP_MEND_SIZE, fmt, ap);
    va_end(ap);
    if (n > 0 && n < SP_MEND_SIZE)
        return true;
    ret[0] = '\0';
    return false;
}

/* What the user cannot change himself he moves out of the way, and what is recorded comes back. */
static bool move_away(const struct sp_user *u, enum hand hand, const char *path, char ret[SP_MEND_SIZE])
{
    char from[SP_MEND_SIZE], to[SP_MEND_SIZE], away[SP_PATH_SIZE + 8];

    (void)snprintf(away, sizeof(away), "%s.away", path);
    if (sp_str_quote(from, sizeof(from), path) < 0 || sp_str_quote(to, sizeof(to), away) < 0)
        return false;
    return say(ret, "%s%s%smv -T %s %s; sallyport reconcile --restore-access",
               hand == THE_USERS ? "runuser -u " : "", hand == THE_USERS ? u->name : "",
               hand == THE_USERS ? " -- " : "", from, to);
}

static bool change_mode(const struct sp_user *u, const struct way *w, const char *mode, const char *path,
                        const char *word, char ret[SP_MEND_SIZE])
{
    if (!w->exists || S_ISLNK(w->st.st_mode))
        return false;
    if (w->st.st_uid == u->uid && u->uid != 0)
        return say(ret, "runuser -u %s -- chmod %s %s", u->name, mode, word);
    if (w->hand == NOBODYS)
        return say(ret, "chmod %s %s", mode, word);
    return w->hand == THE_USERS && move_away(u, w->hand, w->foreign[0] != '\0' ? w->foreign : path, ret);
}

/* His own is opened for him, root's for everybody; what is another's is not sallyport's to open. */
static bool open_up(const struct sp_user *u, const struct way *w, const char *path, const char *word,
                    char ret[SP_MEND_SIZE])
{
    bool dir = S_ISDIR(w->st.st_mode), his = w->st.st_uid == u->uid;

    if (w->hand == NOBODYS && !his && w->st.st_uid != 0)
        return false;
    return change_mode(u, w, his ? (dir ? "u+rwx" : "u+rw") : (dir ? "o+x" : "o+r"), path, word, ret);
}

static bool make(const struct sp_user *u, const struct way *w, enum sp_mend_what what, const char *word,
                 char ret[SP_MEND_SIZE])
{
    if (w->exists || w->hand == OTHERS)
        return false;
    if (w->hand == THE_USERS)
        return say(ret, "runuser -u %s -- mkdir -p %s", u->name, word);
    return what == SP_MEND_HOME ? say(ret, "mkhomedir_helper %s", u->name)
                                : say(ret, "install -d -o %s -g %u %s", u->name, u->gid, word);
}

static bool command(const struct sp_user *u, const struct way *w, enum sp_mend_what what, const char *path,
                    const char *word, char ret[SP_MEND_SIZE])
{
    switch (what) {
    case SP_MEND_HIS:
        if (w->exists && w->hand == NOBODYS)
            return say(ret, "chown -h %s %s", u->name, word);
        break;
    case SP_MEND_OPEN:
        return w->exists && open_up(u, w, path, word, ret);
    case SP_MEND_PASS:
        return change_mode(u, w, "o+x", path, word, ret);
    case SP_MEND_SAFE:
        return change_mode(u, w, "go-w", path, word, ret);
    case SP_MEND_OTHERS:
        return change_mode(u, w, "o-w", path, word, ret);
    case SP_MEND_DIR:
    case SP_MEND_HOME:
        return make(u, w, what, word, ret);
    case SP_MEND_AWAY:
        break;
    }
    return w->exists && w->hand != OTHERS &&
           move_away(u, w->hand, w->foreign[0] != '\0' ? w->foreign : path, ret);
}

bool sp_mend_path(struct sp_host *h, const struct sp_user *u, enum sp_mend_what what, const char *path,
                  char ret[SP_MEND_SIZE])
{
    char word[SP_MEND_SIZE];
    struct way w;

    ret[0] = '\0';
    if (path[0] != '/' || sp_str_quote(word, sizeof(word), path) < 0)
        return false;
    look(h, u, path, &w);
    if (command(u, &w, what, path, word, ret))
        return true;
    (void)say(ret, "namei -l %s", word);
    return false;
}

int sp_mend_hint(struct sp_host *h, const struct sp_user *u, enum sp_mend_what what, const char *path,
                 const char *more, struct sp_error *err)
{
    const char *joined = more[0] != '\0' ? ", or " : "";
    char mend[SP_MEND_SIZE];

    (void)sp_mend_path(h, u, what, path, mend);
    if (mend[0] == '\0' || strlen(mend) + strlen(joined) + strlen(more) >= sizeof(err->hint))
        return more[0] != '\0' ? sp_hint(err, "%s", more) : -1;
    return sp_hint(err, "%s%s%s", mend, joined, more);
}
