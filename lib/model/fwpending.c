/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwpending.h"

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/fwstate.h"
#include "model/json.h"
#include "model/when.h"

static const char *const phases[] = {[SP_FW_TRYING] = "trial", [SP_FW_CONFIRMING] = "confirming"};

void sp_fw_pending_clear(struct sp_fw_pending *p)
{
    sp_fw_policy_clear(&p->policy);
    *p = (struct sp_fw_pending){0};
}

int sp_fwpending_format(const struct sp_fw_pending *p, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_json_ cJSON *j = cJSON_CreateObject();
    char when[SP_WHEN_SIZE];

    sp_when_format(p->deadline, when);
    if (!cJSON_AddNumberToObject(j, "version", SP_FWSTATE_VERSION) ||
        !cJSON_AddStringToObject(j, "token", p->token) ||
        !cJSON_AddStringToObject(j, "phase", phases[p->phase]) ||
        !cJSON_AddStringToObject(j, "boot_id", p->boot_id) ||
        !cJSON_AddStringToObject(j, "deadline", when) ||
        !sp_json_put(j, "policy", sp_fwstate_to_json(&p->policy)))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return sp_fwstate_seal(j, out, err);
}

static const char *text_of(const cJSON *j, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(j, name));

    return text != NULL ? text : "";
}

int sp_fwpending_parse(const char *bytes, size_t len, struct sp_fw_pending *ret, struct sp_error *err)
{
    _cleanup_(sp_fw_pending_clear) struct sp_fw_pending p = {0};
    _cleanup_json_ cJSON *j = NULL;

    if (sp_fwstate_unseal(bytes, len, &j, err) < 0 ||
        sp_fwstate_from_json(cJSON_GetObjectItemCaseSensitive(j, "policy"), &p.policy, err) < 0)
        return -1;
    p.phase = sp_streq(text_of(j, "phase"), phases[SP_FW_CONFIRMING]) ? SP_FW_CONFIRMING : SP_FW_TRYING;
    if (text_of(j, "token")[0] == '\0' || sp_str_copy(p.token, sizeof(p.token), text_of(j, "token")) < 0 ||
        sp_str_copy(p.boot_id, sizeof(p.boot_id), text_of(j, "boot_id")) < 0 ||
        sp_when_parse(text_of(j, "deadline"), &p.deadline, err) < 0)
        return sp_fail(err, SP_E_STATE, 0, "the file of the trial is broken");
    *ret = p;
    p = (struct sp_fw_pending){0};
    return 0;
}
