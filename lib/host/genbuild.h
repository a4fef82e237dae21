/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One new generation, from the list of its sources to the link that makes it current. */
#ifndef SP_HOST_GENBUILD_H
#define SP_HOST_GENBUILD_H

#include "base/error.h"
#include "host/genstore.h"
#include "host/host.h"
#include "host/shown.h"
#include "model/manifest.h"
#include "model/profile.h"

#define SP_GENBUILD_STAGE ".tmp-build" /* in gen/, until it has a name */

enum { SP_GENBUILD_OWN_FILES = 3 }; /* what a generation has beside the files of the host */

/* Copy, prove, sync, name, make current; m gets its nonce. The caller holds the store's lock. On failure
 * nothing of it is left, and what was current stays it. */
int sp_genbuild_run(struct sp_host *h, const struct sp_genstore *s, const char *set,
                    const struct sp_profile *const *profiles, size_t n, struct sp_manifest *m,
                    char ret_hash[65], struct sp_error *err);

/* What of the host these profiles want shown, into the empty *ret. */
int sp_genbuild_shown(const struct sp_profile *const *profiles, size_t n, struct sp_shown *ret,
                      struct sp_error *err);

/* Why a jail does not have it; NULL when it has, or when it may be absent. */
const char *sp_genbuild_lacks(struct sp_host *h, const struct sp_shown_item *item);

#endif
