/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/audit.h"
#include "model/json.h"

enum origin { BY_PANEL, BY_ADMIN };

static const struct sp_method *find_method(const char *name)
{
    for (const struct sp_method *m = sp_methods; m->name != NULL; m++)
        if (sp_streq(m->name, name))
            return m;
    return NULL;
}

static int no_such_method(const char *name, struct sp_error *err)
{
    sp_fail(err, SP_E_METHOD, 0, "there is no method %.60s", name);
    sp_hint(err, "system.info lists the methods");
    return sp_field(err, "method");
}

/* Text of JSON says itself how many it has: engine/firewall.h. */
static int count_of(const cJSON *changes)
{
    if (changes == NULL)
        return 0;
    return cJSON_IsRaw(changes) ? (int)changes->valuedouble : cJSON_GetArraySize(changes);
}

/* Who asked, for what, and what became of it. Never a key, never a password: names and counts only. */
static void log_call(struct sp_engine *e, const char *method, const char *id, const struct sp_params *p,
                     const cJSON *result, const struct sp_error *failure)
{
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(result, "changes");
    const cJSON *user = cJSON_GetObjectItemCaseSensitive(result, "user");
    char caller[16], count[16], message[1024];
    const char *outcome = failure != NULL ? sp_code_name(failure->code) : "ok";
    const char *about = p->domain[0] != '\0' ? p->domain : p->user;
    const struct sp_audit_field fields[] = {{"METHOD", method},
                                            {"REQUEST", id},
                                            {"CALLER", caller},
                                            {"DOMAIN", p->domain},
                                            {"USER", cJSON_IsString(user) ? user->valuestring : p->user},
                                            {"RESULT", outcome},
                                            {"CHANGES", changes != NULL ? count : NULL},
                                            {"DRY_RUN", p->dry_run ? "yes" : NULL},
                                            {"FIELD", failure != NULL ? failure->field : NULL},
                                            {"ERROR", failure != NULL ? failure->text : NULL},
                                            {NULL, NULL}};

    (void)snprintf(caller, sizeof(caller), "%u", e->caller);
    (void)snprintf(count, sizeof(count), "%d", count_of(changes));
    (void)snprintf(message, sizeof(message), "%s%s%s: %s%s%s", method, about[0] != '\0' ? " " : "", about,
                   outcome, failure != NULL ? ": " : "", failure != NULL ? failure->text : "");
    sp_audit(e->host, message, fields);
}

/* A panel that is broken into must not get at what opens every account. */
static int check_origin(const struct sp_engine *e, const struct sp_method *m, enum origin from,
                        struct sp_error *err)
{
    if (from == BY_ADMIN || m->kind != SP_METHOD_ADMIN || sp_words_have(&e->config->panel_methods, m->name))
        return 0;
    sp_fail(err, SP_E_FORBIDDEN, 0, "%s is an admin's, by the command sallyport", m->name);
    sp_hint(err, "panel_methods in sallyport.conf lets panels have it");
    return sp_field(err, "method");
}

static int call(struct sp_engine *e, enum origin from, const char *method, const cJSON *params,
                const char *id, cJSON **ret_result, struct sp_error *err)
{
    _cleanup_(sp_params_clear) struct sp_params p = {0};
    _cleanup_json_ cJSON *result = cJSON_CreateObject();
    const struct sp_method *m = find_method(method);
    int rc;

    e->request_id = id;
    e->for_panel = from == BY_PANEL;
    if (result == NULL)
        rc = sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    else if (m == NULL)
        rc = no_such_method(method, err);
    else {
        rc = sp_params_decode(m->params, params, &p, err);
        if (rc == 0)
            rc = check_origin(e, m, from, err);
        if (rc == 0)
            rc = m->run(e, &p, params, result, err);
        if (rc < 0 && !sp_str_prefix(err->field, "sallyport.conf", NULL) &&
            !sp_streq(err->field, "method") && err->field[0] != '\0')
            sp_field_prefix(err, "params");
    }
    log_call(e, m != NULL ? method : "unknown", id, &p, result, rc < 0 ? err : NULL);
    if (rc == 0)
        *ret_result = sp_steal_ptr(result);
    return rc;
}

int sp_call_method(struct sp_engine *e, const char *method, const cJSON *params, const char *id,
                   cJSON **ret_result, struct sp_error *err)
{
    *ret_result = NULL;
    return call(e, BY_ADMIN, method, params, id, ret_result, err);
}

