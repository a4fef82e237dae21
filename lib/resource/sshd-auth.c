/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How an account proves itself, as `sshd -T -C user=...` shows it: keys alone, a password or a key, or
 * both. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "resource/sshd-files.h"
#include "resource/sshd.h"

static bool says(const struct sp_sshdconf *conf, const char *keyword, const char *value)
{
    const char *is = sp_sshdconf_get(conf, keyword);

    return is != NULL && strcasecmp(is, value) == 0;
}

static bool takes_passwords(const struct sp_sshdconf *conf)
{
    return says(conf, "passwordauthentication", "yes") || says(conf, "kbdinteractiveauthentication", "yes");
}

static bool is_password(const char *list, size_t len)
{
    return (len >= 8 && strncmp(list, "password", 8) == 0) ||
           (len >= 20 && strncmp(list, "keyboard-interactive", 20) == 0);
}

/* What sshd_config(5) calls AuthenticationMethods: lists apart by blanks, each to be gone through whole. */
struct ways {
    bool key, password; /* is one of them enough? */
    bool both;          /* does every list hold a key and a password? */
};

static struct ways read_ways(const char *methods)
{
    struct ways w = {.key = true, .password = true};

    if (strcasecmp(methods, "any") == 0)
        return w;
    w = (struct ways){.both = true};
    for (const char *list = methods; *list != '\0'; list += strspn(list, " ")) {
        size_t len = strcspn(list, " "), first = strcspn(list, ", ");
        char one[256] = "";
        bool key, password;

        (void)sp_str_format(one, sizeof(one), "%.*s", (int)len, list);
        key = strstr(one, "publickey") != NULL;
        password = strstr(one, "password") != NULL || strstr(one, "keyboard-interactive") != NULL;

        w.both = w.both && key && password;
        if (first == len) {
            w.key = w.key || key;
            w.password = w.password || is_password(list, len);
        }
        list += len;
    }
    return w;
}

static int blame(const struct sp_ctx *c, const char *keyword, const char *mend, struct sp_error *err)
{
    char where[SP_SSHD_WHERE];

    if (sp_sshd_where(c, keyword, NULL, where))
        return sp_hint(err, "set in %s: %s", where, mend);
    return sp_hint(err, "%s; `sshd -T -C user=%s,host=localhost,addr=127.0.0.1` shows it", mend,
                   c->user->name);
}

static int no_passwords(const struct sp_ctx *c, struct sp_error *err)
{
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd takes no passwords from %s (passwordauthentication no)",
            c->user->name);
    return blame(c, "passwordauthentication",
                 "say `PasswordAuthentication yes` there, or for the members of a group in a Match block",
                 err);
}

static int wrong_methods(const struct sp_ctx *c, const char *methods, const char *mend,
                         struct sp_error *err)
{
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd has authenticationmethods %.150s for %s",
            methods != NULL ? methods : "(nothing)", c->user->name);
    return blame(c, "authenticationmethods", mend, err);
}

int sp_sshd_expect_auth(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err)
{
    const struct sp_access *a = &c->desired->access;
    const char *methods = sp_sshdconf_get(conf, "authenticationmethods");
    struct ways w = read_ways(methods != NULL ? methods : "any");

    if (sp_access_is_key_only(a)) {
        if (takes_passwords(conf)) {
            sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd takes passwords from %s", c->user->name);
            return blame(c,
                         says(conf, "passwordauthentication", "yes") ? "passwordauthentication"
                                                                     : "kbdinteractiveauthentication",
                         "it comes before our Match blocks and wins: take it away", err);
        }
        return w.key ? 0 : wrong_methods(c, methods, "a key alone has to be enough for him", err);
    }
    if (a->authentication == SP_AUTH_UNSET)
        return 0;
    if (!takes_passwords(conf))
        return no_passwords(c, err);
    if (a->authentication == SP_AUTH_KEY_AND_PASSWORD)
        return w.both ? 0 : wrong_methods(c, methods, "it comes before our Match blocks and wins", err);
    return w.key && w.password
               ? 0
               : wrong_methods(c, methods, "a key alone and a password alone have to be enough", err);
}
