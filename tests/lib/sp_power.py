# SPDX-License-Identifier: GPL-3.0-or-later
"""A power cut at every call that changes something, and what the host finds on its disks afterwards (tests/table, safety 31).

What sallyport writes to lies on loop images. While killat holds the operation in front of a call, an image holds what the
filesystem has given to its device so far and nothing of what waits in memory: its copy is the disk after a power cut at that
moment. Mounted again, the journal is replayed as at boot. What else may have reached the disk by then is up to the kernel, so
an operation runs several times: with nothing written back that was not asked for, with a neighbour's fsync in front of each call
(which commits names, but not the data of other files), with all of it written back, and with each disk by chance.
"""

import collections
import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import types
import uuid

import sp
import sp_sandbox
from sp_crash import TALLY, View, held, progress, share
from sp_crash_host import OURS
from sp_crash_operations import lists_stand
from sp_safety import STORE

PLACES = ("/etc", STORE, "/var/www/vhosts")
WORK = pathlib.Path("/run/power")
KEEP = 1 << 18  # contents of files up to this size are kept, to be looked at
# What is written to no purpose but speed or looking back, and what is made for the moment: not a part of what was asked for.
ASIDE = (".sallyport", ".lock", "/sshd.proofs", "passwd-", "group-", "gshadow-", "shadow-", "/subuid-", "/subgid-",
         "/ca/revoked.made", "/nshadow", "/reconcile.seen", "/global/lock",
         # It is written in place and not waited for, and bound to one boot by its sum (engine/fwseen.h).
         "/firewall.seen",
         # A second copy, not waited for: the boot's restore writes it anew (check_aside).
         "/firewall.json-")
# Counters, which may be ahead of what was done: each is whole, and never behind (check_aside).
COUNTERS = ("/logins/past.json", "/state/generation")
_libc = ctypes.CDLL(None, use_errno=True)

Kind = collections.namedtuple("Kind", "name make size options")
_EXT4 = ("mke2fs", "-q", "-t", "ext4", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0")
KINDS = {
    "ext4": Kind("ext4", _EXT4, 24, "commit=300,noinit_itable"),
    # As hosts have it that want speed: names may be on the disk before the data they name.
    "ext4wb": Kind("ext4", _EXT4, 24, "commit=300,noinit_itable,data=writeback,noauto_da_alloc"),
    # mkfs.xfs makes one this small for those who test it (its own fstests) alone.
    "xfs": Kind("xfs", ("env", "TEST_DIR=1", "TEST_DEV=1", "QA_CHECK_FS=1", "mkfs.xfs", "-q", "-f"), 32, ""),
    "btrfs": Kind("btrfs", ("mkfs.btrfs", "-q", "-f", "-m", "single"), 128, "commit=300"),
}


def known(kind):
    """Does this kernel have it?"""
    return KINDS[kind].name in pathlib.Path("/proc/filesystems").read_text().split()


def _mount(source, target, kind="", flags=0, options=""):
    if _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} {target}: {os.strerror(ctypes.get_errno())}")


def _node(path, major, minor):
    """The host of the tests has no loop devices of its own."""
    if not os.path.exists(path):
        os.mknod(path, 0o20660 if major == 10 else 0o60660, os.makedev(major, minor))
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _loop(image):
    """A loop device (loop(4)) that goes away when it is unmounted; others may be looking for one, too."""
    info = bytearray(304)  # struct loop_config
    with open(image, "r+b") as file:
        struct.pack_into("I", info, 0, file.fileno())
        struct.pack_into("I", info, 60, 4)  # LO_FLAGS_AUTOCLEAR
        for _ in range(100):
            control = _node("/dev/loop-control", 10, 237)
            number = fcntl.ioctl(control, 0x4C82)  # LOOP_CTL_GET_FREE
            os.close(control)
            device = _node(f"/dev/loop{number}", 7, number)
            with contextlib.suppress(BlockingIOError, OSError):
                fcntl.ioctl(device, 0x4C0A, info)  # LOOP_CONFIGURE
                return device, f"/dev/loop{number}"
            os.close(device)
    raise OSError(errno.EBUSY, "no loop device is free")


def _umount(target):
    if _libc.umount2(os.fsencode(target), 0) != 0:
        raise OSError(ctypes.get_errno(), f"umount {target}: {sp.run(['fuser', '-vm', str(target)]).stderr}")


class _NoDigest:
    def update(self, data):
        pass

    def hexdigest(self):
        return ""


