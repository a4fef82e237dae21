/* SPDX-License-Identifier: GPL-3.0-or-later */
/* --help, from the verbs' tables: what fits a screen. The manual pages tell the rest. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cmd/verb.h"

#define COLUMNS 80
#define NAMES_AT 32

static void topic(const struct sp_topic *t, FILE *to)
{
    int at = fprintf(to, "  %-*s", NAMES_AT - 3, t->topic);

    for (const struct sp_verb *const *v = t->verbs; *v != NULL; v++) {
        int len = (int)strlen((*v)->name);
        if (at + len + 1 > COLUMNS)
            at = fprintf(to, "\n%-*s", NAMES_AT - 1, "") - 1;
        at += fprintf(to, " %s", (*v)->name);
    }
    (void)fprintf(to, "\n");
}

void sp_help(FILE *to)
{
    (void)fprintf(to, "usage: sallyport VERB [ARGUMENT..] [OPTION..]\n\n");
    for (const struct sp_topic *t = sp_topics; t->topic != NULL; t++)
        topic(t, to);
    (void)fprintf(to,
                  "\nsallyport VERB --help   what a verb takes\n"
                  "sallyport --version     the version\n"
                  "man sallyport           all verbs, a line each; man sallyport-VERB tells one\n");
}

/* "add, remove: " where not every action knows the option. */
static void for_whom(const struct sp_verb *v, enum sp_option o, char *text, size_t size)
{
    size_t used = 0;
    bool all = true;

    text[0] = '\0';
    for (const struct sp_action *act = v->actions; act->name != NULL; act++) {
        if (!sp_action_knows(act, o))
            all = false;
        else if (sp_str_format(text + used, size - used, "%s%s", used > 0 ? ", " : "", act->name) == 0)
            used += strlen(text + used);
    }
    if (all)
        text[0] = '\0';
    else
        (void)sp_str_format(text + used, size - used, ": ");
}

static void show_option(const struct sp_verb *v, enum sp_option o, FILE *to)
{
    const char *value = sp_option_value(v, o);
    char left[64], whom[128];

    (void)sp_str_format(left, sizeof(left), "%s%s%s", sp_option_name(o), value != NULL ? " " : "",
                        value != NULL ? value : "");
    for_whom(v, o, whom, sizeof(whom));
    if (strlen(left) <= 22 && 2 + 22 + 1 + strlen(whom) + strlen(sp_option_help(v, o)) > COLUMNS)
        whom[0] = '\0';
    (void)fprintf(to, "  %-22s %s%s\n", left, whom, sp_option_help(v, o));
}

void sp_help_verb(const struct sp_verb *v, FILE *to)
{
    (void)fprintf(to, "%s: %s\n", v->name, v->summary);
    for (const struct sp_action *act = v->actions; act->name != NULL; act++)
        (void)fprintf(to, "%s sallyport %s%s%s%s%s\n", act == v->actions ? "usage:" : "      ", v->name,
                      act->name[0] != '\0' ? " " : "", act->name, act->synopsis[0] != '\0' ? " " : "",
                      act->synopsis);
    (void)fprintf(to, "\n");
    for (int o = 0; o < SP_OPT_COUNT; o++)
        for (const struct sp_action *act = v->actions; act->name != NULL; act++)
            if (sp_action_knows(act, (enum sp_option)o)) {
                show_option(v, (enum sp_option)o, to);
                break;
            }
    (void)fprintf(to, "\nmore: man sallyport-%s\n", v->name);
}
