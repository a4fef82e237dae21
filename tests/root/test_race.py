# SPDX-License-Identifier: GPL-3.0-or-later
"""The user exchanges, renames, links and mounts components of paths while root works on them. Nothing outside his own tree may change.

A race is made of requests, and of rounds: a trap that was laid and taken away again while they ran. SALLYPORT_RACE_ROUNDS: how many
rounds each race has at least. tests/race sets it, and has every attack on every component in every operation; without it a part of
them runs, with ten requests each."""

import collections
import contextlib
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import pytest

import sp
import sp_site
from sp_safety import in_force, leftovers

WHOLE_FORM = "SALLYPORT_RACE_ROUNDS" in os.environ
ROUNDS = int(os.environ.get("SALLYPORT_RACE_ROUNDS", "0"))
REQUESTS = 1000 if WHOLE_FORM else 10  # at least
SWAP = pathlib.Path(sp.__file__).with_name("swap.c")
VICTIM, WHOLE = pathlib.Path("/srv/victim"), pathlib.Path("/srv/whole")
POINTS = ("bin", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "tmp", "usr", "var", "www", ".ssh")
# What a request may answer that met the attack; it must never be a crash, nor success without effect.
HONEST = {"unsafe_path", "not_found", "conflict", "busy", "io", "not_in_force"}
SHARE = 0.5  # of the requests must have met the attack: else there are more of them,
PATIENCE_S = 30  # for as long as this
BATCH = 20  # requests that one helper is given: a process for each would be most of the time


@pytest.fixture(scope="module")
def swap():
    built = sp.WORK / "swap"
    built.parent.mkdir(parents=True, exist_ok=True)
    built.parent.chmod(0o755)
    sp.run(["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", built, SWAP], check=True)
    sp.run(["install", "-m", "755", built, "/usr/local/bin/swap"], check=True)
    return "/usr/local/bin/swap"


@pytest.fixture(scope="module")
def victim():
    """Trees of root's that look like what we work on. In one a build would make what is not there, and a removal would take what
    is there for ours. In the other there is nothing to make or to take: what root himself mounts upon a document root is one."""
    for tree, names, mode in ((VICTIM, ("dev", "etc", "lib", "usr", "var"), 0o1555), (WHOLE, POINTS, 0o755)):
        (tree / ".ssh").mkdir(parents=True)
        for name in names:
            (tree / name).mkdir(exist_ok=True)
            (tree / name).chmod(mode)
        for path in (tree / "authorized_keys", tree / ".ssh" / "authorized_keys", tree / "passwd"):
            path.write_text("root's own\n")
            path.chmod(0o600)
    return VICTIM


def own(user, path):
    os.chown(path, user.uid, user.gid, follow_symlinks=False)
    return path


def as_attacker(swap, user, *words):
    return ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", swap, *map(str, words)]


def exchanged(swap, user, path, target):
    """By RENAME_EXCHANGE with a link that leads elsewhere, by "..": no absolute link gets out of a directory that is held."""
    beside, target = f"{path}.beside", os.path.relpath(target, os.path.dirname(path))
    os.symlink(target, beside)
    return as_attacker(swap, user, "--link", target, path, own(user, beside))


def renamed(swap, user, path, _):
    """Away, and back."""
    return as_attacker(swap, user, "--away", path, f"{path}.away")


def linked(swap, user, path, target):
    """With a hard link to root's file. The kernel lets no user make one (protected_hardlinks): ours is root's."""
    os.link(target, f"{path}.beside")
    return [swap, "--hard", target, path, f"{path}.beside"]


def mounted(swap, user, path, target):
    """Something of root's is mounted there and taken away again, as FUSE lets a user do."""
    return [swap, "--mount", target, path]


