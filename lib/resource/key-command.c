/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A key's forced command against the ForceCommand of sshd_config, which overrides it (sshd(8), "command=").
 * Ours is there for jailed accounts where sshd serves sftp itself. A key that was to run one thing must not
 * come to run everything: it is not written there.
 */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "resource/keys.h"
#include "resource/sshd.h"

static const char why_internal[] =
    "its command would not be in force for a jailed account, since this sshd "
    "serves sftp itself (internal-sftp)";
static const char why_forced[] = "a ForceCommand of sshd_config would run in place of its command";

static bool have_command(const struct sp_account *a)
{
    for (size_t i = 0; i < a->n_domains; i++)
        for (size_t k = 0; k < a->domains[i].keys.n; k++)
            if (a->domains[i].keys.v[k].rules.command[0] != '\0')
                return true;
    return false;
}

static bool has_force(const struct sp_ctx *c)
{
    _cleanup_(sp_buf_clear) struct sp_buf output = {0};
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};
    struct sp_error ignored;
    const char *forced;

    if (c->user == NULL)
        return false;
    if (sp_sshd_effective(c->host, c->config, c->user->name, &output, &ignored) < 0 ||
        sp_sshdconf_parse(sp_buf_str(&output), output.len, &conf, &ignored) < 0)
        return true;
    forced = sp_sshdconf_get(&conf, "forcecommand");
    return forced != NULL && forced[0] != '\0' && strcasecmp(forced, "none") != 0;
}

/* NULL, or why. An sshd that cannot be asked is taken for one that overrides. */
static const char *overridden(const struct sp_ctx *c)
{
    enum sp_sftp sftp;
    struct sp_error ignored;

    if (c->desired->shell == SP_SHELL_BASH && has_force(c))
        return why_forced;
    if (c->desired->shell == SP_SHELL_CHROOT &&
        (sp_sshd_sftp(c, &sftp, &ignored) < 0 || sftp == SP_SFTP_INTERNAL))
        return why_internal;
    return NULL;
}

static void tell(const struct sp_account *a, const char *fingerprint, const char *why,
                 sp_key_skipped *skipped, void *data)
{
    for (size_t i = 0; i < a->n_domains; i++) {
        const struct sp_key *k = sp_key_list_find(&a->domains[i].keys, fingerprint);
        if (k != NULL && skipped != NULL)
            skipped(&a->domains[i], k, why, data);
    }
}

int sp_keys_wanted(const struct sp_ctx *c, struct sp_key_list *ret, sp_key_skipped *skipped, void *data,
                   struct sp_error *err)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list all = {0};
    const char *why;

    if (sp_account_effective_keys(c->desired, c->host->ops->now(c->host), &all, skipped, data, err) < 0)
        return -1;
    why = have_command(c->desired) ? overridden(c) : NULL;
    if (why == NULL) {
        *ret = all;
        all = (struct sp_key_list){0};
        return 0;
    }
    for (size_t i = 0; i < all.n; i++)
        if (all.v[i].rules.command[0] != '\0')
            tell(c->desired, all.v[i].key.fingerprint, why, skipped, data);
        else if (sp_key_list_add(ret, &all.v[i], err) < 0)
            return -1;
    return 0;
}

int sp_keys_check_command(const struct sp_ctx *c, const struct sp_key *k, struct sp_error *err)
{
    const char *why = k->rules.command[0] != '\0' ? overridden(c) : NULL;

    if (why == NULL)
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "%s", why);
    if (why == why_forced) {
        sp_hint(err, "take %s out of that Match block, or leave command out", c->user->name);
        return sp_field(err, "command");
    }
    sp_hint(err, "set `Subsystem sftp /usr/lib/openssh/sftp-server` in sshd_config, then reload sshd");
    return sp_field(err, "command");
}
