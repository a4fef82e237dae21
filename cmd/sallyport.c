/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sallyport: the admin's command. A table of verbs; see sallyport(8). */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/start.h"
#include "cmd/verb.h"

static const struct sp_verb verbs[] = {
    {"shell",
     "DOMAIN none|bash|chroot [--user U --document-root DIR] [--profiles P,..] [--forwarding F] [--sudo "
     "T,..]",
     "set a domain's login shell",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(USER) | SP_OPT(DOCUMENT_ROOT) | SP_OPT(PROFILES) |
         SP_OPT(FORWARDING) | SP_OPT(ACCOUNT_WIDE) | SP_OPT(SUDO),
     2, 2, sp_verb_shell},
    {"limits", "DOMAIN [--processes N] [--memory-mib N] [--tmp-mib N]",
     "how much of the host the sessions of a domain's user may take",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(PROCESSES) | SP_OPT(MEMORY_MIB) | SP_OPT(TMP_MIB), 1, 1,
     sp_verb_limits},
    {"enable", "DOMAIN [bash|chroot] [--user U --document-root DIR] [--profiles P,..]",
     "let a domain in over SSH: a jail, unless bash is said",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(USER) | SP_OPT(DOCUMENT_ROOT) | SP_OPT(PROFILES) |
         SP_OPT(FORWARDING) | SP_OPT(ACCOUNT_WIDE),
     1, 2, sp_verb_enable},
    {"disable", "DOMAIN", "no SSH for a domain; its keys stay, and FTP, mail and PHP go on",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(ACCOUNT_WIDE), 1, 1, sp_verb_disable},
    {"keys",
     "list|add|remove DOMAIN [FILE|-|FINGERPRINT] [--label L] [--from CIDR,..] "
     "[--for 8h | --expires-at TIME] [--command C] [--forwarding none|local|all] [--no-pty], or check "
     "FILE|-",
     "show, add, remove or check authorized keys",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(LABEL) | SP_OPT(FROM) | SP_OPT(EXPIRES_AT) | SP_OPT(COMMAND) |
         SP_OPT(FORWARDING) | SP_OPT(NO_PTY) | SP_OPT(KEEP_SESSIONS),
     2, 3, sp_verb_keys},
    {"users",
     "list|add|remove DOMAIN [NAME] [FILE|-] [--label L] [--read-only] [--expires-at TIME] [--forwarding "
     "F]",
     "further logins on a domain's files",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(LABEL) | SP_OPT(EXPIRES_AT) | SP_OPT(READ_ONLY) |
         SP_OPT(FORWARDING),
     2, 4, sp_verb_users},
    {"firewall",
     "[status|open|restrict|close|allow|unallow|unmanage|restore] [SOURCE..] [--comment C] "
     "[--for 8h | --expires-at TIME]",
     "who may reach the SSH port",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(COMMENT) | SP_OPT(EXPIRES_AT) | SP_OPT(FORCE) | SP_OPT(YES), 0,
     1000, sp_verb_firewall},
    {"certificates",
     "issue DOMAIN FINGERPRINT [--lifetime 6h] [--from CIDR,..] [--command C], list [DOMAIN] [--all], "
     "revoke "
     "SERIAL|FINGERPRINT|KEYID|DOMAIN, why DOMAIN, or ca [create|rotate|drop N]",
     "short-lived certificates for registered keys",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(LIFETIME) | SP_OPT(EXPIRES_AT) | SP_OPT(FROM) |
         SP_OPT(COMMAND) | SP_OPT(REASON) | SP_OPT(HOST) | SP_OPT(KEY) | SP_OPT(ALL),
     1, 3, sp_verb_certificates},
    {"global-keys",
     "list|add|remove [FILE|-|FINGERPRINT] [--group G] [--label L] [--from CIDR,..] [--expires-at TIME] "
     "[--forwarding none|local|all] [--no-pty]",
     "keys that open every managed account, or those of a group",
     SP_OPT(JSON) | SP_OPT(GROUP) | SP_OPT(LABEL) | SP_OPT(FROM) | SP_OPT(EXPIRES_AT) | SP_OPT(FORWARDING) |
         SP_OPT(NO_PTY),
     1, 2, sp_verb_global_keys},
    {"host", "[DOMAIN] [--host NAME]", "host keys, fingerprints, and what a domain's people type to get in",
     SP_OPT(JSON) | SP_OPT(HOST), 0, 1, sp_verb_host},
    {"access",
     "DOMAIN [--authentication key|password_or_key|key_and_password] [--valid-from TIME|never] "
     "[--valid-until TIME|never]",
     "how an account proves itself, and between which dates",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(AUTHENTICATION) | SP_OPT(VALID_FROM) | SP_OPT(VALID_UNTIL), 1,
     1, sp_verb_access},
    {"suspend", "DOMAIN | --user USER", "shut an account and end its sessions; all else stays as it is",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(USER), 0, 1, sp_verb_suspend},
    {"resume", "DOMAIN | --user USER", "let a suspended account in again",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(USER), 0, 1, sp_verb_resume},
    {"password", "set|generate|lock|unlock DOMAIN",
     "set a password (from stdin), make one, or keep it from SSH", SP_OPT(JSON) | SP_OPT(DRY_RUN), 2, 2,
     sp_verb_password},
    {"jail", "profiles|refresh|check [--when-quiet], or build PROFILE,..",
     "what jails hold: see it, prove it, make it as new as the host",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(WHEN_QUIET), 1, 2, sp_verb_jail},
    {"status", "DOMAIN [--request]", "what a domain has, and whether it is in force",
     SP_OPT(JSON) | SP_OPT(REQUEST), 1, 1, sp_verb_status},
    {"doctor", "DOMAIN|--user U [--from ADDRESS] [--key FILE|-] [--port N] [--fix]",
     "why can't somebody log in? every layer, as sshd would walk it",
     SP_OPT(JSON) | SP_OPT(USER) | SP_OPT(FROM) | SP_OPT(KEY) | SP_OPT(PORT) | SP_OPT(FIX), 0, 1,
     sp_verb_doctor},
    {"list", "", "every domain with SSH access", SP_OPT(JSON), 0, 0, sp_verb_list},
    {"plan", "FILE|-", "what a request would change (the params of domain.apply, as JSON)", SP_OPT(JSON), 1,
     1, sp_verb_plan},
    {"apply", "FILE|DIRECTORY|-", "carry out a request, or all *.json of a directory",
     SP_OPT(JSON) | SP_OPT(DRY_RUN), 1, 1, sp_verb_apply},
    {"rebind", "DOMAIN [--to NEWNAME] [--document-root DIR] [--user NEWNAME]",
     "move a domain to another name or document root, or after its user was renamed",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(TO) | SP_OPT(DOCUMENT_ROOT) | SP_OPT(USER), 1, 1,
     sp_verb_rebind},
    {"remove", "DOMAIN [--yes]", "take SSH access away and give back what stood before",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(YES), 1, 1, sp_verb_remove},
    {"reconcile", "[--restore-access] [--metrics FILE.prom]",
     "mend what loosened on every account, report what was tightened",
     SP_OPT(JSON) | SP_OPT(DRY_RUN) | SP_OPT(RESTORE_ACCESS) | SP_OPT(METRICS), 0, 0, sp_verb_reconcile},
};

