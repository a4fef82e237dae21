# SPDX-License-Identifier: GPL-3.0-or-later
"""safety.md, Test 41: each allocation of an operation fails once. It says so and what is in force is the old state or a prefix
of the plan, or it does without and succeeds. tests/crash/sweep does it without gaps."""

import pathlib

import pytest

import sp
from sp_crash import Operation, account, change, first, managed, remove  # noqa: F401


@sp.covers("safety 41")
@pytest.mark.parametrize("shell", ["chroot", "bash"])
def test_safety_41_memory_ends_in_a_first_request(account, shell):  # noqa: F811
    Operation(account, first(account, shell), remove(account)).sweep_memory()


@sp.covers("safety 41")
def test_safety_41_memory_ends_in_a_removal(managed):  # noqa: F811
    user = managed()
    Operation(user, remove(user), first(user)).sweep_memory()


@sp.covers("safety 41")
def test_safety_41_memory_ends_in_a_key_edit(managed):  # noqa: F811
    user = managed()
    one, two = ([{"key": sp.keypair("panel").public}],
                [{"key": sp.keypair("panel").public, "from": ["192.0.2.0/24"]}, {"key": sp.keypair("new").public}])
    Operation(user, change(user, authorized_keys=two), change(user, authorized_keys=one)).sweep_memory()


@sp.covers("safety 41")
def test_safety_41_memory_ends_and_nobody_is_let_in_who_is_denied(account):  # noqa: F811
    """A line of the configuration that was lost for want of memory might have been a refusal."""
    conf = pathlib.Path("/etc/sallyport/sallyport.conf.d/denied.conf")
    conf.write_text(f"denied_users = {account.name}\n")
    one = Operation(account, first(account, "bash"), remove(account))
    try:
        calls, done = one.starved(0)
        assert done.rc == 6, done
        for number in range(1, calls + 1):
            _, done = one.starved(number)
            # libeconf 0.5 looks at no allocation of its own, and may end the helper before it has begun.
            assert 0 < done.rc < 128 or (done.rc == -11 and not done.stdout), (number, calls, done)
    finally:
        conf.unlink()


@sp.covers("safety 41")
@pytest.mark.parametrize("old, new", [("bash", "chroot"), ("bash", "none")])
def test_safety_41_memory_ends_in_a_change_of_shell(managed, old, new):  # noqa: F811
    user = managed(old)
    Operation(user, change(user, shell=new), change(user, shell=old)).sweep_memory()
