/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/doctor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "resource/sshd-files.h"

/* In the order in which a login meets them (sshd: auth.c, then the method, then PAM's account phase, then
 * session.c). */
static sp_doctor_layer *const layers[] = {
    sp_doctor_port, sp_doctor_firewall,  sp_doctor_other_firewalls, sp_doctor_wrappers, sp_doctor_user,
    sp_doctor_sshd, sp_doctor_host_keys, sp_doctor_lists,           sp_doctor_shell,    sp_doctor_home,
    sp_doctor_key,  sp_doctor_password,  sp_doctor_methods,         sp_doctor_account,  sp_doctor_session,
    sp_doctor_jail, sp_doctor_leaks,
};

void sp_findings_clear(struct sp_findings *f)
{
    free(f->v);
    *f = (struct sp_findings){0};
}

const char *sp_finding_state_name(enum sp_finding_state s)
{
    static const char *const names[] = {[SP_FINDING_OK] = "ok",
                                        [SP_FINDING_WARNING] = "warning",
                                        [SP_FINDING_UNKNOWN] = "unknown",
                                        [SP_FINDING_STOPS] = "stops"};

    return names[s];
}

const struct sp_finding *sp_findings_first_stop(const struct sp_findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].state == SP_FINDING_STOPS)
            return &f->v[i];
    return NULL;
}

/* What a program or PAM said comes with its line's end. */
static void tidy(char *text)
{
    text[sp_str_said_length(text)] = '\0';
    for (char *c = strpbrk(text, "\r\n"); c != NULL; c = strpbrk(c, "\r\n"))
        *c = ' ';
    sp_str_make_printable(text);
}

int sp_finding_add(struct sp_visit *v, const char *check, enum sp_finding_state state, struct sp_error *err,
                   const char *fmt, ...)
{
    struct sp_findings *l = v->findings;
    struct sp_finding *grown = reallocarray(l->v, l->n + 1, sizeof(*grown)), *f;
    va_list ap;

    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    l->v = grown;
    f = &l->v[l->n++];
    *f = (struct sp_finding){.check = check, .state = state};
    va_start(ap, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
    tidy(f->text);
    return 0;
}

int sp_finding_mend(struct sp_visit *v, const char *fmt, ...)
{
    struct sp_finding *f = &v->findings->v[v->findings->n - 1];
    va_list ap;

    va_start(ap, fmt);
    if (vsnprintf(f->mend, sizeof(f->mend), fmt, ap) >= (int)sizeof(f->mend))
        f->mend[0] = '\0';
    va_end(ap);
    sp_str_make_printable(f->mend);
    return 0;
}

int sp_finding_unseen(struct sp_visit *v, const char *check, const struct sp_error *why,
                      struct sp_error *err)
{
    if (why->code == SP_E_NO_MEMORY) {
        *err = *why;
        return -1;
    }
    return sp_finding_add(v, check, SP_FINDING_UNKNOWN, err, "not everything could be looked at: %s",
                          why->text);
}

int sp_visit_has(const struct sp_visit *v, const char *path, struct sp_error *why)
{
    return sp_fsat_look(v->login->host->root_fd, path, why);
}

bool sp_visit_sshd_is(const struct sp_visit *v, const char *keyword, const char *value)
{
    const char *is = v->has_sshd ? sp_sshdconf_get(&v->sshd, keyword) : NULL;

    return is != NULL && strcasecmp(is, value) == 0;
}

int sp_visit_shadow(struct sp_visit *v, struct sp_shadow *ret, struct sp_error *err)
{
    if (!v->has_shadow && sp_shadow_get(v->login->host, v->user.name, &v->shadow, err) < 0)
        return -1;
    v->has_shadow = true;
    *ret = v->shadow;
    return 0;
}

int sp_visit_sources(const struct sp_visit *v, int (*visit)(const struct sp_cidr *, void *), void *data)
{
    const struct sp_account *a = v->login->account;
    int stop = 0;

    for (size_t i = 0; a != NULL && i < a->n_domains; i++)
        if (a->domains[i].sources.n == 0)
            return 0;
    for (size_t i = 0; a != NULL && i < a->n_domains; i++)
        for (size_t k = 0; stop == 0 && k < a->domains[i].sources.n; k++)
            stop = visit(&a->domains[i].sources.v[k], data);
    return stop;
}

void sp_doctor_where(const struct sp_visit *v, const char *keyword, char ret[SP_DOCTOR_WHERE])
{
    const struct sp_ctx c = {.host = v->login->host, .config = v->login->config, .user = &v->user};
    char where[SP_SSHD_WHERE];

    ret[0] = '\0';
    if (sp_sshd_where(&c, keyword, NULL, where))
        (void)snprintf(ret, SP_DOCTOR_WHERE, " (%s)", where);
}

static void clear_visit(struct sp_visit *v)
{
    sp_sshdconf_clear(&v->sshd);
}

int sp_doctor_examine(const struct sp_login *login, struct sp_findings *ret, struct sp_error *err)
{
    _cleanup_(clear_visit) struct sp_visit v = {.login = login, .findings = ret};

    for (size_t i = 0; i < SP_COUNT(layers) && !v.hangs; i++)
        if (layers[i](&v, err) < 0)
            return -1;
    return 0;
}
