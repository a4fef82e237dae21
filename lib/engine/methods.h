/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods, one function each (see dispatch.h); a file for each family. */
#ifndef SP_ENGINE_METHODS_H
#define SP_ENGINE_METHODS_H

#include "engine/dispatch.h"

#define SP_METHOD(name)                                                                                    \
    int name(struct sp_engine *e, const struct sp_params *p, const cJSON *raw, cJSON *result,              \
             struct sp_error *err)

SP_METHOD(sp_domain_apply);
SP_METHOD(sp_domain_get);
SP_METHOD(sp_domain_list);
SP_METHOD(sp_domain_rebind);
SP_METHOD(sp_domain_remove);
SP_METHOD(sp_jail_build);
SP_METHOD(sp_jail_check);
SP_METHOD(sp_jail_profiles);
SP_METHOD(sp_jail_refresh);
SP_METHOD(sp_key_inspect);
SP_METHOD(sp_keys_list);
SP_METHOD(sp_login_diagnose);
SP_METHOD(sp_keys_add);
SP_METHOD(sp_keys_remove);
SP_METHOD(sp_account_adopt);
SP_METHOD(sp_account_suspend);
SP_METHOD(sp_account_resume);
SP_METHOD(sp_certificate_issue);
SP_METHOD(sp_certificate_list);
SP_METHOD(sp_certificate_revoke);
SP_METHOD(sp_certificate_ca_get);
SP_METHOD(sp_certificate_ca_create);
SP_METHOD(sp_certificate_ca_rotate);
SP_METHOD(sp_certificate_ca_drop);
SP_METHOD(sp_global_keys_list);
SP_METHOD(sp_global_keys_add);
SP_METHOD(sp_global_keys_remove);
SP_METHOD(sp_login_explain);
SP_METHOD(sp_password_set_method);
SP_METHOD(sp_password_generate_method);
SP_METHOD(sp_password_lock);
SP_METHOD(sp_password_unlock);
SP_METHOD(sp_method_firewall_get);
SP_METHOD(sp_method_firewall_set);
SP_METHOD(sp_method_firewall_confirm);
SP_METHOD(sp_method_firewall_rollback);
SP_METHOD(sp_method_firewall_restore);
SP_METHOD(sp_system_host);
SP_METHOD(sp_sessions_list);
SP_METHOD(sp_sessions_end_method);
SP_METHOD(sp_user_add);
SP_METHOD(sp_user_list);
SP_METHOD(sp_user_remove);
SP_METHOD(sp_system_info);
SP_METHOD(sp_system_reconcile);

/* The account of params.domain, or SP_E_NOT_FOUND in the field domain. */
int sp_owner_required(struct sp_engine *e, const struct sp_params *p, char ret_user[SP_USER_SIZE],
                      struct sp_error *err);

/* The account that params name, by a domain of it or by its user. */
int sp_account_required(struct sp_engine *e, const struct sp_params *p, char ret_user[SP_USER_SIZE],
                        struct sp_error *err);

/* Put what params say of it into the account, and show it. */
int sp_access_edit(struct sp_account *a, const struct sp_params *p, struct sp_error *err);
int sp_access_report(const struct sp_access *a, cJSON *result, struct sp_error *err);

/* Why sshd refused this user of late, from its log, the newest first: objects {"at", "address", "why",
 * "mend", "let_in"} added to `array`. Fails where no log can be read. */
int sp_explain_refusals(struct sp_engine *e, const char *user, cJSON *array, struct sp_error *err);

/* A transaction that changes the domain of params, its outcome reported into result. */
int sp_run_and_report(struct sp_engine *e, const char *user, const struct sp_run *run,
                      const struct sp_params *p, cJSON *result, struct sp_error *err);

/* The firewall's part of a reconcile: result.firewall. */
int sp_reconcile_firewall(struct sp_engine *e, enum sp_run_flags flags, cJSON *result,
                          struct sp_error *err);

#endif
