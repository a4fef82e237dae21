/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * certificate.issue: a certificate for a key that the account has. It opens exactly this account, never
 * longer nor from elsewhere than the key does, and it is noted durably before it is answered.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/certs.h"
#include "engine/check.h"
#include "engine/methods.h"
#include "host/lock.h"
#include "host/sign.h"
#include "model/when.h"
#include "resource/certsign.h"
#include "resource/sshd.h"

#define SKEW_S 60            /* clocks of clients and hosts differ */
#define CLOCK_MIN 1767225600 /* 2026-01-01: no host that runs this was there earlier */

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* What a request stands on while the account's lock is held. */
struct issue {
    struct sp_engine *engine;
    const struct sp_cert_request *request;
    int64_t now;
    struct sp_state state;
    struct sp_user user;
    struct sp_cas cas;
    struct sp_key_list keys; /* what the account's keys are worth now */
    const struct sp_key *key;
    struct sp_cidr_list from;
    struct sp_sshcert cert;
    struct sp_ctx ctx;
};

static void clear_issue(struct issue *s)
{
    sp_state_clear(&s->state);
    sp_cas_clear(&s->cas);
    sp_key_list_clear(&s->keys);
    sp_cidr_list_clear(&s->from);
}

static int load(struct issue *s, const char *user, struct sp_error *err)
{
    struct sp_engine *e = s->engine;

    if (sp_store_load(e->host, user, &s->state, err) < 0 ||
        sp_userdb_get(e->host, user, &s->user, err) < 0 || sp_check_person(e, user, s->user.uid, err) < 0)
        return -1;
    if (s->state.desired.uid != s->user.uid)
        return sp_refuse_stranger(&s->state.desired, &s->user, err);
    s->ctx = (struct sp_ctx){.host = e->host,
                             .config = e->config,
                             .user = &s->user,
                             .desired = &s->state.desired,
                             .applied = &s->state.applied,
                             .original_shell = s->state.original_shell};
    if (!sp_ctx_shut(&s->ctx))
        return 0;
    sp_fail(err, SP_E_CONFLICT, 0, "the account of %s is shut: no certificate would open it", user);
    return sp_hint(err, "give it a shell, or resume it, first");
}

/* A key of this domain's, as it is written for sshd now: expired it is worth nothing, and its sources are
 * cut to the domain's. */
static int find_key(struct issue *s, struct sp_error *err)
{
    const struct sp_cert_request *r = s->request;
    const struct sp_domain *d = sp_account_find(&s->state.desired, r->domain);

    if (sp_account_effective_keys(&s->state.desired, s->now, &s->keys, NULL, NULL, err) < 0)
        return -1;
    if (d != NULL && sp_key_list_find(&d->keys, r->fingerprint) != NULL)
        s->key = sp_key_list_find(&s->keys, r->fingerprint);
    if (s->key != NULL && !sp_keyrules_is_plain(&s->key->rules)) {
        sp_fail(err, SP_E_CONFLICT, 0,
                "this key may do less than its account, and a certificate would not");
        sp_hint(err, "register another key, without command, forwarding and pty, for certificates");
        return sp_field(err, "fingerprint");
    }
    if (s->key != NULL)
        return 0;
    sp_fail(err, SP_E_NOT_FOUND, 0, "%s is no key of %s that is good now", r->fingerprint, r->domain);
    sp_hint(err, "keys.list shows them; keys.add registers one");
    return sp_field(err, "fingerprint");
}

static int set_sources(struct issue *s, struct sp_error *err)
{
    if (sp_cidr_list_intersect(&s->key->from, &s->request->from, &s->from, err) < 0)
        return -1;
    if (s->from.n > 0 || (s->key->from.n == 0 && s->request->from.n == 0))
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "the key itself is good from none of these sources");
    sp_hint(err, "keys.list shows where it is good from");
    return sp_field(err, "from");
}

