/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the last reconcile saw: of each account that was as it should be, the names that this depended on
 * (resource/watch.h) and a sum over what was found there. An account whose sum comes out the same is as it
 * should be still, and is not planned again: ten thousand of them are looked at in a moment. It is a memory
 * and no more: without it, or with another one, everything is looked at in full.
 *
 *     /var/lib/sallyport/reconcile.seen   0600, root's
 *
 * The sum is keyed (model/siphash.h), so that nobody can make another state of things that has it. A time
 * of change counts, which only the clock sets. What changed within the last second is not relied upon, and
 * each account is looked at in full twice a day all the same. The names are looked at by processes of their
 * own, under a deadline: a home whose file system does not answer holds up nobody.
 */
#ifndef SP_ENGINE_SEEN_H
#define SP_ENGINE_SEEN_H

#include "engine/engine.h"

enum sp_seen_verdict { SP_SEEN_LOOK, SP_SEEN_CLEAN, SP_SEEN_HANGS };

struct sp_seen; /* opaque */

/* Judge every account of `users`. NULL and no error never: without a memory all are to be looked at. */
struct sp_seen *sp_seen_begin(struct sp_engine *e, const struct sp_users *users, struct sp_error *err);
enum sp_seen_verdict sp_seen_verdict(const struct sp_seen *s, size_t i);

/* An account is about to be looked at in full. */
void sp_seen_open(struct sp_seen *s);
/* It was as it should be: called with what its plan saw, before its lock is given back. */
void sp_seen_note(struct sp_seen *s, const struct sp_ctx *c);

/* Keep it for the next run, where that knows more than the last one did. */
int sp_seen_save(struct sp_seen *s, struct sp_error *err);
void sp_seen_end(struct sp_seen **s);

#endif
