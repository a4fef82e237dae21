# SPDX-License-Identifier: GPL-3.0-or-later
"""What the crash tests share: an operation with both its ends, what may stand between them, and the ways
in which one is disturbed. The operations themselves are in sp_crash_operations.py."""

import collections
import dataclasses
import errno
import json
import math
import os
import pathlib
import re
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import typing
import zlib

import sp
import sp_crash_host as host_state
from sp_crash_host import DATABASES, delta, tell, unfinished
from sp_safety import STORE

KILLAT = os.environ["SALLYPORT_BUILD"] + "/tests/killat"
FAILMALLOC = os.environ["SALLYPORT_BUILD"] + "/tests/failmalloc.so"
WHOLE = os.environ.get("SALLYPORT_SWEEP") == "whole"
EVERY = int(os.environ.get("SALLYPORT_SWEEP_EVERY", "1"))  # one point in so many
ANYWHERE = [getattr(errno, name) for name in ("ENOSPC", "EIO", "EDQUOT", "EINTR")]
TALLY = collections.defaultdict(collections.Counter)  # (operation, what was done to it) -> outcome -> how often
WIDTH = {"/bin/false": 0, "/usr/sbin/nologin": 0, sp.CHROOT_BASH: 1}
WORDS = ("old", "between", "new", "broken", "unmet")  # unmet: that time there were not so many calls


def message(method, params):
    return json.dumps({"jsonrpc": "2.0", "id": "sweep", "method": method, "params": params}).encode()


def held(argv, text, visit, *how, out=subprocess.PIPE):
    """Runs a program under killat, held in front of each call that changes something; the one of which visit(number, pid) is true is its Nth."""
    (tell, told), (hear, heard) = os.pipe(), os.pipe()
    with tempfile.TemporaryFile() as stdin:
        stdin.write(text)
        stdin.seek(0)
        child = subprocess.Popen([KILLAT, *how, "-w", f"{told},{hear}", "0", *argv], stdin=stdin, stdout=out, stderr=subprocess.PIPE,
                                 pass_fds=(told, hear), cwd="/")
    os.close(told)
    os.close(hear)
    try:
        with open(tell, "r") as calls, open(heard, "wb", 0) as go:
            for line in calls:
                met = visit(*map(int, line.split()))
                go.write(b"!" if met else b".")
                if met:
                    break
        said = child.communicate(timeout=60)
    except BaseException:
        child.kill()  # and with it, whom it traces (PTRACE_O_EXITKILL)
        child.communicate()
        raise
    return subprocess.CompletedProcess(argv, child.returncode, *said)


def kill_when(request, when):
    """Kills the helper in front of the first call that changes something while `when` is true."""
    done = held([sp.HELPER], message(*request), lambda number, pid: when())
    assert b"killed=1" in done.stderr, ("it was never true", done)


def line_names(content):
    """name -> line of passwd(5) and its kind."""
    return {line.split(b":")[0]: line for line in content.splitlines()}


class View:
    """How wide the door of one account is, at one moment."""

    def __init__(self, state, user):
        self.groups = {name.decode() for name, line in line_names(state.files["/etc/group"].content).items()
                       if user.name.encode() in line.split(b":")[3].split(b",")}
        line = line_names(state.files["/etc/passwd"].content).get(user.name.encode())
        self.shell = line.split(b":")[6].decode() if line else "/bin/false"
        keys = state.files.get(f"{user.home}/.ssh/authorized_keys")
        self.keys = keys.content.splitlines() if keys else []

    def width(self, key):
        """For one key line's blob: 0 shut, 1 the jail, 2 everything."""
        if "sallyport-none" in self.groups or not any(key in line for line in self.keys):
            return 0
        return WIDTH.get(self.shell, 2)


def shut(line, name):
    """The line of sallyport-none with this user: an account may be shut for the moment of a change."""
    members = [member for member in line.split(b":")[-1].split(b",") if member]
    return b":".join([*line.split(b":")[:-1], b",".join([*members, name])])


