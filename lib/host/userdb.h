/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The local account files, edited in process under lckpwdf(3) and durably: passwd(5), group(5), gshadow(5).
 * Reading is from those files themselves, one line at a time: names of NSS services other than "files" are
 * nobody's to edit here.
 */
#ifndef SP_HOST_USERDB_H
#define SP_HOST_USERDB_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"

#define SP_USERDB_FIELD 1024

struct sp_user {
    char name[64];
    uid_t uid;
    gid_t gid;
    char home[SP_USERDB_FIELD];
    char shell[SP_USERDB_FIELD]; /* "" means /bin/sh */
};

/* Until sp_userdb_forget(), reading keeps the bytes of passwd and group and reads a file again only when it
 * is another one by inode, size or times: a transaction asks two dozen times. Writers always read. */
void sp_userdb_keep(struct sp_host *h);
void sp_userdb_forget(struct sp_host *h);

/* By exact name. SP_E_NOT_FOUND; SP_E_STATE if the name stands twice or the line is malformed. */
int sp_userdb_get(struct sp_host *h, const char *name, struct sp_user *ret, struct sp_error *err);

/* The first name that has this uid; SP_E_NOT_FOUND. The second is for telling people only: false where none
 * has it, or where there was no looking. */
int sp_userdb_find_name(struct sp_host *h, uid_t uid, char ret[64], struct sp_error *err);
bool sp_userdb_name_of(struct sp_host *h, uid_t uid, char ret[64]);

/* Write the shell of exactly that line. The name must still have `uid` (SP_E_STATE else). Every other
 * byte of the file is kept; the writer asserts that exactly one line differs, and refuses ':' and control
 * bytes. passwd- keeps the file as it was. A shell that it has already writes nothing. uid 0 is
 * SP_E_FORBIDDEN; a lock that is held for 5 s is SP_E_BUSY. */
int sp_userdb_set_shell(struct sp_host *h, const char *name, uid_t uid, const char *shell,
                        struct sp_error *err);

/* Many at once, in one rewrite: names[i] gets shells[i]. Nothing is written if one fails; err->field
 * is "[i]" then. */
int sp_userdb_set_shells(struct sp_host *h, const char *const *names, const uid_t *uids,
                         const char *const *shells, size_t n, struct sp_error *err);

/* Take away what was being written to one of the account files when the power went, where it is still
 * there: who writes that file next would, and it may be that nobody does. */
int sp_userdb_tidy(struct sp_host *h, struct sp_error *err);

/* Membership by name in group(5) (gshadow(5) is edited alike where it has that group). A missing group is
 * SP_E_NOT_FOUND. */
int sp_userdb_in_group(struct sp_host *h, const char *group, const char *user, bool *ret,
                       struct sp_error *err);
enum sp_membership { SP_MEMBER_REMOVE, SP_MEMBER_ADD };
int sp_userdb_set_member(struct sp_host *h, const char *group, const char *user, enum sp_membership what,
                         struct sp_error *err);

/* Several of one user's in one rewrite of each file. Nothing is written if one fails. */
struct sp_member {
    const char *group;
    enum sp_membership what;
};
int sp_userdb_set_members(struct sp_host *h, const char *user, const struct sp_member *changes, size_t n,
                          struct sp_error *err);

/* Many users in one rewrite: every member of `of` who is in none of `but` (NULL-terminated) joins `group`.
 * `still` is asked under the lock; 0: nothing is written. */
typedef int sp_userdb_still(struct sp_host *h, struct sp_error *err);
int sp_userdb_fill_group(struct sp_host *h, const char *group, const char *of, const char *const *but,
                         sp_userdb_still *still, struct sp_error *err);
/* All members leave. Nothing happens where there is no such group. */
int sp_userdb_empty_group(struct sp_host *h, const char *group, struct sp_error *err);

/* The names of the groups that list `user`, or whose gid is his primary one. A NULL-terminated array; free
 * each and the array with sp_userdb_free_names(). */
int sp_userdb_groups_of(struct sp_host *h, const struct sp_user *user, char ***ret, struct sp_error *err);
void sp_userdb_free_names(char ***names);

/* Is `members` the whole of its list: "" for nobody, a name for him alone? SP_E_NOT_FOUND. */
int sp_userdb_group_is_just(struct sp_host *h, const char *group, const char *members, bool *ret,
                            struct sp_error *err);

/* The gid of a group by its name. SP_E_NOT_FOUND. */
int sp_userdb_group_gid(struct sp_host *h, const char *group, gid_t *ret, struct sp_error *err);

/* Their gids, the primary one first; for setgroups(2). The caller frees *ret. */
int sp_userdb_gids_of(struct sp_host *h, const struct sp_user *user, gid_t **ret, size_t *ret_n,
                      struct sp_error *err);

/* The first group that has this gid, for telling people whose a file is. 1; 0: none has; -1. */
int sp_userdb_group_name_of(struct sp_host *h, gid_t gid, char ret[64], struct sp_error *err);

/* Append a line "NAME:x:GID:" for each group of the user and for each that exists of `also`
 * (NULL-terminated): what a jail's /etc/group shows. No member is named. */
int sp_userdb_group_lines(struct sp_host *h, const struct sp_user *user, const char *const *also,
                          struct sp_buf *out, struct sp_error *err);

/* Create a system group (gid from SYS_GID_MIN..SYS_GID_MAX, default 100..999) with no members if it is
 * missing. */
int sp_userdb_ensure_group(struct sp_host *h, const char *group, struct sp_error *err);

#endif
