# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures and errno values of the tests of chroot-bash: from sp_jail_fixtures import *"""

import subprocess

import pytest

import sp
import sp_jail

EPERM, ESRCH, EACCES, ENOSYS = 1, 3, 13, 38
REFUSED = 125


@pytest.fixture
def site(host):
    """An account with a jail in root layout; its processes are gone afterwards."""
    user = sp_jail.account()
    yield user
    sp.run(["pkill", "-KILL", "-u", str(user.uid)])


@pytest.fixture
def other(host):
    user = sp_jail.account()
    yield user
    sp.run(["pkill", "-KILL", "-u", str(user.uid)])


@pytest.fixture
def stay(site):
    """Something that lives in the jail meanwhile."""
    child = sp_jail.start(site, "echo in; exec sleep 1000", stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "in\n"
    sp.wait_for(lambda: sp_jail.inits(site), what="the name of the jail's first process")  # which it takes beside the command
    yield child
    child.kill()
    child.wait()
