# SPDX-License-Identifier: GPL-3.0-or-later
"""safety.md, Test 28: SIGKILL at every system call of an operation; tests/crash/sweep does it without gaps."""

import pytest

import sp
from sp_crash import Operation, account, change, first, managed, remove  # noqa: F401


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
