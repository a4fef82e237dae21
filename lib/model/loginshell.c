/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/loginshell.h"

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

int sp_loginshell_width(const char *shell)
{
    static const char *const shut[] = {"/bin/false", "/usr/bin/false", "/sbin/nologin", "/usr/sbin/nologin",
                                       "/bin/nologin"};

    for (size_t i = 0; i < SP_COUNT(shut); i++)
        if (sp_streq(shell, shut[i]))
            return 0;
    return sp_streq(shell, SP_CHROOT_BASH) ? 1 : 2;
}

const char *sp_loginshell_class(const char *shell)
{
    if (sp_loginshell_width(shell) < 2)
        return sp_loginshell_width(shell) == 0 ? "none" : "chroot";
    return sp_streq(shell, SP_BASH) || sp_streq(shell, "/usr/bin/bash") ? "bash" : "other";
}
