/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From what profiles promise to all the files it takes: programs, the interpreters of scripts, libraries as
 * the loader would find them, trees, and every link on the way. Only reads; nothing is ever executed.
 */
#ifndef SP_HOST_CLOSURE_H
#define SP_HOST_CLOSURE_H

#include "base/error.h"
#include "host/host.h"
#include "model/manifest.h"
#include "model/profile.h"

/* Fill *ret (entries and missing). A promise that the host cannot keep is SP_E_NOT_FOUND, err->field names
 * the profile; an optional program or library goes to ret->missing by its name, an optional path does not.
 */
int sp_closure_collect(struct sp_host *h, const struct sp_profile *const *profiles, size_t n,
                       struct sp_manifest *ret, struct sp_error *err);

#endif