def mounted_below(swap, user, path, target):
    """With a directory in which the same names are mounts of root's."""
    beside = pathlib.Path(f"{path}.beside")
    for folder in (beside, beside / "victim"):
        folder.mkdir()
        own(user, folder)
    sp.run(["mount", "--bind", target, beside / "victim"], check=True)
    return as_attacker(swap, user, "--tree", target, path, beside)


class Attack:
    """A running attacker, and what he counts: how often the trap was laid, and how often it had to be made anew."""

    def __init__(self, argv):
        self.counts = tempfile.TemporaryFile()
        self.counts.truncate(16)
        self.process = subprocess.Popen(argv, stdin=self.counts, stdout=subprocess.PIPE, text=True, cwd="/")
        assert self.process.stdout.readline() == "ready\n", self.process.wait(10)

    def count(self):
        assert self.process.poll() is None, "the attacker died"
        return struct.unpack("QQ", os.pread(self.counts.fileno(), 16, 0))

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.process.stdout.close()
        self.counts.close()


@contextlib.contextmanager
def attacker(argv, path):
    """At the end the first name is what it was, and what was laid beside it is gone."""
    attack = Attack(argv)
    try:
        yield attack
    finally:
        attack.end()
        if "--mount" in argv:
            subprocess.run(["umount", "-q", path], check=False)
        elif "--away" in argv:
            bring_back(path)
        else:
            take_up(path, argv)


def bring_back(path):
    away = f"{path}.away"
    if os.path.lexists(away) and os.path.lexists(path):
        discard(away)
    elif os.path.lexists(away):
        os.rename(away, path)


def take_up(path, argv):
    beside = f"{path}.beside"
    if is_trap(path, argv):
        if os.path.lexists(beside):
            os.rename(beside, f"{path}.turn")
        os.rename(path, beside)
        if os.path.lexists(f"{path}.turn"):
            os.rename(f"{path}.turn", path)
    if os.path.lexists(beside):
        subprocess.run(["umount", "-q", f"{beside}/victim"], check=False)
        discard(beside)


def is_trap(path, argv):
    """Is what was laid beside it under the first name now?"""
    target = argv[argv.index(str(path)) - 1]
    if "--hard" in argv:
        return os.path.lexists(path) and os.path.samestat(os.lstat(path), os.lstat(target))
    return os.path.islink(path) or "--tree" in argv and os.path.exists(f"{path}/victim/authorized_keys")


def discard(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def outside(user):
    """Everything that is not this user's."""
    return sp.snapshot(["/root/.ssh", "/srv"], times=True)


def change(user, /, **params):
    return {"method": "domain.apply", "params": {"domain": user.domain, **params}}


def key_edits(user, number):
    """Keys come and go."""
    return change(user, authorized_keys=[{"key": sp.keypair().public}] + ([{"key": sp.keypair("other").public}] if number % 2 else []))


def build_and_remove(user, number):
    """The jail's places are made, and taken away with the account."""
    if number % 2 == 0:
        return change(user, user=user.name, document_root=user.docroot, shell="chroot", jail={"profiles": ["base"]},
                      authorized_keys=[{"key": sp.keypair().public}])
    return {"method": "domain.remove", "params": {"domain": user.domain}}


def change_shell(user, number):
    return change(user, shell="bash" if number % 2 else "chroot")


def move(user, number):
    return {"method": "domain.rebind", "params": {"domain": user.domain, "document_root": second(user) if number % 2 else user.docroot}}


def refresh(user, number):
    """What was loosened in his tree meanwhile is mended (see loosen), and the jail follows the host."""
    return {"method": "jail.refresh" if number % 2 else "system.reconcile", "params": {}}


class Loosened:
    """Takes mount points away and opens the key file, by descriptors from before the attack."""

    def __init__(self, user):
        self.root = os.open(user.docroot, os.O_RDONLY | os.O_DIRECTORY)
        self.ssh = os.open(f"{user.home}/.ssh", os.O_RDONLY | os.O_DIRECTORY)

    def again(self):
        for name in ("tmp", "etc", "var"):
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=self.root)
        with contextlib.suppress(OSError):
            keys = os.open("authorized_keys", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self.ssh)
            if os.fstat(keys).st_uid:
                os.fchmod(keys, 0o666)
            os.close(keys)


