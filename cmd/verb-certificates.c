/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "cmd/verbs.h"
#include "model/when.h"

static void show_issued(const cJSON *r)
{
    const cJSON *commands = sp_item(r, "commands"), *c = NULL;

    if (commands == NULL) {
        sp_show_changes(r);
        return;
    }
    (void)printf(
        "%s\n\nserial      %.0f\nkey id      %s\nvalid       %s to %s\nfile        %s, beside the key\n",
        sp_text(r, "certificate"), sp_number(r, "serial"), sp_text(r, "key_id"), sp_text(r, "valid_from"),
        sp_text(r, "valid_until"), sp_text(r, "file_name"));
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
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    if (a->option[SP_OPT_LIFETIME] != NULL) {
        if (sp_when_duration(a->option[SP_OPT_LIFETIME], &seconds, &err) < 0) {
            cJSON_Delete(params);
            return sp_show_failure(a, &err);
        }
        (void)cJSON_AddNumberToObject(params, "lifetime", seconds);
    }
    return sp_verb_call(a, "certificate.issue", params, show_issued);
}

static void show_list(const cJSON *r)
{
    static const struct sp_column columns[] = {{"SERIAL", SP_COLUMN_RIGHT},
                                               {"UNTIL", SP_COLUMN_PLAIN},
                                               {"REVOKED", SP_COLUMN_PLAIN},
                                               {"KEY ID", SP_COLUMN_WRAP}};
    const cJSON *c = NULL, *all = sp_item(r, "certificates");
    struct sp_table *t = NULL;
    char serial[32];

    if (cJSON_GetArraySize(all) == 0)
        (void)printf("no certificates\n");
    else
        t = sp_table_new(columns, SP_COUNT(columns));
    cJSON_ArrayForEach(c, all)
    {
        (void)snprintf(serial, sizeof(serial), "%.0f", sp_number(c, "serial"));
        sp_table_row(t,
                     (const char *const[]){serial, sp_text(c, "valid_until"),
                                           sp_text_or(c, "revoked_at", NULL), sp_text(c, "key_id")},
                     SP_COUNT(columns));
    }
    sp_table_show(t);
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
    static const struct sp_column columns[] = {{"NUMBER", SP_COLUMN_RIGHT},
                                               {"FINGERPRINT", SP_COLUMN_PLAIN},
                                               {"KEPT IN", SP_COLUMN_PLAIN},
                                               {"SIGNS", SP_COLUMN_PLAIN}};
    const cJSON *c = NULL, *all = sp_item(r, "cas");
    struct sp_table *t = NULL;
    char number[16];

    if (cJSON_GetArraySize(all) == 0)
        (void)printf("no certificate authority\n");
    else
        t = sp_table_new(columns, SP_COUNT(columns));
    cJSON_ArrayForEach(c, all)
    {
        (void)snprintf(number, sizeof(number), "%.0f", sp_number(c, "number"));
        sp_table_row(t,
                     (const char *const[]){number, sp_text(c, "fingerprint"),
                                           sp_is_true(c, "in_agent") ? "agent" : "file",
                                           sp_is_true(c, "signs") ? "yes" : "no"},
                     SP_COUNT(columns));
    }
    sp_table_show(t);
    if (sp_item(r, "changes") != NULL)
        sp_show_changes(r);
}

static int ca(const struct sp_args *a)
{
    return sp_verb_call(a, "certificate.ca.get", cJSON_CreateObject(), show_cas);
}

static int ca_make(const struct sp_args *a, const char *method)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "key", a->option[SP_OPT_KEY]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, method, params, show_cas);
}

static int ca_create(const struct sp_args *a)
{
    return ca_make(a, "certificate.ca.create");
}

static int ca_rotate(const struct sp_args *a)
{
    return ca_make(a, "certificate.ca.rotate");
}

static int ca_drop(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_number(params, "number", a->words[2]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "certificate.ca.drop", params, show_cas);
}

static void show_refusals(const cJSON *r)
{
    const cJSON *c = NULL, *all = sp_item(r, "refusals");

    if (cJSON_GetArraySize(all) == 0)
        (void)printf("sshd's log shows no refusal of %s\n", sp_text(r, "user"));
    cJSON_ArrayForEach(c, all)
    {
        (void)printf("%s  from %s: %s%s\n  try: %s\n", sp_text(c, "at"), sp_text(c, "address"),
                     sp_text(c, "why"), sp_is_true(c, "let_in") ? " (then let in)" : "",
                     sp_text(c, "mend"));
    }
}

static cJSON *of_domain(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->n_words > 1 ? a->words[1] : NULL);
    return params;
}

static int why(const struct sp_args *a)
{
    return sp_verb_call(a, "login.explain", of_domain(a), show_refusals);
}

static int list(const struct sp_args *a)
{
    cJSON *params = of_domain(a);

    sp_params_flag(params, "all", a->option[SP_OPT_ALL]);
    return sp_verb_call(a, "certificate.list", params, show_list);
}

static const struct sp_action actions[] = {
    {"list", "[DOMAIN]", SP_OPT(ALL), 0, 1, list, NULL},
    {"issue", "DOMAIN FINGERPRINT [OPTION..]",
     SP_OPT(LIFETIME) | SP_OPT(EXPIRES_AT) | SP_OPT(FROM) | SP_OPT(COMMAND) | SP_OPT(REASON) |
         SP_OPT(HOST) | SP_OPT(DRY_RUN),
     2, 2, issue, NULL},
    {"revoke", "SERIAL|FINGERPRINT|KEYID|DOMAIN", SP_OPT(DRY_RUN) | SP_OPT(REASON), 1, 1, take_back,
     "takes certificates back for good and ends the logins that they opened"},
    {"why", "DOMAIN", 0, 1, 1, why, NULL},
    {"ca create", "[--key LINE]", SP_OPT(KEY) | SP_OPT(DRY_RUN), 0, 0, ca_create, NULL},
    {"ca rotate", "[--key LINE]", SP_OPT(KEY) | SP_OPT(DRY_RUN), 0, 0, ca_rotate,
     "makes a new authority sign from now on; what the old one signed is good until it is dropped"},
    {"ca drop", "NUMBER", SP_OPT(DRY_RUN), 1, 1, ca_drop,
     "makes every certificate worthless that this authority signed"},
    {"ca", "", 0, 0, 0, ca, NULL},
    {NULL},
};
static const struct sp_option_text texts[] = {
    {SP_OPT_KEY, "LINE", "the public key of an authority that ssh-agent(1) holds"},
    {SP_OPT_ALL, NULL, "also what is over or was taken back"},
    {SP_OPT_HOST, "NAME", "how clients call this host"},
    {0, NULL, NULL},
};
const struct sp_verb sp_verb_certificates = {"certificates", "short-lived certificates for registered keys",
                                             actions, texts};
