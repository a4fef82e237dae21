/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allow-lists for the names that reach system files. Every writer calls them again: no caller can skip the
 * check. */
#ifndef SP_MODEL_NAME_H
#define SP_MODEL_NAME_H

#include <stddef.h>

#include "base/error.h"

#define SP_USER_SIZE 33    /* LOGIN_NAME_MAX of shadow: 32 bytes */
#define SP_DOMAIN_SIZE 254 /* RFC 1035: 253 characters */
#define SP_PATH_SIZE 1024

/* [a-z_][a-z0-9_.-]*[$]?-like: letters, digits, '_', '-', '.', at most 32 bytes, not beginning with '-' or
 * '.', not all digits (a tool would take it for a uid), as shadow and panels (Plesk: dots, upper case)
 * allow. */
int sp_name_check_user(const char *name, struct sp_error *err);

/* RFC 1123 host name with at least two labels, lower case (the hint has the lower-case form), no trailing
 * dot; punycode as is, other bytes refused with the hint to send punycode. A leading "*." label is allowed
 * for nothing. */
int sp_name_check_domain(const char *name, struct sp_error *err);

/* What clients call a host: a name or an address, at most 253 of letters, digits, '.', '-' and ':', so that
 * it can stand in lines that people copy. */
int sp_name_check_host(const char *name, struct sp_error *err);

/* Absolute, normalised (no "//", ".", "..", no trailing slash but "/" itself), clean UTF-8, no ':' and no
 * control byte (passwd and the entry record separate with them), shorter than SP_PATH_SIZE. */
int sp_name_check_path(const char *path, struct sp_error *err);

/* Clean UTF-8 without control bytes, at most SP_LABEL_SIZE - 1 bytes. */
int sp_name_check_label(const char *label, struct sp_error *err);

#endif
