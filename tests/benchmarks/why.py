# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a goal is missed where it cannot be had, or is not: reasons that were measured, never results. Shown below the table, for
rows that this very run misses."""

REASONS = {
}


def of(goal, what):
    """The reason whose words the row begins with."""
    found = [text for (number, words), text in REASONS.items() if number == goal and what.strip().startswith(words)]
    return found[0] if found else None
