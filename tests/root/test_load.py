# SPDX-License-Identifier: GPL-3.0-or-later
"""The short form of tests/load."""

import warnings

import sp

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import sp_load


@sp.covers("safety 34", "safety 37")
def test_many_callers_beside_other_tools_and_two_reconcilers_lose_no_update(host):
    report = sp_load.Load(24).run(8)
    print(report.table())
    assert report.wrong == [], report.table()
    assert {reason for _, reason in report.errors} <= {"busy"}, report.table()
    assert all(report.beside[what] for what in ("usermod", "chpasswd", "firewall reload", "reconcile")), report.table()
    assert report.rate > 5 / sp.PATIENCE and 0 < report.memory[0] <= sp_load.LARGEST_KIB, report.table()
    assert len(report.latencies) >= 5, report.table()
