# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconcile where every account has drifted: what is done for many at once is done for each, whatever happens in between."""

import json
import os
import pathlib
import re
import stat
import subprocess

import pytest

import sp
from sp_safety import STORE, leftovers

KILLAT = os.environ["SALLYPORT_BUILD"] + "/tests/killat"
COUNT = 16
POINTS = 8  # how many system calls of a run are met by SIGKILL, spread evenly
GROUPS = ("sallyport", "sallyport-chroot")


@pytest.fixture(scope="module")
def users(host):
    made = [sp.make_user() for _ in range(COUNT)]
    requests = [{"jsonrpc": "2.0", "id": user.name, "method": "domain.apply", "params": {
        "domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot",
        "authorized_keys": [{"key": sp.keypair("bound").public, "from": ["192.0.2.0/24"]}, {"key": sp.keypair("many").public}]}} for user in made]
    for answer in json.loads(sp.run([sp.HELPER], input=json.dumps(requests), timeout=120).stdout):
        assert "result" in answer, answer
    return made


def reconcile():
    return sp.rpc("system.reconcile", {}).ok()


def mended(report):
    """{user: the resources that were mended}"""
    return {item["user"]: [change["resource"] for change in item.get("changes", [])] for item in report["details"] if "user" in item}


def keys_file(user):
    return pathlib.Path(user.home, ".ssh/authorized_keys")


def passwd():
    return {line.split(":")[0]: line.split(":")[6] for line in pathlib.Path("/etc/passwd").read_text().splitlines()}


def members(group, file="group"):
    text = re.search(f"^{group}:.*:(.*)$", pathlib.Path("/etc", file).read_text(), re.MULTILINE)
    return set(text.group(1).split(",")) - {""}


# Every account's drift of one kind, written as somebody in a hurry does

def chmod(mode):
    return lambda users: [keys_file(user).chmod(mode) for user in users]


def widen(users):
    path = pathlib.Path("/etc/passwd")
    path.write_text(path.read_text().replace(sp.CHROOT_BASH, "/bin/bash"))


def ungroup(users):
    for file in ("group", "gshadow"):
        path = pathlib.Path("/etc", file)
        path.write_text(re.sub(r"^(sallyport-chroot:.*:).*$", r"\1", path.read_text(), flags=re.MULTILINE))


def unbind(users):
    for user in users:
        path = keys_file(user)
        path.write_text(path.read_text().replace('from="192.0.2.0/24" ', ""))


def unrecord(users):
    for user in users:
        pathlib.Path(STORE, "access", user.name).unlink()
        pathlib.Path(STORE, "entry", str(user.uid)).chmod(0o666)


def everything(users):
    for one in (chmod(0o644), widen, ungroup, unbind, unrecord):
        one(users)


KINDS = {"0644": (chmod(0o644), {"authorized_keys"}), "0666": (chmod(0o666), {"authorized_keys"}), "shells": (widen, {"shell", "gate"}),
         "groups": (ungroup, {"group"}), "sources": (unbind, {"authorized_keys"}), "records": (unrecord, {"access", "jail"}),
         "everything": (everything, {"authorized_keys", "shell", "gate", "group", "access", "jail"})}


def view(users):
    """All that a reconcile has to hold of these accounts."""
    shells, none = passwd(), members("sallyport-none")
    return {user.name: (shells[user.name], user.name in none, {group for group in GROUPS if user.name in members(group)},
                        {group for group in GROUPS if user.name in members(group, "gshadow")}, keys_file(user).read_text(),
                        stat.S_IMODE(keys_file(user).stat().st_mode), keys_file(user).stat().st_uid,
                        pathlib.Path(STORE, "access", user.name).read_text(), stat.S_IMODE(os.stat(f"{STORE}/entry/{user.uid}").st_mode))
            for user in users}


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_drifted_on_every_account_is_mended_on_every_account(users, kind):
    drift, resources = KINDS[kind]
    good = view(users)
    drift(users)
    report = reconcile()
    assert report["failed"] == 0 and report["mended"] == COUNT, report
    told = mended(report)
    for user in users:
        assert set(told[user.name]) == resources, (user.name, told[user.name])
    assert view(users) == good
    after = reconcile()
    assert (after["mended"], after["kept"], after["failed"]) == (0, 0, 0), after
    assert sp.ssh(users[0], "echo in", key=sp.keypair("many")).stdout == "in\n"
    assert leftovers() == []


def test_a_mend_that_only_takes_away_writes_no_state(users):
    states = [pathlib.Path(STORE, "state", f"{user.name}.json") for user in users]
    before = [(path.stat().st_ino, path.read_bytes()) for path in states]
    chmod(0o644)(users)
    assert reconcile()["mended"] == COUNT
    assert [(path.stat().st_ino, path.read_bytes()) for path in states] == before


def test_accounts_that_fail_stop_none_of_the_others(users):
    good = view(users)
    bad = users[3::7]
    everything(users)
    for user in bad:
        keys_file(user).rename(f"{keys_file(user)}.away")
        os.mkfifo(keys_file(user))
    report = reconcile()
    assert report["failed"] == len(bad) and report["mended"] == COUNT - len(bad), report
    assert {item["user"] for item in report["details"] if item.get("reason") == "unsafe_path"} == {user.name for user in bad}, report
    now = view([user for user in users if user not in bad])
    assert now == {name: good[name] for name in now}
    for user in bad:
        keys_file(user).unlink()
        pathlib.Path(f"{keys_file(user)}.away").rename(keys_file(user))
    assert reconcile()["mended"] == len(bad)
    assert view(users) == good


WIDTH = {"/bin/false": 0, sp.CHROOT_BASH: 1, "/bin/bash": 2}


def door(seen):
    """How wide: nobody, a jail, everything; for a key that is bound, and for the same one unbound."""
    shell, shut, _, _, keys, *_ = seen
    return 0 if shut else WIDTH[shell] + 3 * ("from=" not in keys)


@sp.covers("safety 28")
@pytest.mark.parametrize("kind", ["0644", "shells", "everything"])
def test_safety_28_killed_anywhere_while_many_are_mended(users, kind):
    drift, _ = KINDS[kind]
    good = view(users)
    drift(users)
    count = subprocess.run([KILLAT, "0", "/usr/bin/sallyport", "reconcile"], capture_output=True, timeout=120, check=True).stderr
    calls = int(re.search(rb"calls=(\d+)", count).group(1))
    for point in range(POINTS):
        drift(users)
        bad = {user.name: (passwd()[user.name], False, None, None, keys_file(user).read_text()) for user in users}
        done = subprocess.run([KILLAT, str(calls * (2 * point + 1) // (2 * POINTS)), "/usr/bin/sallyport", "reconcile"], capture_output=True, timeout=120, check=False)
        assert b"killed=1" in done.stderr, done
        shells, none = passwd(), members("sallyport-none")
        for user in users:
            text = keys_file(user).read_text()
            assert shells[user.name] in (good[user.name][0], bad[user.name][0]) and text in (good[user.name][4], bad[user.name][4])
            assert door((shells[user.name], user.name in none, None, None, text)) <= door(bad[user.name])
        report = reconcile()
        assert report["failed"] == 0 and report["kept"] == 0, report
        assert view(users) == good
        assert leftovers() == [] and leftovers(*(user.home for user in users)) == []
    assert (reconcile()["mended"], sp.ssh(users[-1], "echo in", key=sp.keypair("many")).stdout) == (0, "in\n")
