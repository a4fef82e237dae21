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

import pytest

import sp
from sp_safety import STORE, get, in_force, leftovers, managed

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
    while time.monotonic() < until or len(log) < 15:
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
    while time.monotonic() < until or len(reports) < 2:
        done = sp.run(["sallyport", "reconcile", "--json"], timeout=60)
        reports.append((done.rc, json.loads(done.stdout)))
    out.put(("reconciler", None, reports))


@sp.covers("safety 37")
def test_safety_37_two_reconcilers_and_a_storm_of_panel_requests_lose_nothing(host):
    users = [managed("chroot") for _ in range(4)]
    for number in range(4):
        for label in range(3):
            sp.keypair(f"worker{number}-{label}")
    out, until = multiprocessing.Queue(), time.monotonic() + SECONDS * sp.PATIENCE
    works = [multiprocessing.Process(target=panel, args=(number, users, until, out)) for number in range(4)]
    works += [multiprocessing.Process(target=reconciler, args=(until, out)) for _ in range(2)]
    for work in works:
        work.start()
    results = [out.get(timeout=120 * sp.PATIENCE) for _ in works]
    for work in works:
        work.join(30 * sp.PATIENCE)
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
    """A FUSE file system, open to all or a user's own, that says hello to the kernel and then nothing more."""

    def __init__(self, path, user=None):
        self.path = str(path)
        if not os.path.exists("/dev/fuse"):
            os.mknod("/dev/fuse", 0o600 | stat.S_IFCHR, os.makedev(10, 229))
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        libc = ctypes.CDLL(None, use_errno=True)
        whose = f"user_id={user.uid},group_id={user.gid}" if user else "user_id=0,group_id=0,allow_other"
        options = f"fd={self.fd},rootmode=40755,{whose}"
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
            assert time.monotonic() - start < 20 * sp.PATIENCE and done.rc == 20, done
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


def in_time(method, params, seconds=12):
    start = time.monotonic()
    answer = sp.rpc(method, params)
    assert time.monotonic() - start < seconds * sp.PATIENCE, (method, answer)
    return answer


def hangs(answer, path):
    """The answer names the place, and how to look at it."""
    assert answer.reason == "busy" and path in answer.error["message"] and answer.error["data"]["hint"], answer
    return True


def test_a_home_that_never_answers_holds_up_no_request_but_its_own(host):
    good, dead = managed("chroot"), managed("chroot")
    elsewhere = sp.make_user(docroot=f"/srv/{sp.unique('root')}")
    sp.rpc("domain.apply", {"domain": elsewhere.domain, "user": elsewhere.name, "document_root": elsewhere.docroot, "shell": "chroot"}).ok()
    homes = [Dead(dead.home), Dead(elsewhere.docroot)]
    try:
        assert hangs(in_time("domain.apply", {"domain": elsewhere.domain, "shell": "bash"}), elsewhere.docroot)
        told = in_time("login.diagnose", {"domain": dead.domain}).ok()
        assert told["verdict"] == "refused" and told["stop"]["check"] == "home" and dead.home in told["stop"]["text"] and told["stop"]["mend"], told
        assert dead.home in told["drift_unknown"]
        for method, params in (("keys.list", {}), ("keys.add", {"key": sp.keypair("more").public}), ("domain.get", {})):
            assert hangs(in_time(method, {"domain": dead.domain, **params}), dead.home)
        root = {"domain": f"new.{good.domain}", "user": good.name, "document_root": dead.home}
        assert hangs(in_time("domain.apply", root), dead.home)
        # The door is shut all the same, and says what it could not look at.
        shut = in_time("account.suspend", {"domain": dead.domain}).ok()
        assert any(dead.home in warning for warning in shut["warnings"]), shut
        assert "gate" in [change["resource"] for change in shut["changes"]]
        assert in_time("password.lock", {"domain": elsewhere.domain}).ok()
        # Nobody else waits, and nothing is left behind that holds a lock.
        assert in_time("keys.add", {"domain": good.domain, "key": sp.keypair("more").public}, 5).ok()["changed"]
        assert in_time("login.diagnose", {"domain": good.domain}, 20).ok()["verdict"] == "lets_in"
    finally:
        for home in homes:
            home.end()
    in_time("account.resume", {"domain": dead.domain}).ok()
    for user in (good, dead, elsewhere):
        in_force(user)
        sp.rpc("domain.remove", {"domain": user.domain}).ok()


