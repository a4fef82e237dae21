/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is in force in sshd, as `sshd -T` prints it (sshd(8)): one "keyword value" a line, keywords in lower
 * case, some of them repeated (port, listenaddress, hostkey, subsystem, acceptenv, allowgroups,
 * denygroups).
 */
#ifndef SP_MODEL_SSHDCONF_H
#define SP_MODEL_SSHDCONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/name.h"

struct sp_sshdconf_line {
    const char *keyword, *value; /* within `text`; the value may be "" */
};

struct sp_sshdconf {
    char *text;                 /* owned */
    struct sp_sshdconf_line *v; /* owned; in the order printed */
    size_t n;
};

void sp_sshdconf_clear(struct sp_sshdconf *c);

/* *ret must be empty before. A line that is no setting, a control byte or no line at all: SP_E_INVALID. */
int sp_sshdconf_parse(const char *bytes, size_t len, struct sp_sshdconf *ret, struct sp_error *err);

/* The first value of a keyword (its case does not matter), or NULL. Borrowed. */
const char *sp_sshdconf_get(const struct sp_sshdconf *c, const char *keyword);

/* The i-th value, counted from 0, or NULL behind the last. */
const char *sp_sshdconf_nth(const struct sp_sshdconf *c, const char *keyword, size_t i);

/* Does one of the keyword's lines hold this word (blanks separate)? Both forms of a list are found: a line
 * for each word, and all words on one line. */
bool sp_sshdconf_has(const struct sp_sshdconf *c, const char *keyword, const char *word);

/* Each word of all the keyword's lines in turn: false behind the last. A word that is longer than any path
 * is left out. Begin with {0}. */
struct sp_sshdconf_words {
    size_t line;
    const char *rest;
    char word[SP_PATH_SIZE];
};
bool sp_sshdconf_next(const struct sp_sshdconf *c, const char *keyword, struct sp_sshdconf_words *w);

/* The command of "subsystem NAME COMMAND", or NULL. */
const char *sp_sshdconf_subsystem(const struct sp_sshdconf *c, const char *name);

#endif
