/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Colours, and what else only a terminal gets. */
#ifndef SP_CMD_TONE_H
#define SP_CMD_TONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum sp_tone { SP_TONE_PLAIN, SP_TONE_GOOD, SP_TONE_BAD, SP_TONE_WARN, SP_TONE_STRONG };

/* What the environment says of them: NO_COLOR (no-color.org), TERM=dumb. */
bool sp_tone_wanted(void);

/* The sequence that begins a tone, or ends it (PLAIN); "" where `to` is no terminal or none are wanted. */
const char *sp_tone(enum sp_tone tone, FILE *to);

/* Long work: a bar on stderr where that is a terminal, drawn anew at most ten times a second, and taken
 * away when done == all. last_ms: a long long of the caller's, 0 at first: when it was drawn last. */
void sp_progress(size_t done, size_t all, const char *what, void *last_ms);

#endif
