/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What cannot be taken back is named and asked for, on a terminal; elsewhere --yes must say it. */
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "cmd/verb.h"

static void name_action(const struct sp_args *a, char *text, size_t size)
{
    size_t used = 0;

    (void)sp_str_copy(text, size, a->verb->name);
    used = strlen(text);
    for (int i = 0; i < a->n_words && i < 4; i++)
        if (sp_str_format(text + used, size - used, " %s", a->words[i]) == 0)
            used += strlen(text + used);
}

static int refuse(const struct sp_args *a, const char *what)
{
    struct sp_error err;
    bool dry = sp_action_knows(a->action, SP_OPT_DRY_RUN);

    sp_fail(&err, SP_E_INVALID, 0, "%s: this %s", what, a->action->danger);
    sp_hint(&err, "add --yes%s", dry ? ", or look first with --dry-run" : "");
    return sp_show_failure(a, &err);
}

/* The dry run of the very same, so that what is asked about is what will be done. */
static int preview(const struct sp_args *a)
{
    struct sp_args look = *a;

    if (!sp_action_knows(a->action, SP_OPT_DRY_RUN) || sp_args_has(a, SP_OPT_JSON))
        return 0;
    look.option[SP_OPT_DRY_RUN] = look.option[SP_OPT_YES] = "";
    return a->action->run(&look);
}

int sp_ask(struct sp_args *a)
{
    char what[256] = "", answer[16] = "";
    int status;

    if (a->action->danger == NULL || sp_args_has(a, SP_OPT_YES) || sp_args_has(a, SP_OPT_DRY_RUN))
        return 0;
    name_action(a, what, sizeof(what));
    if (!isatty(STDIN_FILENO))
        return refuse(a, what);
    status = preview(a);
    if (status != 0)
        return status;
    sp_str_make_printable(what);
    (void)fprintf(stderr, "%s: this %s. Do it? [y/N] ", what, a->action->danger);
    (void)fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
        return sp_verb_usage(a, "nothing was done");
    a->option[SP_OPT_YES] = "";
    return 0;
}