def second(user):
    return str(pathlib.Path(user.docroot).with_name("second"))


SSH, KEYS, SITES = "{home}/.ssh", "{home}/.ssh/authorized_keys", "{home}/sites"
# (who attacks, the component, what it leads to, the operation)
RACES = {
    "ssh directory": (exchanged, SSH, "{victim}/.ssh", key_edits),
    "ssh directory, other tree": (exchanged, SSH, "{victim}", key_edits),
    "ssh directory, on removal": (exchanged, SSH, "{victim}/.ssh", build_and_remove),
    "ssh directory, on refresh": (exchanged, SSH, "{victim}/.ssh", refresh),
    "ssh directory, renamed": (renamed, SSH, None, key_edits),
    "ssh directory, mounted": (mounted, SSH, "{victim}/.ssh", key_edits),
    "ssh directory, ACL": (exchanged, SSH, "{victim}/.ssh", key_edits),
    "key file": (exchanged, KEYS, "{victim}/authorized_keys", key_edits),
    "key file, on removal": (exchanged, KEYS, "{victim}/authorized_keys", build_and_remove),
    "key file, on refresh": (exchanged, KEYS, "{victim}/authorized_keys", refresh),
    "key file, renamed": (renamed, KEYS, None, key_edits),
    "key file, hard link": (linked, KEYS, "{victim}/authorized_keys", key_edits),
    "key file, hard link on removal": (linked, KEYS, "{victim}/authorized_keys", build_and_remove),
    "key file, ACL": (exchanged, KEYS, "{victim}/authorized_keys", key_edits),
    "document root": (exchanged, "{docroot}", "{victim}", build_and_remove),
    "document root, shell": (exchanged, "{docroot}", "{victim}", change_shell),
    "document root, on refresh": (exchanged, "{docroot}", "{victim}", refresh),
    "document root, renamed": (renamed, "{docroot}", None, build_and_remove),
    "document root, mounted": (mounted, "{docroot}", "{whole}", build_and_remove),
    "document root, old one of two": (exchanged, "{docroot}", "{victim}", move),
    "document root, new one of two": (exchanged, "{second}", "{victim}", move),
    "parent of the document root": (exchanged, SITES, "/srv", build_and_remove),
    "parent of the document root, renamed": (renamed, SITES, None, build_and_remove),
    "parent of the document root, mounts below": (mounted_below, SITES, "{whole}", build_and_remove),
    "parent of the document root, on refresh": (exchanged, SITES, "/srv", refresh),
    "parent of two document roots": (exchanged, SITES, "/srv", move),
    "mount point": (exchanged, "{docroot}/etc", "{victim}/etc", build_and_remove),
    "mount point, renamed": (renamed, "{docroot}/etc", None, build_and_remove),
    "mount point, mounted": (mounted, "{docroot}/etc", "{victim}/etc", build_and_remove),
    "mount point, on refresh": (exchanged, "{docroot}/etc", "{victim}/etc", refresh),
    "first component": (exchanged, "{docroot}/var", "{victim}/var", build_and_remove),
    "first component, on refresh": (exchanged, "{docroot}/var", "{victim}/var", refresh),
}
SAMPLE = list(RACES)


# Every attack on every component in every operation that comes by it. A directory has no hard links; of what lies below a parent a
# mount is a mount, too.
def acl_edits(user, number):
    """Keys come and go where the directory hands down an ACL that lets www-data write."""
    return key_edits(user, number)


