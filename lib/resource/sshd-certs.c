/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/sshd-certs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "resource/certstore.h"
#include "resource/sshd-files.h"
#include "resource/sshd.h"

/* A command for principals would open accounts beside the files: in 9.2 one of the two commands is even
 * ignored without a word, by their order. */
static const struct {
    const char *keyword, *value;
} settings[] = {
    {"TrustedUserCAKeys", SP_CA_TRUSTED},
    {"RevokedKeys", SP_CA_REVOKED},
    {"AuthorizedPrincipalsFile", SP_PRINCIPALS_DIR "/%u"},
    {"AuthorizedPrincipalsCommand", "none"},
};

/* A revocation list that is named and missing refuses every key; one that is not named refuses none. */
int sp_sshd_certs_lines(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err)
{
    int exist = sp_cas_look(c->host, err);

    for (size_t i = 0; exist > 0 && i < SP_COUNT(settings); i++)
        sp_buf_printf(out, "\t%s %s\n", settings[i].keyword, settings[i].value);
    return exist < 0 ? -1 : 0;
}

static int not_so(const struct sp_ctx *c, const char *keyword, const char *is, const char *mend,
                  struct sp_error *err)
{
    char where[SP_SSHD_WHERE];

    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "certificates: sshd has %s %.150s for %s", keyword,
            is != NULL ? is : "(nothing)", c->user->name);
    if (sp_sshd_where(c, keyword, NULL, where))
        return sp_hint(err, "set in %s: %s", where, mend);
    return sp_hint(err, "%s", mend);
}

/* The algorithm names are a list with commas. */
static bool lists(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (; list != NULL && *list != '\0'; list += strcspn(list, ","), list += *list == ',')
        if (strncmp(list, name, n) == 0 && (list[n] == ',' || list[n] == '\0'))
            return true;
    return false;
}

int sp_sshd_certs_expect(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err)
{
    int exist = sp_cas_look(c->host, err);
    const char *is;

    if (exist <= 0)
        return exist;
    for (size_t i = 0; i < SP_COUNT(settings); i++) {
        is = sp_sshdconf_get(conf, settings[i].keyword);
        if (is == NULL ? !sp_streq(settings[i].value, "none") : !sp_streq(is, settings[i].value))
            return not_so(c, settings[i].keyword, is,
                          "it comes before our Match blocks and wins: take it away there", err);
    }
    is = sp_sshdconf_get(conf, "casignaturealgorithms");
    if (is != NULL && !lists(is, "ssh-ed25519"))
        return not_so(c, "casignaturealgorithms", is, "add ssh-ed25519 to it", err);
    return 0;
}

int sp_sshd_certs_conflict(const struct sp_ctx *c, struct sp_error *err)
{
    char where[SP_SSHD_WHERE];

    for (size_t i = 0; i < SP_COUNT(settings); i++) {
        const char *keyword = settings[i].keyword;
        char none[SP_SSHD_WHERE];
        if (sp_sshd_find(c, keyword, NULL, where, err) < 0 ||
            sp_sshd_find(c, keyword, "none", none, err) < 0)
            return -1;
        if (sp_streq(where, none)) /* "" both, mostly */
            continue;
        sp_fail(err, SP_E_CONFLICT, 0, "%s is set in %s already", keyword, where);
        return sp_hint(err,
                       "for managed accounts it would be pushed aside: take it away, or put it into a "
                       "Match block that leaves the group " SP_GROUP_ALL " out");
    }
    return 0;
}
