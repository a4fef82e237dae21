# SPDX-License-Identifier: GPL-3.0-or-later
"""A door is shut whatever the user makes of his home: each test failed before its mend."""

import contextlib
import os
import pathlib

import pytest

import sp
from sp_safety import apply, get, in_force, managed, refused

KEY, OWN = "later", "own"


def own(path, user):
    os.chown(path, user.uid, user.gid, follow_symlinks=False)


def link(folder, user):
    folder.rename(folder.with_name("mine"))
    folder.symlink_to("mine")


def link_away(folder, user):
    away = pathlib.Path("/var/www/vhosts", f"{user.name}-keys")
    folder.rename(away)
    folder.symlink_to(away)


def link_of_file(folder, user):
    (folder / "authorized_keys").rename(folder / "real")
    (folder / "authorized_keys").symlink_to("real")


def link_by_proc(folder, user):
    folder.rename(folder.with_name("mine"))
    folder.symlink_to(f"/proc/self/root{user.home}/mine")


def fifo(folder, user):
    folder.rename(folder.with_name("mine"))
    os.mkfifo(folder)
    own(folder, user)


def file(folder, user):
    folder.rename(folder.with_name("mine"))
    folder.write_text("")
    own(folder, user)


def stranger(folder, user):
    os.chown(folder, 65534, 65534)


def second_file(folder, user):
    (folder / "authorized_keys").rename(folder / "authorized_keys2")
    os.mkfifo(folder / "authorized_keys")
    own(folder / "authorized_keys", user)


def second_copy(folder, user):
    (folder / "authorized_keys2").write_bytes((folder / "authorized_keys").read_bytes())
    own(folder / "authorized_keys2", user)


def closed(folder, user):
    (folder / "authorized_keys").chmod(0o400)
    folder.chmod(0o500)


def sealed_file(folder, user):
    (folder / "authorized_keys").chmod(0)


def sealed(folder, user):
    folder.chmod(0)


def sealed_home(folder, user):
    folder.parent.chmod(0)


def sealed_behind_a_link(folder, user):
    away = folder.with_name("mine")
    away.mkdir()
    own(away, user)
    folder.rename(away / "keys")
    folder.symlink_to("mine/keys")
    away.chmod(0)


PLANTED = pytest.mark.parametrize("plant", [link, link_away, link_of_file, link_by_proc, fifo, file, stranger, second_file, second_copy, closed])


def victim(plant):
    user = managed("bash", keys=[sp.keypair(), sp.keypair(KEY)])
    folder = pathlib.Path(user.home, ".ssh")
    with open(folder / "authorized_keys", "a") as keys:
        keys.write(f"# his own\n{sp.keypair(OWN).public}\n")
    plant(folder, user)
    return user


def enters(user, key):
    return sp.ssh(user, "echo in", key=sp.keypair(key)).stdout == "in\n"


def opened_again(user):
    """What he closed to himself he opens when nobody looks."""
    folder = pathlib.Path(user.home, ".ssh")
    folder.parent.chmod(0o750)
    for path, mode in ((folder, 0o700), (folder / "authorized_keys", 0o600)):
        if path.exists() and path.stat().st_mode & 0o777 == 0:
            path.chmod(mode)


@pytest.mark.parametrize("plant", [sealed_file, sealed, sealed_home])
def test_a_key_that_is_removed_does_not_come_back_when_what_was_closed_is_opened(host, plant):
    user = victim(plant)
    path = pathlib.Path(user.home, ".ssh/authorized_keys")
    modes = [part.stat().st_mode for part in (path, path.parent, path.parent.parent)]
    sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": sp.keypair(KEY).fingerprint}).ok()
    assert modes == [part.stat().st_mode for part in (path, path.parent, path.parent.parent)]
    opened_again(user)
    assert not enters(user, KEY) and enters(user, OWN) and enters(user, "default")
    sp.rpc("domain.remove", {"domain": user.domain}).ok()


