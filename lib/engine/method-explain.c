/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.explain: why somebody was refused, from what sshd logged. The client is told nothing but
 * "Permission denied". */
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/certs.h"
#include "engine/methods.h"
#include "host/loginlog.h"
#include "model/sshdlog.h"

#define REMEMBERED 4096 /* refusals of everybody, the newest */
#define ACCEPTED 64     /* the newest logins: what becomes of one is logged in the same second */
#define SHOWN 20
#define LOOK_BACK_S 86400

struct refusal {
    uint32_t pid;
    bool general, let_in;
    char at[40], user[SP_USER_SIZE], address[64];
    const char *why, *mend;
};

struct accepted {
    uint32_t pid;
    char user[SP_USER_SIZE], address[64];
};

struct memory {
    struct refusal *v; /* a ring of REMEMBERED */
    size_t n;          /* how many there were */
    struct accepted accepted[ACCEPTED];
    size_t n_accepted;
};

static struct refusal *nth(const struct memory *m, size_t i)
{
    return &m->v[i % REMEMBERED];
}

static size_t first(const struct memory *m)
{
    return m->n > REMEMBERED ? m->n - REMEMBERED : 0;
}

static struct refusal *add(struct memory *m, const struct sp_sshdlog *l, const char *why, const char *mend)
{
    struct refusal *r = nth(m, m->n++);

    *r = (struct refusal){.pid = l->pid, .general = l->general, .why = why, .mend = mend};
    (void)sp_str_copy(r->at, sizeof(r->at), l->at);
    (void)sp_str_copy(r->user, sizeof(r->user), l->user);
    (void)sp_str_copy(r->address, sizeof(r->address), l->address);
    return r;
}

static void remember(struct memory *m, const struct sp_sshdlog *l)
{
    struct accepted *a = &m->accepted[m->n_accepted++ % ACCEPTED];

    *a = (struct accepted){.pid = l->pid};
    (void)sp_str_copy(a->user, sizeof(a->user), l->user);
    (void)sp_str_copy(a->address, sizeof(a->address), l->address);
}

/* The login was accepted in an earlier line of the same process, which names the user. */
static void add_session(struct memory *m, const struct sp_sshdlog *l)
{
    for (size_t i = m->n_accepted; i > 0 && m->n_accepted - i < ACCEPTED; i--) {
        const struct accepted *a = &m->accepted[(i - 1) % ACCEPTED];
        struct sp_sshdlog whose = *l;

        if (a->pid != l->pid)
            continue;
        (void)sp_str_copy(whose.user, sizeof(whose.user), a->user);
        (void)sp_str_copy(whose.address, sizeof(whose.address), a->address);
        (void)add(m, &whose, l->why, l->mend);
        return;
    }
}

/* A line that names the user tells whose the earlier ones of its connection were. Returns how many. */
static size_t name_earlier(struct memory *m, const struct sp_sshdlog *l)
{
    size_t n = 0;

    for (size_t i = m->n; i > first(m) && m->n - i < 64; i--) {
        struct refusal *r = nth(m, i - 1);
        if (r->pid != l->pid || (r->user[0] != '\0' && !sp_streq(r->user, l->user)) || r->let_in)
            continue;
        n++;
        (void)sp_str_copy(r->user, sizeof(r->user), l->user);
        if (r->address[0] == '\0')
            (void)sp_str_copy(r->address, sizeof(r->address), l->address);
        r->let_in = l->kind == SP_SSHDLOG_ACCEPTED;
    }
    return n;
}

static void look(const char *line, size_t len, void *data)
{
    struct memory *m = data;
    struct sp_sshdlog l;
    size_t earlier;

    if (line == NULL || !sp_sshdlog_parse(line, len, &l))
        return;
    if (l.kind == SP_SSHDLOG_REFUSED)
        (void)add(m, &l, l.why, l.mend);
    if (l.kind == SP_SSHDLOG_SESSION)
        add_session(m, &l);
    if (l.kind == SP_SSHDLOG_ACCEPTED)
        remember(m, &l);
    if (l.user[0] == '\0' || l.kind == SP_SSHDLOG_OTHER)
        return;
    earlier = name_earlier(m, &l);
    if (earlier == 0 && l.kind == SP_SSHDLOG_CLOSED)
        (void)add(m, &l, "no key that the client offered is one of the account's",
                  "add its .pub to the account, or offer the right one: ssh -o IdentitiesOnly=yes -i KEY");
}

/* Another line of the same connection says it better. */
static bool is_said_better(const struct memory *m, const struct refusal *r)
{
    for (size_t i = first(m); r->general && i < m->n; i++)
        if (nth(m, i)->pid == r->pid && !nth(m, i)->general && sp_streq(nth(m, i)->user, r->user))
            return true;
    return false;
}

static int show(const struct memory *m, const char *user, cJSON *array, struct sp_error *err)
{
    int shown = 0;

    for (size_t i = m->n; i > first(m) && shown < SHOWN; i--) {
        const struct refusal *r = nth(m, i - 1);
        cJSON *o;
        if (!sp_streq(r->user, user) || is_said_better(m, r))
            continue;
        shown++;
        o = cJSON_CreateObject();
        if (o == NULL || !cJSON_AddItemToArray(array, o) || !cJSON_AddStringToObject(o, "at", r->at) ||
            !cJSON_AddStringToObject(o, "address", r->address) ||
            !cJSON_AddStringToObject(o, "why", r->why) || !cJSON_AddStringToObject(o, "mend", r->mend) ||
            !cJSON_AddBoolToObject(o, "let_in", r->let_in))
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    }
    return 0;
}

int sp_explain_refusals(struct sp_engine *e, const char *user, cJSON *array, struct sp_error *err)
{
    _cleanup_free_ struct refusal *ring = calloc(REMEMBERED, sizeof(*ring));
    struct memory m = {.v = ring};

    if (ring == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_loginlog_each(e->host, e->config->auth_log, e->host->ops->now(e->host) - LOOK_BACK_S, look, &m,
                         err) < 0)
        return -1;
    return show(&m, user, array, err);
}

SP_METHOD(sp_login_explain)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
    cJSON *array = cJSON_AddArrayToObject(result, "refusals");
    char user[SP_USER_SIZE];

    (void)p;
    if (array == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_cert_request_decode(SP_CERT_EXPLAIN, raw, &r, err) < 0 ||
        sp_certs_owner(e, r.domain, user, err) < 0)
        return -1;
    if (!cJSON_AddStringToObject(result, "domain", r.domain) ||
        !cJSON_AddStringToObject(result, "user", user))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return sp_explain_refusals(e, user, array, err);
}
