/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the certificate methods share. */
#ifndef SP_ENGINE_CERTS_H
#define SP_ENGINE_CERTS_H

#include <cjson/cJSON.h>

#include "engine/engine.h"
#include "model/certrequest.h"
#include "resource/certstore.h"

/* The account of a domain, or SP_E_NOT_FOUND in the field domain. */
int sp_certs_owner(struct sp_engine *e, const char *domain, char ret_user[SP_USER_SIZE],
                   struct sp_error *err);

/* One certificate as certificate.list shows it, added to an array. */
int sp_certs_report(const struct sp_certificate *c, cJSON *array, struct sp_error *err);

/* result.file_name and result.commands: where the certificate goes, and what to type on Linux, macOS, in
 * PowerShell and with PuTTY. */
int sp_certs_commands(struct sp_engine *e, const struct sp_ctx *c, const char *host, const char *type,
                      const char *line, cJSON *result, struct sp_error *err);

/* The trusted keys and the list of revoked ones as they must be, and old records pruned:
 * result.certificates where there is a CA. */
int sp_reconcile_certificates(struct sp_engine *e, enum sp_run_flags flags, cJSON *result,
                              struct sp_error *err);

/* The files of global keys as their state says: result.global_keys_mended where there are any. */
int sp_reconcile_globals(struct sp_engine *e, enum sp_run_flags flags, cJSON *result, struct sp_error *err);

#endif