@sp.covers("safety 22")
@pytest.mark.parametrize("place", [".ssh", "etc"])
@pytest.mark.parametrize("whose", ["open to all", "the user's own"])
def test_safety_22_a_fuse_mount_that_never_answers_holds_nothing_up_and_stays(host, place, whose):
    """As fusermount(1) gives a user one, or with allow_other where the host lets him."""
    user, good = managed("bash"), managed("bash")
    point = pathlib.Path(user.home, place)
    if place != ".ssh":
        point.mkdir()
        os.chown(point, user.uid, user.gid)
    fuse = Dead(point, None if whose == "open to all" else user)
    try:
        told = in_time("domain.apply", {"domain": user.domain, "shell": "chroot", "authorized_keys": [{"key": sp.keypair("other").public}]})
        if place == ".ssh":
            assert told.reason in ("unsafe_path", "busy", "io") and told.error["data"]["hint"], told
        else:
            assert any(f"{place} is a mount point" in text for text in told.ok()["warnings"]), told
            assert in_time("domain.get", {"domain": user.domain}).ok()["jail"]["layout"] == "path"
            assert in_time("login.diagnose", {"domain": user.domain}, 20).ok()["verdict"] == "lets_in"
            assert sp.ssh(user, "echo in", key=sp.keypair("other")).stdout == "in\n"
        assert in_time("system.reconcile", {}, 20).ok()["failed"] == (place == ".ssh")
        assert in_time("keys.add", {"domain": good.domain, "key": sp.keypair("more").public}, 5).ok()["changed"]
        in_time("domain.remove", {"domain": user.domain})
        assert str(point) in pathlib.Path("/proc/mounts").read_text()
    finally:
        fuse.end()
    in_time("domain.remove", {"domain": user.domain}).ok()
    assert sp.rpc("domain.get", {"domain": user.domain}).reason == "not_found" and leftovers("/etc", STORE, user.home) == []
    sp.rpc("domain.remove", {"domain": good.domain}).ok()


def test_adopt_passes_by_a_home_that_never_answers(host):
    users = [sp.make_user() for _ in range(3)]
    home = Dead(users[1].home)
    try:
        start = time.monotonic()
        done = sp.run(["sallyport", "adopt", "--from", "generic", "--document-root", f"{os.path.dirname(users[0].home)}/*", "--json"], timeout=60)
        body = json.loads(done.stdout)
        assert time.monotonic() - start < 20 * sp.PATIENCE, "one wait, not one for each"
        told = {one["user"]: one for one in body["accounts"]}
        assert [told[user.name]["result"] for user in (users[0], users[2])] == ["taken", "taken"], body
        assert told[""]["result"] == "failed" and told[""]["reason"] == "busy" and users[1].home in told[""]["error"], body
        sp.run(["sallyport", "adopt", "--undo"], check=True)
        # Where the panel's files say whose it is, the account itself is named.
        pathlib.Path("/etc/trueuserdomains").write_text("".join(f"{user.domain}: {user.name}\n" for user in users))
        userdata = pathlib.Path("/etc/userdatadomains")
        userdata.write_text("".join(f"{user.domain}: {user.name}==root==main=={user.domain}=={user.docroot}==192.0.2.1:80======0==\n" for user in users))
        body = json.loads(sp.run(["sallyport", "adopt", "--from", "cpanel", "--json"], timeout=60).stdout)
        told = {one["user"]: one for one in body["accounts"]}
        assert [told[user.name]["result"] for user in users] == ["taken", "failed", "taken"], body
        assert users[1].home in told[users[1].name]["error"], told
    finally:
        home.end()
        sp.run(["sallyport", "adopt", "--undo"], check=True)
