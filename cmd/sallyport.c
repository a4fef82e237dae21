/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sallyport: the admin's command; see sallyport(8). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/start.h"
#include "cmd/tone.h"
#include "cmd/verb.h"

static int no_such_verb(const char *word)
{
    const char *meant = sp_verb_nearest(word);
    struct sp_error err;

    sp_fail(&err, SP_E_INVALID, 0, "no such verb: %s", word);
    sp_hint(&err, "sallyport %s", meant != NULL ? meant : "--help");
    return sp_show_error(&err);
}

static int help(const char *word)
{
    const struct sp_verb *v = word != NULL ? sp_verb_find(word) : NULL;

    if (word != NULL && v == NULL)
        return no_such_verb(word);
    if (v != NULL)
        sp_help_verb(v, stdout);
    else
        sp_help(stdout);
    return 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && !sp_streq(argv[i], "--"); i++)
        if (sp_streq(argv[i], "--help") || sp_streq(argv[i], "-h"))
            return true;
    return false;
}

static int run_verb(const struct sp_verb *v, int argc, char **argv, struct sp_start *start)
{
    const char *words[SP_WORDS_ANY + 2] = {NULL};
    struct sp_args a = {.engine = &start->engine, .verb = v};
    struct sp_error err;
    int status;

    if (asks_for_help(argc, argv)) {
        sp_help_verb(v, stdout);
        return 0;
    }
    status = sp_args_read(argc, argv, words, &a);
    if (status != 0)
        return status;
    if (sp_start_engine(start, &err) < 0)
        return sp_show_failure(&a, &err);
    status = sp_ask(&a);
    return status != 0 ? status : a.action->run(&a);
}

int main(int argc, char **argv)
{
    _cleanup_(sp_start_clear) struct sp_start start = {0};
    bool colours = sp_tone_wanted();
    char here[PATH_MAX];
    bool known = getcwd(here, sizeof(here)) != NULL;
    const struct sp_verb *v;

    if (sp_start_sanitise(&start, argc, argv) < 0)
        return sp_code_exit(SP_E_INTERNAL);
    /* The environment is gone by now; what it said of colours is all of it that is heard. */
    if (!colours)
        (void)setenv("NO_COLOR", "1", 1);
    /* A FILE is named from where the admin stands, and sanitising went to "/". */
    if (known)
        (void)!chdir(here);
    if (argc < 2) {
        sp_help(stderr);
        return sp_code_exit(SP_E_INVALID);
    }
    if (sp_streq(argv[1], "--help") || sp_streq(argv[1], "-h") || sp_streq(argv[1], "help"))
        return help(argc > 2 ? argv[2] : NULL);
    if (sp_streq(argv[1], "--version")) {
        (void)printf("sallyport " SP_VERSION "\n");
        return 0;
    }
    v = sp_verb_find(argv[1]);
    return v != NULL ? run_verb(v, argc - 2, argv + 2, &start) : no_such_verb(argv[1]);
}
