# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 8, 15, 18, 19, 20, 25: homes as an attacker, or a careless panel, leaves them."""

import hashlib
import os
import pathlib
import socket
import stat
import time

import pytest

import sp
from sp_safety import apply, get, in_force, managed, nothing_written, refused

KEY = {"key": sp.keypair().public}


@pytest.fixture(scope="module", autouse=True)
def targets(host):
    """What a link may point at: root's own files."""
    pathlib.Path("/root/.ssh").mkdir(mode=0o700, exist_ok=True)
    pathlib.Path("/root/.ssh/authorized_keys").write_text("# root's own\n")
    return ["/root/.ssh", "/etc/shadow", "/etc/passwd", "/etc/cron.d", "/dev/null"]


@pytest.fixture
def victim(host):
    """A user with an .ssh directory, whom nothing has access through yet."""
    user = sp.make_user()
    folder = pathlib.Path(user.home, ".ssh")
    folder.mkdir(mode=0o700)
    os.chown(folder, user.uid, user.gid)
    return user


def ssh_dir(user):
    return pathlib.Path(user.home, ".ssh")


def keys_file(user):
    return ssh_dir(user) / "authorized_keys"


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def quickly_refused(user, reason="unsafe_path", **more):
    """A first request is refused within two seconds, and neither the home nor the host is touched."""
    with nothing_written(user.home, watched=["/root/.ssh", "/etc/shadow", "/etc/passwd", "/etc/cron.d"]):
        started, before = time.monotonic(), sp.spent()
        error = refused(apply(user, shell="bash", authorized_keys=[KEY], **more), reason)
        assert sp.spent() - before < 2 * sp.PATIENCE and time.monotonic() - started < 10 * sp.PATIENCE
    if os.path.isfile(keys_file(user)) and os.path.getsize(keys_file(user)) > 1 << 30:
        os.truncate(keys_file(user), 1 << 21)  # sshd reads it to its end
    assert sp.ssh(user, "true").rc != 0
    return error


# 8

@pytest.mark.parametrize("ending", [b"", b"\r\n", b"\n", b"\n\n", b"\n# end", b"\n  "])
def test_safety_08_both_keys_log_in_where_the_final_newline_is_missing(victim, ending):
    own = sp.keypair("own")
    original = own.public.encode() + ending
    keys_file(victim).write_bytes(original)
    keys_file(victim).chmod(0o600)
    os.chown(keys_file(victim), victim.uid, victim.gid)
    apply(victim, shell="bash", authorized_keys=[KEY]).ok()
    for key in (own, sp.keypair()):
        assert sp.ssh(victim, "echo in", key=key).stdout == "in\n", keys_file(victim).read_bytes()
    assert keys_file(victim).read_bytes().startswith(original)
    sp.rpc("domain.remove", {"domain": victim.domain}).ok()
    assert keys_file(victim).read_bytes().rstrip(b"\n") == original.rstrip(b"\n")


# 15

@pytest.mark.parametrize("target", ["/root/.ssh", "/etc", "/etc/cron.d", "../../../../../root/.ssh", "/nonexistent", "/proc/self/root/root/.ssh"])
def test_safety_15_ssh_that_is_a_link_is_refused(victim, target):
    ssh_dir(victim).rmdir()
    ssh_dir(victim).symlink_to(target)
    error = quickly_refused(victim)
    assert error["message"].startswith(f"{ssh_dir(victim)}: ") and "move it away" in error["data"]["hint"], error


@pytest.mark.parametrize("target", ["/etc/shadow", "/root/.ssh/authorized_keys", "/etc/cron.d/new", "/dev/null", "/dev/zero", "authorized_keys2",
                                    "/proc/self/mem"])
def test_safety_15_authorized_keys_that_is_a_link_is_refused(victim, target):
    keys_file(victim).symlink_to(target)
    error = quickly_refused(victim)
    assert error["message"].startswith(f"{keys_file(victim)}: ") and "move it away" in error["data"]["hint"], error


