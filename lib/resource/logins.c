/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/logins.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/loginlog.h"
#include "host/sessions.h"

#define END_DEADLINE_MS 5000

struct search {
    struct sp_host *host;
    const char *user;
    struct sp_servers servers;
    unsigned char *marks; /* one for each server */
    sp_login_test *meant;
    void *data;
    bool keep_unknown;
    bool cut;                    /* there was more log than is looked at */
    int64_t shown_since, latest; /* of what is looked at: the first line's time, and the latest so far */
};

enum mark { KNOWN = 1 << 0, MEANT = 1 << 1 };

static void search_clear(struct search *s)
{
    sp_servers_clear(&s->servers);
    free(s->marks);
}

/* Whoever can write to /dev/log can write in sshd's name, and a pid is used again: a line counts where it
 * is of the time in which that process let somebody in. Where the log does not reach back so far, its own
 * line may have been pushed out, and nothing is believed. */
static bool is_of_its_login(const struct search *s, int64_t began, int64_t at)
{
    if (s->cut && s->shown_since > began - SP_LOGINLOG_SLACK_S)
        return false;
    return sp_loginlog_fits(began, at);
}

/* Two lines of one login that differ add up: a stolen key must not live on because its thief wrote one. */
static void look(const char *line, size_t len, void *data)
{
    struct search *s = data;
    struct sp_sshdlog l;
    int64_t at;

    if (line == NULL)
        s->cut = true;
    if (line == NULL || !sp_sshdlog_parse(line, len, &l))
        return;
    /* A log grows at its end: a line behind a later one was not written earlier, whatever it says. */
    at = sp_loginlog_when(s->host, l.at);
    if (at > s->host->ops->now(s->host) + SP_LOGINLOG_SLACK_S)
        return;
    if (at > s->latest)
        s->latest = at;
    at = s->latest;
    if (s->shown_since == 0)
        s->shown_since = at;
    if (!sp_streq(l.user, s->user) || (l.kind != SP_SSHDLOG_ACCEPTED && l.kind != SP_SSHDLOG_PARTIAL))
        return;
    for (size_t i = 0; i < s->servers.n; i++) {
        if ((uint32_t)s->servers.pids[i] != l.pid || !is_of_its_login(s, s->servers.began[i], at))
            continue;
        s->marks[i] |= l.kind == SP_SSHDLOG_ACCEPTED ? KNOWN : 0;
        s->marks[i] |= s->meant(&l, s->data) ? MEANT : 0;
    }
}

/* The account's servers, those that are not meant first: *ret_kept of s->servers.n. */
static int sort_out(struct sp_host *h, const struct sp_config *config, struct search *s, uid_t uid,
                    size_t *ret_kept, struct sp_error *err)
{
    struct sp_servers *v = &s->servers;
    struct sp_error no_log;
    int64_t oldest = 0;

    *ret_kept = 0;
    if (sp_sessions_servers(h, s->user, uid, v, err) < 0)
        return -1;
    s->host = h;
    s->marks = calloc(v->n + 1, 1);
    if (s->marks == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < v->n; i++)
        if (i == 0 || v->began[i] < oldest)
            oldest = v->began[i];
    if (v->n > 0)
        (void)sp_loginlog_each(h, config->auth_log, oldest - SP_LOGINLOG_SLACK_S, look, s, &no_log);
    for (size_t i = 0; i < v->n; i++)
        if (s->marks[i] == KNOWN || (s->keep_unknown && (s->marks[i] & MEANT) == 0))
            v->pids[(*ret_kept)++] = v->pids[i];
    return 0;
}

int sp_logins_count(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                    sp_login_test *meant, void *data, size_t *ret, struct sp_error *err)
{
    _cleanup_(search_clear) struct search s = {.user = user, .meant = meant, .data = data};
    size_t kept = 0;

    *ret = 0;
    if (sort_out(h, config, &s, uid, &kept, err) < 0)
        return -1;
    *ret = s.servers.n - kept;
    return 0;
}

/* What no living server answers for (tmux) is ended with the unknown ones, or is nobody's to end here. */
static int end(struct sp_host *h, const struct sp_config *config, struct search *s, uid_t uid,
               size_t *ret_ended, struct sp_error *err)
{
    size_t kept = 0;

    *ret_ended = 0;
    if (sort_out(h, config, s, uid, &kept, err) < 0)
        return -1;
    if (s->keep_unknown && kept == s->servers.n)
        return 0;
    return sp_sessions_end_but(h, s->user, uid, s->servers.pids, kept, END_DEADLINE_MS, ret_ended, err);
}

int sp_logins_end(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                  sp_login_test *meant, void *data, size_t *ret_ended, struct sp_error *err)
{
    _cleanup_(search_clear) struct search s = {.user = user, .meant = meant, .data = data};

    return end(h, config, &s, uid, ret_ended, err);
}

int sp_logins_end_known(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                        sp_login_test *meant, void *data, size_t *ret_unknown, struct sp_error *err)
{
    _cleanup_(search_clear) struct search s = {
        .user = user, .meant = meant, .data = data, .keep_unknown = true};
    size_t ended = 0;
    int rc = end(h, config, &s, uid, &ended, err);

    *ret_unknown = 0;
    for (size_t i = 0; rc == 0 && i < s.servers.n; i++)
        *ret_unknown += s.marks[i] == 0;
    return rc;
}
