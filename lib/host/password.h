/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A password, set through PAM's own policy (pam_chauthtok(3), service "passwd"). It is never on a command
 * line, in a log or in an error. libpam and libcrypt are loaded with dlopen(3), in a child where PAM's
 * modules may do what they like, and only when a password is set or compared.
 */
#ifndef SP_HOST_PASSWORD_H
#define SP_HOST_PASSWORD_H

#include <stdbool.h>

#include "base/error.h"
#include "host/host.h"

#define SP_PASSWORD_MAX 511 /* PAM_MAX_RESP_SIZE is 512, with the NUL */

/* 1 to 511 bytes, no newline, carriage return or other control byte: [M] a newline in chpasswd(8)'s
 * input set root's password. SP_E_INVALID; the text does not quote it. */
int sp_password_check(const char *secret, struct sp_error *err);

/* A strong one: `groups` of five letters and digits that cannot be mistaken for one another, apart by '-',
 * with lower and upper case and a digit among them; 5.8 bits a character. Wiped by the caller. */
#define SP_PASSWORD_GROUPS_MAX 16
#define SP_PASSWORD_MADE_SIZE (SP_PASSWORD_GROUPS_MAX * 6)
int sp_password_generate(unsigned groups, char ret[SP_PASSWORD_MADE_SIZE], struct sp_error *err);

/* Set it. SP_E_REJECTED with what PAM's modules said; SP_E_BUSY while another program holds the account
 * files; uid 0 is SP_E_FORBIDDEN. A locked password ("!" before its hash) is replaced, and so
 * unlocked: whoever wants to keep it locked asks sp_password_is_locked() first. */
int sp_password_set(struct sp_host *h, const char *name, const char *secret, struct sp_error *err);

/* Is it the account's password already, by crypt(3) and shadow(5)? A locked or missing one never is. */
int sp_password_matches(struct sp_host *h, const char *name, const char *secret, bool *ret,
                        struct sp_error *err);

/* Did somebody lock a password that there was: '!' before a hash (usermod -L)? A fresh account's "!" or
 * "*", which holds none, is not locked: it waits for its first. */
int sp_password_is_locked(struct sp_host *h, const char *name, bool *ret, struct sp_error *err);

#endif
