/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options, and the reading of a command line against the tables of a verb. */
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"

static const struct {
    const char *name;
    const char *value; /* NULL: a flag */
    const char *help;
} options[SP_OPT_COUNT] = {
    [SP_OPT_JSON] = {"--json", NULL, "print the answer as a panel gets it"},
    [SP_OPT_DRY_RUN] = {"--dry-run", NULL, "say what would be changed, and change nothing"},
    [SP_OPT_YES] = {"--yes", NULL, "do not ask"},
    [SP_OPT_USER] = {"--user", "USER", "the domain's system user"},
    [SP_OPT_DOCUMENT_ROOT] = {"--document-root", "DIR", "where the domain's files are"},
    [SP_OPT_PROFILES] = {"--profiles", "NAME,..", "what the jail holds; see jail profiles"},
    [SP_OPT_FORWARDING] = {"--forwarding", "HOW", "none, local or all"},
    [SP_OPT_ACCOUNT_WIDE] = {"--account-wide", NULL, "also what the user's other domains asked for"},
    [SP_OPT_LABEL] = {"--label", "TEXT", "whose it is, for people"},
    [SP_OPT_FROM] = {"--from", "SOURCE,..", "only from these addresses or blocks"},
    [SP_OPT_EXPIRES_AT] = {"--expires-at", "TIME", "until then: 2027-01-01T00:00:00Z"},
    [SP_OPT_FOR] = {"--for", "TIME", "the same, from now: 90m, 8h, 1d12h, 2w"},
    [SP_OPT_COMMENT] = {"--comment", "TEXT", "whose address it is, for people"},
    [SP_OPT_FORCE] = {"--force", NULL, "even if it shuts out who is connected now"},
    [SP_OPT_RESTORE_ACCESS] = {"--restore-access", NULL, "also give back what somebody tightened"},
    [SP_OPT_TO] = {"--to", "DOMAIN", "the new name"},
    [SP_OPT_REQUEST] = {"--request", NULL, "print the request that makes it so, for apply"},
    [SP_OPT_KEY] = {"--key", "FILE|-", "the public key that is tried"},
    [SP_OPT_PORT] = {"--port", "N", "the port that is tried"},
    [SP_OPT_FIX] = {"--fix", NULL, "first mend what can be mended safely"},
    [SP_OPT_HOST] = {"--host", "NAME", "how clients call this host"},
    [SP_OPT_LIFETIME] = {"--lifetime", "TIME", "how long it is good for: 90m, 6h"},
    [SP_OPT_GROUP] = {"--group", "NAME", "only for members of this group"},
    [SP_OPT_COMMAND] = {"--command", "TEXT", "it may run this one command"},
    [SP_OPT_REASON] = {"--reason", "TEXT", "why, for the record"},
    [SP_OPT_ALL] = {"--all", NULL, "all there are"},
    [SP_OPT_PROCESSES] = {"--processes", "N", "how many may run at once; 0: as configured"},
    [SP_OPT_MEMORY_MIB] = {"--memory-mib", "N", "memory in MiB; 0: as configured"},
    [SP_OPT_TMP_MIB] = {"--tmp-mib", "N", "size of /tmp in the jail, in MiB"},
    [SP_OPT_AUTHENTICATION] = {"--authentication", "HOW", "key, password_or_key or key_and_password"},
    [SP_OPT_KEEP_SESSIONS] = {"--keep-sessions", NULL, "leave the logins that it opened"},
    [SP_OPT_VALID_FROM] = {"--valid-from", "TIME", "no login before; never: no such limit"},
    [SP_OPT_VALID_UNTIL] = {"--valid-until", "TIME", "no login after; never: no such limit"},
    [SP_OPT_WHEN_QUIET] = {"--when-quiet", NULL, "after the package manager, once for all who ask"},
    [SP_OPT_READ_ONLY] = {"--read-only", NULL, "may look, may not write"},
    [SP_OPT_SUDO] = {"--sudo", "NAME,..", "what it may run as others (templates); \"\": nothing"},
    [SP_OPT_NO_PTY] = {"--no-pty", NULL, "no terminal"},
    [SP_OPT_METRICS] = {"--metrics", "FILE.prom", "figures for node_exporter's textfile collector"},
    [SP_OPT_CONFIRM_WITHIN] = {"--confirm-within", "TIME", "on trial: 60s, 5m; then confirm, or it ends"},
    [SP_OPT_UNDO] = {"--undo", NULL, "forget what nobody changed since"},
    [SP_OPT_PRINT_CONFIG] = {"--print-config", NULL, "print what sallyport.conf needs, and do nothing"},
    [SP_OPT_KEEP_OPENED] = {"--keep-opened", NULL, "leave open what was opened in other firewalls"},
    [SP_OPT_SESSION] = {"--session", "ID", "this login alone"},
};

