# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux: what gets a label, and which. This kernel need not have a policy: it stores what it is given, and libselinux reads the
one that stands below /etc. That a policy in force is content with them is shown by tests/vm."""

import os
import pathlib

import pytest
import sp
import sp_site

CONTEXTS = """\
/.*                     system_u:object_r:default_t:s0
/etc(/.*)?              system_u:object_r:etc_t:s0
/etc/shadow.*       --  system_u:object_r:shadow_t:s0
/var/www(/.*)?          system_u:object_r:content_t:s0
/var/www/.*         -d  system_u:object_r:content_dir_t:s0
"""


def label(path):
    try:
        return os.getxattr(path, "security.selinux", follow_symlinks=False).rstrip(b"\0").decode().split(":")[2]
    except OSError:
        return None


@pytest.fixture(scope="module")
def policy(host):
    """Names the files of a policy, and shows the helper a kernel that enforces it."""
    files = pathlib.Path("/etc/selinux/small/contexts/files")
    files.mkdir(parents=True)
    pathlib.Path("/etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=small\n")
    (files / "file_contexts").write_text(CONTEXTS)
    sp.run(["mount", "-t", "tmpfs", "none", "/sys/fs"], check=True)
    enforce = pathlib.Path("/sys/fs/selinux/enforce")
    enforce.parent.mkdir()
    enforce.write_text("1")


def test_the_mount_points_of_a_jail_get_the_label_of_their_place(policy):
    name = sp.unique()
    user = sp.make_user(name, home=f"/var/www/vhosts/{name}", docroot=f"/var/www/vhosts/{name}")
    sp_site.apply(user, shell="chroot", jail=sp_site.JAIL).ok()
    points = [entry for entry in os.scandir(user.docroot) if entry.stat(follow_symlinks=False).st_mode & 0o7777 == 0o1555]
    assert len(points) > 5 and {label(entry.path) for entry in points} == {"content_dir_t"}
    assert label("/etc/passwd") == "etc_t"