static const struct {
    const char *name;
    bool takes_value;
} options[SP_OPT_COUNT] = {
    [SP_OPT_JSON] = {"--json", false},
    [SP_OPT_DRY_RUN] = {"--dry-run", false},
    [SP_OPT_USER] = {"--user", true},
    [SP_OPT_DOCUMENT_ROOT] = {"--document-root", true},
    [SP_OPT_PROFILES] = {"--profiles", true},
    [SP_OPT_FORWARDING] = {"--forwarding", true},
    [SP_OPT_ACCOUNT_WIDE] = {"--account-wide", false},
    [SP_OPT_LABEL] = {"--label", true},
    [SP_OPT_FROM] = {"--from", true},
    [SP_OPT_EXPIRES_AT] = {"--expires-at", true},
    [SP_OPT_FOR] = {"--for", true},
    [SP_OPT_COMMENT] = {"--comment", true},
    [SP_OPT_FORCE] = {"--force", false},
    [SP_OPT_YES] = {"--yes", false},
    [SP_OPT_RESTORE_ACCESS] = {"--restore-access", false},
    [SP_OPT_TO] = {"--to", true},
    [SP_OPT_REQUEST] = {"--request", false},
    [SP_OPT_WHEN_QUIET] = {"--when-quiet", false},
    [SP_OPT_KEY] = {"--key", true},
    [SP_OPT_PORT] = {"--port", true},
    [SP_OPT_FIX] = {"--fix", false},
    [SP_OPT_HOST] = {"--host", true},
    [SP_OPT_GROUP] = {"--group", true},
    [SP_OPT_LIFETIME] = {"--lifetime", true},
    [SP_OPT_COMMAND] = {"--command", true},
    [SP_OPT_REASON] = {"--reason", true},
    [SP_OPT_ALL] = {"--all", false},
    [SP_OPT_PROCESSES] = {"--processes", true},
    [SP_OPT_MEMORY_MIB] = {"--memory-mib", true},
    [SP_OPT_TMP_MIB] = {"--tmp-mib", true},
    [SP_OPT_AUTHENTICATION] = {"--authentication", true},
    [SP_OPT_KEEP_SESSIONS] = {"--keep-sessions", false},
    [SP_OPT_VALID_FROM] = {"--valid-from", true},
    [SP_OPT_VALID_UNTIL] = {"--valid-until", true},
    [SP_OPT_READ_ONLY] = {"--read-only", false},
    [SP_OPT_SUDO] = {"--sudo", true},
    [SP_OPT_NO_PTY] = {"--no-pty", false},
    [SP_OPT_METRICS] = {"--metrics", true},
};

