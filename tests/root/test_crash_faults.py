# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 40: each system call of an operation fails. The answer is true, what is in force is the old state, the new
one or a prefix of the plan, and one rerun converges. tests/crash/sweep does it without gaps."""

import pytest

import sp
from sp_crash_operations import OPERATIONS, thin, world  # noqa: F401


@sp.covers("safety 40")
@thin
def test_a_call_fails_and_the_answer_is_true(world, operation):  # noqa: F811
    operation.prepare(world)
    operation.sweep_faults()


@sp.covers("safety 40")
@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.name == "domain.remove chroot"])
def test_nothing_stays_behind_a_removal_unnoticed(world, operation):  # noqa: F811
    operation.prepare(world)
    operation.sweep_removals()
