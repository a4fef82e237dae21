/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The strings of a policy's entries. They never change, so that a copy of ten thousand entries shares them:
 * blocks of bytes, each with the ones below it, counted. */
#ifndef SP_MODEL_FWTEXT_H
#define SP_MODEL_FWTEXT_H

#include <stddef.h>

struct sp_fw_text;

/* A block with room for `size` bytes above `below` (may be NULL), whose reference it takes over. NULL when
 * out of memory: the reference is then still the caller's. */
struct sp_fw_text *sp_fw_text_new(size_t size, struct sp_fw_text *below);

/* A copy, for which there must be room with its NUL. NULL and "" are "", and take none. */
const char *sp_fw_text_add(struct sp_fw_text *t, const char *s);

/* All of a new block's room, for one who fills it himself. */
char *sp_fw_text_room(struct sp_fw_text *t);

struct sp_fw_text *sp_fw_text_share(struct sp_fw_text *t); /* one reference more; NULL stays NULL */
void sp_fw_text_drop(struct sp_fw_text *t);                /* NULL is fine */

#endif