def copy_sparse(source, target, digest=_NoDigest()):
    """A copy without the holes; what the device has been given is in the page cache of the image, and is read there."""
    with open(source, "rb", buffering=0) as old, open(target, "wb", buffering=0) as new:
        size, at = os.fstat(old.fileno()).st_size, 0
        new.truncate(size)
        while at < size:
            try:
                at = os.lseek(old.fileno(), at, os.SEEK_DATA)
            except OSError:  # a hole up to the end
                break
            end = os.lseek(old.fileno(), at, os.SEEK_HOLE)
            while at < end:
                chunk = os.pread(old.fileno(), min(end - at, 1 << 20), at)
                if chunk.strip(b"\0"):
                    os.pwrite(new.fileno(), chunk, at)
                    digest.update(b"%d " % at + chunk)
                at += len(chunk)
    return digest.hexdigest()


class Disk:
    """One file system on an image, and the places of the host that lie on it."""

    def __init__(self, kind, number, places):
        self.kind, self.places, self.image = KINDS[kind], places, WORK / f"disk{number}.img"
        self.where = WORK / f"disk{number}"
        self.device = None
        self.where.mkdir(parents=True, exist_ok=True)

    def make(self):
        """A fresh one that holds what stands in its places now."""
        with open(self.image, "wb") as file:
            file.truncate(self.kind.size * len(self.places) << 20)
        sp.run([*self.kind.make, self.image], check=True)
        self.mount(bind=False)
        for place in self.places:
            at = self.where / place.strip("/").replace("/", "-")
            os.makedirs(place, exist_ok=True)
            sp.run(["cp", "-a", "--", place, at], check=True)
        (self.where / "neighbour").write_bytes(b"-")
        self.umount()

    def mount(self, image=None, bind=True):
        device, path = _loop(image or self.image)
        try:
            _mount(path, self.where, self.kind.name, 1024, self.kind.options)  # MS_NOATIME
        finally:
            os.close(device)
        self.device = os.stat(self.where).st_dev
        for place in self.places if bind else ():
            _mount(self.where / place.strip("/").replace("/", "-"), place, flags=4096)  # MS_BIND

    def umount(self):
        for place in reversed(self.places):
            if os.stat(place).st_dev == self.device:
                _umount(place)
        _umount(self.where)
        self.device = None

    def written(self):
        """Something that differs where the device was given more since."""
        major, minor = os.major(self.device), os.minor(self.device)
        try:
            return pathlib.Path(f"/sys/dev/block/{major}:{minor}/stat").read_text().split()[4:7]
        except FileNotFoundError:  # btrfs has a number of its own
            return object()

    def write_back(self):
        """Everything that waits in memory."""
        with self._open(self.where, os.O_RDONLY) as fd:
            assert _libc.syncfs(fd) == 0

    def commit(self):
        """What somebody else's fsync makes durable by the way."""
        with self._open(self.where / "neighbour", os.O_WRONLY) as fd:
            os.pwrite(fd, os.urandom(1), 0)
            os.fsync(fd)

    @staticmethod
    @contextlib.contextmanager
    def _open(path, flags):
        fd = os.open(path, flags | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)

    # What is to be seen on it, as differences from where the operation begins.

    def remember(self):
        """The mounted disk is where everything begins."""
        self.marks = {path: mark for path, mark, _ in self._walk()}
        self.facts = {path: self._facts(path, at) for path, _, at in self._walk()}

    def _at(self, path):
        place = next(place for place in self.places if path.startswith(place))
        return str(self.where / place.strip("/").replace("/", "-")) + path[len(place):]

    def _walk(self):
        for place in self.places:
            todo = [(place, self._at(place))]
            while todo:
                shown, folder = todo.pop()
                with os.scandir(folder) as entries:
                    for entry in entries:
                        path, info = f"{shown}/{entry.name}", entry.stat(follow_symlinks=False)
                        if entry.is_dir(follow_symlinks=False):
                            if shown != "/etc" or path in OURS:
                                todo.append((path, entry.path))
                            yield path, (info.st_ino, info.st_mode, info.st_uid, info.st_gid), entry.path
                        else:
                            yield path, (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns), entry.path

    @staticmethod
    def _facts(path, at):
        try:
            facts = sp._entry(at, False)
        except FileNotFoundError:
            return None
        if "content" in facts and os.path.getsize(at) <= KEEP:
            CONTENTS[facts["content"]] = pathlib.Path(at).read_bytes()
        return tuple(sorted(facts.items()))

    def delta(self):
        """path -> its facts, None where it is gone, of all that is not as it was."""
        found, seen, self.signature = {}, set(), []
        for path, mark, at in self._walk():
            seen.add(path)
            if self.marks.get(path) != mark:
                self.signature.append((path, mark))
                facts = self._facts(path, at)
                if facts is not None and facts != self.facts.get(path):
                    found[path] = facts
        found.update((path, None) for path in self.marks.keys() - seen)
        self.signature.append(len(seen))
        return found


