# SPDX-License-Identifier: GPL-3.0-or-later
"""safety.md, Test 28: SIGKILL at every system call of an operation; tests/crash/sweep does it without gaps."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import sp
from sp_safety import STORE, in_force, leftovers

KILLAT = os.environ["SALLYPORT_BUILD"] + "/tests/killat"
WHOLE = os.environ.get("SALLYPORT_SWEEP") == "whole"
POINTS = 20  # how many calls of an operation the short form kills at, spread evenly
FILES = ("passwd", "group", "gshadow")
WIDTH = {"/bin/false": 0, "/usr/sbin/nologin": 0, sp.CHROOT_BASH: 1}
CONTENT_MAY_DIFFER = ("sshd.proofs", "passwd-", "group-", "gshadow-", "generation")


def killed_at(number, method, params):
    """Runs one request under killat. (system calls made, was it killed, what it answered)"""
    request = json.dumps({"jsonrpc": "2.0", "id": "sweep", "method": method, "params": params})
    done = subprocess.run([KILLAT, str(number), sp.HELPER], input=request.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    calls, killed = re.search(rb"calls=(\d+) killed=(\d)\n\Z", done.stderr).groups()
    return int(calls), killed == b"1", done


class View:
    """What of the host one operation may touch, at one moment."""

    def __init__(self, user):
        self.lines = {name: pathlib.Path("/etc", name).read_bytes().splitlines() for name in FILES}
        keys = pathlib.Path(user.home, ".ssh/authorized_keys")
        self.keys = keys.read_bytes().splitlines() if keys.exists() else []
        self.groups = {line.split(b":")[0].decode() for line in self.lines["group"]
                       if user.name.encode() in line.split(b":")[3].split(b",")}
        shell = next(line for line in self.lines["passwd"] if line.startswith(user.name.encode() + b":"))
        self.shell = shell.split(b":")[6].decode()

    def width(self, key):
        """How wide the door is for one key line's blob: 0 shut, 1 the jail, 2 everything."""
        if "sallyport-none" in self.groups or not any(key in line for line in self.keys):
            return 0
        return WIDTH.get(self.shell, 2)


def shut(line, user):
    """The line of sallyport-none with this user: an account may be shut for the moment of a change."""
    members = [name for name in line.split(b":")[-1].split(b",") if name]
    return b":".join([*line.split(b":")[:-1], b",".join([*members, user.name.encode()])])


def check_between(user, old, new, now):
    """Each line is the old one or the new one, in one place; the door is no wider than before or after."""
    for name in FILES:
        assert len(now.lines[name]) == len(old.lines[name]), (name, now.lines[name])
        for before, line, after in zip(old.lines[name], now.lines[name], new.lines[name]):
            may = [before, after] + [shut(before, user)] * before.startswith(b"sallyport-none:")
            assert line in may, (name, line, before, after)
    assert set(now.keys) <= set(old.keys) | set(new.keys), now.keys
    assert set(now.keys) >= set(old.keys) & set(new.keys), now.keys
    for line in set(old.keys) | set(new.keys) | set(now.keys):
        blob = re.search(rb"AAAA\S+", line).group()
        assert now.width(blob) <= max(old.width(blob), new.width(blob)), (line, now.shell, now.groups)
    if "sallyport-none" not in now.groups:
        assert "sallyport-forward" in old.groups | new.groups or "sallyport-forward" not in now.groups
        if "sallyport" in now.groups and "sallyport-noforward" not in now.groups:
            assert not all("sallyport-noforward" in side.groups for side in (old, new))


def whole(user):
    """Everything that a finished operation leaves, but for what a repetition may change."""
    shot = sp.snapshot(["/etc", STORE, user.home], exclude=[f"{STORE}/gen", "/etc/.pwd.lock"])
    for path in shot:
        if path.endswith(CONTENT_MAY_DIFFER):
            shot[path].pop("content", None)
        if path == f"{STORE}/state/{user.name}.json":
            state = json.loads(pathlib.Path(path).read_text().splitlines()[0])
            # When a key was added differs too.
            for domain in [one for part in ("desired", "applied") for one in state.get(part, {}).get("domains", [])]:
                for key in domain["authorized_keys"]:
                    key.pop("added_at", None)
            shot[path]["content"] = {key: value for key, value in state.items() if key != "generation"}
    return shot


