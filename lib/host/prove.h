/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does a generation do what its profiles promise? Each `prove` command runs inside it: namespaces of its
 * own, usr and etc read-only, a private /tmp, the store's /dev, chroot, nobody, no new privileges, a
 * deadline. */
#ifndef SP_HOST_PROVE_H
#define SP_HOST_PROVE_H

#include "base/error.h"
#include "host/shown.h"
#include "model/profile.h"

enum { SP_PROVE_DEADLINE_MS = 20000 };

/* Where this process may make no namespaces, another does it (errand.h).
 * name: the directory in gen/ of the store, which may not be its final name. The real "/" only.
 * SP_E_NOT_IN_FORCE quotes the command and what it printed; SP_E_UNSUPPORTED when this host allows no
 * namespaces. The trees among `shown` are there as in a jail. */
int sp_prove_run(const char *name, const struct sp_profile *const *profiles, size_t n,
                 const struct sp_shown *shown, struct sp_error *err);

#endif