CONTENTS = {}  # what sp._entry says of a content -> the bytes


def bytes_of(facts):
    return CONTENTS.get(dict(facts).get("content")) if facts else None


class Moment:
    """Differences of all disks together: what the host finds at one moment."""

    def __init__(self, disks, deltas):
        self.disks, self.delta = disks, {}
        for delta in deltas:
            self.delta.update(delta)
        self.whole = {path: facts for path, facts in self.delta.items()
                      if not path.endswith(ASIDE) and not path.startswith(f"{STORE}/gen/.tmp-build")}
        self.asked = {path: facts for path, facts in self.whole.items() if not path.endswith(COUNTERS)}

    def read(self, path):
        """The bytes of a file at this moment."""
        path = str(path)
        if path in self.delta:
            return bytes_of(self.delta[path])
        base = next((disk.facts[path] for disk in self.disks if path in disk.facts), None)
        return bytes_of(base)

    def key(self, loose=()):
        """What two runs of one operation have in common: without what time and chance put in."""
        return frozenset((_GENERATION.sub("gen/N", path), _settled(path, facts, loose)) for path, facts in self.asked.items())

    def key_in_full(self, loose=()):
        extra = any(facts and path not in self.asked for path, facts in self.delta.items())
        return self.key(loose) | {("left over", extra)}


def _files(moment):
    """A directory alone says nothing: it may be there before what it is for, and after that."""
    def is_directory(path, facts):
        facts = facts or next(disk.facts[path] for disk in moment.disks if path in disk.facts)
        return dict(facts)["mode"].startswith("0o4")

    return {path: facts for path, facts in moment.asked.items() if not is_directory(path, facts)}


_GENERATION = re.compile("gen/[0-9a-f]{64}")


def _settled(path, facts, loose):
    if facts is None:
        return None
    facts = tuple((name, _GENERATION.sub("gen/N", value) if name == "target" else value) for name, value in facts)
    rest = tuple(one for one in facts if one[0] != "content")
    if any(re.search(part, path) for part in loose):
        return rest
    if re.fullmatch(STORE + r"/state/[^/]+\.json", path):
        try:
            state = json.loads((bytes_of(facts) or b"").split(b"\n")[0])
        except ValueError:
            return rest + (("broken", True),)
        return rest + (("state", json.dumps(_without_time(state), sort_keys=True)),)
    return facts


def _without_time(state):
    if isinstance(state, dict):
        return {key: _without_time(value) for key, value in state.items() if key not in ("generation", "added_at", "at")}
    return [_without_time(one) for one in state] if isinstance(state, list) else state


class Host:
    """The places of the host on disks of one kind: each on its own, or together on one."""

    def __init__(self, kind, together, furnish):
        self.name = kind + ("/1" if together else "")
        groups = [PLACES] if together else [(place,) for place in PLACES]
        self.disks = [Disk(kind, number, places) for number, places in enumerate(groups)]
        for disk in self.disks:
            disk.make()
        with self.running(self.keep("made")):
            furnish()
        self.base = self.keep("host")

    def keep(self, name):
        """The disks as they are, unmounted, under a name."""
        return [self._copy(disk.image, WORK / f"{name}-{number}.img") for number, disk in enumerate(self.disks)]

    @staticmethod
    def _copy(source, target):
        copy_sparse(source, target)
        return target

    @contextlib.contextmanager
    def running(self, images):
        """The host on a copy of these images; what is done to it is in disk.image afterwards."""
        mounted = []
        try:
            for disk, image in zip(self.disks, images):
                copy_sparse(image, disk.image)
                disk.mount()
                mounted.append(disk)
            yield self
        finally:
            for disk in reversed(mounted):
                disk.umount()

    def now(self):
        return Moment(self.disks, [disk.delta() for disk in self.disks])


def records_now():
    """uid -> the record of each account."""
    records = [json.loads(path.read_text().split("\n")[0]) for path in pathlib.Path(STORE, "state").glob("*.json")]
    return {one["desired"]["uid"]: one for one in records}


