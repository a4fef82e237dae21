/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ways to prove who one is: keys, the password, and which of them sshd asks for. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/fsat.h"
#include "host/shadow.h"
#include "host/spawn.h"
#include "host/strictmodes.h"
#include "model/authkeys.h"
#include "model/authopts.h"
#include "resource/keys.h"

/* --- one file of keys --- */

struct search {
    struct sp_visit *v;
    const char *path;
    bool reads_ours; /* sshd reads the file that sallyport writes */
    bool found;      /* the key, or any */
    bool usable;     /* one that sshd would take now */
    size_t n_usable;
    char problem[400]; /* why the last one that was found is not */
    char mend[300];
};

/* The digits of expiry-time as seconds; without 'Z' they are local time (misc.c, parse_absolute_time). */
static int64_t expiry_time(const char *text)
{
    static const size_t widths[] = {4, 2, 2, 2, 2, 2};
    size_t digits = strspn(text, "0123456789"), at = 0;
    int part[6] = {0, 1, 1, 0, 0, 0};
    struct tm t = {.tm_isdst = -1};

    for (size_t i = 0; i < SP_COUNT(widths) && at + widths[i] <= digits; i++) {
        size_t end = at + widths[i];
        for (part[i] = 0; at < end; at++)
            part[i] = part[i] * 10 + (text[at] - '0');
    }
    t.tm_year = part[0] - 1900;
    t.tm_mon = part[1] - 1;
    t.tm_mday = part[2];
    t.tm_hour = part[3];
    t.tm_min = part[4];
    t.tm_sec = part[5];
    return text[digits] != '\0' ? timegm(&t) : mktime(&t);
}

