/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PAM in a child, where its modules may do what they like. */
#ifndef SP_HOST_PAMCHILD_H
#define SP_HOST_PAMCHILD_H

#include "base/error.h"

/* pam_chauthtok(3): password.c's hand. secret has been checked by sp_password_check(). */
int sp_pamchild_change(const char *user, const char *secret, struct sp_error *err);

/* pam_acct_mgmt(3) of the service sshd, for one who comes from `address`. SP_E_FORBIDDEN with what the
 * modules said; SP_E_REJECTED where the password has to be changed first. */
int sp_pamchild_account(const char *user, const char *address, struct sp_error *err);

#endif
