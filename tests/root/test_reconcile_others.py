# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconcile beside others: two at once in a storm of panel requests, and a home whose file system never answers."""

import ctypes
import json
import multiprocessing
import os
import pathlib
import random
import stat
import struct
import time

import sp
from sp_safety import get, in_force, leftovers, managed

SECONDS = 8


def own_change(result):
    """Did it change the account? What it writes for all of them into sshd's drop-in has no generation of the account's."""
    changes = {change["resource"] for change in result.get("changes", [])}
    return bool(result.get("changed")) and changes != {"sshd_policy"}


def panel(number, users, until, out):
    """One worker of a panel: keys of its own, and whatever shell. Writes down every answer."""
    chance = random.Random(number)
    mine = {user.domain: set() for user in users}
    log = []
    while time.monotonic() < until:
        user = chance.choice(users)
        label = f"worker{number}-{chance.randrange(3)}"
        key = sp.keypair(label)
        what = chance.choice(("add", "remove", "shell", "apply"))
        if what == "add":
            answer = sp.rpc("keys.add", {"domain": user.domain, "key": key.public})
        elif what == "remove":
            answer = sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": key.fingerprint})
        else:
            shell = chance.choice(("bash", "chroot", "none"))
            answer = sp.rpc("domain.apply", {"domain": user.domain, "shell": shell})
        if answer.error is None:
            mine[user.domain] -= {key.fingerprint} if what == "remove" else set()
            mine[user.domain] |= {key.fingerprint} if what == "add" else set()
            shell = shell if what in ("shell", "apply") else None
        log.append((user.domain, what, answer.reason, (answer.result or {}).get("generation"), shell if what in ("shell", "apply") else None,
                    own_change(answer.result or {})))
    out.put((number, {domain: sorted(keys) for domain, keys in mine.items()}, log))


def reconciler(until, out):
    reports = []
    while time.monotonic() < until:
        done = sp.run(["sallyport", "reconcile", "--json"], timeout=60)
        reports.append((done.rc, json.loads(done.stdout)))
    out.put(("reconciler", None, reports))


@sp.covers("safety 37")
def test_safety_37_two_reconcilers_and_a_storm_of_panel_requests_lose_nothing(host):
    users = [managed("chroot") for _ in range(4)]
    for number in range(4):
        for label in range(3):
            sp.keypair(f"worker{number}-{label}")
    out, until = multiprocessing.Queue(), time.monotonic() + SECONDS
    works = [multiprocessing.Process(target=panel, args=(number, users, until, out)) for number in range(4)]
    works += [multiprocessing.Process(target=reconciler, args=(until, out)) for _ in range(2)]
    for work in works:
        work.start()
    results = [out.get(timeout=120) for _ in works]
    for work in works:
        work.join(30)
        assert work.exitcode == 0
    logs = [one for number, _, log in results if number != "reconciler" for one in log]
    assert len(logs) > 40 and {reason for _, _, reason, *_ in logs} <= {None, "busy", "not_found"}, {one[2] for one in logs}
    for number, _, reports in results:
        if number == "reconciler":
            assert len(reports) >= 2
            for rc, report in reports:
                assert rc in (0, 20) and report["accounts"] >= 4, report
                assert {item["reason"] for item in report["details"] if "reason" in item} <= {"busy"}, report["details"]
    for user in users:
        shown = in_force(user)
        # Every change has a generation of its own, and the newest is what holds.
        done = [one for one in logs if one[0] == user.domain and one[2] is None and one[5]]
        numbers = [one[3] for one in done]
        assert len(numbers) == len(set(numbers)) and shown["generation"] == max(numbers), (sorted(numbers), shown["generation"])
        shells = sorted((one[3], one[4]) for one in done if one[4])
        assert not shells or shown["shell"] == shells[-1][1], (shown["shell"], shells[-3:])
        # No worker's keys were lost to another's change, and none that it took away came back.
        wanted = {sp.keypair().fingerprint}.union(*(keys[user.domain] for _, keys, _ in results if keys))
        assert {key["fingerprint"] for key in sp.rpc("keys.list", {"domain": user.domain}).ok()["keys"]} == wanted
    assert sp.run(["sallyport", "reconcile"]).rc == 0 and leftovers() == []
    for user in users:
        sp.rpc("domain.remove", {"domain": user.domain}).ok()


# A file system that never answers

class Dead:
    """A FUSE file system, open to all, that says hello to the kernel and then nothing more."""

    def __init__(self, path):
        self.path = str(path)
        if not os.path.exists("/dev/fuse"):
            os.mknod("/dev/fuse", 0o600 | stat.S_IFCHR, os.makedev(10, 229))
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self.fd},rootmode=40755,user_id=0,group_id=0,allow_other"
        if libc.mount(b"dead", self.path.encode(), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "no FUSE here")
        request = os.read(self.fd, 65536)
        unique = struct.unpack_from("<IIQ", request)[2]
        hello = struct.pack("<IIIIHHIIHH32x", 7, 31, 4096, 0, 1, 1, 4096, 1, 1, 0)
        os.write(self.fd, struct.pack("<IiQ", 16 + len(hello), 0, unique) + hello)

    def end(self):
        sp.run(["umount", "-l", self.path])
        os.close(self.fd)


def test_a_home_that_never_answers_fails_alone_and_in_time(host):
    before, dead, after = managed("chroot"), managed("chroot"), managed("chroot")
    elsewhere = sp.make_user(docroot=f"/srv/{sp.unique('root')}")
    sp.rpc("domain.apply", {"domain": elsewhere.domain, "user": elsewhere.name, "document_root": elsewhere.docroot, "shell": "chroot"}).ok()
    homes = [Dead(dead.home), Dead(elsewhere.docroot)]
    try:
        for remembered in (False, True):
            for user in (before, after):
                sp.run(["usermod", "-s", "/bin/bash", user.name], check=True)
            start = time.monotonic()
            done = sp.run(["sallyport", "reconcile", "--json"], timeout=60)
            report = json.loads(done.stdout)
            assert time.monotonic() - start < 20 and done.rc == 20, done
            told = {item["user"]: item for item in report["details"]}
            for user in (dead, elsewhere):
                assert told[user.name]["reason"] == "busy" and told[user.name]["hint"], report
            for user in (before, after):
                assert "shell" in [change["resource"] for change in told[user.name]["changes"]], (remembered, report)
    finally:
        for home in homes:
            home.end()
    assert pathlib.Path(dead.home).is_dir() and sp.run(["sallyport", "reconcile"]).rc == 0
    for user in (before, dead, after, elsewhere):
        in_force(user)
        assert get(user)["pending"] is False
        sp.rpc("domain.remove", {"domain": user.domain}).ok()
