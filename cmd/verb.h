/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The verbs of sallyport(8): each builds the request that a panel would send, has it answered, and shows
 * the answer. Printing lives here and in show.c, nowhere below.
 */
#ifndef SP_CMD_VERB_H
#define SP_CMD_VERB_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/dispatch.h"
#include "model/when.h"

/* Every option there is; a verb's table row says which of them it knows. */
enum sp_option {
    SP_OPT_JSON,
    SP_OPT_DRY_RUN,
    SP_OPT_USER,
    SP_OPT_DOCUMENT_ROOT,
    SP_OPT_PROFILES,
    SP_OPT_FORWARDING,
    SP_OPT_ACCOUNT_WIDE,
    SP_OPT_LABEL,
    SP_OPT_FROM,
    SP_OPT_EXPIRES_AT,
    SP_OPT_FOR, /* goes with EXPIRES_AT, and becomes it */
    SP_OPT_COMMENT,
    SP_OPT_FORCE,
    SP_OPT_YES,
    SP_OPT_RESTORE_ACCESS,
    SP_OPT_TO,
    SP_OPT_REQUEST,
    SP_OPT_KEY,
    SP_OPT_PORT,
    SP_OPT_FIX,
    SP_OPT_HOST,
    SP_OPT_LIFETIME,
    SP_OPT_GROUP,
    SP_OPT_COMMAND,
    SP_OPT_REASON,
    SP_OPT_ALL,
    SP_OPT_PROCESSES,
    SP_OPT_MEMORY_MIB,
    SP_OPT_TMP_MIB,
    SP_OPT_AUTHENTICATION,
    SP_OPT_KEEP_SESSIONS,
    SP_OPT_VALID_FROM,
    SP_OPT_VALID_UNTIL,
    SP_OPT_WHEN_QUIET,
    SP_OPT_READ_ONLY,
    SP_OPT_SUDO,
    SP_OPT_NO_PTY,
    SP_OPT_METRICS,
    SP_OPT_COUNT
};

#define SP_OPT(x) (UINT64_C(1) << SP_OPT_##x)

struct sp_args {
    struct sp_engine *engine;
    const char *option[SP_OPT_COUNT]; /* the value, "" for a flag that was given, NULL when not given;
                                         borrowed from argv */
    const char *const *words;         /* what is left: not options; borrowed from argv */
    int n_words;
    char expiry[SP_WHEN_SIZE]; /* what --for came to */
};

struct sp_verb {
    const char *name;
    const char *synopsis; /* behind "sallyport NAME " */
    const char *summary;
    uint64_t options;
    int min_words, max_words;
    int (*run)(const struct sp_args *); /* the exit status */
};

static inline bool sp_args_has(const struct sp_args *a, enum sp_option o)
{
    return a->option[o] != NULL;
}

int sp_verb_shell(const struct sp_args *a);
int sp_verb_limits(const struct sp_args *a);
int sp_verb_access(const struct sp_args *a);
int sp_verb_suspend(const struct sp_args *a);
int sp_verb_resume(const struct sp_args *a);
int sp_verb_password(const struct sp_args *a);
int sp_verb_keys(const struct sp_args *a);
int sp_verb_firewall(const struct sp_args *a);
int sp_verb_certificates(const struct sp_args *a);
int sp_verb_global_keys(const struct sp_args *a);
int sp_verb_host(const struct sp_args *a);
int sp_verb_jail(const struct sp_args *a);
int sp_verb_doctor(const struct sp_args *a);
int sp_verb_status(const struct sp_args *a);
int sp_verb_list(const struct sp_args *a);
int sp_verb_apply(const struct sp_args *a);
int sp_verb_enable(const struct sp_args *a);
int sp_verb_disable(const struct sp_args *a);
int sp_verb_plan(const struct sp_args *a);
int sp_verb_rebind(const struct sp_args *a);
int sp_verb_remove(const struct sp_args *a);
int sp_verb_users(const struct sp_args *a);
int sp_verb_reconcile(const struct sp_args *a);

/* A reconcile in which an account failed, a refresh in which a jail did, a directory in which a request
 * did: the others were done, and cron and monitoring shall notice. error.c has no code with these numbers.
 */
enum { SP_EXIT_SOME_FAILED = 20, SP_EXIT_STALE = 21, SP_EXIT_REFUSED = 22 };

/* Send `params` (taken) and show the answer with `show`, or as JSON with --json; the exit status, which is
 * 20 where some of several accounts or jails failed; jail.check: 12 where a promise is broken, 21 where
 * jails are only older than the host. */
int sp_verb_call(const struct sp_args *a, const char *method, cJSON *params,
                 void (*show)(const cJSON *result));

/* One line what, and where and the mend below it, on stderr; the exit status of the code. */
int sp_show_error(const struct sp_error *err);
/* Wrong words: the same, as SP_E_INVALID. */
int sp_verb_usage(const struct sp_args *a, const char *text);

void sp_show_changes(const cJSON *result); /* changes, warnings, or "nothing to change" */

/* What was pasted, from a file or stdin ("-"), as text that a request can carry. */
struct sp_buf;
int sp_verb_read_key(const char *path, struct sp_buf *text, struct sp_error *err);

/* Put the words of a comma-separated list into an array field; nothing if `list` is NULL. */
void sp_params_list(cJSON *params, const char *name, const char *list);
void sp_params_text(cJSON *params, const char *name, const char *text);  /* nothing if NULL */
void sp_params_flag(cJSON *params, const char *name, const char *given); /* true if given */

#endif