/* PubkeyAcceptedAlgorithms names signatures: an RSA key makes two of them. */
static bool is_accepted(const struct sp_visit *v, const char *type)
{
    const char *list = sp_sshdconf_get(&v->sshd, "pubkeyacceptedalgorithms");

    if (list == NULL)
        return true;
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        if (strlen(type) == n && strncmp(list, type, n) == 0)
            return true;
        if (sp_streq(type, "ssh-rsa") &&
            (strncmp(list, "rsa-sha2-256,", 13) == 0 || strncmp(list, "rsa-sha2-512,", 13) == 0 ||
             sp_streq(list, "rsa-sha2-256") || sp_streq(list, "rsa-sha2-512")))
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

static bool fail(struct search *s, const char *mend, const char *problem)
{
    (void)sp_str_copy(s->problem, sizeof(s->problem), problem);
    (void)sp_str_copy(s->mend, sizeof(s->mend), mend);
    return false;
}

/* What is recorded of a key, or of any (NULL), with the domain that has it. */
static const struct sp_key *recorded(const struct sp_visit *v, const char *fingerprint,
                                     const char **ret_domain)
{
    const struct sp_account *a = v->login->account;

    for (size_t i = 0; a != NULL && i < a->n_domains; i++) {
        const struct sp_key_list *l = &a->domains[i].keys;
        const struct sp_key *k = fingerprint != NULL ? sp_key_list_find(l, fingerprint)
                                 : l->n > 0          ? l->v
                                                     : NULL;
        if (k == NULL)
            continue;
        *ret_domain = a->domains[i].name;
        return k;
    }
    return NULL;
}

static const char *domain_of(const struct sp_visit *v, const char *fingerprint)
{
    const struct sp_account *a = v->login->account;
    const char *domain = a != NULL && a->n_domains > 0 ? a->domains[0].name : "DOMAIN";

    (void)recorded(v, fingerprint, &domain);
    return domain;
}

/* An expiry that nobody asked sallyport for is put back with the rest of the line. */
static void mend_expired(const struct search *s, const struct sp_authkeys_entry *e, char *ret, size_t size)
{
    struct sp_host *h = s->v->login->host;
    const char *domain;
    const struct sp_key *k = recorded(s->v, e->fingerprint, &domain);

    if (k != NULL && (k->expires_at == 0 || k->expires_at > h->ops->now(h)))
        (void)snprintf(ret, size, "sallyport reconcile --restore-access");
    else
        (void)snprintf(ret, size, "sallyport keys add %.200s FILE --expires-at LATER",
                       domain_of(s->v, e->fingerprint));
}

/* Would sshd take this line now, from there? */
static bool line_works(struct search *s, const struct sp_authkeys_entry *e)
{
    const char *address = s->v->login->address;
    struct sp_host *h = s->v->login->host;
    struct sp_authopts o;
    char text[400], mend[300];

    sp_authopts_parse(e->line, e->line_len, &o);
    if (o.bad[0] != '\0') {
        (void)snprintf(text, sizeof(text), "line %zu of %.150s has the option %s, which sshd refuses",
                       e->line_number, s->path, o.bad);
        (void)snprintf(mend, sizeof(mend), "take it out of line %zu", e->line_number);
        return fail(s, mend, text);
    }
    if (o.cert_authority)
        return fail(s, "", "it stands there as a certificate authority, not as a key");
    if (o.expiry[0] != '\0' && expiry_time(o.expiry) <= h->ops->now(h)) {
        (void)snprintf(text, sizeof(text), "the key has expired (expiry-time %s in line %zu of %.150s)",
                       o.expiry, e->line_number, s->path);
        mend_expired(s, e, mend, sizeof(mend));
        return fail(s, mend, text);
    }
    if (o.has_from && address != NULL && !sp_authopts_from_matches(o.from, address)) {
        (void)snprintf(text, sizeof(text), "the key is not allowed from %s (from=\"%.200s\")", address,
                       o.from);
        (void)snprintf(mend, sizeof(mend), "sallyport keys add %.200s FILE --from %.60s",
                       domain_of(s->v, e->fingerprint), address);
        return fail(s, mend, text);
    }
    if (!is_accepted(s->v, e->type)) {
        (void)snprintf(text, sizeof(text), "sshd does not accept keys of the type %s", e->type);
        return fail(s, "see PubkeyAcceptedAlgorithms in sshd_config, or use an ed25519 key", text);
    }
    return true;
}

static int visit_line(const struct sp_authkeys_entry *e, void *data)
{
    struct search *s = data;
    const struct sp_sshkey *key = s->v->login->key;

    if (e->unread)
        return -1;
    if (e->fingerprint[0] == '\0' || (key != NULL && !sp_streq(key->fingerprint, e->fingerprint)))
        return 0;
    s->found = true;
    if (!line_works(s, e))
        return 0;
    s->usable = true;
    s->n_usable++;
    return 0;
}

/* %h, %u, %U and %%; relative to the home. False: another token, or too long. */
static bool expand(const struct sp_visit *v, const char *word, char ret[SP_PATH_SIZE])
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    for (const char *p = word; *p != '\0'; p++) {
        if (*p != '%') {
            sp_buf_add(&b, p, 1);
            continue;
        }
        p++;
        if (*p == 'h')
            sp_buf_puts(&b, v->user.home);
        else if (*p == 'u')
            sp_buf_puts(&b, v->user.name);
        else if (*p == 'U')
            sp_buf_printf(&b, "%u", v->user.uid);
        else if (*p == '%')
            sp_buf_puts(&b, "%");
        else
            return false;
    }
    if (sp_buf_str(&b)[0] == '/')
        return sp_str_copy(ret, SP_PATH_SIZE, sp_buf_str(&b)) == 0;
    return sp_str_format(ret, SP_PATH_SIZE, "%s/%s", v->user.home, sp_buf_str(&b)) == 0;
}

static bool is_ours(const struct sp_visit *v, const char *path)
{
    char ours[SP_PATH_SIZE];

    if (v->login->config->key_store == SP_KEY_STORE_ROOT)
        return sp_str_format(ours, sizeof(ours), SP_KEYS_ROOT_DIR "/%s", v->user.name) == 0 &&
               sp_streq(path, ours);
    return sp_str_format(ours, sizeof(ours), "%s/" SP_KEYS_HOME_FILE, v->user.home) == 0 &&
           sp_streq(path, ours);
}

/* One file: what it says of the key goes into *s. */
static int look_in(struct search *s, const char *path, char problem[800], char mend[SP_MEND_SIZE],
                   struct sp_error *err)
{
    _cleanup_(sp_strictmodes_file_clear) struct sp_strictmodes_file f = {0};
    struct sp_error why;

