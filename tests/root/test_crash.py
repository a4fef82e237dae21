# SPDX-License-Identifier: GPL-3.0-or-later
"""safety.md, Tests 28 to 30: SIGKILL and SIGTERM at every system call of an operation, and a second SIGKILL in its rerun.
tests/crash/sweep does it without gaps."""

import sp
from sp_crash import is_asked_for
from sp_crash_operations import each, methods, OPERATIONS, world  # noqa: F401


@sp.covers("safety 28", "safety 29", "safety 30")
@each
def test_killed_anywhere_it_is_the_old_or_the_new_state_and_one_rerun_converges(world, operation):  # noqa: F811
    operation.prepare(world)
    for way in (operation.sweep_kills, operation.sweep_terms, operation.sweep_twice):
        if is_asked_for(way):
            way()


def test_every_method_that_changes_something_is_among_them():
    assert {one.method for one in OPERATIONS} == {name for name, changes in methods().items() if changes}