def _another_boot():
    """The kernel's word for this boot is another one."""
    fake, where = WORK / "boot_id", "/proc/sys/kernel/random/boot_id"
    mounted = fake.exists()
    fake.write_text(f"{uuid.uuid4()}\n")
    if not mounted:
        _mount(fake, where, flags=4096)  # MS_BIND


def boot():
    """What lay in memory is gone; what the boot puts in force again is."""
    _another_boot()
    shutil.rmtree("/run/sallyport", ignore_errors=True)
    if sp_sandbox.listener:
        sp_sandbox.stop_jail()
        sp_sandbox.start_jail()
    sp.run(["nft", "flush", "ruleset"], check=True)
    if os.path.exists(f"{STORE}/firewall.json"):
        sp.run(["sallyport", "firewall", "restore"], check=True)


class Door(View):
    """How wide the door of an account is at a moment, wherever its keys are kept."""

    class _Files:
        def __init__(self, moment):
            self.moment = moment

        def get(self, path):
            content = self.moment.read(path)
            return None if content is None else types.SimpleNamespace(content=content)

        __getitem__ = get

    def __init__(self, user, moment):
        super().__init__(types.SimpleNamespace(files=self._Files(moment)), user)
        self.keys += (moment.read(f"{STORE}/keys/{user.name}") or b"").splitlines()


Cut = collections.namedtuple("Cut", "call answered images live")


class Schedule:
    """What reaches each disk unasked, in front of each call."""

    def __init__(self, name, seed=0):
        self.name, self.random = name, random.Random(seed)

    def flush(self, disk):
        how = self.name
        if how == "chance":
            how = self.random.choice(("nothing", "nothing", "names", "all"))
        if how == "names":
            disk.commit()
        elif how == "all":
            disk.write_back()
        return how != "nothing"


NOTHING, NAMES, ALL = "nothing", "names", "all"