@pytest.mark.parametrize("name", ["authorized_keys.sallyport", ".ssh.sallyport"])
@pytest.mark.parametrize("target", ["/etc/shadow", "/etc/cron.d/new"])
def test_safety_15_a_planted_temporary_name_leads_nowhere(victim, name, target):
    before = digest("/etc/shadow")
    place = pathlib.Path(victim.home) if name.startswith(".ssh") else ssh_dir(victim)
    (place / name).symlink_to(target)
    apply(victim, shell="bash", authorized_keys=[KEY]).ok()
    assert digest("/etc/shadow") == before and not os.path.exists("/etc/cron.d/new")
    assert sp.ssh(victim, "echo in").stdout == "in\n"


def test_safety_15_a_link_put_in_place_later_is_refused_by_every_edit(host):
    user = managed()
    before = digest("/etc/shadow")
    keys_file(user).unlink()
    keys_file(user).symlink_to("/etc/shadow")
    extra = sp.keypair("later")
    refused(sp.rpc("keys.add", {"domain": user.domain, "key": extra.public}), "unsafe_path")
    refused(sp.rpc("keys.list", {"domain": user.domain}), "unsafe_path")
    assert digest("/etc/shadow") == before and keys_file(user).is_symlink()
    keys_file(user).unlink()
    sp.rpc("keys.add", {"domain": user.domain, "key": extra.public}).ok()
    in_force(user)
    assert sp.ssh(user, "echo in", key=extra).stdout == "in\n"


@pytest.mark.parametrize("shell", ["bash", "chroot"])
def test_safety_15_a_document_root_behind_a_link_is_refused(host, shell):
    user = sp.make_user()
    other = pathlib.Path("/var/www/vhosts", user.name + "-link")
    other.symlink_to(user.docroot)
    refused(apply(user, document_root=str(other), shell=shell), "unsafe_path", "params.document_root")
    inside = pathlib.Path(user.home, "web")
    inside.symlink_to("/etc")
    for path in (inside, inside / "ssh"):
        refused(apply(user, document_root=str(path), shell=shell), "unsafe_path", "params.document_root")


# 18

def test_safety_18_a_hard_link_as_authorized_keys_is_never_edited_in_place(victim):
    other = pathlib.Path("/var/www/vhosts", victim.name + "-secret")
    other.write_text("# somebody else's content\n")
    other.chmod(0o600)
    os.chown(other, victim.uid, victim.gid)
    os.link(other, keys_file(victim))
    before = other.read_bytes(), other.stat().st_mode, other.stat().st_uid
    answer = apply(victim, shell="bash", authorized_keys=[KEY])
    assert (other.read_bytes(), other.stat().st_mode, other.stat().st_uid) == before
    if answer.error:
        refused(answer, "unsafe_path")
    else:
        assert keys_file(victim).stat().st_ino != other.stat().st_ino and other.stat().st_nlink == 1
        assert sp.ssh(victim, "echo in").stdout == "in\n"


def test_safety_18_a_hard_link_to_roots_file_is_refused(victim):
    target = pathlib.Path("/var/www/vhosts", victim.name + "-roots")
    target.write_text("root's\n")
    target.chmod(0o600)
    os.link(target, keys_file(victim))
    quickly_refused(victim)
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode), target.stat().st_uid) == ("root's\n", 0o600, 0)


# 19

def make_odd(path, kind, user):
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(path))
        sock.close()
    elif kind == "zero":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    elif kind == "block":
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 0))
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(10 << 30)
    elif kind == "directory":
        path.mkdir()
    os.chown(path, user.uid, user.gid)


@pytest.mark.parametrize("kind", ["fifo", "socket", "zero", "block", "sparse"])
def test_safety_19_what_is_no_small_regular_file_is_refused_within_two_seconds(victim, kind):
    make_odd(keys_file(victim), kind, victim)
    quickly_refused(victim, {"unsafe_path", "invalid"})


@pytest.mark.parametrize("kind", ["fifo", "socket", "zero", "regular"])
def test_safety_19_ssh_that_is_no_directory_is_refused(victim, kind):
    ssh_dir(victim).rmdir()
    make_odd(ssh_dir(victim), kind, victim) if kind != "regular" else ssh_dir(victim).write_text("")
    quickly_refused(victim)