    if (sp_strictmodes_read(s->v->login->host, &s->v->user, path,
                            sp_visit_sshd_is(s->v, "strictmodes", "yes") ? SP_STRICTMODES_YES
                                                                         : SP_STRICTMODES_NO,
                            &f, &why) < 0) {
        (void)snprintf(problem, 800, "%s", why.text);
        return why.code == SP_E_NO_MEMORY ? (*err = why, -1) : 0;
    }
    if (f.problem[0] != '\0') {
        struct sp_way way;
        bool closed = strncmp(f.mend, "namei ", 6) == 0 && sp_doctor_way(s->v, path, &way) == SP_WAY_CLOSED;
        if (problem[0] == '\0') {
            (void)snprintf(problem, 800, "sshd does not read %.150s: %s%s%.200s", path, f.problem,
                           closed ? ", it ends at " : "", closed ? way.at : "");
            (void)sp_str_copy(mend, SP_MEND_SIZE, closed ? way.mend : f.mend);
        }
        return 0;
    }
    s->path = path;
    return sp_authkeys_each(sp_buf_str(&f.bytes), f.bytes.len, visit_line, s) == 0
               ? 0
               : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* sshd looks for keys where sallyport writes none. */
static int say_elsewhere(struct sp_visit *v, enum sp_finding_state bad, struct sp_error *err)
{
    const char *is = sp_sshdconf_get(&v->sshd, "authorizedkeysfile");
    char where[SP_DOCTOR_WHERE];

    sp_doctor_where(v, "authorizedkeysfile", where);
    if (sp_finding_add(v, "key", bad, err,
                       "AuthorizedKeysFile is %.150s: sshd does not read the file of sallyport's",
                       is != NULL ? is : "none") < 0)
        return -1;
    return sp_finding_mend(v, "add %s to AuthorizedKeysFile%s, then reload sshd",
                           v->login->config->key_store == SP_KEY_STORE_ROOT ? SP_KEYS_ROOT_DIR "/%u"
                                                                            : SP_KEYS_HOME_FILE,
                           where);
}

/* The key, or any, is in no file. What is recorded comes back by itself; where the home is gone it needs
 * that first. */
static int say_no_key(struct sp_visit *v, enum sp_finding_state bad, struct sp_error *err)
{
    const struct sp_sshkey *key = v->login->key;
    const char *domain = NULL, *first = "";
    bool known = recorded(v, key != NULL ? key->fingerprint : NULL, &domain) != NULL;
    bool homeless = sp_fsat_is_missing(v->login->host->root_fd, v->user.home), no_home = false;
    char mkhome[SP_MEND_SIZE + 4], mend[SP_MEND_SIZE], home[300] = "";
    int rc;

    if (homeless && v->login->config->key_store != SP_KEY_STORE_ROOT) {
        no_home = !sp_mend_path(v->login->host, &v->user, SP_MEND_HOME, v->user.home, mend);
        (void)snprintf(mkhome, sizeof(mkhome), "%s; ", mend);
        (void)snprintf(home, sizeof(home), "the home %.200s is missing: ", v->user.home);
        first = mkhome;
    }
    if (key != NULL)
        rc = sp_finding_add(v, "key", bad, err, "%sthe key %s is in no authorized_keys of %s", home,
                            key->fingerprint, v->user.name);
    else
        rc = sp_finding_add(v, "key", bad, err, "%s%s has no key", home, v->user.name);
    if (rc < 0)
        return -1;
    if (no_home) /* nothing comes back without it */
        return sp_finding_mend(v, "%s", mend);
    if (known)
        return sp_finding_mend(v, "%ssallyport reconcile --restore-access", first);
    if (v->login->account != NULL && v->login->account->n_domains > 0)
        return sp_finding_mend(v, "%ssallyport keys add %s FILE", first,
                               v->login->account->domains[0].name);
    return sp_finding_mend(v, "%sssh-copy-id -f -i FILE %s@...", first, v->user.name);
}

static int put_key_answer(struct sp_visit *v, const struct search *s, const char *problem, const char *mend,
                          struct sp_error *err)
{
    const struct sp_sshkey *key = v->login->key;
    /* without a key in hand a password may do: then it is no stop here, but at the methods */
    enum sp_finding_state bad = key != NULL ? SP_FINDING_STOPS : SP_FINDING_WARNING;
    int left_out;