def check_databases(old, new, now, users):
    """Each line of passwd and the like is the old one or the new one, in one place; those of no concern stand."""
    for path in DATABASES:
        sides = [line_names(host_state.plain(path, state.files[path]).content) for state in (old, new, now)]
        lines = now.files[path].content.splitlines()
        assert len(lines) == len(sides[2]), (path, "a name twice", lines)
        for name in set().union(*sides):
            before, after, line = (side.get(name) for side in sides)
            may = [before, after]
            for side in (before, after):
                # A login that is made or taken away is shut meanwhile.
                may += [side.replace(sp.CHROOT_BASH.encode(), b"/bin/false")] if side else []
            if name == b"sallyport-none":
                may += [shut(before, user.encode()) for user in [*users, "tech"] if before]
            assert line in may, (path, name, line, before, after)


def check_keys(path, old, new, now):
    """No key of both ends is lost, none is there of neither."""
    before, after, lines = (set(state.files[path].content.splitlines()) if path in state.files else set() for state in (old, new, now))
    assert lines <= before | after and lines >= before & after, (path, lines)


def check_record(path, old, new, now):
    """What was asked for is what was asked before or is asked now; what is in force may be a prefix of the plan."""
    asked = [json.loads(host_state.plain(path, state.files[path]).content).get("desired") for state in (old, new, now) if path in state.files]
    if path not in old.files and asked[-1:] and not asked[-1]["domains"]:
        return  # a login that was half made is taken away before it is made again: it has no domain meanwhile
    assert path not in now.files or len(asked) < 2 or asked[-1] in asked[:-1] or path not in new.files, (path, asked)


def check_between(operation, now):
    """Everything is the old or the new one; the door is no wider than before or after."""
    old, new = operation.old, operation.new
    check_databases(old, new, now, [user.name for user in operation.users])
    changed = delta(old, now)
    for path, entry in changed.items():
        if path in DATABASES or unfinished(path) or entry == operation.changed.get(path) or path.endswith(".lock"):
            continue
        if re.fullmatch(rf"{STORE}/state/[^/]+\.json", path):
            check_record(path, old, new, now)
        elif path.endswith("/authorized_keys"):
            check_keys(path, old, new, now)
        elif path == f"{STORE}/firewall.json-":  # written over in place, behind the file whose copy it is
            assert path[:-1] not in changed or changed[path[:-1]] == operation.changed.get(path[:-1]), tell({path: entry})
        elif path not in old.files and entry and stat.S_ISDIR(entry.mode) and entry.mode | 0o7777 == operation.new.files[path].mode | 0o7777:
            assert not entry.mode & ~operation.new.files[path].mode, tell({path: entry})  # made, and not opened yet
        elif not any(re.fullmatch(pattern, path) for pattern in (*operation.passing, operation.grows)):
            raise AssertionError(f"neither old nor new: {tell({path: entry})}\nnew: {tell({path: operation.changed.get(path)})}")
    for user in operation.users:
        before, after, view = (View(state, user) for state in (old, new, now))
        for line in {*before.keys, *after.keys, *view.keys}:
            blob = re.search(rb"AAAA\S+", line).group()
            assert view.width(blob) <= max(before.width(blob), after.width(blob)), (line, view.shell, view.groups)
        if "sallyport-none" not in view.groups:
            assert "sallyport-forward" in before.groups | after.groups or "sallyport-forward" not in view.groups
            if "sallyport" in view.groups and "sallyport-noforward" not in view.groups:
                assert not all("sallyport-noforward" in side.groups for side in (before, after))


