/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/certs.h"

#include <stdlib.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/hostkeys.h"
#include "engine/methods.h"
#include "host/replace.h"
#include "model/when.h"

#define KEPT_DAYS 30

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_certs_owner(struct sp_engine *e, const char *domain, char ret_user[SP_USER_SIZE],
                   struct sp_error *err)
{
    struct sp_params p = {0};

    (void)sp_str_copy(p.domain, sizeof(p.domain), domain);
    return sp_owner_required(e, &p, ret_user, err);
}

static bool add_when(cJSON *o, const char *name, int64_t when)
{
    char text[SP_WHEN_SIZE];

    if (when == 0)
        return cJSON_AddNullToObject(o, name) != NULL;
    sp_when_format(when, text);
    return cJSON_AddStringToObject(o, name, text) != NULL;
}

int sp_certs_report(const struct sp_certificate *c, cJSON *array, struct sp_error *err)
{
    cJSON *o = cJSON_CreateObject();

    if (o == NULL || !cJSON_AddItemToArray(array, o) ||
        !cJSON_AddNumberToObject(o, "serial", (double)c->serial) ||
        !cJSON_AddStringToObject(o, "key_id", c->key_id) || !cJSON_AddStringToObject(o, "user", c->user) ||
        !cJSON_AddStringToObject(o, "fingerprint", c->fingerprint) ||
        !add_when(o, "issued_at", c->issued_at) || !add_when(o, "valid_from", c->valid_from) ||
        !add_when(o, "valid_until", c->valid_to) || !cJSON_AddStringToObject(o, "from", c->sources) ||
        !cJSON_AddNumberToObject(o, "caller", c->caller) ||
        !cJSON_AddStringToObject(o, "reason", c->reason) || !add_when(o, "revoked_at", c->revoked_at))
        return no_memory(err);
    return 0;
}

/* --- the hand-over to people --- */

/* ssh(1) finds a certificate as KEY-cert.pub beside KEY; these are its own names for a key. */
static const char *file_of(const char *type)
{
    static const char *const names[][2] = {{"ssh-ed25519", "id_ed25519"},
                                           {"ssh-rsa", "id_rsa"},
                                           {"sk-ssh-ed25519@openssh.com", "id_ed25519_sk"},
                                           {"sk-ecdsa-sha2-nistp256@openssh.com", "id_ecdsa_sk"}};

    for (size_t i = 0; i < SP_COUNT(names); i++)
        if (sp_streq(type, names[i][0]))
            return names[i][1];
    return "id_ecdsa";
}

/* IdentitiesOnly: an agent full of keys else meets MaxAuthTries. PowerShell's > would write UTF-16, which
 * makes a certificate silently ignored. */