static bool put_error(cJSON *o, const struct sp_error *failure)
{
    cJSON *error = cJSON_AddObjectToObject(o, "error"), *data;

    if (!cJSON_AddNumberToObject(error, "code", sp_code_rpc(failure->code)) ||
        !cJSON_AddStringToObject(error, "message", failure->text))
        return false;
    data = cJSON_AddObjectToObject(error, "data");
    return cJSON_AddStringToObject(data, "reason", sp_code_name(failure->code)) &&
           cJSON_AddStringToObject(data, "field", failure->field) &&
           cJSON_AddStringToObject(data, "hint", failure->hint);
}

/* {"jsonrpc":"2.0","id":..,"result":..} or {.."error":{"code","message","data":{"reason","field","hint"}}}.
 * Whole, or NULL: half of one is none. */
static cJSON *envelope(const cJSON *id, cJSON *result, const struct sp_error *failure)
{
    cJSON *o = cJSON_CreateObject();

    if (cJSON_AddStringToObject(o, "jsonrpc", "2.0") &&
        sp_json_put(o, "id", id != NULL ? cJSON_Duplicate(id, true) : cJSON_CreateNull()) &&
        (failure == NULL ? cJSON_AddItemToObject(o, "result", result) : put_error(o, failure)))
        return o;
    cJSON_Delete(result);
    cJSON_Delete(o);
    return NULL;
}

static cJSON *answer_one(struct sp_engine *e, const cJSON *request, int *exit_status)
{
    struct sp_call c = {0};
    struct sp_error err;
    cJSON *result = NULL;
    char id[160] = "";

    if (sp_call_decode(request, &c, &err) == 0) {
        if (cJSON_IsString(c.id))
            (void)sp_str_copy(id, sizeof(id), c.id->valuestring);
        else if (cJSON_IsNumber(c.id))
            (void)snprintf(id, sizeof(id), "%.17g", c.id->valuedouble);
        if (call(e, BY_PANEL, c.method, c.params, id, &result, &err) == 0)
            return envelope(c.id, result, NULL);
    } else {
        const struct sp_params none = {0};
        log_call(e, "unknown", "", &none, NULL, &err);
    }
    if (*exit_status == 0)
        *exit_status = sp_code_exit(err.code);
    return envelope(c.id, NULL, &err);
}

static cJSON *answer_batch(struct sp_engine *e, const cJSON *batch, int *exit_status)
{
    cJSON *answers = cJSON_CreateArray();
    const cJSON *request = NULL;

    cJSON_ArrayForEach(request, batch)
    {
        cJSON *answer = answer_one(e, request, exit_status);
        if (cJSON_AddItemToArray(answers, answer))
            continue;
        cJSON_Delete(answer);
        cJSON_Delete(answers);
        answers = NULL; /* the others are done all the same */
    }
    return answers;
}

static cJSON *refuse(struct sp_engine *e, const struct sp_error *err, int *exit_status)
{
    const struct sp_params none = {0};

    *exit_status = sp_code_exit(err->code);
    if (e->host != NULL)
        log_call(e, "unknown", "", &none, NULL, err);
    return envelope(NULL, NULL, err);
}

/* One document and a newline, whatever happens; the exit status. */
static int print(const cJSON *out, int status, struct sp_buf *answer)
{
    struct sp_error err;

    if (out == NULL || sp_json_print(out, answer, &err) < 0) {
        sp_buf_clear(answer);
        sp_buf_puts(
            answer,
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32018,\"message\":\"out of memory\","
            "\"data\":{\"reason\":\"no_memory\",\"field\":\"\",\"hint\":\"\"}}}");
        status = sp_code_exit(SP_E_NO_MEMORY);
    }
    sp_buf_puts(answer, "\n");
    return status;
}

int sp_dispatch_refuse(struct sp_engine *e, const struct sp_error *err, struct sp_buf *answer)
{
    int status = 0;
    _cleanup_json_ cJSON *out = refuse(e, err, &status);

    return print(out, status, answer);
}

int sp_dispatch(struct sp_engine *e, const cJSON *request, struct sp_buf *answer)
{
    _cleanup_json_ cJSON *out = NULL;
    struct sp_error err;
    int status = 0;

    if (cJSON_IsArray(request) && cJSON_GetArraySize(request) == 0) {
        sp_fail(&err, SP_E_REQUEST, 0, "an empty batch");
        sp_hint(&err, "send one request object, or an array of at least one");
        out = refuse(e, &err, &status);
    } else
        out = cJSON_IsArray(request) ? answer_batch(e, request, &status) : answer_one(e, request, &status);
    return print(out, status, answer);
}
