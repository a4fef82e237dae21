/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/shownpath.h"

#include "base/mem.h"
#include "base/str.h"
#include "model/name.h"

/* A jail has its own of these; the last three would show the host's secrets, or other sites. */
static const char *const never[] = {
    "/bin",  "/lib", "/lib64", "/sbin", "/usr",  "/etc",  "/dev",
    "/proc", "/sys", "/tmp",   "/boot", "/root", "/home", "/var/lib/sallyport"};

/* Directories of many servers, or of servers that obey whoever reaches their socket. */
static const char *const closed[] = {
    "/run/buildkit",  "/run/containerd", "/run/crio",    "/run/cri-dockerd", "/run/dbus", "/run/docker",
    "/run/incus",     "/run/k3s",        "/run/libvirt", "/run/lxc",         "/run/lxd",  "/run/php",
    "/run/podman",    "/run/snapd",      "/run/sudo",    "/run/systemd",     "/run/udev", "/run/user",
    "/var/lib/incus", "/var/lib/lxd",    "/var/snap"};

bool sp_shownpath_is_within(const char *path, const char *dir)
{
    const char *rest;

    return sp_str_prefix(path, dir, &rest) && (*rest == '\0' || *rest == '/');
}

static int refuse(struct sp_error *err, const char *what, const char *hint)
{
    sp_fail(err, SP_E_INVALID, 0, "%s", what);
    return sp_hint(err, "%s", hint);
}

static size_t depth(const char *path)
{
    size_t n = 0;

    for (; *path != '\0'; path++)
        n += *path == '/';
    return n;
}

static bool is_one_of(const char *path, const char *const *dirs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sp_shownpath_is_within(path, dirs[i]))
            return true;
    return false;
}

int sp_shownpath_check_tree(const char *path, struct sp_error *err)
{
    if (sp_name_check_path(path, err) < 0)
        return -1;
    if (depth(path) < 2 || is_one_of(path, never, SP_COUNT(never)) || sp_shownpath_is_within(path, "/run"))
        return refuse(err, "this cannot be shown in a jail, which has its own, or must not see it",
                      "a tree lies below /usr or /etc, or is a directory such as /opt/NAME");
    return 0;
}

int sp_shownpath_check_socket(const char *path, struct sp_error *err)
{
    if (sp_name_check_path(path, err) < 0)
        return -1;
    if (sp_shownpath_is_within(path, "/var/run"))
        return refuse(err, "/var/run is a link", "write /run; a jail has the link, too");
    if (depth(path) < 3 || is_one_of(path, never, SP_COUNT(never)))
        return refuse(err, "the socket is not in a directory of its own server",
                      "its directory is shown with all that is in it: /run/mysqld/mysqld.sock will do");
    if (is_one_of(path, closed, SP_COUNT(closed)))
        return refuse(err, "who reaches this socket is no longer in a jail",
                      "leave it out: these servers do what their callers say, with their own rights");
    return 0;
}
