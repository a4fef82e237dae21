# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 41: each allocation of an operation fails once. It says so and what is in force is the old state or a prefix
of the plan, or it does without and succeeds. tests/crash/sweep does it without gaps."""

import pathlib

import sp
from sp_crash_operations import OPERATIONS, thin, world  # noqa: F401


@sp.covers("safety 41")
@thin
def test_memory_ends_and_the_answer_is_true(world, operation):  # noqa: F811
    operation.prepare(world)
    operation.sweep_memory()


@sp.covers("safety 41")
def test_memory_ends_and_nobody_is_let_in_who_is_denied(world):  # noqa: F811
    """A line of the configuration that was lost for want of memory might have been a refusal."""
    operation = next(one for one in OPERATIONS if one.name == "domain.apply first bash")
    operation.prepare(world)
    pathlib.Path("/etc/sallyport/sallyport.conf.d/denied.conf").write_text(f"denied_users = {world.user.name}\n")
    calls, done = operation.starved(0)
    assert done.returncode == 6, done
    for number in range(1, calls + 1):
        _, done = operation.starved(number)
        assert 0 < done.returncode < 128, (number, calls, done)