bool sp_action_knows(const struct sp_action *action, enum sp_option o)
{
    uint64_t all = action->options | SP_OPT(JSON) | (action->danger != NULL ? SP_OPT(YES) : 0);

    return (all & UINT64_C(1) << (o == SP_OPT_FOR ? SP_OPT_EXPIRES_AT : o)) != 0;
}

const char *sp_option_name(enum sp_option o)
{
    return options[o].name;
}

static const struct sp_option_text *own_text(const struct sp_verb *v, enum sp_option o)
{
    for (const struct sp_option_text *t = v->texts; t != NULL && t->help != NULL; t++)
        if (t->option == o)
            return t;
    return NULL;
}

const char *sp_option_value(const struct sp_verb *v, enum sp_option o)
{
    const struct sp_option_text *own = own_text(v, o);

    return own != NULL ? own->value : options[o].value;
}

const char *sp_option_help(const struct sp_verb *v, enum sp_option o)
{
    const struct sp_option_text *own = own_text(v, o);

    return own != NULL ? own->help : options[o].help;
}

static bool verb_knows(const struct sp_verb *v, enum sp_option o)
{
    for (const struct sp_action *act = v->actions; act->name != NULL; act++)
        if (sp_action_knows(act, o))
            return true;
    return false;
}

/* What is wrong with the words, and where to look; a name that may have been meant. */
static int wrong(const struct sp_args *a, const char *what, const char *word, const char *meant)
{
    struct sp_error err;

    sp_fail(&err, SP_E_INVALID, 0, "%s%s%s", what, word != NULL ? ": " : "", word != NULL ? word : "");
    sp_hint(&err, "sallyport %s %s", a->verb->name, meant != NULL ? meant : "--help");
    return sp_show_failure(a, &err);
}

static int no_such_option(const struct sp_args *a, const char *word)
{
    const char *names[SP_OPT_COUNT + 1] = {NULL};
    char given[64] = "";
    size_t n = 0;

    for (int o = 0; o < SP_OPT_COUNT; o++)
        if (verb_knows(a->verb, (enum sp_option)o))
            names[n++] = options[o].name;
    names[n++] = "--help";
    (void)sp_str_format(given, sizeof(given), "%.*s", (int)strcspn(word, "="), word);
    return wrong(a, "no such option", word, sp_nearest(given, names, n));
}

/* --name VALUE or --name=VALUE. *ret_took: how many words that was. */
static int read_option(struct sp_args *a, char **argv, int left, int *ret_took)
{
    for (int o = 0; o < SP_OPT_COUNT; o++) {
        const char *rest = NULL;
        bool takes = options[o].value != NULL;
        if (!verb_knows(a->verb, (enum sp_option)o) || !sp_str_prefix(argv[0], options[o].name, &rest) ||
            (rest[0] != '\0' && rest[0] != '='))
            continue;
        if (!takes && rest[0] == '=')
            return wrong(a, "this option takes no value", argv[0], NULL);
        if (takes && rest[0] == '\0' && left < 2)
            return wrong(a, "this option needs a value", argv[0], NULL);
        a->option[o] = !takes ? "" : rest[0] == '=' ? rest + 1 : argv[1];
        *ret_took = takes && rest[0] == '\0' ? 2 : 1;
        return 0;
    }
    return no_such_option(a, argv[0]);
}

/* "8h", "1d12h", "90m": seconds, or 0. */
static int64_t duration(const char *text)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    int64_t all = 0;

    while (*text != '\0') {
        size_t digits = strspn(text, "0123456789"), i = 0;
        char number[8];
        uint64_t n;
        if (sp_str_format(number, sizeof(number), "%.*s", (int)digits, text) < 0 ||
            sp_str_to_u64(number, 1000000, &n) < 0)
            return 0;
        while (i < SP_COUNT(units) && units[i].unit != text[digits])
            i++;
        if (i == SP_COUNT(units))
            return 0;
        all += (int64_t)n * units[i].seconds;
        text += digits + 1;
    }
    return all;
}

