# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the end-to-end tests: tests/host /usr/bin/python3 -m pytest tests/root/test_NAME.py"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import pytest  # noqa: E402

import inside  # noqa: E402

if inside.why_not():
    pytest.exit(f"this changes the machine it runs on and runs only inside tests/host: {inside.why_not()}", 125)

import sp  # noqa: E402
import sp_sandbox  # noqa: E402

# SALLYPORT_TEST_SANDBOX=1 tests/run: the helper runs in the sandbox of its unit, whatever is tested.
if os.environ.get("SALLYPORT_TEST_SANDBOX") and not os.path.exists("/run/sandbox"):
    sp_sandbox.install()


@pytest.fixture(scope="session")
def host():
    """The private host with its sshd running."""
    one = sp.Host()
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def sandbox():
    """The helper runs in the sandbox of its unit; the line that starts another program in it."""
    installed = sp_sandbox.REAL.exists()
    if not installed:
        sp_sandbox.install()
    yield [str(sp_sandbox.DIRECTORY / "sandboxed"), str(sp_sandbox.DIRECTORY)]
    if not installed:
        sp_sandbox.remove()


@pytest.fixture
def user(host):
    """A fresh domain user without a shell and without keys."""
    return sp.make_user()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what sshd and syslog said meanwhile."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        report.sections.append(("sshd log, end", sp.Host().log()[-3000:]))
        report.sections.append(("syslog, end", "\n".join(sp.syslog_lines()[-20:])))


def pytest_terminal_summary(terminalreporter):
    """The figures of the crash tests and of the races, where some ran."""
    for module in ("sp_crash", "test_race"):
        figures = sys.modules.get(module)
        if figures and figures.TALLY:
            terminalreporter.section("what the operations met")
            for line in figures.table():
                terminalreporter.write_line(line)
