/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SSH port, for people: who gets in, whether it is in force, what is on trial, who else stands there.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "cmd/tone.h"
#include "cmd/verb.h"

#define WIDTH 10 /* of the words in front */

static void line(const char *word, enum sp_tone tone, const char *text)
{
    (void)printf("%-*s%s%s%s\n", WIDTH, word, tone != SP_TONE_PLAIN ? sp_tone(tone, stdout) : "", text,
                 tone != SP_TONE_PLAIN ? sp_tone(SP_TONE_PLAIN, stdout) : "");
}

static void show_ports(const cJSON *ports)
{
    const cJSON *item = NULL;
    const char *between = "";

    (void)printf("%-*s", WIDTH, "ports");
    cJSON_ArrayForEach(item, ports)
    {
        (void)printf("%s%d", between, (int)item->valuedouble);
        between = " ";
    }
    (void)printf("\n");
}

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void show_sources(const cJSON *r, const cJSON *always)
{
    static const struct sp_column columns[] = {{"SOURCE", SP_COLUMN_PLAIN},
                                               {"UNTIL", SP_COLUMN_PLAIN},
                                               {"FOR", SP_COLUMN_PLAIN},
                                               {"COMMENT", SP_COLUMN_WRAP}};
    const cJSON *sources = sp_item(r, "sources"), *item = NULL;
    struct sp_table *t;

    if (cJSON_GetArraySize(sources) + cJSON_GetArraySize(always) == 0)
        return;
    t = sp_table_new(columns, SP_COUNT(columns));
    cJSON_ArrayForEach(item, sources)
    {
        const char *cells[] = {sp_text(item, "source"), or_dash(sp_text(item, "expires_at")),
                               or_dash(sp_text(item, "owner")), or_dash(sp_text(item, "comment"))};
        sp_table_row(t, cells, SP_COUNT(cells));
    }
    cJSON_ArrayForEach(item, always)
    {
        const char *cells[] = {sp_text_itself(item), NULL, NULL, "always_allow in sallyport.conf"};
        sp_table_row(t, cells, SP_COUNT(cells));
    }
    sp_table_show(t);
}

static void show_pending(const cJSON *t)
{
    char text[300];

    if (t == NULL)
        return;
    (void)sp_str_format(text, sizeof(text), "%s, until %s (%d s left), %d new connection%s so far",
                        sp_text(t, "mode"), sp_text(t, "expires_at"), (int)sp_number(t, "seconds_left"),
                        (int)sp_number(t, "connections"), (int)sp_number(t, "connections") == 1 ? "" : "s");
    line("on trial", SP_TONE_WARN, text);
    show_sources(t, NULL);
    (void)printf("%-*sconnect anew, then: sallyport firewall confirm %s\n", WIDTH, "", sp_text(t, "token"));
    (void)printf("%-*selse it ends by itself, or by: sallyport firewall rollback\n", WIDTH, "");
}

/* Who stops the port all the same, and what mends it. */
static void show_blocks(const cJSON *blocks)
{
    const cJSON *b = NULL;
    char text[500];

    cJSON_ArrayForEach(b, blocks)
    {
        (void)sp_str_format(text, sizeof(text), "%s%s port %d for %s: %s", sp_text(b, "by"),
                            sp_is_true(b, "certain") ? "" : " perhaps,", (int)sp_number(b, "port"),
                            sp_text_or(b, "from", "everybody"), sp_text(b, "where"));
        line("blocked", sp_is_true(b, "certain") ? SP_TONE_BAD : SP_TONE_WARN, text);
        (void)printf("%-*stry: %s\n", WIDTH, "", sp_text(b, "mend"));
    }
}

void sp_show_firewalls(const cJSON *others, int width)
{
    const cJSON *item = NULL;
    const char *between = "";

    if (cJSON_GetArraySize(others) == 0)
        return;
    (void)printf("%-*s", width, "firewalls");
    cJSON_ArrayForEach(item, others)
    {
        (void)printf("%s%s%s", between, sp_text(item, "name"),
                     sp_is_true(item, "in_force") ? "" : " (says so, but the kernel has nothing of it)");
        between = ", ";
    }
    (void)printf("\n");
}

void sp_show_firewall(const cJSON *r)
{
    const cJSON *in_force = sp_item(r, "in_force");

    line("mode", SP_TONE_PLAIN, sp_text(r, "mode"));
    if (in_force != NULL)
        line("in force", cJSON_IsTrue(in_force) ? SP_TONE_GOOD : SP_TONE_BAD,
             cJSON_IsTrue(in_force) ? "yes" : "no");
    if (cJSON_GetArraySize(sp_item(r, "ports")) > 0)
        show_ports(sp_item(r, "ports"));
    show_sources(r, sp_item(r, "always_allow"));
    show_pending(sp_item(r, "pending"));
    show_blocks(sp_item(r, "blocked_by"));
    sp_show_firewalls(sp_item(r, "firewalls"), WIDTH);
    if (sp_item(r, "changes") != NULL)
        sp_show_changes(r);
}
