/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The users that sallyport makes and removes itself: all four account files under one lckpwdf(3), durably.
 */
#ifndef SP_HOST_USERLOGIN_H
#define SP_HOST_USERLOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "host/host.h"

/* A number of [min, max] that no user, no group and no process has, and no entry record: the first one
 * above `last`, then from min again, so that a number comes back as late as can be. */
int sp_userlogin_choose(struct sp_host *h, uint32_t min, uint32_t max, uint32_t last, uint32_t *ret,
                        struct sp_error *err);

/* Make the user and his group of the same name and number, without a password and with the shell
 * /bin/false. passwd comes last, so that nobody is seen who is not whole. What a crash left of the same
 * user is taken over; a name or number of somebody else's is SP_E_CONFLICT, and nothing is written. */
int sp_userlogin_add(struct sp_host *h, const char *name, uint32_t id, const char *home,
                     struct sp_error *err);

/* Take him out of all four, passwd last. A user of that name with another number stays. */
int sp_userlogin_remove(struct sp_host *h, const char *name, uint32_t id, struct sp_error *err);

/* Is there a user or a group of this name? */
int sp_userlogin_is_named(struct sp_host *h, const char *name, bool *ret, struct sp_error *err);

/* Is anything of this user, by name and number, still there? */
int sp_userlogin_exists(struct sp_host *h, const char *name, uint32_t id, bool *ret, struct sp_error *err);

#endif
