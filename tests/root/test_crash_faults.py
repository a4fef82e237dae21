# SPDX-License-Identifier: GPL-3.0-or-later
"""safety.md, Tests 40: each system call of an operation fails. The answer is true, what is in force is the old state, the new
one or a prefix of the plan, and one rerun converges. tests/crash/sweep does it without gaps."""

import pytest

import sp
from sp_crash import Operation, account, change, first, managed, remove  # noqa: F401


@sp.covers("safety 40")
@pytest.mark.parametrize("shell", ["chroot", "bash"])
def test_safety_40_a_call_fails_in_a_first_request(account, shell):  # noqa: F811
    Operation(account, first(account, shell), remove(account)).sweep_faults()


@sp.covers("safety 40")
def test_safety_40_a_call_fails_in_a_removal(managed):  # noqa: F811
    user = managed()
    Operation(user, remove(user), first(user)).sweep_faults()


@sp.covers("safety 40")
def test_safety_40_nothing_stays_behind_a_removal_unnoticed(managed):  # noqa: F811
    user = managed()
    one = Operation(user, remove(user), first(user))
    one.sweep(one.removals, one.check_fault, lambda point: "EIO", 14)


@sp.covers("safety 40")
def test_safety_40_a_call_fails_in_a_key_edit(managed):  # noqa: F811
    user = managed()
    one, two = ([{"key": sp.keypair("panel").public}],
                [{"key": sp.keypair("panel").public, "from": ["192.0.2.0/24"]}, {"key": sp.keypair("new").public}])
    Operation(user, change(user, authorized_keys=two), change(user, authorized_keys=one)).sweep_faults()


@sp.covers("safety 40")
@pytest.mark.parametrize("old, new", [("bash", "chroot"), ("chroot", "bash"), ("bash", "none"), ("none", "chroot")])
def test_safety_40_a_call_fails_in_a_change_of_shell(managed, old, new):  # noqa: F811
    user = managed(old)
    Operation(user, change(user, shell=new), change(user, shell=old)).sweep_faults()
