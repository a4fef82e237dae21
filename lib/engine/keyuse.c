/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/keyuse.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/loginlog.h"
#include "model/sshdlog.h"
#include "model/when.h"

void sp_keyuse_stamp(struct sp_engine *e, const struct sp_key_list *before, struct sp_key_list *keys)
{
    char who[64] = "";

    for (size_t i = 0; i < keys->n; i++) {
        struct sp_key *k = &keys->v[i];
        const struct sp_key *had = sp_key_list_find(before, k->key.fingerprint);

        if (had == NULL && who[0] == '\0' && !sp_userdb_name_of(e->host, e->caller, who))
            (void)snprintf(who, sizeof(who), "%u", e->caller);
        k->added_at = had != NULL ? had->added_at : e->host->ops->now(e->host);
        (void)sp_str_copy(k->added_by, sizeof(k->added_by), had != NULL ? had->added_by : who);
    }
}

/* The last line that tells of a key, for each of them. */
struct use {
    const char *fingerprint; /* borrowed */
    struct sp_sshdlog last;  /* pid 0: none yet */
};

struct search {
    const char *user;
    struct use *v;
    size_t n;
};

static void look(const char *line, size_t len, void *data)
{
    const struct search *s = data;
    struct sp_sshdlog l;

    if (line == NULL || !sp_sshdlog_parse(line, len, &l) ||
        (l.kind != SP_SSHDLOG_ACCEPTED && l.kind != SP_SSHDLOG_PARTIAL) || l.is_certificate ||
        !sp_streq(l.user, s->user))
        return;
    for (size_t i = 0; i < s->n; i++)
        if (sp_streq(l.fingerprint, s->v[i].fingerprint))
            s->v[i].last = l;
}

static bool put(cJSON *key, const char *name, const char *text)
{
    return text[0] != '\0' ? cJSON_AddStringToObject(key, name, text) != NULL
                           : cJSON_AddNullToObject(key, name) != NULL;
}

/* By whom it is told: a file of the log is written to by others than sshd, too. */
static const char *told_by(struct sp_engine *e, const struct use *u)
{
    if (u->last.pid == 0)
        return "";
    return sp_loginlog_is_journal(e->host, e->config->auth_log) ? "journal" : "log_file";
}

static int add_one(struct sp_engine *e, cJSON *key, const struct use *u, struct sp_error *err)
{
    int64_t at = u->last.pid != 0 ? sp_loginlog_when(e->host, u->last.at) : 0;
    char when[SP_WHEN_SIZE] = "";

    if (at != 0)
        sp_when_format(at, when);
    return put(key, "last_used", when) && put(key, "last_used_from", u->last.address) &&
                   put(key, "last_used_told_by", told_by(e, u))
               ? 0
               : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_keyuse_add(struct sp_engine *e, const char *user, cJSON *keys, struct sp_error *err)
{
    size_t n = (size_t)cJSON_GetArraySize(keys), at = 0;
    _cleanup_free_ struct use *uses = calloc(n + 1, sizeof(*uses));
    struct search s = {user, uses, n};
    struct sp_error no_log;
    cJSON *key = NULL;

    if (uses == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    cJSON_ArrayForEach(key, keys)
    {
        const cJSON *fingerprint = cJSON_GetObjectItemCaseSensitive(key, "fingerprint");
        uses[at++].fingerprint = cJSON_IsString(fingerprint) ? fingerprint->valuestring : "-";
    }
    if (n > 0) /* without a log nothing is known: that is no failure */
        (void)sp_loginlog_each(e->host, e->config->auth_log, 0, look, &s, &no_log);
    at = 0;
    cJSON_ArrayForEach(key, keys)
    {
        if (add_one(e, key, &uses[at++], err) < 0)
            return -1;
    }
    return 0;
}
