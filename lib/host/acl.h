/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * POSIX access ACLs (acl(5)) by descriptor. The extended attribute is read in its own form, which is the
 * kernel's ABI (linux/posix_acl_xattr.h): libacl would be one more library to load for two questions.
 * Descriptors must be open for reading: O_PATH has no extended attributes.
 */
#ifndef SP_HOST_ACL_H
#define SP_HOST_ACL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum sp_acl_perm {
    SP_ACL_READ = 4,
    SP_ACL_WRITE = 2,
    SP_ACL_EXECUTE = 1,
};

/* Take the access ACL off; on a directory the default ACL too. None there, or a filesystem without ACLs, is
 * success. The kernel leaves the ACL's mask in the group bits: call fchmod afterwards. */
int sp_acl_strip(int fd, struct sp_error *err);

/* Give `to` the access ACL of `from`; none there means none. */
int sp_acl_copy(int from, int to, struct sp_error *err);

/* Has it an access ACL at all? */
int sp_acl_has(int fd, bool *ret, struct sp_error *err);

/* May anybody but the owner (and root) do any of `perms`, by mode bits or by an effective ACL entry? */
int sp_acl_opens(int fd, unsigned perms, bool *ret, struct sp_error *err);

/* The same over the bytes of the attribute, for tests. -1 if they are malformed. */
int sp_acl_bytes_open(const void *bytes, size_t len, unsigned perms, bool *ret);

#endif
