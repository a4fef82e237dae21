/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Login shells, as passwd(5) holds them, and how far each opens the door. */
#ifndef SP_MODEL_LOGINSHELL_H
#define SP_MODEL_LOGINSHELL_H

#define SP_CHROOT_BASH "/usr/libexec/sallyport/chroot-bash"
#define SP_BASH "/bin/bash"

/* 0 for none at all (false, nologin), 1 for the jailed one, 2 for anything else. */
int sp_loginshell_width(const char *shell);

/* "none", "bash", "chroot" or "other", as domain.get shows it. */
const char *sp_loginshell_class(const char *shell);

#endif
