/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The verbs of sallyport(8): each builds the request that a panel would send, has it answered, and shows
 * the answer. A verb is a file with a table of its actions and a line in verbs.c; what a command line may
 * say, what --help shows and what has to be confirmed is read from those tables. Printing lives here, in
 * show.c and its neighbours, nowhere below.
 */
#ifndef SP_CMD_VERB_H
#define SP_CMD_VERB_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cmd/value.h"
#include "engine/dispatch.h"
#include "model/when.h"

/* Every option there is, with its words in options.c; an action's row says which of them it knows. */
enum sp_option {
    SP_OPT_JSON,    /* every action knows it */
    SP_OPT_DRY_RUN, /* what changes something */
    SP_OPT_YES,     /* what is to be confirmed */
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
    SP_OPT_SESSION,
    SP_OPT_METRICS,
    SP_OPT_CONFIRM_WITHIN,
    SP_OPT_UNDO,
    SP_OPT_PRINT_CONFIG,
    SP_OPT_KEEP_OPENED,
    SP_OPT_COUNT
};

#define SP_OPT(x) (UINT64_C(1) << SP_OPT_##x)
#define SP_WORDS_ANY 1000

struct sp_args;

struct sp_action {
    const char *name;     /* one or two words behind the verb's; "" where the verb has but one action */
    const char *synopsis; /* its words, as --help shows them */
    uint64_t options;     /* beside --json, and --yes where there is a danger */
    int min_words, max_words;
    int (*run)(const struct sp_args *); /* the exit status */
    const char *danger; /* NULL, or what it does that cannot be taken back: it is asked before */
};

struct sp_option_text {
    enum sp_option option;
    const char *value, *help; /* of this verb alone, in place of those of options.c */
};

struct sp_verb {
    const char *name;
    const char *summary;                /* one line; sallyport-NAME(8) has it as its name's */
    const struct sp_action *actions;    /* end with a NULL name; the first is meant where none is named, if
                                           it can do without words */
    const struct sp_option_text *texts; /* end with a NULL help; NULL: none of its own */
};

struct sp_args {
    struct sp_engine *engine;
    const struct sp_verb *verb;
    const struct sp_action *action;
    const char *option[SP_OPT_COUNT]; /* the value, "" for a flag that was given, NULL when not given;
                                         borrowed from argv */
    const char *const *words; /* what is left: not options; the action's name first where it has one */
    int n_words;
    char expiry[SP_WHEN_SIZE]; /* what --for came to */
    int64_t confirm_within;    /* seconds; 0: not given */
};

static inline bool sp_args_has(const struct sp_args *a, enum sp_option o)
{
    return a->option[o] != NULL;
}

/* One of these SP_OPT()s was given. */
bool sp_args_has_any(const struct sp_args *a, uint64_t options);

/* The verbs by what they are about; ends with a NULL topic. */
struct sp_topic {
    const char *topic;
    const struct sp_verb *const *verbs; /* end with NULL */
};
extern const struct sp_topic sp_topics[];

const struct sp_verb *sp_verb_find(const char *name);
const char *sp_verb_nearest(const char *name); /* or NULL */

/* options.c: does the action know it, and how it is written. */
bool sp_action_knows(const struct sp_action *action, enum sp_option o);
const char *sp_option_name(enum sp_option o); /* "--dry-run" */
/* The value's name (NULL: it is a flag) and what --help says. */
const char *sp_option_value(const struct sp_verb *v, enum sp_option o);
const char *sp_option_help(const struct sp_verb *v, enum sp_option o);
/* Read what follows the verb's name. 0, or the exit status of what was shown. `words` has room for
 * SP_WORDS_ANY + 2. */
int sp_args_read(int argc, char **argv, const char **words, struct sp_args *a);

/* help.c: both fit a terminal of 24 lines of 80 columns. */
void sp_help(FILE *to);
void sp_help_verb(const struct sp_verb *v, FILE *to);

/* ask.c: name what would be done and ask, where the action is dangerous; without a terminal --yes has to
 * say so. 0: go on; else the exit status. */
int sp_ask(struct sp_args *a);

/* The name among n that somebody may have meant, or NULL. */
const char *sp_nearest(const char *word, const char *const *names, size_t n);

/* A reconcile in which an account failed, a refresh in which a jail did, a directory in which a request
 * did: the others were done, and cron and monitoring shall notice. error.c has no code with these numbers.
 */
enum { SP_EXIT_SOME_FAILED = 20, SP_EXIT_STALE = 21, SP_EXIT_REFUSED = 22 };

/* Send `params` (taken) and show the answer with `show`, or as JSON with --json; the exit status, which is
 * 20 where some of several accounts or jails failed; jail.check: 12 where a promise is broken, 21 where
 * jails are only older than the host. */
int sp_verb_call(const struct sp_args *a, const char *method, cJSON *params,
                 void (*show)(const cJSON *result));

/* The same in two steps, for what asks or answers more than once. What *ret_result (to be deleted) holds is
 * fit for a terminal, unless JSON was asked for. */
int sp_verb_ask_engine(const struct sp_args *a, const char *method, const cJSON *params, cJSON **ret_result,
                       struct sp_error *err);
int sp_verb_status_of(const cJSON *result);

/* One line what, and where and the mend below it, on stderr; the exit status of the code. With --json also
 * the error as the helper answers it, on stdout. `a` may be NULL. */
int sp_show_failure(const struct sp_args *a, const struct sp_error *err);
int sp_show_error(const struct sp_error *err);
cJSON *sp_error_json(const struct sp_error *err);
/* Wrong words: the same, as SP_E_INVALID. */
int sp_verb_usage(const struct sp_args *a, const char *text);

void sp_show_firewall(const cJSON *result);
void sp_show_firewalls(const cJSON *others, int width); /* in one line, if there are any */
void sp_show_changes(const cJSON *result);              /* changes, warnings, or "nothing to change" */
void sp_show_diff(const cJSON *result); /* the same, of what would be: from and to below each other */

/* What was pasted, from a file or stdin ("-"), as text that a request can carry. */
struct sp_buf;
int sp_verb_read_key(const char *path, struct sp_buf *text, struct sp_error *err);

/* Put the words of a comma-separated list into an array field; nothing if `list` is NULL. */
void sp_params_list(cJSON *params, const char *name, const char *list);
void sp_params_text(cJSON *params, const char *name, const char *text); /* nothing if NULL */
/* The engine says what is wrong with a number; what is none goes there as the text that it is. */
void sp_params_number(cJSON *params, const char *name, const char *text);
void sp_params_flag(cJSON *params, const char *name, const char *given); /* true if given */

#endif