OPERATIONS = {key_edits: "keys written", build_and_remove: "built and removed", refresh: "refresh", change_shell: "shell", move: "rebind", acl_edits: "ACL"}
ATTACKS = {exchanged: "a link", renamed: "renamed", linked: "a hard link", mounted: "mounted", mounted_below: "mounts below"}
ABOUT_KEYS, ABOUT_JAILS = (key_edits, build_and_remove, refresh, acl_edits), (build_and_remove, change_shell, refresh, move)
MATRIX = (
    ("ssh directory", SSH, {exchanged: "{victim}/.ssh", renamed: None, mounted: "{victim}/.ssh"}, ABOUT_KEYS),
    ("key file", KEYS, {attack: attack is not renamed and "{victim}/authorized_keys" or None for attack in (exchanged, renamed, linked, mounted)}, ABOUT_KEYS),
    ("document root", "{docroot}", {exchanged: "{victim}", renamed: None, mounted: "{whole}"}, ABOUT_JAILS),
    ("new document root", "{second}", {exchanged: "{victim}", renamed: None, mounted: "{whole}"}, (move,)),
    ("parent of roots", SITES, {exchanged: "/srv", renamed: None, mounted_below: "{whole}"}, ABOUT_JAILS),
    ("mount point", "{docroot}/etc", {exchanged: "{victim}/etc", renamed: None, mounted: "{victim}/etc"}, ABOUT_JAILS),
    ("first component", "{docroot}/var", {exchanged: "{victim}/var", renamed: None, mounted: "{victim}/var"}, ABOUT_JAILS),
)


def matrix():
    """What the races above leave out, by a name of its own."""
    have = {(who, path, acl_edits if "ACL" in race else operation) for race, (who, path, _, operation) in RACES.items()}
    for component, path, attacks, operations in MATRIX:
        for operation in operations:
            for who, target in attacks.items():
                if (who, path, operation) not in have:
                    yield f"{component}, {OPERATIONS[operation]}, {ATTACKS[who]}", (who, path, target, operation)


RACES.update(matrix())
TALLY = {}  # race: (requests, those under attack, rounds, how often the trap was made anew, Counter of refusals, seconds)


def table():
    yield f"{'race':46}{'requests':>9}{'attacked':>9}{'rounds':>10}{'anew':>8}{'seconds':>9}  refused by"
    for race, (count, attacked, laid, anew, refusals, seconds) in TALLY.items():
        said = ", ".join(f"{reason} {n}" for reason, n in refusals.most_common())
        yield f"{race:46}{count:9}{attacked:9}{laid:10}{anew:8}{seconds:9.0f}  {said}"


def ask(requests):
    """The reasons of what was refused."""
    text = json.dumps([{"jsonrpc": "2.0", "id": str(number), **one} for number, one in enumerate(requests)])
    done = sp.run([sp.HELPER], input=text, timeout=300)
    answers = json.loads(done.stdout)
    assert len(answers) == len(requests) and done.stderr == "", done
    for one in answers:
        assert "error" not in one or one["error"]["data"]["reason"] in HONEST, one
    return [one["error"]["data"]["reason"] for one in answers if "error" in one]