static int set_times(struct issue *s, struct sp_error *err)
{
    const struct sp_cert_request *r = s->request;
    const struct sp_config *c = s->engine->config;
    int64_t start = r->valid_from != 0 ? r->valid_from : s->now, end = r->valid_until;

    if (s->now < CLOCK_MIN) {
        sp_fail(err, SP_E_UNSUPPORTED, 0,
                "by this host's clock it is before 2026: a certificate has no end");
        return sp_hint(err, "set the clock, as timedatectl does, and ask again");
    }
    if (r->lifetime != 0 && end != 0) {
        sp_fail(err, SP_E_INVALID, 0, "lifetime and valid_until contradict each other");
        sp_hint(err, "give one of them");
        return sp_field(err, "lifetime");
    }
    if (end == 0)
        end = start + (r->lifetime != 0 ? r->lifetime : c->certificate_lifetime);
    if (end <= start || end <= s->now) {
        sp_fail(err, SP_E_INVALID, 0, "it would have ended already, or before it begins");
        sp_hint(err, "give a time to come, in UTC");
        return sp_field(err, "valid_until");
    }
    if (end - start > c->certificate_max) {
        sp_fail(err, SP_E_INVALID, 0, "longer than the %u seconds that certificate_max allows",
                c->certificate_max);
        sp_hint(err, "ask for less, and renew it when it ends");
        return sp_field(err, r->lifetime != 0 ? "lifetime" : "valid_until");
    }
    if (s->key->expires_at != 0 && end > s->key->expires_at)
        end = s->key->expires_at;
    s->cert.valid_from = r->valid_from != 0 ? start : start - SKEW_S;
    s->cert.valid_to = end;
    if (end > start)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "the key ends before the certificate begins");
    sp_hint(err, "give the key a later expires_at, or begin earlier");
    return sp_field(err, "valid_from");
}

/* Where sshd serves sftp itself, its ForceCommand for jailed accounts overrides a certificate's. */
static int set_command(struct issue *s, struct sp_error *err)
{
    enum sp_sftp sftp = SP_SFTP_PROGRAM;

    if (s->request->command[0] == '\0')
        return 0;
    if (s->state.desired.shell == SP_SHELL_CHROOT && sp_sshd_sftp(&s->ctx, &sftp, err) < 0)
        return -1;
    if (sftp == SP_SFTP_INTERNAL) {
        sp_fail(err, SP_E_UNSUPPORTED, 0,
                "a forced command is not in force for jailed accounts while sshd serves sftp itself");
        sp_hint(err, "set `Subsystem sftp /usr/lib/openssh/sftp-server`, then reload sshd");
        return sp_field(err, "command");
    }
    return sp_str_copy(s->cert.command, sizeof(s->cert.command), s->request->command);
}

/* "USER/FINGERPRINT/REQUEST": sshd logs it with every login. */
static void set_key_id(struct issue *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@+=-";
    const char *id = s->engine->request_id;
    char word[101] = "-";

    for (size_t i = 0; id != NULL && id[i] != '\0' && i + 1 < sizeof(word); i++) {
        word[i] = strchr(plain, id[i]) != NULL ? id[i] : '_';
        word[i + 1] = '\0';
    }
    (void)sp_str_format(s->cert.key_id, sizeof(s->cert.key_id), "%s/%s/%s", s->user.name,
                        s->key->key.fingerprint, word);
}

static int find_ca(struct issue *s, struct sp_error *err)
{
    sp_cas_clear(&s->cas);
    if (sp_cas_read(s->engine->host, &s->cas, err) < 0)
        return -1;
    if (s->cas.n > 0 && sp_cas_exist(s->engine->host))
        return 0;
    sp_fail(err, SP_E_UNSUPPORTED, 0, "this host has no certificate authority");
    return sp_hint(err, "an admin makes one: sallyport certificates ca create");
}

/* sshd must know it before anybody is told that it opens something. */
static int in_force(struct issue *s, struct sp_error *err)
{
    struct sp_host *h = s->engine->host;
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};

    if (sp_sshd_prove(&s->ctx, err) < 0 || sp_cas_trust(h, &s->cas, NULL, err) < 0)
        return -1;
    if (sp_certstore_krl_stands(h))
        return 0;
    return sp_certstore_read(h, &log, err) < 0 ? -1 : sp_certstore_krl(h, &log, s->now, NULL, err);
}

static int note(struct issue *s, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf line = {0}, sources = {0};
    struct sp_certificate c = {.serial = s->cert.serial,
                               .uid = s->user.uid,
                               .issued_at = s->now,
                               .valid_from = s->cert.valid_from,
                               .valid_to = s->cert.valid_to,
                               .caller = s->engine->caller};

    sp_sshcert_sources(&s->from, &sources);
    if (snprintf(c.sources, sizeof(c.sources), "%s", sp_buf_str(&sources)) >= (int)sizeof(c.sources))
        memcpy(c.sources + sizeof(c.sources) - 4, "...", 4);
    (void)sp_str_copy(c.user, sizeof(c.user), s->user.name);
    (void)sp_str_copy(c.fingerprint, sizeof(c.fingerprint), s->key->key.fingerprint);
    (void)sp_str_copy(c.principal, sizeof(c.principal), s->cert.principal);
    (void)sp_str_copy(c.key_id, sizeof(c.key_id), s->cert.key_id);
    (void)sp_str_copy(c.reason, sizeof(c.reason), s->request->reason);
    return sp_certlog_issue(&c, &line, err) < 0 ? -1 : sp_certstore_append(s->engine->host, &line, err);
}

