/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firewall.get, firewall.set, firewall.restore: requests to firewall.h. */
#include "base/mem.h"
#include "engine/firewall.h"
#include "engine/methods.h"
#include "engine/store.h"

/* A panel's answer is printed as it is; who called by the command looks at it. */
static enum sp_firewall_flags flags_of(const struct sp_engine *e, bool dry_run)
{
    return (enum sp_firewall_flags)((e->for_panel ? SP_FIREWALL_TEXT : 0) |
                                    (dry_run ? SP_FIREWALL_DRY : 0));
}

SP_METHOD(sp_method_firewall_get)
{
    (void)p;
    (void)raw;
    return sp_firewall_get(e->host, e->config, flags_of(e, false), result, err);
}

SP_METHOD(sp_method_firewall_set)
{
    _cleanup_(sp_fwrequest_clear) struct sp_fw_request request = {0};

    (void)p;
    if (sp_fwrequest_decode(raw, &request, err) < 0 ||
        (!request.dry_run && sp_store_prepare(e->host, err) < 0))
        return -1;
    return sp_firewall_set(e->host, e->config, &request, flags_of(e, request.dry_run), result, err);
}

SP_METHOD(sp_method_firewall_restore)
{
    (void)raw;
    return sp_firewall_restore(e->host, e->config,
                               (enum sp_firewall_flags)(SP_FIREWALL_BOOT | flags_of(e, p->dry_run)), result,
                               err);
}

SP_METHOD(sp_method_firewall_confirm)
{
    char token[SP_FW_TOKEN_SIZE] = "";

    (void)p;
    if (sp_fwrequest_decode_confirm(raw, token, err) < 0)
        return -1;
    return sp_firewall_confirm(e->host, e->config, token, result, err);
}

SP_METHOD(sp_method_firewall_rollback)
{
    (void)p;
    (void)raw;
    return sp_firewall_rollback(e->host, e->config, result, err);
}

int sp_reconcile_firewall(struct sp_engine *e, enum sp_run_flags flags, cJSON *result, struct sp_error *err)
{
    cJSON *part = cJSON_AddObjectToObject(result, "firewall");

    if (part == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_firewall_restore(e->host, e->config,
                            (flags & SP_RUN_DRY) != 0 ? SP_FIREWALL_DRY : SP_FIREWALL_APPLY, part,
                            err) == 0)
        return 0;
    (void)cJSON_AddStringToObject(part, "error", err->text);
    return -1;
}
