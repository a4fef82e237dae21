# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux: what gets a label, and which. This kernel need not have a policy: it stores what it is given, and libselinux reads the
one that stands below /etc. That a policy in force is content with them is shown by tests/vm."""

import os
import pathlib
import stat

import pytest
import sp
import sp_site
from sp_crash import kill_when

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


def account():
    name = sp.unique()
    return sp.make_user(name, home=f"/var/www/vhosts/{name}", docroot=f"/var/www/vhosts/{name}")


def directories(user):
    return [entry for entry in os.scandir(user.docroot) if entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == 0]


def are_points(user):
    """All of them are there, with mode and label."""
    points = directories(user)
    return len(points) > 5 and {(label(one.path), stat.S_IMODE(one.stat().st_mode)) for one in points} == {("content_dir_t", 0o1555)}


def test_the_mount_points_of_a_jail_get_the_label_of_their_place(policy):
    user = account()
    sp_site.apply(user, shell="chroot", jail=sp_site.JAIL).ok()
    assert are_points(user)
    assert label("/etc/passwd") == "etc_t"


@pytest.mark.parametrize("rerun", ["domain.apply", "system.reconcile", "domain.remove"])
def test_a_mount_point_that_was_made_and_not_labelled_is_finished_by_a_rerun(policy, rerun):
    user = account()
    request = ("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot", "jail": sp_site.JAIL})
    sp.rpc("jail.build", {"profiles": sp_site.JAIL["profiles"]}).ok()
    kill_when(request, lambda: any(label(one.path) is None for one in directories(user)))
    assert [one.name for one in directories(user) if label(one.path) is None]
    params = {"domain.apply": request[1], "domain.remove": {"domain": user.domain}}.get(rerun, {})
    sp.rpc(rerun, params).ok()
    assert are_points(user) if rerun != "domain.remove" else not directories(user)


def test_a_document_root_that_hands_down_group_and_acl_gets_mount_points_of_the_same_mode(policy):
    user = account()
    os.chmod(user.docroot, 0o2750)
    sp.run(["setfacl", "-d", "-m", "u::rwx,g::rx,o::-", user.docroot], check=True)
    sp_site.apply(user, shell="chroot", jail=sp_site.JAIL).ok()
    assert are_points(user)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert not directories(user)
