/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pasted text before anything is read from it: one encoding, plain blanks, quotes and dashes. The text may
 * be somebody's private key: every buffer it stands in is wiped by who owns it (sp_buf_wipe).
 */
#ifndef SP_MODEL_KEYTEXT_H
#define SP_MODEL_KEYTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* The bytes of a file as text that JSON can carry: UTF-16 of either order, with or without a byte order
 * mark, becomes UTF-8 with one in front (so that whoever reads on can tell); all else is copied. NUL is
 * SP_E_INVALID. */
int sp_keytext_utf8(const char *bytes, size_t len, struct sp_buf *out, struct sp_error *err);

/* Line ends become '\n', odd blanks ' ', smart quotes and dashes plain ones; what cannot be seen goes.
 * *ret_notes (enum sp_keynote) says what was found. Control bytes stay: see sp_keytext_check(). */
int sp_keytext_clean(const char *text, size_t len, struct sp_buf *out, unsigned *ret_notes,
                     struct sp_error *err);

/* Does the clean text hold a private key, whole or in part, in any form that says so? */
bool sp_keytext_is_private(const char *text);

/* SP_E_INVALID where the clean text is empty, too long, or holds control bytes. */
int sp_keytext_check(const char *text, size_t len, struct sp_error *err);

/* The refusals that several readers share; each returns -1. */
int sp_keytext_refuse_private(struct sp_error *err);
int sp_keytext_refuse_cut(size_t characters, struct sp_error *err);

#endif
