/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of the groups of sshd's policy an account is to be in, and when it joins and leaves. */
#ifndef SP_RESOURCE_MEMBERSHIPS_H
#define SP_RESOURCE_MEMBERSHIPS_H

#include <stdbool.h>
#include <stddef.h>

#include "resource/resource.h"

struct sp_membership_rule {
    const char *group;
    bool (*wanted)(const struct sp_ctx *);
    enum sp_phase join, leave;
    enum sp_effect joined, left;
};
enum { SP_MEMBERSHIPS = 7 };
const struct sp_membership_rule *sp_membership_rules(void); /* SP_MEMBERSHIPS of them */

/* Is the account of this context to be in that group? Contexts without an account: no. */
bool sp_groups_wants(const struct sp_ctx *c, const char *group);

#endif