class Operation:
    """A request, and those that bring the account back to where it began."""

    def __init__(self, user, do, *undo):
        self.user, self.do, self.undo = user, do, undo

    def back(self):
        for method, params in self.undo:
            sp.rpc(method, params).ok()

    def prepare(self):
        """Both ends, and the number of system calls from one to the other."""
        sp.rpc(*self.do).ok()
        self.back()
        self.old, self.old_whole = View(self.user), whole(self.user)
        self.calls, killed, done = killed_at(0, *self.do)
        assert done.returncode == 0 and not killed, done
        self.new, self.new_whole = View(self.user), whole(self.user)
        self.back()
        assert self.old_whole.diff(whole(self.user)) == []
        return self.calls

    def check(self, number):
        _, killed, done = killed_at(number, *self.do)
        now = View(self.user)
        check_between(self.user, self.old, self.new, now)
        assert not [path for path in leftovers("/etc") if path.endswith(".lock")]
        assert sp.rpc("domain.list").ok()["broken"] == []
        if not killed:
            assert done.returncode == 0, done
        again = sp.rpc(*self.do).ok()
        if self.do[0] != "domain.remove":
            in_force(self.user)
        assert sp.rpc(*self.do).ok()["changed"] is False, again
        assert self.new_whole.diff(whole(self.user)) == []
        assert leftovers("/etc", STORE, self.user.home) == []
        self.back()
        assert self.old_whole.diff(whole(self.user)) == []

    def sweep(self):
        calls = self.prepare()
        points = range(1, calls + 1) if WHOLE else sorted({1 + calls * point // POINTS for point in range(POINTS)})
        failed = []
        for number in points:
            try:
                self.check(number)
            except AssertionError as bad:
                failed.append(f"call {number} of {calls}: {str(bad)[:800]}")
                if len(failed) >= 3:
                    break
                self.back()
        assert not failed, "\n\n".join(failed)


@pytest.fixture(scope="module")
def account(host):
    """A user with a key of his own, beside another account that nothing may touch."""
    neighbour = sp.make_user()
    sp.rpc("domain.apply", {"domain": neighbour.domain, "user": neighbour.name, "document_root": neighbour.docroot,
                            "shell": "chroot", "authorized_keys": [{"key": sp.keypair().public}]}).ok()
    user = sp.make_user()
    sp.put_key(user, sp.keypair("own"))
    return user


def first(user, shell="chroot", **more):
    return ("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": shell,
                             "authorized_keys": [{"key": sp.keypair("panel").public}], **more})


def change(user, **more):
    return ("domain.apply", {"domain": user.domain, **more})


def remove(user):
    return ("domain.remove", {"domain": user.domain})


@pytest.fixture
def managed(account):
    def prepare(shell="chroot"):
        sp.rpc(*remove(account)).ok()
        sp.rpc(*first(account, shell)).ok()
        return account

    yield prepare
    sp.rpc(*remove(account)).ok()


@pytest.mark.parametrize("shell", ["chroot", "bash", "none"])
def test_safety_28_killed_anywhere_in_a_first_request(account, shell):
    Operation(account, first(account, shell), remove(account)).sweep()


@pytest.mark.parametrize("shell", ["chroot", "bash"])
def test_safety_28_killed_anywhere_in_a_removal(managed, shell):
    user = managed(shell)
    Operation(user, remove(user), first(user, shell)).sweep()


def test_safety_28_killed_anywhere_in_a_key_edit(managed):
    user = managed()
    one, two = ([{"key": sp.keypair("panel").public}],
                [{"key": sp.keypair("panel").public, "from": ["192.0.2.0/24"]}, {"key": sp.keypair("new").public}])
    Operation(user, change(user, authorized_keys=two), change(user, authorized_keys=one)).sweep()


def test_safety_28_killed_anywhere_in_a_single_key(managed):
    user = managed("bash")
    fingerprint = sp.keypair("new").fingerprint
    add = ("keys.add", {"domain": user.domain, "key": sp.keypair("new").public})
    drop = ("keys.remove", {"domain": user.domain, "fingerprint": fingerprint})
    Operation(user, add, drop).sweep()
    sp.rpc(*add).ok()
    Operation(user, drop, add).sweep()


@pytest.mark.parametrize("old, new", [("bash", "chroot"), ("chroot", "bash"), ("chroot", "none"), ("none", "chroot"),
                                      ("bash", "none"), ("none", "bash")])
def test_safety_28_killed_anywhere_in_a_change_of_shell(managed, old, new):
    user = managed(old)
    Operation(user, change(user, shell=new), change(user, shell=old)).sweep()


def test_safety_28_killed_anywhere_while_shell_and_keys_change(managed):
    """A new key may never meet the old, wider shell."""
    user = managed("bash")
    fresh = change(user, shell="chroot", authorized_keys=[{"key": sp.keypair("new").public}])
    Operation(user, fresh, change(user, shell="bash", authorized_keys=[{"key": sp.keypair("panel").public}])).sweep()


def test_safety_28_after_the_sweeps_both_accounts_log_in(host, managed):
    user = managed()
    assert sp.ssh(user, "echo in", key=sp.keypair("panel")).stdout == "in\n"
    assert sp.ssh(user, "echo in", key=sp.keypair("own")).stdout == "in\n"
    assert sp.ssh("site1", "echo in").stdout == "in\n"