static void help(FILE *to)
{
    (void)fprintf(to, "usage: sallyport VERB [ARGUMENT..] [--json] [--dry-run]\n\n");
    for (size_t i = 0; i < SP_COUNT(verbs); i++)
        (void)fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    (void)fprintf(to, "\n`sallyport VERB --help` shows a verb's arguments; sallyport(8) tells the rest.\n");
}

static bool knows(const struct sp_verb *v, int option)
{
    return (v->options & UINT64_C(1) << (option == SP_OPT_FOR ? SP_OPT_EXPIRES_AT : option)) != 0;
}

static void verb_help(const struct sp_verb *v, FILE *to)
{
    (void)fprintf(to, "usage: sallyport %s %s\n%s\n", v->name, v->synopsis, v->summary);
    (void)fprintf(to, "options:");
    for (int i = 0; i < SP_OPT_COUNT; i++)
        if (knows(v, i))
            (void)fprintf(to, " %s%s", options[i].name, options[i].takes_value ? " VALUE" : "");
    (void)fprintf(to, "\n");
}

static int wrong(const struct sp_verb *v, const char *what, const char *word)
{
    struct sp_error err;

    sp_fail(&err, SP_E_INVALID, 0, "%s%s%s", what, word != NULL ? ": " : "", word != NULL ? word : "");
    sp_hint(&err, "sallyport %s%s--help", v != NULL ? v->name : "", v != NULL ? " " : "");
    return sp_show_error(&err);
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
static int count_from_now(const struct sp_verb *v, struct sp_args *a)
{
    int64_t seconds;

    if (a->option[SP_OPT_FOR] == NULL)
        return 0;
    seconds = duration(a->option[SP_OPT_FOR]);
    if (seconds <= 0)
        return wrong(v, "--for takes a time as 90m, 8h, 1d12h or 2w, not", a->option[SP_OPT_FOR]);
    if (a->option[SP_OPT_EXPIRES_AT] != NULL)
        return wrong(v, "--for and --expires-at say the same thing twice", NULL);
    sp_when_format((int64_t)time(NULL) + seconds, a->expiry);
    a->option[SP_OPT_EXPIRES_AT] = a->expiry;
    return 0;
}

/* --name VALUE or --name=VALUE. Returns how many words it took, or 0. */
static int read_option(const struct sp_verb *v, char **argv, int left, struct sp_args *a)
{
    for (int i = 0; i < SP_OPT_COUNT; i++) {
        const char *rest = NULL;
        if (!knows(v, i) || !sp_str_prefix(argv[0], options[i].name, &rest))
            continue;
        if (rest[0] == '\0' && !options[i].takes_value) {
            a->option[i] = "";
            return 1;
        }
        if (rest[0] == '=' && options[i].takes_value) {
            a->option[i] = rest + 1;
            return 1;
        }
        if (rest[0] == '\0' && left > 1) {
            a->option[i] = argv[1];
            return 2;
        }
    }
    return 0;
}

static int run_verb(const struct sp_verb *v, int argc, char **argv, struct sp_start *start)
{
    const char *words[1024] = {NULL};
    struct sp_args a = {.engine = &start->engine, .words = words};
    struct sp_error err;
    int status;

    for (int i = 0, took; i < argc; i += took) {
        took = 1;
        if (sp_streq(argv[i], "--help")) {
            verb_help(v, stdout);
            return 0;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            took = read_option(v, argv + i, argc - i, &a);
            if (took == 0)
                return wrong(v, "no such option, or it lacks its value", argv[i]);
        } else if (a.n_words == (int)SP_COUNT(words) - 1)
            return wrong(v, "too many arguments", NULL);
        else
            words[a.n_words++] = argv[i];
    }
    if (a.n_words < v->min_words || a.n_words > v->max_words)
        return wrong(v, a.n_words < v->min_words ? "an argument is missing" : "an argument too many", NULL);
    status = count_from_now(v, &a);
    if (status != 0)
        return status;
    if (sp_start_engine(start, &err) < 0)
        return sp_show_error(&err);
    return v->run(&a);
}

int main(int argc, char **argv)
{
    _cleanup_(sp_start_clear) struct sp_start start = {0};
    char here[PATH_MAX];
    bool known = getcwd(here, sizeof(here)) != NULL;

    if (sp_start_sanitise(&start, argc, argv) < 0)
        return sp_code_exit(SP_E_INTERNAL);
    /* A FILE is named from where the admin stands, and sanitising went to "/". */
    if (known)
        (void)!chdir(here);
    if (argc < 2 || sp_streq(argv[1], "--help") || sp_streq(argv[1], "help")) {
        help(argc < 2 ? stderr : stdout);
        return argc < 2 ? sp_code_exit(SP_E_INVALID) : 0;
    }
    if (sp_streq(argv[1], "--version")) {
        (void)printf("sallyport " SP_VERSION "\n");
        return 0;
    }
    for (size_t i = 0; i < SP_COUNT(verbs); i++)
        if (sp_streq(verbs[i].name, argv[1]))
            return run_verb(&verbs[i], argc - 2, argv + 2, &start);
    return wrong(NULL, "no such verb", argv[1]);
}
