/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/sshd-exceptions.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "resource/memberships.h"

/* sshd takes the first value it meets: they stand before what holds for all accounts. */
static const struct exception {
    const char *block;
    const char *group;
    enum { NARROWS, GIVES } what;
} exceptions[] = {
    {"Match Group " SP_GROUP_KEYONLY "\n"
     "\tPasswordAuthentication no\n"
     "\tKbdInteractiveAuthentication no\n"
     "\tHostbasedAuthentication no\n"
     "\tGSSAPIAuthentication no\n",
     SP_GROUP_KEYONLY, NARROWS},
    {"Match Group " SP_GROUP_BOTH "\n" /* VERBOSE: else a key that is half of a login stands in no log */
     "\tLogLevel VERBOSE\n"
     "\tAuthenticationMethods publickey,password publickey,keyboard-interactive\n",
     SP_GROUP_BOTH, NARROWS},
    {"Match Group " SP_GROUP_NOFORWARD "\n"
     "\tAllowTcpForwarding no\n",
     SP_GROUP_NOFORWARD, NARROWS},
    {"Match Group " SP_GROUP_FORWARD "\n"
     "\tAllowTcpForwarding yes\n",
     SP_GROUP_FORWARD, GIVES},
};

/* Whom somebody put into a group that gives, and who is to leave it with this very plan, needs no block. */
static int is_leaving(const struct sp_ctx *c, const struct exception *e, bool *ret, struct sp_error *err)
{
    *ret = false;
    return e->what == GIVES && c->user != NULL
               ? sp_userdb_group_is_just(c->host, e->group, c->user->name, ret, err)
               : 0;
}

static int has_members(const struct sp_ctx *c, const struct exception *e, bool *ret, struct sp_error *err)
{
    bool empty = false, leaving = false;

    *ret = false;
    if (sp_userdb_group_is_just(c->host, e->group, "", &empty, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (!empty && is_leaving(c, e, &leaving, err) < 0)
        return -1;
    *ret = !empty && !leaving;
    return 0;
}

/* Whom somebody took out of a group that gives stays out of it, as long as nobody says otherwise. */
static bool is_wished(const struct sp_ctx *c, const struct exception *e)
{
    return !(c->keeps_tight && e->what == GIVES) && sp_groups_wants(c, e->group);
}

static int is_needed(const struct sp_ctx *c, const struct sp_buf *have, const struct exception *e,
                     bool *ret, struct sp_error *err)
{
    bool tidies = c->thorough && c->desired == NULL;

    *ret = (!tidies && have->len > 0 && strstr(have->data, e->block) != NULL) || is_wished(c, e);
    return *ret ? 0 : has_members(c, e, ret, err);
}

int sp_sshd_exceptions(const struct sp_ctx *c, const struct sp_buf *have, struct sp_buf *out,
                       struct sp_error *err)
{
    for (size_t i = 0; i < SP_COUNT(exceptions); i++) {
        bool needed;
        if (is_needed(c, have, &exceptions[i], &needed, err) < 0)
            return -1;
        if (needed)
            sp_buf_puts(out, exceptions[i].block);
    }
    return 0;
}