/* Signed, then noted: a serial that nobody was answered is used again. The CAs are read again now that
 * nobody else is at them: one that was dropped meanwhile would be trusted anew. */
static int sign(struct issue *s, struct sp_buf *line, struct sp_error *err)
{
    struct sp_host *h = s->engine->host;
    _cleanup_close_ int lock = sp_certstore_lock(h, err);

    s->cert.key = &s->key->key;
    s->cert.from = &s->from;
    if (lock < 0 || find_ca(s, err) < 0 || in_force(s, err) < 0 ||
        sp_principal_make(h, &s->user, s->cert.principal, err) < 0 ||
        sp_certstore_next(h, &s->cert.serial, err) < 0 ||
        sp_sign_random(s->cert.nonce, sizeof(s->cert.nonce), err) < 0 ||
        sp_certsign(h, s->engine->config, &s->cas.v[s->cas.n - 1], &s->cert, line, err) < 0)
        return -1;
    return note(s, err);
}

/* What it opens, for whom and until when: known before it is signed. */
static int report_terms(struct issue *s, cJSON *result, struct sp_error *err)
{
    char from[SP_WHEN_SIZE], until[SP_WHEN_SIZE];
    cJSON *sources = sp_cidrs_to_json(&s->from);

    sp_when_format(s->cert.valid_from, from);
    sp_when_format(s->cert.valid_to, until);
    if (sources == NULL || !cJSON_AddItemToObject(result, "from", sources) ||
        !cJSON_AddStringToObject(result, "domain", s->request->domain) ||
        !cJSON_AddStringToObject(result, "user", s->user.name) ||
        !cJSON_AddStringToObject(result, "key_id", s->cert.key_id) ||
        !cJSON_AddStringToObject(result, "fingerprint", s->key->key.fingerprint) ||
        !cJSON_AddStringToObject(result, "valid_from", from) ||
        !cJSON_AddStringToObject(result, "valid_until", until) ||
        !cJSON_AddStringToObject(result, "command", s->cert.command) ||
        !cJSON_AddStringToObject(result, "ca", s->cas.v[s->cas.n - 1].key.fingerprint) ||
        !cJSON_AddBoolToObject(result, "changed", true) || !cJSON_AddArrayToObject(result, "changes") ||
        !cJSON_AddArrayToObject(result, "warnings"))
        return no_memory(err);
    return 0;
}

static int plan(struct issue *s, cJSON *result, struct sp_error *err)
{
    if (sp_sshd_prove(&s->ctx, err) < 0 || report_terms(s, result, err) < 0)
        return -1;
    return sp_report_first(result, "certificate", s->key->key.fingerprint, "", s->cert.key_id, NULL, err);
}

static int report(struct issue *s, const char *line, cJSON *result, struct sp_error *err)
{
    char serial[24];

    (void)snprintf(serial, sizeof(serial), "%llu", (unsigned long long)s->cert.serial);
    if (report_terms(s, result, err) < 0)
        return -1;
    if (!cJSON_AddNumberToObject(result, "serial", (double)s->cert.serial) ||
        !cJSON_AddStringToObject(result, "principal", s->cert.principal) ||
        !cJSON_AddStringToObject(result, "certificate", line))
        return no_memory(err);
    if (sp_report_first(result, "certificate", serial, "", s->cert.key_id, s->cert.key_id, err) < 0)
        return -1;
    return sp_certs_commands(s->engine, &s->ctx, s->request->host, s->key->key.type, line, result, err);
}

SP_METHOD(sp_certificate_issue)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
    _cleanup_(clear_issue) struct issue s = {.engine = e, .request = &r, .now = e->host->ops->now(e->host)};
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    _cleanup_close_ int lock = -1;
    char user[SP_USER_SIZE], path[SP_PATH_SIZE];

    (void)p;
    if (sp_cert_request_decode(SP_CERT_ISSUE, raw, &r, err) < 0 ||
        sp_certs_owner(e, r.domain, user, err) < 0)
        return -1;
    (void)sp_str_format(path, sizeof(path), SP_STORE "/state/%s.lock", user);
    lock = sp_lock_take(e->host, path, SP_LOCK_DEADLINE_MS, err);
    if (lock < 0 || load(&s, user, err) < 0 || find_key(&s, err) < 0 || set_sources(&s, err) < 0 ||
        set_times(&s, err) < 0 || set_command(&s, err) < 0 || find_ca(&s, err) < 0)
        return -1;
    set_key_id(&s);
    if (r.dry_run)
        return plan(&s, result, err);
    if (sign(&s, &line, err) < 0)
        return -1;
    return report(&s, sp_buf_str(&line), result, err);
}