def attack_requests(race, user, operation, attack, loosened=None):
    """Requests, a few at a time, until there were enough of them and of rounds. One counts as attacked if it was refused, or if the
    trap was laid meanwhile."""
    refusals, start, attacked, done, first = collections.Counter(), time.monotonic(), 0, 0, attack.count()
    while done < REQUESTS or attack.count()[0] - first[0] < ROUNDS or (attacked < done * SHARE and time.monotonic() - start < PATIENCE_S):
        some = range(done + 1, done + 1 + min(BATCH // 2 if loosened else BATCH, REQUESTS))
        if loosened:
            loosened.again()
        laid, _ = attack.count()
        refused = ask([operation(user, number) for number in some])
        refusals.update(refused)
        attacked += min(len(some), max(len(refused), attack.count()[0] - laid))
        done += len(some)
        laid, anew = (now - then for now, then in zip(attack.count(), first))
        TALLY[race] = done, attacked, laid, anew, refusals, time.monotonic() - start
    assert attacked >= done * SHARE, f"only {attacked} of {done} requests met the attack"


def nested(name):
    """A user whose document root lies two levels below his home: each level is his to exchange."""
    user = sp.make_user(name)
    docroot = pathlib.Path(user.home) / "sites" / "victim"
    docroot.mkdir(parents=True)
    docroot.with_name("second").mkdir()
    for path in (docroot.parent, docroot, docroot.with_name("second")):
        own(user, path)
    user = user._replace(docroot=str(docroot))
    sp_site.apply(user, shell="chroot", jail={"profiles": ["base"]}, keys=[sp.keypair()]).ok()
    return user


def converges(user):
    """The attack over, one request puts everything right, and what is told is true."""
    sp_site.apply(user, shell="chroot", jail={"profiles": ["base"]}, keys=[sp.keypair()]).ok()
    in_force(user)
    assert sp.ssh(user, "echo in").stdout == "in\n"


@sp.covers("safety 16", "safety 17", "safety 18", "safety 21", "safety 22")
@pytest.mark.parametrize("race", RACES if WHOLE_FORM else SAMPLE)
def test_a_component_under_attack_leads_nothing_outside(host, swap, victim, race):
    who, path, target, operation = RACES[race]
    user = nested(sp.unique("race"))
    path, target = (text and text.format(home=user.home, docroot=user.docroot, second=second(user), victim=victim, whole=WHOLE)
                    for text in (path, target))
    if "ACL" in race:
        sp.run(["setfacl", "-d", "-m", "u:www-data:rw", f"{user.home}/.ssh", f"{victim}/.ssh"], check=True)
    loosened = Loosened(user) if operation is refresh else None
    argv = who(swap, user, path, target)
    before = outside(user)
    with attacker(argv, path) as attack:
        attack_requests(race, user, operation, attack, loosened)
    assert outside(user).diff(before) == []
    if operation is move:
        sp.rpc("domain.rebind", {"domain": user.domain, "document_root": user.docroot}).ok()
    converges(user)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert leftovers("/etc", "/var/lib/sallyport", user.home) == []


@sp.covers("safety 17")
def test_a_home_of_roots_with_a_group_that_writes_gives_nothing_outside_away(host, swap, victim):
    """Root makes .ssh there, and gives it to the user: the one chown there is."""
    user = sp.make_user()
    os.chown(user.home, 0, user.gid)
    os.chmod(user.home, 0o770)
    shutil.rmtree(f"{user.home}/.ssh", ignore_errors=True)
    os.mkdir(f"{user.home}/.ssh")
    own(user, f"{user.home}/.ssh")
    argv = exchanged(swap, user, f"{user.home}/.ssh", f"{victim}/.ssh")
    before = outside(user)
    with attacker(argv, f"{user.home}/.ssh") as attack:
        attack_requests("ssh directory in a home of root's", user, lambda u, number: change(
            u, user=u.name, document_root=u.docroot, shell="bash",
            authorized_keys=[{"key": sp.keypair("other" if number % 2 else "default").public}]), attack)
    assert outside(user).diff(before) == []


def test_the_attacker_fools_a_naive_root(host, swap, victim):
    """What this file would show if we walked paths as others do."""
    user = nested(sp.unique("race"))
    argv = exchanged(swap, user, f"{user.home}/.ssh", f"{victim}/.ssh")
    marks = 0
    with attacker(argv, f"{user.home}/.ssh"):
        for _ in range(20000):
            try:
                path = f"{user.home}/.ssh"
                if not os.path.islink(path):  # the check ...
                    with open(f"{path}/naive", "w", encoding="utf-8"):  # ... and the use
                        pass
            except OSError:
                continue
            if (VICTIM / ".ssh" / "naive").exists():
                marks += 1
                break
    (VICTIM / ".ssh" / "naive").unlink(missing_ok=True)
    assert marks == 1
