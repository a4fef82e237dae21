/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/logins.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/loginlog.h"
#include "host/sessions.h"

#define END_DEADLINE_MS 5000

struct search {
    const char *user;
    const pid_t *servers;
    size_t n;
    unsigned char *marks; /* one for each server */
    bool (*meant)(const struct sp_sshdlog *, void *);
    void *data;
    bool keep_unknown;
};

enum mark { KNOWN = 1 << 0, MEANT = 1 << 1 };

/* A pid is used again: an older line of another login may bear it. It can only add to what is meant. */
static void look(const char *line, size_t len, void *data)
{
    struct search *s = data;
    struct sp_sshdlog l;

    if (!sp_sshdlog_parse(line, len, &l) || !sp_streq(l.user, s->user) ||
        (l.kind != SP_SSHDLOG_ACCEPTED && l.kind != SP_SSHDLOG_PARTIAL))
        return;
    for (size_t i = 0; i < s->n; i++) {
        if ((uint32_t)s->servers[i] != l.pid)
            continue;
        s->marks[i] |= l.kind == SP_SSHDLOG_ACCEPTED ? KNOWN : 0;
        s->marks[i] |= s->meant(&l, s->data) ? MEANT : 0;
    }
}

/* The account's servers, those that are not meant first: *ret_kept of *ret_n. */
static int sort_out(struct sp_host *h, const struct sp_config *config, struct search *s, uid_t uid,
                    pid_t **ret, size_t *ret_n, size_t *ret_kept, struct sp_error *err)
{
    _cleanup_free_ pid_t *servers = NULL;
    _cleanup_free_ unsigned char *marks = NULL;
    struct sp_error no_log;
    int64_t oldest = 0;
    size_t n = 0;

    *ret_kept = 0;
    if (sp_sessions_servers(h, s->user, uid, &servers, &n, &oldest, err) < 0)
        return -1;
    marks = calloc(n + 1, 1);
    if (marks == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    s->servers = servers;
    s->n = n;
    s->marks = marks;
    if (n > 0)
        (void)sp_loginlog_each(h, config->auth_log, oldest, look, s, &no_log);
    for (size_t i = 0; i < n; i++)
        if (marks[i] == KNOWN || (s->keep_unknown && (marks[i] & MEANT) == 0))
            servers[(*ret_kept)++] = servers[i];
    *ret_n = n;
    *ret = sp_steal_ptr(servers);
    return 0;
}

int sp_logins_count(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                    bool (*meant)(const struct sp_sshdlog *, void *), void *data, size_t *ret,
                    struct sp_error *err)
{
    struct search s = {.user = user, .meant = meant, .data = data};
    _cleanup_free_ pid_t *servers = NULL;
    size_t n = 0, kept = 0;

    *ret = 0;
    if (sort_out(h, config, &s, uid, &servers, &n, &kept, err) < 0)
        return -1;
    *ret = n - kept;
    return 0;
}

/* What no living server answers for (tmux) is ended with the unknown ones, or is nobody's to end here. */
static int end(struct sp_host *h, const struct sp_config *config, struct search *s, uid_t uid,
               size_t *ret_ended, struct sp_error *err)
{
    _cleanup_free_ pid_t *servers = NULL;
    size_t n = 0, kept = 0;

    *ret_ended = 0;
    if (sort_out(h, config, s, uid, &servers, &n, &kept, err) < 0)
        return -1;
    if (s->keep_unknown && kept == n)
        return 0;
    return sp_sessions_end_but(h, s->user, uid, servers, kept, END_DEADLINE_MS, ret_ended, err);
}

int sp_logins_end(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                  bool (*meant)(const struct sp_sshdlog *, void *), void *data, size_t *ret_ended,
                  struct sp_error *err)
{
    struct search s = {.user = user, .meant = meant, .data = data};

    return end(h, config, &s, uid, ret_ended, err);
}

int sp_logins_end_known(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                        bool (*meant)(const struct sp_sshdlog *, void *), void *data, size_t *ret_ended,
                        struct sp_error *err)
{
    struct search s = {.user = user, .meant = meant, .data = data, .keep_unknown = true};

    return end(h, config, &s, uid, ret_ended, err);
}
