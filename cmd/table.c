/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cmd/table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <unistd.h>

static struct libscols_table *table_of(struct sp_table *t)
{
    return (struct libscols_table *)t;
}

static int scols_flags(enum sp_column_flags f)
{
    return ((f & SP_COLUMN_RIGHT) != 0 ? SCOLS_FL_RIGHT : 0) |
           ((f & SP_COLUMN_WRAP) != 0 ? SCOLS_FL_WRAP : 0) |
           ((f & SP_COLUMN_TRUNC) != 0 ? SCOLS_FL_TRUNC : 0);
}

struct sp_table *sp_table_new(const struct sp_column *columns, size_t n)
{
    struct libscols_table *t = scols_new_table();

    for (size_t i = 0; t != NULL && i < n; i++)
        /* a hint of 1.0 or more is a width: the text decides */
        if (scols_table_new_column(t, columns[i].heading, 0, scols_flags(columns[i].flags)) == NULL) {
            scols_unref_table(t);
            return NULL;
        }
    /* What is piped is for programs: one line a row, never cut. */
    if (t != NULL && !isatty(STDOUT_FILENO))
        (void)scols_table_enable_nowrap(t, 1);
    return (struct sp_table *)t;
}

void sp_table_row(struct sp_table *t, const char *const *cells, size_t n)
{
    struct libscols_line *line = t != NULL ? scols_table_new_line(table_of(t), NULL) : NULL;

    for (size_t i = 0; line != NULL && i < n; i++)
        (void)scols_line_set_data(line, i, cells[i] != NULL ? cells[i] : "-");
}

void sp_table_show(struct sp_table *t)
{
    if (t == NULL)
        return;
    (void)fflush(stdout);
    (void)scols_print_table(table_of(t));
    scols_unref_table(table_of(t));
}