static const struct {
    const char *system, *format;
} hand_over[] = {
    {"linux",
     "printf '%%s\\n' '%1$s' >~/.ssh/%2$s-cert.pub\nssh -o IdentitiesOnly=yes -i ~/.ssh/%2$s -p %3$u "
     "%4$s@%5$s"},
    {"macos",
     "printf '%%s\\n' '%1$s' >~/.ssh/%2$s-cert.pub\nssh -o IdentitiesOnly=yes -i ~/.ssh/%2$s -p %3$u "
     "%4$s@%5$s"},
    {"powershell",
     "Set-Content -Encoding ascii -Path \"$HOME\\.ssh\\%2$s-cert.pub\" -Value '%1$s'\nssh -o "
     "IdentitiesOnly=yes -i \"$HOME\\.ssh\\%2$s\" -p %3$u %4$s@%5$s"},
    {"putty",
     "Set-Content -Encoding ascii -Path \"$HOME\\%2$s-cert.pub\" -Value '%1$s'\nputty.exe -ssh -i "
     "\"$HOME\\%2$s.ppk\" -cert \"$HOME\\%2$s-cert.pub\" -P %3$u %4$s@%5$s"},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int add_commands(const char *line, const char *file, unsigned port, const char *user,
                        const char *host, cJSON *commands, struct sp_error *err)
{
    for (size_t i = 0; i < SP_COUNT(hand_over); i++) {
        _cleanup_(sp_buf_clear) struct sp_buf text = {0};
        sp_buf_printf(&text, hand_over[i].format, line, file, port, user, host);
        if (!sp_buf_ok(&text) || !cJSON_AddStringToObject(commands, hand_over[i].system, sp_buf_str(&text)))
            return no_memory(err);
    }
    return 0;
}
#pragma GCC diagnostic pop

int sp_certs_commands(struct sp_engine *e, const struct sp_ctx *c, const char *host, const char *type,
                      const char *line, cJSON *result, struct sp_error *err)
{
    const char *file = file_of(type);
    char name[64];
    struct utsname self;
    unsigned port;
    cJSON *commands;

    if (host[0] == '\0')
        host = uname(&self) == 0 ? self.nodename : "localhost";
    if (sp_hostkeys_port(e, c, &port, err) < 0)
        return -1;
    (void)sp_str_format(name, sizeof(name), "%s-cert.pub", file);
    commands = cJSON_AddStringToObject(result, "file_name", name) != NULL
                   ? cJSON_AddObjectToObject(result, "commands")
                   : NULL;
    if (commands == NULL)
        return no_memory(err);
    return add_commands(line, file, port, c->user->name, host, commands, err);
}

/* --- reconcile --- */

/* Records of certificates that ended long before the last one was made go; the log of the host has the
 * rest. By the records' times alone: a clock that goes wrong for an hour must not forget what is revoked.
 */
static int prune(struct sp_host *h, const struct sp_certlog *log, int64_t now, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    size_t old = 0;

    if (log->n > 0 && log->v[log->n - 1].issued_at < now)
        now = log->v[log->n - 1].issued_at;
    for (size_t i = 0; i < log->n; i++)
        old += log->v[i].valid_to < now - KEPT_DAYS * 86400;
    if (old == 0)
        return 0;
    if (sp_certlog_prune(log, now - KEPT_DAYS * 86400, &out, err) < 0)
        return -1;
    return sp_replace_path(h, SP_CA_ISSUED, sp_buf_str(&out), out.len, &how, err);
}

/* The CAs are read under the lock: with a list from before it, one that was dropped meanwhile would be
 * trusted anew. */
static int mend(struct sp_engine *e, struct sp_cas *cas, bool *trusted, bool *revoked,
                struct sp_certlog *log, struct sp_error *err)
{
    int64_t now = e->host->ops->now(e->host);
    _cleanup_close_ int lock = sp_certstore_lock(e->host, err);

    sp_cas_clear(cas);
    if (lock < 0 || sp_cas_read(e->host, cas, err) < 0 || sp_certstore_read(e->host, log, err) < 0 ||
        sp_certstore_krl(e->host, log, now, revoked, err) < 0 ||
        (cas->n > 0 && sp_cas_trust(e->host, cas, trusted, err) < 0))
        return -1;
    return prune(e->host, log, now, err);
}

int sp_reconcile_certificates(struct sp_engine *e, enum sp_run_flags flags, cJSON *result,
                              struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    _cleanup_(sp_cas_clear) struct sp_cas cas = {0};
    bool trusted = false, revoked = false;
    struct sp_error why;
    cJSON *o;
    int rc;

    if (sp_cas_read(e->host, &cas, err) < 0)
        return -1;
    if (cas.n == 0)
        return 0;
    if ((flags & SP_RUN_DRY) != 0) {
        revoked = !sp_certstore_krl_stands(e->host);
        rc = sp_certstore_read(e->host, &log, &why);
    } else
        rc = mend(e, &cas, &trusted, &revoked, &log, &why);
    o = cJSON_AddObjectToObject(result, "certificates");
    if (o == NULL || !cJSON_AddNumberToObject(o, "cas", (double)cas.n) ||
        !cJSON_AddBoolToObject(o, "trusted_mended", trusted) ||
        !cJSON_AddBoolToObject(o, "revoked_mended", revoked) ||
        !cJSON_AddNumberToObject(o, "strange_records", (double)log.strange) ||
        (rc < 0 && !cJSON_AddStringToObject(o, "error", why.text)))
        return no_memory(err);
    return 0;
}
