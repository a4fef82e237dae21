/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods.h"

#include "base/mem.h"
#include "engine/logins.h"
#include "engine/sources.h"

const struct sp_method sp_methods[] = {
    {"domain.apply", SP_METHOD_CHANGES, SP_PARAMS_APPLY, sp_domain_apply},
    {"domain.get", SP_METHOD_READS, SP_PARAMS_TARGET, sp_domain_get},
    {"domain.list", SP_METHOD_READS, SP_PARAMS_NONE, sp_domain_list},
    {"domain.rebind", SP_METHOD_CHANGES, SP_PARAMS_REBIND, sp_domain_rebind},
    {"domain.remove", SP_METHOD_CHANGES, SP_PARAMS_REMOVE, sp_domain_remove},
    {"jail.build", SP_METHOD_CHANGES, SP_PARAMS_JAIL_BUILD, sp_jail_build},
    {"jail.check", SP_METHOD_READS, SP_PARAMS_NONE, sp_jail_check},
    {"jail.profiles", SP_METHOD_READS, SP_PARAMS_NONE, sp_jail_profiles},
    {"jail.refresh", SP_METHOD_CHANGES, SP_PARAMS_JAIL_REFRESH, sp_jail_refresh},
    {"key.inspect", SP_METHOD_READS, SP_PARAMS_KEY_INSPECT, sp_key_inspect},
    {"keys.list", SP_METHOD_READS, SP_PARAMS_TARGET, sp_keys_list},
    {"keys.add", SP_METHOD_CHANGES, SP_PARAMS_KEY_ADD, sp_keys_add},
    {"keys.remove", SP_METHOD_CHANGES, SP_PARAMS_KEY_REMOVE, sp_keys_remove},
    {"account.adopt", SP_METHOD_ADMIN, SP_PARAMS_RAW, sp_account_adopt},
    {"account.suspend", SP_METHOD_CHANGES, SP_PARAMS_ACCOUNT, sp_account_suspend},
    {"account.resume", SP_METHOD_CHANGES, SP_PARAMS_ACCOUNT, sp_account_resume},
    {"login.diagnose", SP_METHOD_CHANGES, SP_PARAMS_RAW, sp_login_diagnose},
    {"certificate.issue", SP_METHOD_CHANGES, SP_PARAMS_RAW, sp_certificate_issue},
    {"certificate.list", SP_METHOD_READS, SP_PARAMS_RAW, sp_certificate_list},
    {"certificate.revoke", SP_METHOD_CHANGES, SP_PARAMS_RAW, sp_certificate_revoke},
    {"certificate.ca.get", SP_METHOD_READS, SP_PARAMS_RAW, sp_certificate_ca_get},
    {"certificate.ca.create", SP_METHOD_ADMIN, SP_PARAMS_RAW, sp_certificate_ca_create},
    {"certificate.ca.rotate", SP_METHOD_ADMIN, SP_PARAMS_RAW, sp_certificate_ca_rotate},
    {"certificate.ca.drop", SP_METHOD_ADMIN, SP_PARAMS_RAW, sp_certificate_ca_drop},
    {"global_keys.list", SP_METHOD_READS, SP_PARAMS_NONE, sp_global_keys_list},
    {"global_keys.add", SP_METHOD_ADMIN, SP_PARAMS_RAW, sp_global_keys_add},
    {"global_keys.remove", SP_METHOD_ADMIN, SP_PARAMS_FINGERPRINT, sp_global_keys_remove},
    {"login.explain", SP_METHOD_READS, SP_PARAMS_RAW, sp_login_explain},
    {"password.set", SP_METHOD_CHANGES, SP_PARAMS_PASSWORD, sp_password_set_method},
    {"password.generate", SP_METHOD_CHANGES, SP_PARAMS_ACCOUNT, sp_password_generate_method},
    {"password.lock", SP_METHOD_CHANGES, SP_PARAMS_ACCOUNT, sp_password_lock},
    {"password.unlock", SP_METHOD_CHANGES, SP_PARAMS_ACCOUNT, sp_password_unlock},
    {"sessions.list", SP_METHOD_READS, SP_PARAMS_SESSIONS, sp_sessions_list},
    {"sessions.end", SP_METHOD_CHANGES, SP_PARAMS_SESSIONS_END, sp_sessions_end_method},
    {"user.add", SP_METHOD_CHANGES, SP_PARAMS_USER_ADD, sp_user_add},
    {"user.list", SP_METHOD_READS, SP_PARAMS_TARGET, sp_user_list},
    {"user.remove", SP_METHOD_CHANGES, SP_PARAMS_USER_REMOVE, sp_user_remove},
    {"firewall.get", SP_METHOD_READS, SP_PARAMS_NONE, sp_method_firewall_get},
    {"firewall.set", SP_METHOD_CHANGES, SP_PARAMS_RAW, sp_method_firewall_set},
    {"firewall.confirm", SP_METHOD_CHANGES, SP_PARAMS_RAW, sp_method_firewall_confirm},
    {"firewall.rollback", SP_METHOD_CHANGES, SP_PARAMS_NONE, sp_method_firewall_rollback},
    {"firewall.restore", SP_METHOD_CHANGES, SP_PARAMS_DRY_RUN, sp_method_firewall_restore},
    {"system.host", SP_METHOD_READS, SP_PARAMS_HOST, sp_system_host},
    {"system.info", SP_METHOD_READS, SP_PARAMS_NONE, sp_system_info},
    {"system.reconcile", SP_METHOD_CHANGES, SP_PARAMS_RECONCILE, sp_system_reconcile},
    {NULL, SP_METHOD_READS, SP_PARAMS_NONE, NULL},
};

int sp_owner_required(struct sp_engine *e, const struct sp_params *p, char ret_user[SP_USER_SIZE],
                      struct sp_error *err)
{
    if (p->domain[0] == '\0') {
        sp_fail(err, SP_E_INVALID, 0, "a domain is needed");
        sp_hint(err, "domain.list names them");
        return sp_field(err, "domain");
    }
    if (sp_store_owner(e->host, p->domain, ret_user, err) < 0)
        return -1;
    if (ret_user[0] != '\0')
        return 0;
    sp_fail(err, SP_E_NOT_FOUND, 0, "%s has no SSH access from sallyport", p->domain);
    sp_hint(err, "domain.list (sallyport list) shows what has; domain.apply (sallyport enable) gives it");
    return sp_field(err, "domain");
}

int sp_run_and_report(struct sp_engine *e, const char *user, const struct sp_run *run,
                      const struct sp_params *p, cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};

    if (cJSON_AddStringToObject(result, "domain", p->domain) == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_engine_run(e, user, run, &o, err) < 0 || sp_report_outcome(&o, result, err) < 0)
        return -1;
    if ((run->flags & SP_RUN_DRY) == 0 && sp_logins_follow_all(e, &o, NULL, result, err) < 0)
        return -1;
    return sp_sources_widen(e, &o, p, result, err);
}
