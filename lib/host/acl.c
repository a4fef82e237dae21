/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/acl.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/mem.h"

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

/* More entries than any filesystem stores (ext4 keeps an ACL within one block). */
#define MAX_BYTES 65536

static bool is_absence(int errnum)
{
    return errnum == ENODATA || errnum == EOPNOTSUPP;
}

int sp_acl_strip(int fd, struct sp_error *err)
{
    static const char *const names[] = {ACCESS, DEFAULT};

    for (size_t i = 0; i < 2; i++)
        /* A file has no default ACL; the kernel answers that with EACCES or success. */
        if (fremovexattr(fd, names[i]) != 0 && !is_absence(errno) && !(i == 1 && errno == EACCES))
            return sp_fail(err, SP_E_IO, errno, "cannot take the ACL off");
    return 0;
}

static int unreadable(struct sp_error *err)
{
    return sp_fail(err, SP_E_IO, errno, "cannot read the ACL");
}

/* Bytes of the attribute, which the caller frees, 0 when there is none, -1 with err. Hardly any file has
 * one: that is asked first, and costs no memory. */
static ssize_t get(int fd, char **ret, struct sp_error *err)
{
    _cleanup_free_ char *bytes = NULL;
    ssize_t n = fgetxattr(fd, ACCESS, NULL, 0);

    if (n > 0) {
        bytes = malloc(MAX_BYTES);
        if (bytes == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for an ACL");
        n = fgetxattr(fd, ACCESS, bytes, MAX_BYTES);
    }
    if (n < 0)
        return is_absence(errno) ? 0 : unreadable(err);
    *ret = sp_steal_ptr(bytes);
    return n;
}

int sp_acl_copy(int from, int to, struct sp_error *err)
{
    _cleanup_free_ char *bytes = NULL;
    ssize_t n = get(from, &bytes, err);

    if (n < 0 || sp_acl_strip(to, err) != 0)
        return -1;
    if (n > 0 && fsetxattr(to, ACCESS, bytes, (size_t)n, 0) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot set the ACL");
    return 0;
}

int sp_acl_has(int fd, bool *ret, struct sp_error *err)
{
    ssize_t n = fgetxattr(fd, ACCESS, NULL, 0);

    *ret = n > 0;
    return n < 0 && !is_absence(errno) ? unreadable(err) : 0;
}

/* Entries besides the owner's; the mask bounds all of them but "other" (acl(5), access check algorithm). */
int sp_acl_bytes_open(const void *bytes, size_t len, unsigned perms, bool *ret)
{
    struct posix_acl_xattr_header head;
    struct posix_acl_xattr_entry entry;
    unsigned masked = 0, other = 0, mask = ~0U;

    if (len < sizeof(head) || (len - sizeof(head)) % sizeof(entry) != 0)
        return -1;
    memcpy(&head, bytes, sizeof(head));
    if (le32toh(head.a_version) != POSIX_ACL_XATTR_VERSION)
        return -1;
    for (size_t at = sizeof(head); at < len; at += sizeof(entry)) {
        memcpy(&entry, (const char *)bytes + at, sizeof(entry));
        switch (le16toh(entry.e_tag)) {
        case ACL_USER_OBJ:
            break;
        case ACL_MASK:
            mask = le16toh(entry.e_perm);
            break;
        case ACL_OTHER:
            other = le16toh(entry.e_perm);
            break;
        default:
            masked |= le16toh(entry.e_perm);
        }
    }
    *ret = (((masked & mask) | other) & perms) != 0;
    return 0;
}

int sp_acl_opens(int fd, unsigned perms, bool *ret, struct sp_error *err)
{
    _cleanup_free_ char *bytes = NULL;
    struct stat st;
    ssize_t n = get(fd, &bytes, err);

    if (n < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat failed");
    /* The group bits are the mask where there is an ACL. sshd looks at them alone, so they count as well.
     */
    *ret = ((st.st_mode >> 3 | st.st_mode) & perms) != 0;
    if (n > 0 && !*ret && sp_acl_bytes_open(bytes, (size_t)n, perms, ret) != 0)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "the ACL has an unknown form");
    return 0;
}