    if (s->usable) {
        v->key_works = true;
        return key != NULL
                   ? sp_finding_add(v, "key", SP_FINDING_OK, err, "the key %s may log in", key->fingerprint)
                   : sp_finding_add(v, "key", SP_FINDING_OK, err, "%zu keys may log in", s->n_usable);
    }
    if (problem[0] != '\0' || s->found) {
        if (sp_finding_add(v, "key", bad, err, "%s", problem[0] != '\0' ? problem : s->problem) < 0)
            return -1;
        return sp_finding_mend(v, "%s", problem[0] != '\0' ? mend : s->mend);
    }
    if (v->key_unknown)
        return sp_finding_add(v, "key", SP_FINDING_UNKNOWN, err,
                              "no file has the key; sshd asks a command or trusts certificates besides");
    if (!s->reads_ours && v->login->account != NULL)
        return say_elsewhere(v, bad, err);
    left_out = sp_doctor_left_out(v, bad, err);
    return left_out != 0 ? (left_out < 0 ? -1 : 0) : say_no_key(v, bad, err);
}

/* A revocation list that sshd cannot read refuses every key. */
static int check_revoked(struct sp_visit *v, bool *ret_stops, struct sp_error *err)
{
    const char *krl = sp_sshdconf_get(&v->sshd, "revokedkeys");
    const char *argv[] = {"/usr/bin/ssh-keygen", "-Q", "-f", krl, "/dev/stdin", NULL};
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {.argv = argv, .deadline_ms = 5000, .max_output = 4096};
    struct sp_error why;
    int has;

    if (krl == NULL || strcasecmp(krl, "none") == 0)
        return 0;
    has = sp_visit_has(v, krl, &why);
    if (has < 0)
        return sp_finding_unseen(v, "key", &why, err);
    if (!has) {
        *ret_stops = true;
        if (sp_finding_add(v, "key", SP_FINDING_STOPS, err,
                           "RevokedKeys %.200s is missing: sshd refuses every key", krl) < 0)
            return -1;
        return sp_finding_mend(v, "sallyport reconcile");
    }
    if (v->login->key == NULL)
        return 0;
    sp_sshkey_format(v->login->key, &line);
    sp_buf_puts(&line, "\n");
    run.input = sp_buf_str(&line);
    run.input_len = line.len;
    if (sp_spawn_run(v->login->host, &run, &why) < 0)
        return sp_finding_unseen(v, "key", &why, err);
    if (run.status == 0)
        return 0;
    *ret_stops = true;
    return sp_finding_add(v, "key", SP_FINDING_STOPS, err, "RevokedKeys %.200s: %.200s", krl,
                          run.out.len > 0 ? sp_buf_str(&run.out) : sp_buf_str(&run.err_out));
}

int sp_doctor_key(struct sp_visit *v, struct sp_error *err)
{
    char problem[800] = "", mend[SP_MEND_SIZE] = "", path[SP_PATH_SIZE];
    struct search s = {.v = v};
    struct sp_sshdconf_words w = {0};
    const char *command, *ca;
    bool stops = false;

    if (!v->has_user || !v->has_sshd)
        return 0;
    command = sp_sshdconf_get(&v->sshd, "authorizedkeyscommand");
    ca = sp_sshdconf_get(&v->sshd, "trustedusercakeys");
    v->key_unknown = (command != NULL && strcasecmp(command, "none") != 0) ||
                     (ca != NULL && strcasecmp(ca, "none") != 0);
    if (!sp_visit_sshd_is(v, "pubkeyauthentication", "yes")) {
        char where[SP_DOCTOR_WHERE];
        sp_doctor_where(v, "pubkeyauthentication", where);
        if (sp_finding_add(v, "key", v->login->key != NULL ? SP_FINDING_STOPS : SP_FINDING_WARNING, err,
                           "sshd takes no keys (PubkeyAuthentication no)") < 0)
            return -1;
        return sp_finding_mend(v, "set PubkeyAuthentication yes%s, then reload sshd", where);
    }
    if (check_revoked(v, &stops, err) < 0 || stops)
        return stops ? 0 : -1;
    if (v->user.uid == 0)
        return sp_finding_add(v, "key", SP_FINDING_UNKNOWN, err, "root's keys are not looked at");
    while (sp_sshdconf_next(&v->sshd, "authorizedkeysfile", &w))
        if (strcasecmp(w.word, "none") != 0 && expand(v, w.word, path)) {
            s.reads_ours |= is_ours(v, path);
            if (look_in(&s, path, problem, mend, err) < 0)
                return -1;
        }
    return put_key_answer(v, &s, problem, mend, err);
}

/* --- the password --- */

int sp_doctor_password(struct sp_visit *v, struct sp_error *err)
{
    struct sp_shadow s = {0};
    struct sp_error why;
    bool asks;

    if (!v->has_user || !v->has_sshd || v->login->key != NULL)
        return 0;
    asks = sp_visit_sshd_is(v, "passwordauthentication", "yes") ||
           (sp_visit_sshd_is(v, "kbdinteractiveauthentication", "yes") &&
            sp_visit_sshd_is(v, "usepam", "yes"));
    if (!asks)
        return sp_finding_add(v, "password", SP_FINDING_OK, err, "sshd asks for no password");
    if (v->user.uid == 0 && !sp_visit_sshd_is(v, "permitrootlogin", "yes"))
        return sp_finding_add(v, "password", SP_FINDING_OK, err, "root may not log in with a password");
    v->password_unknown = sp_visit_shadow(v, &s, &why) < 0;
    if (v->password_unknown)
        return sp_finding_add(v, "password", SP_FINDING_UNKNOWN, err, "%s", why.text);
    v->password_works = s.has_password;
    return sp_finding_add(v, "password", SP_FINDING_OK, err,
                          s.has_password ? "sshd takes the password"
                          : s.locked     ? "the password is locked"
                                         : "no password is set");
}

/* --- AuthenticationMethods --- */

static bool password_may_work(const struct sp_visit *v)
{
    return v->password_works || v->password_unknown;
}

static bool method_works(const struct sp_visit *v, const char *method, size_t n)
{
    if (n >= 9 && strncmp(method, "publickey", 9) == 0)
        return v->key_works || v->key_unknown;
    if (n >= 8 && strncmp(method, "password", 8) == 0)
        return sp_visit_sshd_is(v, "passwordauthentication", "yes") && password_may_work(v);
    if (n >= 20 && strncmp(method, "keyboard-interactive", 20) == 0)
        return sp_visit_sshd_is(v, "kbdinteractiveauthentication", "yes") && password_may_work(v);
    return n >= 4 && strncmp(method, "none", 4) == 0;
}

static bool list_works(const struct sp_visit *v, const char *list)
{
    for (size_t n; *list != '\0'; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (!method_works(v, list, n))
            return false;
    }
    return true;
}

int sp_doctor_methods(struct sp_visit *v, struct sp_error *err)
{
    struct sp_sshdconf_words w = {0};
    const char *first;

    if (!v->has_user || !v->has_sshd)
        return 0;
    first = sp_sshdconf_get(&v->sshd, "authenticationmethods");
    if (first == NULL || strcasecmp(first, "any") == 0) {
        if (v->key_works || v->key_unknown || password_may_work(v) || v->login->key != NULL)
            return sp_finding_add(v, "methods", SP_FINDING_OK, err, "sshd asks for one proof, whichever");
        return sp_finding_add(v, "methods", SP_FINDING_STOPS, err,
                              "neither a key nor a password would be taken");
    }
    /* With a key in hand the password is somebody's to know. */
    if (v->login->key != NULL) {
        struct sp_shadow s = {0};
        struct sp_error why;
        v->password_unknown = sp_visit_shadow(v, &s, &why) < 0;
        v->password_works = s.has_password;
        if (v->password_unknown && sp_finding_unseen(v, "methods", &why, err) < 0)
            return -1;
    }
    while (sp_sshdconf_next(&v->sshd, "authenticationmethods", &w))
        if (list_works(v, w.word))
            return sp_finding_add(v, "methods", SP_FINDING_OK, err,
                                  strchr(w.word, ',') != NULL ? "sshd asks for all of %.200s"
                                                              : "sshd asks for %.200s",
                                  w.word);
    if (sp_finding_add(v, "methods", SP_FINDING_STOPS, err,
                       "sshd asks for %.200s, and this login has not all of it", first) < 0)
        return -1;
    return sp_finding_mend(v, "give what is missing, or change AuthenticationMethods and reload sshd");
}