@dataclasses.dataclass
class Operation:
    """A request, how the host comes to where it begins, and what is peculiar about it."""
    name: str
    method: str
    params: typing.Any  # a dict, or what makes one of the world
    start: tuple = ()  # requests, or callables that are given the world
    rules: bool = False  # nftables' rules are a part of it
    again: typing.Any = None  # (method, params) that finishes it where it is not the same request
    repeats: bool = True  # a further time it changes nothing
    loud: bool = False  # half done, domain.get says so
    passing: tuple = ()  # paths that may be something else meanwhile
    each: typing.Any = None  # called with the world before each attempt
    sound: typing.Any = None  # called with the world after each: what must hold of files that chance makes
    grows: str = ""  # files that a further time makes longer: they count for nothing in what a rerun ends with
    either: bool = False  # what finishes it may as well end where it began
    says: tuple = ()  # what else it may blame for want of memory
    slow: bool = False  # for the whole form alone
    most: int = 0  # so many points in the whole form, spread; 0: all

    def prepare(self, world):
        """Both ends, and what each system call between them is."""
        self.world, self.host, self.settled = world, world.host, {}
        world.reset()
        for step in self.start:
            step(world) if callable(step) else sp.rpc(step[0], step[1](world) if callable(step[1]) else step[1]).ok()
        if callable(self.params):
            self.params = self.params(world)
        self.request = message(self.method, self.params)
        self.users = [world.user]
        self.old = self.look()
        host_state.standing = {os.path.basename(path) for path in self.old.files if os.path.dirname(path) == host_state.GENERATIONS}
        path = sp.WORK / "letters"
        self.attempt(0)
        self.back()
        calls, _, done = self.attempt(0, "-l", str(path))
        assert done.returncode == 0, done
        self.letters, self.new = path.read_text(), self.look()
        assert len(self.letters) == calls, (len(self.letters), calls)
        self.changed = delta(self.old, self.new)
        assert not [one for one in self.changed if unfinished(one)], self.changed
        assert self.changed or not self.repeats, "it changes nothing"
        self.converges(self.new)
        self.back()

    def look(self):
        self.last = self.host.look(self.rules)
        return self.last

    def back(self):
        """To the beginning, where it is not there already."""
        if self.last is None or self.last.files != self.old.files or self.last.rules != self.old.rules:
            self.host.put_back(self.old, self.last, self.rules)
        self.last = self.old

    def attempt(self, number, *how):
        """The request under killat. (system calls made, was it met, what it answered)"""
        self.last = None
        if self.each:
            self.each(self.world)
        done = subprocess.run([KILLAT, *how, str(number), sp.HELPER], input=self.request, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=90)
        calls, killed = re.search(rb"calls=(\d+) killed=(\d)\n\Z", done.stderr).groups()
        self.met = killed == b"1" or number == 0
        return int(calls), killed == b"1", done

    def starved(self, number):
        """The request with its Nth allocation failing (0: none). (how many there were, what it answered)"""
        self.last = None
        if self.each:
            self.each(self.world)
        count = sp.WORK / "failmalloc"
        count.write_bytes(struct.pack("ll", number, 0))
        done = subprocess.run([sp.HELPER], input=self.request, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90,
                              env={"LD_PRELOAD": FAILMALLOC, "FAILMALLOC": str(count)})
        calls = struct.unpack("ll", count.read_bytes())[1]
        self.met = calls >= number
        return calls, done

    # What is asked of a host on which it was disturbed

    def settle(self, now=None):
        """What is left is what may be left, and one request more finishes it. The outcome in a word.

        What follows from a state does not depend on how the host came to it, so it is asked once of each.
        """
        now = now or self.look()
        changed = delta(self.old, now)
        mark = frozenset(changed.items())
        if mark in self.settled:
            return self.settled[mark]
        if changed:
            check_between(self, now)
        if self.sound:
            self.sound(self.world)
        # The index leads and follows: a name that no account's state confirms is nobody's.
        finished = {path: entry for path, entry in changed.items() if not unfinished(path) and not path.startswith(f"{STORE}/domains/")}
        idle = {path for path, entry in self.changed.items() if path.startswith(f"{STORE}/domains/") and entry is None}
        done = {path: entry for path, entry in self.changed.items() if path in changed or path not in idle}
        word = "old" if not finished else "new" if self.without_growth(changed) == self.without_growth(done) else "between"
        if word == "between" and self.loud:
            self.says_so()
        if changed:
            self.converges(now)
        self.settled[mark] = word
        return word

    def says_so(self):
        shown = sp.rpc("domain.get", {"domain": self.world.user.domain})
        assert shown.error or shown.result["pending"] or not shown.result["in_force"], "half done, and nothing says so"

    def converges(self, now):
        """One rerun ends where an undisturbed request ends, and nothing of the first one is left."""
        assert sp.rpc("domain.list").ok()["broken"] == []
        self.last = None
        method, params = self.again(self.world) if callable(self.again) else self.again or (self.method, self.params)
        answer = sp.rpc(method, params, timeout=90)
        assert answer.error is None or (not self.repeats and answer.reason in ("not_found", "conflict")), answer
        left = self.without_growth(delta(self.new, self.look()))
        if left and self.either:
            left = self.without_growth(delta(self.old, self.look()))
        assert not left, ("the rerun ends elsewhere", tell(left), "from", tell(delta(self.old, now)))
        self.last = None
        if self.repeats:
            assert sp.rpc(method, params, timeout=90).ok()["changed"] is False

    def without_growth(self, changed):
        return {path: one for path, one in changed.items() if not re.fullmatch(self.grows, path)}

    def judge(self, status, out):
        """A request that met a fault: what it says is so, and it leaves what a crash may leave."""
        assert 0 <= status < 128, f"ended by signal {abs(status)}"
        now = self.look()
        answer = json.loads(out) if out else {}
        if status != 0:
            assert not answer or (answer["error"]["message"] and answer["jsonrpc"] == "2.0" and "id" in answer), out
            return self.settle(now)
        assert "result" in answer and answer["jsonrpc"] == "2.0" and answer["id"] == "sweep", out
        result = answer["result"]
        if result.get("failed") or result.get("fix_failed") or result.get("problems") or (result.get("firewall") or {}).get("error"):
            return self.settle(now)  # it goes on with the rest, and says so
        left = delta(self.new, now)
        if self.with_a_place_unseen(answer, left):
            return "between"
        assert not left, ("success without the new state", tell(left))
        return self.settle(now)

    def with_a_place_unseen(self, answer, left):
        """A removal goes on without a home, or mount points, that cannot be looked at, and says so (keys.c, plan_blind; points.c)."""
        unseen = [text for text in answer["result"].get("warnings", []) if "could not be looked at" in text]
        if not left or not unseen:
            return False
        roots = re.findall(r"the mount points below (\S+) could not", "\n".join(unseen))
        stay = [path for path, entry in left.items() if path in self.old.files and self.old.files[path] == entry]
        assert all("/.ssh" in path or (path in stay and os.path.dirname(path) in roots) for path in left), tell(left)
        return True

    # The ways

    def kill(self, number):
        _, killed, done = self.attempt(number)
        assert killed or done.returncode == 0, done
        return self.settle()

    def terminate(self, number):
        """It ends as it likes: at once, or with an answer that is true."""
        _, _, done = self.attempt(number, "-s", str(signal.SIGTERM.value))
        if done.returncode == 128 + signal.SIGTERM:
            return self.settle()
        return self.judge(done.returncode, done.stdout)

    def kill_again(self, point):
        """Killed, and the rerun killed, too."""
        for number in point:
            self.attempt(number)
            # A rerun that is not the same request is a request of its own, with a sweep of its own.
        return self.settle()

    def fail(self, point):
        number, error = point
        _, _, done = self.attempt(number, "-e", str(error))
        try:
            return self.judge(done.returncode, done.stdout)
        except AssertionError as bad:
            # Which call it was, and what was answered.
            raise AssertionError(f"{bad}\n{done.stderr.decode()}{done.stdout[-500:].decode()}") from None

    def starve(self, number):
        _, done = self.starved(number)
        try:
            word = self.judge(done.returncode, done.stdout)
            answer = json.loads(done.stdout or b"{}")
            if "error" in answer:
                assert answer["error"]["data"]["reason"] in ("no_memory", "io", *self.says), "it blames something else"
            return word
        except AssertionError as bad:
            raise AssertionError(f"{bad}\n{done.stdout[-500:].decode()}") from None

    # The points

    def everywhere(self):
        return list(range(1, len(self.letters) + 1)) if WHOLE else self.steps()

    def steps(self):
        """Right behind each call that changes something: between two of them every kill leaves the same."""
        return [number + 1 for number, letter in enumerate(self.letters, 1) if letter in "muf"]

    def pairs(self, steps):
        """Each state that one kill at these steps leaves, met by a second one in front of every step of its rerun."""
        seen, points = set(), []
        for number in steps:
            self.attempt(number)
            mark = frozenset(delta(self.old, self.look()).items())
            if mark not in seen:
                seen.add(mark)
                path = sp.WORK / "letters"
                self.attempt(0, "-l", str(path))
                points += [(number, at) for at, letter in enumerate(path.read_text(), 2) if letter in "mu"]
            self.back()
        return points

    def faults(self):
        """Every call with each fault that any may meet; those that change something are also out of memory or descriptors.

        The loader's and the C library's own are left out: brk(2) answers no errno and getuid(2) none at all; memory has a
        sweep of its own.
        """
        for number, letter in enumerate(self.letters, 1):
            if letter not in "xp":
                more = [errno.ENOMEM, errno.EMFILE] if letter in "muf" else []
                yield from ((number, error) for error in ANYWHERE + more)

    def removals(self):
        """The calls that take a name away: what stays behind unnoticed stays for good."""
        return [(number, errno.EIO) for number, letter in enumerate(self.letters, 1) if letter == "u"]

    def allocations(self):
        calls, done = self.starved(0)
        assert done.returncode == 0 and calls > 100, (calls, done)
        self.back()
        return range(1, calls + 1)

    def sweep(self, points, meet, short, name, every=EVERY):
        """Meets the operation at each point; the short form at some, others for each operation."""
        points = share(self.name, list(points), every)
        most = self.most if WHOLE else short
        if most and most < len(points):
            first = zlib.crc32(self.name.encode()) % 97 / 97
            points = [points[int(len(points) * (step + first) / most)] for step in range(most)]
        failed = []
        for at, point in enumerate(points, 1):
            progress(f"{self.name}: {meet.__name__}", at, len(points))
            try:
                outcome = meet(point)
                outcome = outcome if self.met else "unmet"
            except (AssertionError, subprocess.TimeoutExpired) as bad:
                outcome = "broken"
                failed.append(f"{self.name}, {meet.__name__} {point} of {len(self.letters)}: {str(bad)[:1800]}")
            TALLY[self.name, name(point)][outcome] += 1
            self.back()
            if len(failed) >= 3:
                break
        assert not failed, "\n\n".join(failed)

    def sweep_kills(self, short=5):
        self.sweep(self.everywhere(), self.kill, short, lambda point: "SIGKILL")

    def sweep_terms(self, short=3):
        self.sweep(self.everywhere(), self.terminate, short, lambda point: "SIGTERM")

    def sweep_twice(self, short=2):
        # Of one in N, half is left out of the first kills and half of the second ones: the first must all be made to know the second.
        steps, first = self.steps(), math.isqrt(EVERY)
        points = self.pairs(share(self.name, steps, first) if WHOLE else steps[len(steps) // 2:][:1])
        self.sweep(points, self.kill_again, short, lambda point: "twice", EVERY // first)

    def sweep_faults(self, short=7):
        self.sweep(self.faults(), self.fail, short, lambda point: errno.errorcode[point[1]])

    def sweep_removals(self, short=14):
        self.sweep(self.removals(), self.fail, short, lambda point: "unlink")

    def sweep_memory(self, short=7):
        self.sweep(self.allocations(), self.starve, short, lambda point: "malloc")


def share(name, points, every=EVERY):
    """tests/crash/sweep --every: one point in N, from an offset that differs from name to name."""
    return points[zlib.crc32(name.encode()) % min(every, len(points) or 1)::every]


def is_asked_for(way):
    """tests/crash/sweep names one; tests/run wants all."""
    return os.environ.get("SALLYPORT_SWEEP_WAY", "") in ("", way.__name__.removeprefix("sweep_"))


def progress(title, done, of):
    """tests/crash/sweep draws a bar of it."""
    if WHOLE:
        os.write(2, f"@{title} {done} {of}\n".encode())


def table():
    """What was met, and how it went: one line for each operation and fault."""
    yield " ".join([f"{'operation':44} {'fault':8} {'tried':>6}", *(f"{word:>8}" for word in WORDS)])
    for (title, fault), count in sorted(TALLY.items()):
        yield " ".join([f"{title[:44]:44} {fault:8} {sum(count.values()):6}", *(f"{count[word]:8}" for word in WORDS)])
