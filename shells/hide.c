/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An extra login writes to the files of somebody else, but not to what lets that one in: his ~/.ssh lies
 * under an empty directory, in every view of the document root. A directory that is a mount point can be
 * neither renamed nor removed in this namespace (rename(2), EBUSY); those on the way to it are made mount
 * points of themselves, or `mv` of one of them would bring a bare one into its place.
 */
#include "entry.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "mount.h"

static int pin(int jail, const char *path, struct sp_error *err)
{
    const struct sp_mount_attr quiet = {.set = SP_MOUNT_QUIET};
    _cleanup_close_ int at = sp_mount_open(jail, path, err);
    _cleanup_close_ int mount = at < 0 ? -1 : sp_mount_attach(at, at, AT_RECURSIVE, &quiet, err);

    return mount < 0 ? -1 : 0;
}

/* One that is missing is made, as its owner's: else the login would make it. Where all is read-only he
 * cannot, and neither can we. */
static int cover(const struct sp_entry *e, int jail, const char *path, int empty, struct sp_error *err)
{
    const struct sp_mount_attr fixed = {.set = SP_MOUNT_QUIET | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC};
    _cleanup_close_ int at = -1, mount = -1;

    if (e->record.read_only == 0 && sp_mount_make_dir(jail, path, 0700, err) < 0)
        return -1;
    at = sp_mount_open(jail, path, err);
    if (at < 0)
        return e->record.read_only != 0 && err->os_errno == ENOENT ? 0 : -1;
    mount = sp_mount_attach(empty, at, 0, &fixed, err);
    return mount < 0 ? -1 : 0;
}

/* `path` below the jail; its first `fixed` bytes are the view, a mount already. */
static int hide_one(const struct sp_entry *e, int jail, const char *path, size_t fixed, int empty,
                    struct sp_error *err)
{
    char way[SP_RECORD_PATH];

    if (sp_str_copy(way, sizeof(way), path + 1) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "%s is too long", path);
    for (char *slash = strchr(way + fixed, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (pin(jail, way, err) < 0)
            return -1;
        *slash = '/';
    }
    return cover(e, jail, way, empty, err);
}

int sp_hide(const struct sp_entry *e, int jail, int empty, struct sp_error *err)
{
    const char *root = e->record.roots[0], *rest;

    for (size_t i = 0; i < e->record.n_hidden; i++) {
        const char *path = e->record.hidden[i];

        if (!sp_str_prefix(path, root, &rest) || rest[0] != '/')
            return sp_fail(err, SP_E_STATE, 0, "%s is to be hidden, and lies elsewhere", path);
        if (hide_one(e, jail, path, strlen(root), empty, err) < 0 ||
            (e->layout == SP_LAYOUT_ROOT && hide_one(e, jail, rest, 0, empty, err) < 0))
            return -1;
    }
    return 0;
}
