/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs, each in a file of its own. */
#ifndef SP_CMD_VERBS_H
#define SP_CMD_VERBS_H

#include "cmd/verb.h"

extern const struct sp_verb sp_verb_access;
extern const struct sp_verb sp_verb_adopt;
extern const struct sp_verb sp_verb_apply;
extern const struct sp_verb sp_verb_certificates;
extern const struct sp_verb sp_verb_disable;
extern const struct sp_verb sp_verb_doctor;
extern const struct sp_verb sp_verb_enable;
extern const struct sp_verb sp_verb_firewall;
extern const struct sp_verb sp_verb_global_keys;
extern const struct sp_verb sp_verb_host;
extern const struct sp_verb sp_verb_jail;
extern const struct sp_verb sp_verb_keys;
extern const struct sp_verb sp_verb_limits;
extern const struct sp_verb sp_verb_list;
extern const struct sp_verb sp_verb_password;
extern const struct sp_verb sp_verb_plan;
extern const struct sp_verb sp_verb_rebind;
extern const struct sp_verb sp_verb_reconcile;
extern const struct sp_verb sp_verb_remove;
extern const struct sp_verb sp_verb_resume;
extern const struct sp_verb sp_verb_sessions;
extern const struct sp_verb sp_verb_shell;
extern const struct sp_verb sp_verb_status;
extern const struct sp_verb sp_verb_suspend;
extern const struct sp_verb sp_verb_users;

#endif
