/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What customers chose (file names, processes, what a program said) may hold what drives a terminal. None
 * of it gets there. */
#ifndef SP_CMD_CLEAN_H
#define SP_CMD_CLEAN_H

#include <cjson/cJSON.h>

/* Every text below `value` without control bytes, broken UTF-8 and what hides; line ends stay only in the
 * few fields that are made of lines. */
void sp_clean_for_terminal(cJSON *value);

/* One JSON document and a newline on stdout; what drives a terminal is written as \u00XX. */
void sp_print_json(const cJSON *value);

#endif