/* --for is --expires-at, counted from now. */
static int count_from_now(struct sp_args *a)
{
    int64_t seconds;

    if (a->option[SP_OPT_FOR] == NULL)
        return 0;
    seconds = duration(a->option[SP_OPT_FOR]);
    if (seconds <= 0)
        return wrong(a, "--for takes a time as 90m, 8h, 1d12h or 2w, not", a->option[SP_OPT_FOR], NULL);
    if (a->option[SP_OPT_EXPIRES_AT] != NULL)
        return wrong(a, "--for and --expires-at say the same thing twice", NULL, NULL);
    sp_when_format((int64_t)time(NULL) + seconds, a->expiry);
    a->option[SP_OPT_EXPIRES_AT] = a->expiry;
    return 0;
}

/* "60s", "2m", or seconds alone. */
static int count_trial(struct sp_args *a)
{
    const char *text = a->option[SP_OPT_CONFIRM_WITHIN];
    uint64_t seconds;

    if (text == NULL)
        return 0;
    a->confirm_within = sp_str_to_u64(text, 1000000, &seconds) == 0 ? (int64_t)seconds : duration(text);
    return a->confirm_within > 0 ? 0
                                 : wrong(a, "--confirm-within takes a time as 60s or 5m, not", text, NULL);
}

static int no_such_action(const struct sp_args *a, const char *word)
{
    const char *names[16] = {NULL};
    size_t n = 0;

    for (const struct sp_action *act = a->verb->actions; act->name != NULL && n < SP_COUNT(names); act++)
        names[n++] = act->name;
    if (word == NULL)
        return wrong(a, "an argument is missing", NULL, NULL);
    return wrong(a, "no such action", word, sp_nearest(word, names, n));
}

/* How many words the name of an action is: "list", "ca create"; "" is none. */
static int name_words(const struct sp_action *act)
{
    return act->name[0] == '\0' ? 0 : 1 + (strchr(act->name, ' ') != NULL);
}

static bool is_named(const struct sp_action *act, const char *const *words, int n)
{
    char both[64] = "";

    if (n < name_words(act))
        return false;
    if (name_words(act) == 1)
        return sp_streq(act->name, words[0]);
    return sp_str_format(both, sizeof(both), "%s %s", words[0], words[1]) == 0 && sp_streq(act->name, both);
}

/* The action that the first words name. One that needs no word is meant where none is named: its name is
 * put before the others. A domain (it has a dot) is no action's name. */
static int pick_action(struct sp_args *a, const char **words)
{
    const struct sp_action *first = a->verb->actions;

    a->action = first;
    if (first->name[0] == '\0')
        return 0;
    for (; a->n_words > 0 && a->action->name != NULL; a->action++)
        if (is_named(a->action, words, a->n_words))
            return 0;
    a->action = first;
    if (first->min_words > 0 ||
        (a->n_words > 0 && (first->max_words == 0 || strchr(words[0], '.') == NULL)))
        return no_such_action(a, a->n_words > 0 ? words[0] : NULL);
    memmove(words + 1, words, (size_t)a->n_words * sizeof(*words));
    words[0] = first->name;
    a->n_words++;
    return 0;
}

/* --yes where nothing is asked says what is true. */
static int check_options(const struct sp_args *a)
{
    char text[128];

    for (int o = 0; o < SP_OPT_COUNT; o++)
        if (a->option[o] != NULL && o != SP_OPT_YES && !sp_action_knows(a->action, (enum sp_option)o)) {
            (void)sp_str_format(text, sizeof(text), "%s is no option of `%s %s'", options[o].name,
                                a->verb->name, a->action->name);
            return wrong(a, text, NULL, NULL);
        }
    return 0;
}

int sp_args_read(int argc, char **argv, const char **words, struct sp_args *a)
{
    bool only_words = false;
    int status, named;

    a->words = words;
    for (int i = 0, took = 1; i < argc; i += took) {
        took = 1;
        if (!only_words && sp_streq(argv[i], "--"))
            only_words = true;
        else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
            status = read_option(a, argv + i, argc - i, &took);
            if (status != 0)
                return status;
        } else if (a->n_words == SP_WORDS_ANY)
            return wrong(a, "too many arguments", NULL, NULL);
        else
            words[a->n_words++] = argv[i];
    }
    status = pick_action(a, words);
    if (status != 0)
        return status;
    named = name_words(a->action);
    if (a->n_words - named < a->action->min_words)
        return wrong(a, "an argument is missing", NULL, NULL);
    if (a->n_words - named > a->action->max_words)
        return wrong(a, "an argument too many", words[named + a->action->max_words], NULL);
    status = check_options(a);
    if (status == 0)
        status = count_from_now(a);
    return status != 0 ? status : count_trial(a);
}
