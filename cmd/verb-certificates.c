/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"
#include "model/when.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static double number_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static void show_issued(const cJSON *r)
{
    const cJSON *commands = cJSON_GetObjectItemCaseSensitive(r, "commands"), *c = NULL;

    (void)printf(
        "%s\n\nserial      %.0f\nkey id      %s\nvalid       %s to %s\nfile        %s, beside the key\n",
        text_of(r, "certificate"), number_of(r, "serial"), text_of(r, "key_id"), text_of(r, "valid_from"),
        text_of(r, "valid_until"), text_of(r, "file_name"));
    cJSON_ArrayForEach(c, commands)
    {
        (void)printf("\n%s:\n%s\n", c->string, cJSON_IsString(c) ? c->valuestring : "");
    }
}

static int issue(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();
    uint32_t seconds = 0;
    struct sp_error err;

    sp_params_text(params, "domain", a->words[1]);
    sp_params_text(params, "fingerprint", a->words[2]);
    sp_params_text(params, "valid_until", a->option[SP_OPT_EXPIRES_AT]);
    sp_params_list(params, "from", a->option[SP_OPT_FROM]);
    sp_params_text(params, "command", a->option[SP_OPT_COMMAND]);
    sp_params_text(params, "reason", a->option[SP_OPT_REASON]);
    sp_params_text(params, "host", a->option[SP_OPT_HOST]);
    if (a->option[SP_OPT_LIFETIME] != NULL) {
        if (sp_when_duration(a->option[SP_OPT_LIFETIME], &seconds, &err) < 0) {
            cJSON_Delete(params);
            return sp_show_error(&err);
        }
        (void)cJSON_AddNumberToObject(params, "lifetime", seconds);
    }
    return sp_verb_call(a, "certificate.issue", params, show_issued);
}

static void show_list(const cJSON *r)
{
    const cJSON *c = NULL, *all = cJSON_GetObjectItemCaseSensitive(r, "certificates");

    if (cJSON_GetArraySize(all) == 0)
        (void)printf("no certificates\n");
    cJSON_ArrayForEach(c, all)
    {
        const char *revoked = text_of(c, "revoked_at");
        (void)printf("%.0f  %s  until %s%s%s\n", number_of(c, "serial"), text_of(c, "key_id"),
                     text_of(c, "valid_until"), revoked[0] != '\0' ? "  revoked " : "", revoked);
    }
}

/* 12, SHA256:..., example.com, or the id that sshd's log shows. */
static int take_back(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();
    const char *what = a->words[1];
    struct sp_error ignored;
    uint64_t serial = 0;

    if (sp_str_to_u64(what, UINT64_C(1) << 53, &serial) == 0)
        (void)cJSON_AddNumberToObject(params, "serial", (double)serial);
    else
        sp_params_text(params,
                       sp_fingerprint_check(what, &ignored) == 0   ? "fingerprint"
                       : sp_name_check_domain(what, &ignored) == 0 ? "domain"
                                                                   : "key_id",
                       what);
    sp_params_text(params, "reason", a->option[SP_OPT_REASON]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "certificate.revoke", params, sp_show_changes);
}

static void show_cas(const cJSON *r)
{
    const cJSON *c = NULL, *all = cJSON_GetObjectItemCaseSensitive(r, "cas");

    if (cJSON_GetArraySize(all) == 0)
        (void)printf("no certificate authority\n");
    cJSON_ArrayForEach(c, all)
    {
        (void)printf("%.0f  %s  %s%s\n", number_of(c, "number"), text_of(c, "fingerprint"),
                     cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c, "in_agent")) ? "in the agent"
                                                                                   : "in a file",
                     cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c, "signs")) ? ", signs" : "");
    }
    if (cJSON_GetObjectItemCaseSensitive(r, "changes") != NULL)
        sp_show_changes(r);
}

static int ca(const struct sp_args *a)
{
    const char *what = a->n_words > 1 ? a->words[1] : "show";
    cJSON *params = cJSON_CreateObject();
    uint64_t number = 0;

    if (sp_streq(what, "show") && a->n_words <= 2)
        return sp_verb_call(a, "certificate.ca.get", params, show_cas);
    if ((sp_streq(what, "create") || sp_streq(what, "rotate")) && a->n_words == 2) {
        sp_params_text(params, "key", a->option[SP_OPT_KEY]);
        return sp_verb_call(a, sp_streq(what, "create") ? "certificate.ca.create" : "certificate.ca.rotate",
                            params, show_cas);
    }
    if (sp_streq(what, "drop") && a->n_words == 3 && sp_str_to_u64(a->words[2], 999999, &number) == 0) {
        (void)cJSON_AddNumberToObject(params, "number", (double)number);
        return sp_verb_call(a, "certificate.ca.drop", params, show_cas);
    }
    cJSON_Delete(params);
    return sp_verb_usage(a, "certificates ca [create|rotate [--key LINE]], or certificates ca drop NUMBER");
}

static void show_refusals(const cJSON *r)
{
    const cJSON *c = NULL, *all = cJSON_GetObjectItemCaseSensitive(r, "refusals");

    if (cJSON_GetArraySize(all) == 0)
        (void)printf("sshd's log shows no refusal of %s\n", text_of(r, "user"));
    cJSON_ArrayForEach(c, all)
    {
        (void)printf("%s  from %s: %s%s\n  try: %s\n", text_of(c, "at"), text_of(c, "address"),
                     text_of(c, "why"),
                     cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c, "let_in")) ? " (then let in)" : "",
                     text_of(c, "mend"));
    }
}

int sp_verb_certificates(const struct sp_args *a)
{
    const char *what = a->words[0];
    cJSON *params;

    if (sp_streq(what, "issue") && a->n_words == 3)
        return issue(a);
    if (sp_streq(what, "revoke") && a->n_words == 2)
        return take_back(a);
    if (sp_streq(what, "ca"))
        return ca(a);
    if (!(sp_streq(what, "list") && a->n_words <= 2) && !(sp_streq(what, "why") && a->n_words == 2))
        return sp_verb_usage(a,
                             "certificates issue DOMAIN FINGERPRINT, list [DOMAIN], revoke "
                             "SERIAL|FINGERPRINT|KEYID|DOMAIN, why DOMAIN, or ca");
    params = cJSON_CreateObject();
    if (a->n_words == 2)
        sp_params_text(params, "domain", a->words[1]);
    if (sp_streq(what, "why"))
        return sp_verb_call(a, "login.explain", params, show_refusals);
    sp_params_flag(params, "all", a->option[SP_OPT_ALL]);
    return sp_verb_call(a, "certificate.list", params, show_list);
}