class Operation:
    """A command whose power is cut, and what must be found afterwards.

    before   commands that bring the host to where it begins
    behind   the same, behind the reconcile that would undo them
    each     called in front of every run: what lies in memory alone
    loose    patterns of paths whose content is another one each time
    once     why it is refused where it was done already
    passing  patterns of paths that may hold anything until it is answered: what another program writes, or what grows at its end
    anew     begun again it has another number
    repeats  a further time it changes nothing
    either   it ends where it began where the boot took away what it was about
    alone    what is left is not done by a reconcile, but by the next request alone: it grants nothing meanwhile
    """

    def __init__(self, name, user, do, before=(), loose=(), once=None, passing=(), alone=False, anew=False, behind=(), each=None,
                 repeats=True, either=False):
        self.name, self.user, self.do, self.before, self.loose, self.once = name, user, do, before, loose, once
        self.passing, self.alone, self.anew, self.behind, self.each = passing, alone, anew, behind, each
        self.repeats, self.either = repeats, either

    # commands: ("method", params) for the helper, a list of words, or what makes one of them

    @staticmethod
    def _argv(command):
        if callable(command):
            command = command()
        if isinstance(command, list):
            return command, b""
        method, params = command
        return [sp.HELPER], json.dumps({"jsonrpc": "2.0", "id": "cut", "method": method, "params": params}).encode()

    def call(self, command):
        argv, text = self._argv(command)
        done = sp.run(argv, input=text)
        assert done.rc == 0, f"{command}: exit {done.rc}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout or "{}")

    def prepare(self, host):
        """The images where it begins, and both ends of an undisturbed run."""
        self.host = host
        with host.running(host.base):
            boot()
            for step in self.before:
                step() if callable(step) else self.call(step)
            sp.rpc("system.reconcile").ok()
            for step in self.behind:
                step()
        self.base = host.keep("base")
        with host.running(self.base):
            for disk in host.disks:
                disk.remember()
            boot()
            self.old, self.records = Door(self.user, Moment(host.disks, [])), records_now()
            if self.each:
                self.each()
            self.call(self.do)
            sp.rpc("system.reconcile").ok()
            end = host.now()
            self.new, self.end = Door(self.user, end), end.key(self.loose)

    def run(self, schedule):
        """One run under killat: the disks in front of each call that changes something, and at the end."""
        host, cuts, images, last = self.host, [], {}, [None] * len(self.host.disks)
        flushed = list(last)
        answer = sp.WORK / "answer"
        sp.WORK.mkdir(exist_ok=True)

        def cut(number, answered):
            live = [disk.delta() for disk in host.disks]
            for at, disk in enumerate(host.disks):
                if disk.signature != flushed[at] and schedule.flush(disk):
                    flushed[at] = disk.signature
                written = disk.written()
                if last[at] is None or last[at][0] != written:
                    last[at] = (written, self._image(at, disk, images))
            cuts.append(Cut(number, answered, tuple(one[1] for one in last), Moment(host.disks, live)))

        with host.running(self.base):
            boot()
            if self.each:
                self.each()
            argv, text = self._argv(self.do)
            with open(answer, "wb") as out:
                done = held(argv, text, lambda number, _: cut(number, answer.stat().st_size > 0), out=out)
            assert done.returncode == 0, (done, answer.read_text())
            cut(-1, True)
        return cuts, images

    def _image(self, at, disk, images):
        target = WORK / f"cut{at}-{len(images)}.img"
        digest = at, copy_sparse(disk.image, target, hashlib.sha1(usedforsecurity=False))
        if digest in images:
            target.unlink()
        else:
            images[digest] = target
        return digest

    # What a cut leaves

    def look(self, images):
        """What each distinct image holds, its journal replayed: digest -> differences."""
        found = {}
        for (at, digest), image in images.items():
            disk, copy = self.host.disks[at], WORK / "look.img"
            copy_sparse(image, copy)
            disk.mount(copy, bind=False)
            try:
                found[at, digest] = disk.delta()
            finally:
                disk.umount()
        return found

    def check_found(self, cut, found, cuts):
        """Each file is as it was at some moment, and all of them together are; what was answered is there."""
        upto = cuts[:cuts.index(cut) + 1]
        for path, facts in found.whole.items():
            if any(re.search(part, path) for part in self.passing) and not cut.answered:
                continue
            assert any(one.live.whole.get(path, "base") == facts for one in upto), f"{path}: never was {facts}"
        for path in upto[-1].live.asked.keys() - found.asked.keys():
            assert any(path not in one.live.asked for one in upto), f"{path}: never was as at the beginning"
        if cut.answered:
            lost = {path for path in found.asked.keys() | cuts[-1].live.asked.keys()
                    if found.asked.get(path, 0) != cuts[-1].live.asked.get(path, 0)}
            assert not lost, f"answered, and lost: {sorted(lost)}"
        self._check_door(Door(self.user, found))
        assert any(self._firm(one.live) == self._firm(found) for one in upto), self._nearest(found, upto)

    def _check_door(self, now):
        """It is no wider than before or after."""
        for line in {*self.old.keys, *self.new.keys, *now.keys}:
            blob = re.search(rb"AAAA\S+", line).group()
            assert now.width(blob) <= max(self.old.width(blob), self.new.width(blob)), (line, now.shell, now.groups)

    def _firm(self, moment):
        return {path: facts for path, facts in _files(moment).items() if not any(re.search(part, path) for part in self.passing)}

    def _nearest(self, found, upto):
        def apart(one):
            mine, its = self._firm(found), self._firm(one.live)
            return sorted(path for path in mine.keys() | its.keys() if mine.get(path, 0) != its.get(path, 0))

        best = min(upto, key=lambda one: len(apart(one)))
        return f"later changes without earlier ones: as in front of call {best.call}, but for " + ", ".join(
            f"{path}: {best.live.asked.get(path, 'base')} is {found.asked.get(path, 'base')}" for path in apart(best))

    def check_aside(self):
        """On the host that runs again: what was not waited for is as it should be, and what sshd reads of authorities is whole."""
        current, copy = (pathlib.Path(STORE, name) for name in ("firewall.json", "firewall.json-"))
        assert not current.exists() or current.read_bytes() == copy.read_bytes(), "the last good copy of the firewall's policy is another"
        records, counter, past = records_now(), pathlib.Path(STORE, "state/generation"), pathlib.Path(STORE, "logins/past.json")
        gone = [self.records[uid]["generation"] for uid in self.records.keys() - records.keys()]
        assert not gone or int(counter.read_text()) >= max(gone), "who comes back begins at a number that was given already"
        last = json.loads(past.read_text())["last_uid"] if past.exists() else 0
        assert all(uid <= last for uid, one in records.items() if "extra" in one["desired"]), (last, records)
        lists_stand(None)

    def again(self, answered):
        """The request once more. Where all was done already it changes nothing, or is refused as it is without a cut."""
        argv, text = self._argv(self.do)
        done = sp.run(argv, input=text)
        if done.rc != 0 and self.once:
            body = json.loads(done.stdout or "{}")
            reason = body.get("error", {}).get("data", {}).get("reason") or body.get("reason")
            assert reason == self.once, done
            return
        assert done.rc == 0, done
        body = json.loads(done.stdout)
        assert not answered or not self.repeats or body.get("result", body).get("changed", False) is False, body

    def check_rerun(self, images, answered):
        """The host boots from these disks: nothing is broken, and the same request ends where it would have."""
        with self.host.running(images):
            boot()
            lists_stand(None)
            assert sp.rpc("domain.list").ok()["broken"] == []
            self.again(answered)
            sp.rpc("system.reconcile").ok()
            self.check_aside()
            now = self.host.now()
            ends = [] if self.anew else [self.end, frozenset()] if self.either else [self.end]
            differ = min(([one for one in now.key(self.loose) ^ end if not self._is_idle(*one)] for end in ends), key=len, default=[])
            assert not differ, f"a rerun does not end where it should: {sorted(str(one)[:600] for one in differ)}"
            left = [path for path in now.delta if now.delta[path] and path.endswith(".sallyport")]
            assert not left, f"left over: {left}"

    def check_reconcile(self, images):
        """Nobody sends it again: what was asked for is done, or was never asked for."""
        with self.host.running(images):
            boot()
            sp.rpc("system.reconcile").ok()
            listed = sp.rpc("domain.list").ok()
            assert listed["broken"] == [] and not any(one["pending"] for one in listed["domains"]), listed
            self.check_aside()
            now = self.host.now()
            self._check_door(Door(self.user, now))
            if self.alone:
                return
            now = now.key(self.loose)
            differ = [one for one in min(now, now ^ self.end, key=len) if not self._is_idle(*one)]
            # A directory that is there before what it is for takes nothing and gives nothing.
            differ = [one for one in differ if not one[1] or not dict(one[1])["mode"].startswith("0o4")]
            assert not differ, f"reconciled, neither old nor new: {sorted(str(one)[:300] for one in differ)}"

    @staticmethod
    def _is_idle(path, facts):
        """An entry of the domains' index that no state confirms speaks for nobody; the next request for that domain writes it."""
        if re.fullmatch(STORE + r"/logins/\d+", path):  # nor does the empty directory of an account's logins
            return facts is None
        if not path.startswith(f"{STORE}/domains/"):
            return False
        state = pathlib.Path(STORE, "state", os.readlink(path) + ".json") if os.path.islink(path) else None
        return not state or not state.exists() or f'"{os.path.basename(path)}"' not in state.read_text()

    def sweep(self, schedules, at_most=None):
        """Runs it once for each schedule; every cut is looked at, and each that differs is booted from."""
        host, failed, met = self.host.name, [], set()
        for schedule in schedules:
            cuts, images = self.run(schedule)
            found = self.look(images)
            outcomes = {}
            chosen = share(f"{self.name}, {host}, {schedule.name}", cuts)
            for at, cut in enumerate(chosen, 1):
                progress(f"{self.name}, {host}, {schedule.name}", at, len(chosen))
                moment = Moment(self.host.disks, [found[digest] for digest in cut.images])
                if (cut.images, cut.answered) not in outcomes:
                    outcomes[cut.images, cut.answered] = outcome = self._outcome(moment, cuts)
                    try:
                        self.check_found(cut, moment, cuts)
                        key = moment.key_in_full(self.loose)
                        if key not in met and (at_most is None or len(met) < at_most):
                            met.add(key)
                            self.check_rerun([images[digest] for digest in cut.images], cut.answered)
                            self.check_reconcile([images[digest] for digest in cut.images])
                    except (AssertionError, subprocess.TimeoutExpired) as bad:
                        outcomes[cut.images, cut.answered] = "broken"
                        failed.append(f"{self.name}, {host}, {schedule.name}: cut in front of call {cut.call}"
                                      f"{', answered' if cut.answered else ''}: {str(bad)[:1500]}")
                TALLY[self.name, host][outcomes[cut.images, cut.answered]] += 1
                if len(failed) >= 5:
                    break
            for image in images.values():
                image.unlink()
        assert not failed, "\n\n".join(failed)

    @staticmethod
    def _outcome(moment, cuts):
        return "old" if not moment.asked else "new" if moment.asked == cuts[-1].live.asked else "between"

