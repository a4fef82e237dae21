# SPDX-License-Identifier: GPL-3.0-or-later
"""What the crash tests share: an operation with both its ends, and what may stand between them (safety.md, "State")."""

import collections
import contextlib
import errno
import json
import os
import pathlib
import re
import signal
import struct
import subprocess

import pytest

import sp
from sp_safety import STORE, in_force, leftovers

KILLAT = os.environ["SALLYPORT_BUILD"] + "/tests/killat"
FAILMALLOC = os.environ["SALLYPORT_BUILD"] + "/tests/failmalloc.so"
WHOLE = os.environ.get("SALLYPORT_SWEEP") == "whole"
POINTS = 20  # how many calls of an operation the short form meets, spread evenly
ANYWHERE = [getattr(errno, name) for name in ("ENOSPC", "EIO", "EDQUOT", "EINTR")]
TALLY = collections.defaultdict(collections.Counter)  # (operation, what was done to it) -> outcome -> how often
FILES = ("passwd", "group", "gshadow")
WIDTH = {"/bin/false": 0, "/usr/sbin/nologin": 0, sp.CHROOT_BASH: 1}
CONTENT_MAY_DIFFER = ("sshd.proofs", "passwd-", "group-", "gshadow-", "generation")


def killed_at(number, method, params, *how):
    """Runs one request under killat. (system calls made, was it killed, what it answered)"""
    request = json.dumps({"jsonrpc": "2.0", "id": "sweep", "method": method, "params": params})
    done = subprocess.run([KILLAT, *how, str(number), sp.HELPER], input=request.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    calls, killed = re.search(rb"calls=(\d+) killed=(\d)\n\Z", done.stderr).groups()
    return int(calls), killed == b"1", done


class View:
    """What of the host one operation may touch, at one moment."""

    def __init__(self, user):
        self.lines = {name: pathlib.Path("/etc", name).read_bytes().splitlines() for name in FILES}
        keys = pathlib.Path(user.home, ".ssh/authorized_keys")
        self.keys = keys.read_bytes().splitlines() if keys.exists() else []
        self.groups = {line.split(b":")[0].decode() for line in self.lines["group"]
                       if user.name.encode() in line.split(b":")[3].split(b",")}
        shell = next(line for line in self.lines["passwd"] if line.startswith(user.name.encode() + b":"))
        self.shell = shell.split(b":")[6].decode()

    def width(self, key):
        """How wide the door is for one key line's blob: 0 shut, 1 the jail, 2 everything."""
        if "sallyport-none" in self.groups or not any(key in line for line in self.keys):
            return 0
        return WIDTH.get(self.shell, 2)


def shut(line, user):
    """The line of sallyport-none with this user: an account may be shut for the moment of a change."""
    members = [name for name in line.split(b":")[-1].split(b",") if name]
    return b":".join([*line.split(b":")[:-1], b",".join([*members, user.name.encode()])])


def check_between(user, old, new, now):
    """Each line is the old one or the new one, in one place; the door is no wider than before or after."""
    for name in FILES:
        assert len(now.lines[name]) == len(old.lines[name]), (name, now.lines[name])
        for before, line, after in zip(old.lines[name], now.lines[name], new.lines[name]):
            may = [before, after] + [shut(before, user)] * before.startswith(b"sallyport-none:")
            assert line in may, (name, line, before, after)
    assert set(now.keys) <= set(old.keys) | set(new.keys), now.keys
    assert set(now.keys) >= set(old.keys) & set(new.keys), now.keys
    for line in set(old.keys) | set(new.keys) | set(now.keys):
        blob = re.search(rb"AAAA\S+", line).group()
        assert now.width(blob) <= max(old.width(blob), new.width(blob)), (line, now.shell, now.groups)
    if "sallyport-none" not in now.groups:
        assert "sallyport-forward" in old.groups | new.groups or "sallyport-forward" not in now.groups
        if "sallyport" in now.groups and "sallyport-noforward" not in now.groups:
            assert not all("sallyport-noforward" in side.groups for side in (old, new))


def whole(user):
    """Everything that a finished operation leaves, but for what a repetition may change."""
    shot = sp.snapshot(["/etc", STORE, user.home], exclude=[f"{STORE}/gen", "/etc/.pwd.lock"])
    for path in shot:
        if path.endswith(CONTENT_MAY_DIFFER):
            shot[path].pop("content", None)
        if path == f"{STORE}/state/{user.name}.json":
            state = json.loads(pathlib.Path(path).read_text().splitlines()[0])
            # When a key was added differs too.
            for domain in [one for part in ("desired", "applied") for one in state.get(part, {}).get("domains", [])]:
                for key in domain["authorized_keys"]:
                    key.pop("added_at", None)
            shot[path]["content"] = {key: value for key, value in state.items() if key != "generation"}
    return shot


class Operation:
    """A request, and those that bring the account back to where it began."""

    def __init__(self, user, do, *undo):
        self.user, self.do, self.undo = user, do, undo

    def back(self):
        for method, params in self.undo:
            sp.rpc(method, params).ok()

    def prepare(self):
        """Both ends, and the number of system calls from one to the other."""
        sp.rpc(*self.do).ok()
        self.back()
        self.old, self.old_whole = View(self.user), whole(self.user)
        self.calls, killed, done = killed_at(0, *self.do)
        assert done.returncode == 0 and not killed, done
        self.new, self.new_whole = View(self.user), whole(self.user)
        self.back()
        assert self.old_whole.diff(whole(self.user)) == []
        return self.calls

    def converges(self):
        """One rerun ends where an undisturbed request ends, and nothing of the first one is left."""
        assert not [path for path in leftovers("/etc") if path.endswith(".lock")]
        assert sp.rpc("domain.list").ok()["broken"] == []
        again = sp.rpc(*self.do).ok()
        if self.do[0] != "domain.remove":
            in_force(self.user)
        assert sp.rpc(*self.do).ok()["changed"] is False, again
        assert self.new_whole.diff(whole(self.user)) == []
        assert leftovers("/etc", STORE, self.user.home) == []
        self.back()
        assert self.old_whole.diff(whole(self.user)) == []

    def check(self, number):
        _, killed, done = killed_at(number, *self.do)
        check_between(self.user, self.old, self.new, View(self.user))
        if not killed:
            assert done.returncode == 0, done
        self.converges()
        return "killed" if killed else "survived"

    def judge(self, status, out):
        """A request that met a fault: what it says is so, and it leaves what a crash may leave. The outcome in a word."""
        now = whole(self.user)
        assert 0 <= status < 128, f"ended by signal {status}"
        check_between(self.user, self.old, self.new, View(self.user))
        answer = json.loads(out) if out else {}
        if status == 0:
            assert "result" in answer, out
            differs = self.new_whole.diff(now)
            if any("could not be looked at" in text for text in answer["result"]["warnings"]):
                # A removal goes on without a home that cannot be looked at, and says so (keys.c, plan_blind).
                assert all(line.startswith(f"{self.user.home}/.ssh/") for line in differs), differs
                sp.rpc(*self.undo[0]).ok()
                sp.rpc(*self.do).ok()
                differs = []
            assert differs == [], ("success without the new state", differs)
        elif answer:
            assert answer.get("error", {}).get("message"), out
        # The state in full as it was: there is nothing that a rerun could find but where it began.
        if status != 0 and self.old_whole.diff(now) == []:
            return "refused cleanly"
        self.converges()
        return "survived" if status == 0 else "stopped midway"

    def check_fault(self, point):
        number, error = point
        _, _, done = killed_at(number, *self.do, "-e", str(error))
        try:
            return self.judge(done.returncode, done.stdout)
        except AssertionError as bad:
            # Which call it was, and what was answered.
            raise AssertionError(f"{bad}\n{done.stderr.decode()}{done.stdout[-500:].decode()}") from None

    def starved(self, number):
        """Runs the operation with its Nth allocation failing (0: none). (how many there were, what it answered)"""
        count = sp.WORK / "failmalloc"
        count.write_bytes(struct.pack("ll", number, 0))
        method, params = self.do
        request = json.dumps({"jsonrpc": "2.0", "id": "sweep", "method": method, "params": params})
        env = {"LD_PRELOAD": FAILMALLOC, "FAILMALLOC": str(count)}
        done = sp.run([sp.HELPER], input=request, env=env)
        return struct.unpack("ll", count.read_bytes())[1], done

    def check_starved(self, number):
        _, done = self.starved(number)
        if done.rc == -signal.SIGSEGV and self.old_whole.diff(whole(self.user)) == []:
            # libeconf 0.5 looks at no allocation of its own: nothing is done yet when it reads the configuration.
            return "died unchanged"
        try:
            outcome = self.judge(done.rc, done.raw)
            answer = json.loads(done.raw or "{}")
            if "error" in answer:
                assert answer["error"].get("data", {}).get("reason") == "no_memory", "another reason"
            return outcome
        except AssertionError as bad:
            raise AssertionError(f"{bad}\n{done.stdout[-500:]}") from None

    def sweep_memory(self):
        def points():
            calls, done = self.starved(0)
            assert done.rc == 0 and calls > 100, (calls, done)
            self.back()
            return range(1, calls + 1)

        self.sweep(points, self.check_starved, lambda point: "malloc")

    def letters(self):
        """What each of the operation's system calls is (killat -l)."""
        path = sp.WORK / "letters"
        killed_at(0, *self.do, "-l", str(path))
        self.back()
        return path.read_text()

    def faults(self):
        """Every call with each fault that any may meet; those that change something are also out of memory or descriptors."""
        for number, letter in enumerate(self.letters(), 1):
            if letter != "x":
                more = [errno.ENOMEM, errno.EMFILE] if letter in "muf" else []
                yield from ((number, error) for error in ANYWHERE + more)

    def sweep(self, points=None, check=None, name=lambda point: "SIGKILL", at_most=POINTS):
        """Meets the operation at each point. The short form takes some, and of each kind of fault."""
        calls = self.prepare()
        points = list(points() if points else range(1, calls + 1))
        if not WHOLE:
            points = [points[at] for at in sorted({len(points) * step // at_most for step in range(at_most)})]
        failed, title = [], os.environ.get("PYTEST_CURRENT_TEST", "").split("::")[-1].split(" ")[0]
        for at, point in enumerate(points, 1):
            progress(title, at, len(points))
            try:
                outcome = (check or self.check)(point)
            except (AssertionError, subprocess.TimeoutExpired) as bad:
                outcome = "broken"
                failed.append(f"call {point} of {calls}: {str(bad)[:1500]}")
                with contextlib.suppress(AssertionError):
                    self.back()
            TALLY[title, name(point)][outcome] += 1
            if len(failed) >= 3:
                break
        assert not failed, "\n\n".join(failed)

    def removals(self):
        """The calls that take a name away: what stays behind unnoticed stays for good."""
        return [(number, errno.EIO) for number, letter in enumerate(self.letters(), 1) if letter == "u"]

    def sweep_faults(self):
        self.sweep(self.faults, self.check_fault, lambda point: errno.errorcode[point[1]], POINTS // 3)


def progress(title, done, of):
    """A bar on the terminal that tests/crash/sweep was started from."""
    if "SALLYPORT_TERMINAL" in os.environ:
        bar = "#" * (30 * done // of)
        line = f"\r{title[:44]:44} [{bar:30}] {done}/{of}\033[K" + ("\r\033[K" if done == of else "")
        os.write(int(os.environ["SALLYPORT_TERMINAL"]), line.encode())


def table():
    """What was met, and how it went: one line for each operation and fault."""
    words = ("refused cleanly", "stopped midway", "survived", "killed", "died unchanged", "broken")
    words = [word for word in words if any(count[word] for count in TALLY.values())]
    yield " ".join([f"{'operation':52} {'fault':8} {'tried':>6}", *(f"{word:>15}" for word in words)])
    for (title, fault), count in sorted(TALLY.items()):
        title = title.removeprefix("test_safety_").replace("_", " ")
        yield " ".join([f"{title[:52]:52} {fault:8} {sum(count.values()):6}", *(f"{count[word]:15}" for word in words)])


@pytest.fixture(scope="module")
def account(host):
    """A user with a key of his own, beside another account that nothing may touch."""
    neighbour = sp.make_user()
    sp.rpc("domain.apply", {"domain": neighbour.domain, "user": neighbour.name, "document_root": neighbour.docroot,
                            "shell": "chroot", "authorized_keys": [{"key": sp.keypair().public}]}).ok()
    user = sp.make_user()
    sp.put_key(user, sp.keypair("own"))
    return user


def first(user, shell="chroot", **more):
    return ("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": shell,
                             "authorized_keys": [{"key": sp.keypair("panel").public}], **more})


def change(user, **more):
    return ("domain.apply", {"domain": user.domain, **more})


def remove(user):
    return ("domain.remove", {"domain": user.domain})


@pytest.fixture
def managed(account):
    def prepare(shell="chroot"):
        sp.rpc(*remove(account)).ok()
        sp.rpc(*first(account, shell)).ok()
        return account

    yield prepare
    sp.rpc(*remove(account)).ok()
