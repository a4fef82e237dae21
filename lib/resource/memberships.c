/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/memberships.h"

#include "base/str.h"

static enum sp_forwarding forwarding(const struct sp_ctx *c)
{
    return c->desired->forwarding != SP_FORWARDING_UNSET ? c->desired->forwarding : c->config->forwarding;
}

static bool wants_all(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c);
}

static bool wants_chroot(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && c->desired->shell == SP_SHELL_CHROOT;
}

/* With shell `none` too: sshd forwards beside any shell. */
static bool wants_noforward(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && (c->desired->shell == SP_SHELL_NONE || forwarding(c) == SP_FORWARDING_NONE);
}

static bool wants_never(const struct sp_ctx *c)
{
    (void)c;
    return false;
}

static bool wants_forward(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && c->desired->shell != SP_SHELL_NONE && forwarding(c) == SP_FORWARDING_ALL;
}

static bool wants_keyonly(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && sp_access_is_key_only(&c->desired->access);
}

static bool wants_both(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && c->desired->access.authentication == SP_AUTH_KEY_AND_PASSWORD;
}

/* Being in sallyport-forward gives something, being in the others takes something away. How he proves
 * himself and what he may forward is what sshd is asked about before anything widens: that is done by
 * BUILD. */
static const struct sp_membership_rule memberships[SP_MEMBERSHIPS] = {
    {SP_GROUP_ALL, wants_all, SP_NARROW, SP_WIDEN, SP_TIGHTENS, SP_LOOSENS},
    {SP_GROUP_CHROOT, wants_chroot, SP_NARROW, SP_WIDEN, SP_TIGHTENS, SP_LOOSENS},
    {SP_GROUP_KEYONLY, wants_keyonly, SP_NARROW, SP_BUILD, SP_TIGHTENS, SP_LOOSENS},
    {SP_GROUP_BOTH, wants_both, SP_NARROW, SP_BUILD, SP_TIGHTENS, SP_LOOSENS},
    {SP_GROUP_NOFORWARD, wants_noforward, SP_NARROW, SP_BUILD, SP_TIGHTENS, SP_LOOSENS},
    {SP_GROUP_FORWARD, wants_forward, SP_BUILD, SP_NARROW, SP_LOOSENS, SP_TIGHTENS},
    {SP_GROUP_LOCAL, wants_never, SP_BUILD, SP_BUILD, SP_NEUTRAL, SP_NEUTRAL},
};

const struct sp_membership_rule *sp_membership_rules(void)
{
    return memberships;
}

bool sp_groups_wants(const struct sp_ctx *c, const char *group)
{
    for (size_t i = 0; c->desired != NULL && i < SP_MEMBERSHIPS; i++)
        if (sp_streq(memberships[i].group, group))
            return memberships[i].wanted(c);
    return false;
}
