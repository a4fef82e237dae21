/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All of passwd(5) at once, for who asks about thousands of users. */
#ifndef SP_HOST_USERLIST_H
#define SP_HOST_USERLIST_H

#include <stddef.h>

#include "base/error.h"
#include "host/userdb.h"

struct sp_userlist {
    struct sp_user *v;       /* owned; by name */
    struct sp_user **by_uid; /* owned; by uid, then as the file has them */
    size_t n;
};

void sp_userlist_clear(struct sp_userlist *l);
/* Lines that are no user's are passed over. */
int sp_userlist_read(struct sp_host *h, struct sp_userlist *ret, struct sp_error *err);

/* SP_E_NOT_FOUND; SP_E_STATE where the name stands twice. */
int sp_userlist_find(const struct sp_userlist *l, const char *name, const struct sp_user **ret,
                     struct sp_error *err);
/* The first of those with this uid, and how many there are; NULL: none. They follow each other. */
struct sp_user *const *sp_userlist_of_uid(const struct sp_userlist *l, uid_t uid, size_t *ret_n);

#endif
