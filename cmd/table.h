/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables for people, by libsmartcols(3): as wide as the terminal, plain where there is none. */
#ifndef SP_CMD_TABLE_H
#define SP_CMD_TABLE_H

#include <stddef.h>

struct sp_table; /* libsmartcols' own */

enum sp_column_flags {
    SP_COLUMN_PLAIN = 0,
    SP_COLUMN_RIGHT = 1 << 0, /* numbers */
    SP_COLUMN_WRAP = 1 << 1,  /* long text goes on below itself */
    SP_COLUMN_TRUNC = 1 << 2, /* long text is cut on a terminal that is too narrow */
};

struct sp_column {
    const char *heading;
    enum sp_column_flags flags;
};

/* NULL when out of memory; every other function takes that for a table without rows. */
struct sp_table *sp_table_new(const struct sp_column *columns, size_t n);
/* One row: n cells, copied; NULL is shown as "-". */
void sp_table_row(struct sp_table *t, const char *const *cells, size_t n);
/* On stdout; then it is freed. */
void sp_table_show(struct sp_table *t);

#endif
