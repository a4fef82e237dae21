/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The extra logins that were: SP_STORE/logins/past.json. Also which uid was given last, so that one comes
 * back as late as can be. The callers hold SP_LOGINLOG_LOCK. */
#ifndef SP_ENGINE_LOGINLOG_H
#define SP_ENGINE_LOGINLOG_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "engine/engine.h"
#include "resource/extra.h"

#define SP_LOGINLOG_LOCK SP_STORE "/logins.lock"

/* 0 where none was. */
int sp_loginlog_last(struct sp_host *h, uint32_t *ret, struct sp_error *err);
int sp_loginlog_set_last(struct sp_host *h, uint32_t uid, struct sp_error *err);

/* `reason` is "removed" or "expired". One login has one entry, however often its removal is tried. */
int sp_loginlog_add(struct sp_host *h, const struct sp_account *a, const char *reason,
                    struct sp_error *err);

/* Those of a domain into an array, the latest first. */
int sp_loginlog_list(struct sp_host *h, const char *domain, cJSON *array, struct sp_error *err);

#endif