def test_a_key_behind_what_he_closed_and_linked_to_shuts_the_account_until_it_can_be_seen(host):
    user = victim(sealed_behind_a_link)
    request = ("keys.remove", {"domain": user.domain, "fingerprint": sp.keypair(KEY).fingerprint})
    assert "shut" in refused(sp.rpc(*request), "unsafe_path")["data"]["hint"]
    pathlib.Path(user.home, "mine").chmod(0o700)
    assert not enters(user, KEY) and not enters(user, "default")
    sp.rpc(*request).ok()
    assert not enters(user, KEY) and enters(user, "default") and enters(user, OWN)
    assert not get(user)["pending"]


@PLANTED
def test_a_key_that_is_removed_lets_nobody_in_whatever_ssh_is(host, plant):
    user = victim(plant)
    his, still = enters(user, OWN), enters(user, "default")
    result = sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": sp.keypair(KEY).fingerprint}).ok()
    assert not enters(user, KEY)
    assert (enters(user, OWN), enters(user, "default")) == (his, still), "what else he has stays as it is"
    assert result["changed"] and not get(user)["pending"]
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    refused(sp.rpc("domain.get", {"domain": user.domain}), "not_found")
    sp.run(["usermod", "-s", "/bin/bash", user.name], check=True)
    assert not enters(user, "default") and enters(user, OWN) == his


@pytest.mark.parametrize("plant", [link, fifo, stranger])
def test_the_password_is_locked_without_a_look_at_the_home(host, plant):
    user = victim(plant)
    folder = pathlib.Path(user.home)
    folder.chmod(0o750)
    before = os.stat(folder).st_atime_ns, sp.snapshot([user.home])
    result = sp.rpc("password.lock", {"domain": user.domain}).ok()
    assert result["password_locked"] and not get(user)["pending"]
    assert sp.snapshot([user.home]).diff(before[1]) == []
    assert "sallyport-keyonly" in sp.run(["id", "-nG", user.name]).stdout.split()
    sp.rpc("account.suspend", {"domain": user.domain}).ok()
    assert not enters(user, "default")


@contextlib.contextmanager
def immutable(user, folder):
    sp.run(["chattr", "+i", folder / "authorized_keys"], check=True)
    try:
        yield
    finally:
        sp.run(["chattr", "-i", folder / "authorized_keys"], check=True)


@contextlib.contextmanager
def too_long(user, folder):
    """sshd reads line by line, and minds no length."""
    before = (folder / "authorized_keys").read_bytes()
    with open(folder / "authorized_keys", "a") as keys:
        keys.write("#" * 1000 + "\n" + ("#" * 1000 + "\n") * 1100)
    try:
        yield
    finally:
        (folder / "authorized_keys").write_bytes(before)


@pytest.mark.parametrize("hindrance", [immutable, too_long])
@pytest.mark.parametrize("by", ["the same request", "reconcile"])
def test_a_key_that_cannot_be_taken_away_shuts_the_account_until_it_can(host, hindrance, by):
    user = managed("bash", keys=[sp.keypair(), sp.keypair(KEY)])
    request = ("keys.remove", {"domain": user.domain, "fingerprint": sp.keypair(KEY).fingerprint})
    with hindrance(user, pathlib.Path(user.home, ".ssh")):
        told = refused(sp.rpc(*request), {"io", "unsafe_path", "invalid"})
        assert "shut" in told["data"]["hint"] and get(user)["pending"]
        assert not enters(user, KEY) and not enters(user, "default")
        sp.rpc("system.reconcile", {}, timeout=60)
        assert not enters(user, KEY)
    (sp.rpc(*request) if by == "the same request" else sp.rpc("system.reconcile", {}, timeout=60)).ok()
    assert enters(user, "default") and not enters(user, KEY)
    in_force(user)


def test_a_gate_that_somebody_shut_himself_is_not_opened_by_the_removal(host):
    user = managed("bash", keys=[sp.keypair(), sp.keypair(KEY)])
    request = ("keys.remove", {"domain": user.domain, "fingerprint": sp.keypair(KEY).fingerprint})
    sp.run(["usermod", "-a", "-G", "sallyport-none", user.name], check=True)
    with immutable(user, pathlib.Path(user.home, ".ssh")):
        assert sp.rpc(*request).error
    sp.rpc(*request).ok()
    assert not enters(user, "default")
    apply(user, shell="bash").ok()
    assert enters(user, "default")
