# SPDX-License-Identifier: GPL-3.0-or-later
"""Extra logins, and the ground that they want: fixtures and helpers of the tests about them."""

import pathlib
import pwd

import pytest

import sp
import sp_site


@pytest.fixture(scope="module")
def ground(host):
    """A filesystem that takes idmapped mounts: the host's own root, an overlay, takes none."""
    sp.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/srv"], check=True)
    return pathlib.Path("/srv")


@pytest.fixture
def site(ground):
    name = sp.unique("shop")
    return sp_site.account(name=name, home=ground / f"{name}.example")


def add(site, name=None, key="tech", **more):
    name = name or sp.unique("tech")
    keys = [{"key": sp.keypair(key).public}] if key else []
    result = sp.rpc("user.add", {"domain": site.domain, "user": name, "authorized_keys": keys, **more}).ok()
    assert result["user"] == name and result["changed"] is True
    return login(name)


def login(name):
    entry = pwd.getpwnam(name)
    return sp.User(name, entry.pw_uid, entry.pw_gid, entry.pw_dir, None, None)