@pytest.mark.parametrize("kind", ["fifo", "socket", "zero"])
def test_safety_19_a_document_root_that_is_no_directory_is_refused(victim, kind):
    path = pathlib.Path(victim.home, "web")
    make_odd(path, kind, victim)
    refused(apply(victim, document_root=str(path), shell="chroot"), "unsafe_path", "params.document_root")


# 20

def test_safety_20_a_directory_named_authorized_keys_is_refused(victim):
    make_odd(keys_file(victim), "directory", victim)
    quickly_refused(victim)


@pytest.mark.parametrize("which", ["home", "ssh", "file"])
def test_safety_20_an_unexpected_owner_is_refused(victim, which):
    stranger = sp.make_user()
    keys_file(victim).write_text(sp.keypair("own").public + "\n")
    os.chown(keys_file(victim), victim.uid, victim.gid)
    os.chown({"home": victim.home, "ssh": ssh_dir(victim), "file": keys_file(victim)}[which], stranger.uid, stranger.gid)
    quickly_refused(victim)


def test_safety_20_a_key_file_that_root_owns_and_the_user_cannot_read_is_refused(victim):
    keys_file(victim).write_text("")
    keys_file(victim).chmod(0o600)
    quickly_refused(victim)


def test_safety_20_a_home_that_is_missing_is_refused(host):
    user = sp.make_user()
    sp.run(["usermod", "-d", "/var/www/vhosts/missing", user.name], check=True)
    refused(apply(user, shell="bash", authorized_keys=[KEY]), {"not_found", "unsafe_path"})
    assert sp.ssh(user, "true").rc != 0


def test_safety_20_a_home_that_root_owns_gets_its_ssh_directory(host):
    user = sp.make_user()
    os.chown(user.home, 0, 0)
    os.chmod(user.home, 0o755)
    apply(user, shell="bash", authorized_keys=[KEY]).ok()
    info = ssh_dir(user).stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (user.uid, 0o700)
    assert sp.ssh(user, "echo in").stdout == "in\n"


# 25

@pytest.mark.parametrize("exists", [False, True])
def test_safety_25_a_default_acl_that_grants_www_data_write_is_not_inherited(host, exists):
    user = sp.make_user()
    if exists:
        ssh_dir(user).mkdir(mode=0o700)
        os.chown(ssh_dir(user), user.uid, user.gid)
        sp.run(["setfacl", "-d", "-m", "u:www-data:rwx,m::rwx", ssh_dir(user)], check=True)
    sp.run(["setfacl", "-d", "-m", "u:www-data:rwx,m::rwx", user.home], check=True)
    sp.run(["setfacl", "-m", "u:www-data:r-x", user.home], check=True)
    apply(user, shell="bash", authorized_keys=[KEY]).ok()
    assert stat.S_IMODE(keys_file(user).stat().st_mode) == 0o600
    assert os.listxattr(keys_file(user)) == []
    assert stat.S_IMODE(ssh_dir(user).stat().st_mode) == 0o700
    assert "www-data:rw" not in sp.run(["getfacl", "-pc", ssh_dir(user)]).stdout.split("default")[0]
    assert sp.as_user(sp.User("www-data", 33, 33, "/", "/", ""), ["test", "-w", keys_file(user)]).rc != 0
    assert sp.ssh(user, "echo in").stdout == "in\n"
    assert "user:www-data:r-x" in sp.run(["getfacl", "-pc", user.home]).stdout, "the home's ACL is the panel's"
    in_force(user)


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o775])
def test_safety_25_a_writable_ssh_directory_is_narrowed_and_logs_in(victim, mode):
    ssh_dir(victim).chmod(mode)
    apply(victim, shell="bash", authorized_keys=[KEY]).ok()
    assert stat.S_IMODE(ssh_dir(victim).stat().st_mode) & 0o022 == 0
    assert sp.ssh(victim, "echo in").stdout == "in\n"
    assert get(victim)["in_force"]
