/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pam_chauthtok(3) in a child: password.c's hand. */
#ifndef SP_HOST_PAMCHILD_H
#define SP_HOST_PAMCHILD_H

#include "base/error.h"

/* secret has been checked by sp_password_check(). */
int sp_pamchild_change(const char *user, const char *secret, struct sp_error *err);

#endif
