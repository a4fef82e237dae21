# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/bench measures: sallyport beside its peers. Works only inside tests/host, which is thrown away afterwards."""

import contextlib
import ctypes
import hashlib
import json
import os
import pathlib
import re
import shutil
import stat
import statistics
import subprocess
import sys
import textwrap
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import sp  # noqa: E402  goes on only inside tests/host
import why  # noqa: E402
from callers import goal_14  # noqa: E402
from firewall import goal_12  # noqa: E402
from frame import (  # noqa: E402
    FIRST_UID, HERE, PROFILES, SITES, STORE, TOOLS, USERS, WORK, Command, Row, a_public_key, account, add_users, apply, compare, have,
    make_request, make_site, request_file, size_of, timed)

CLONE_NEWNS = 0x00020000  # sched.h
SECTIONS = "basicshell editors extendedshell netutils ssh sftp scp rsync git".split()
BWRAP_BASH = "/usr/local/bin/bwrap-bash"
BARE = "namespaces, as many mounts, bash: nothing else"
PEER_BWRAP = "bwrap in a bash script (as jailbash does)"


# The goals, one function each

def goal_1():
    """A jail for one site. Ours is the whole request that makes it, durable; jk_init syncs nothing."""
    if not have("jk_init"):
        return
    fresh, rounds = 100, 41
    for number in range(fresh, fresh + rounds):
        make_site(number)
        make_request(number, "jail", shell="chroot")
    got = compare(rounds, [
        Command("jk_init", ["/usr/sbin/jk_init", "-j", "/srv/jk/full{}", *SECTIONS], every=20),
        Command("ours", [sp.HELPER], str(WORK / "jail" / "{}")),
    ], fresh)
    jail = f"/srv/jk/full{fresh:05d}"
    uid, user = FIRST_UID + fresh, account(fresh)
    store = pathlib.Path("/var/lib/sallyport")
    own = [store / "entry" / str(uid), store / "names" / str(uid), store / "state" / f"{user}.json",
           store / "state" / f"{user}.lock", store / "domains" / f"{user}.example"]
    points = [path for path in (SITES / user).iterdir() if path.is_dir()]
    (peer_bytes, peer_inodes), (bytes_, inodes) = size_of(jail), size_of(*own, *points)
    yield Row(1, "a jail made, process to process", "jk_init", got["jk_init"], got["ours"], 0.001)
    yield Row(1, "  its disk (KiB)", "jk_init", peer_bytes / 1024, bytes_ / 1024, 0.001, "KiB")
    yield Row(1, "  its inodes", "jk_init", peer_inodes, inodes, 30, "inodes", "most")


def goal_2():
    """The first generation of a server, proved and durable, where no other one lends it files."""
    if not have("jk_init"):
        return
    got = {"jk_init": [], "ours": []}
    for path in (STORE / "gen", STORE / "sets"):
        path.rename(f"{path}.away")
    for number in range(3):
        got["jk_init"].append(timed("jk_init", "-j", f"/srv/jk/first{number}", *SECTIONS))
        got["ours"].append(timed("sallyport", "jail", "build", "git"))
        shutil.rmtree(f"/srv/jk/first{number}")
        for path in (STORE / "gen", STORE / "sets"):
            shutil.rmtree(path)
    for path in (STORE / "gen", STORE / "sets"):
        pathlib.Path(f"{path}.away").rename(path)
    yield Row(2, "a server's first generation, base and git", "jk_init", statistics.median(got["jk_init"]),
              statistics.median(got["ours"]), 0.15)


@contextlib.contextmanager
def usr_of_the_machine():
    """Within, /usr is no overlay: no server has one, and each look at a file takes half as long again there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/mnt", "rb") as before:
        assert libc.unshare(CLONE_NEWNS) == 0, ctypes.get_errno()
        sp.run(["mount", "--bind", "/run/machine-usr", "/usr"], check=True)
        try:
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNS) == 0, ctypes.get_errno()


def goal_3():
    """Nothing has changed since the jail was made. Ours looks at every source; jail refresh at every file of the store too."""
    if not have("jk_update"):
        return
    jail = "/srv/jk/current"
    profiles = [PROFILES / "base.profile", PROFILES / "git.profile"]
    with usr_of_the_machine():
        sp.run(["jk_init", "-j", jail, *SECTIONS], check=True, timeout=300)
        sp.run(["mkdir", "-p", f"{jail}/opt"], check=True)  # it looks there, and fails where nothing is
        sp.run([TOOLS / "generation", "ensure", *profiles], check=True, timeout=120)
        assert "current=1" in sp.run([TOOLS / "generation", "check", *profiles], check=True).stdout
        got = compare(41, [
            Command("jk_update", ["/usr/sbin/jk_update", "-j", jail], every=4),
            Command("check", [TOOLS / "generation", "check", *profiles]),
        ])
    yield Row(3, "a current jail looked at", "jk_update", got["jk_update"], got["check"], 0.02)
    yield from refreshed()


def refreshed(domains=40):
    """A file of the host's is another one: what is built for all the jails that hold it. jk_update is to be called for each."""
    for number in range(200, 200 + domains):
        make_site(number)
        apply(number, shell="chroot", jail={"profiles": ["git"]})
    before = set(os.listdir(STORE / "gen"))
    with open("/usr/share/zoneinfo/Antarctica/Troll", "ab") as zone:
        zone.write(b" ")
    sp.run(["sallyport", "jail", "refresh"], check=True, timeout=120)
    stale = {os.path.basename(os.readlink(path)) for path in (STORE / "sets").iterdir()} & before
    assert not stale, stale
    built = len(set(os.listdir(STORE / "gen")) - before) / len(list((STORE / "sets").iterdir()))
    yield Row(3, f"generations built by a refresh of {domains} jails, for each set", "jk_update", domains, built, 1, "", "most")


def jailkit_user(number):
    """An account whose login is jk_chrootsh into a jail of its own."""
    jail = pathlib.Path("/srv/jk/entry")
    sp.run(["jk_init", "-j", jail, "basicshell"], check=True, timeout=120)
    sp.run(["jk_jailuser", "-m", "-n", "-j", jail, "-s", "/bin/bash", account(number)], check=True)
    sp.run(["usermod", "-s", "/usr/sbin/jk_chrootsh", account(number)], check=True)


def goal_4():
    """From exec to the end of `bash -c true`, as the user."""
    plain, jailed = 1, 2
    commands = [Command("plain", ["/bin/bash", "-c", "true"], uid=FIRST_UID + plain),
                Command("ours", [sp.CHROOT_BASH, "-c", "true"], uid=FIRST_UID + jailed)]
    if have("jk_chrootsh"):
        make_site(3)
        jailkit_user(3)
        commands.append(Command("jailkit", ["/usr/sbin/jk_chrootsh", "-c", "true"], uid=FIRST_UID + 3))
    if have("bwrap"):
        commands.append(Command("bwrap", [BWRAP_BASH, "-c", "true"], uid=FIRST_UID + plain))
    apply(jailed, shell="chroot")
    # File capabilities as chroot-bash has: it is run as the user.
    sp.run(["setcap", "cap_sys_admin,cap_sys_chroot+ep", TOOLS / "bench-enter"], check=True)
    commands.append(Command("bare", [TOOLS / "bench-enter", SITES / account(jailed), "true"], uid=FIRST_UID + jailed))
    got = compare(300, commands)
    yield Row(4, "a first login's bash -c true in the jail", "bash", got["plain"], got["ours"], 2.0)
    yield Row(4, "  the same", BARE, got["bare"], got["ours"], 1.5)
    if "jailkit" in got:
        yield Row(4, "  the same", "jk_chrootsh", got["jailkit"], got["ours"], 0.5)
    if "bwrap" in got:
        yield Row(4, "  the same", PEER_BWRAP, got["bwrap"], got["ours"], 0.15)
    with subprocess.Popen(["setpriv", f"--reuid={FIRST_UID + jailed}", f"--regid={FIRST_UID + jailed}", "--clear-groups", "--",
                           sp.CHROOT_BASH, "-c", "echo up; exec sleep 600"], stdout=subprocess.PIPE, cwd="/") as held:
        assert held.stdout.readline() == b"up\n"
        got = compare(300, commands[:2])
        held.kill()
    yield Row(4, "a login that joins a running one", "bash", got["plain"], got["ours"], 1.7)


def goal_5():
    """A session over a standing connection, for one user name: each shell in the passwd entry as its master came in."""
    number, key = 4, sp.keypair()
    make_site(number)
    user = account(number)
    shells = {"ours": "chroot", "plain": "bash"}
    apply(number, authorized_keys=[{"key": key.public}], shell="chroot")
    base = ["/usr/bin/ssh", "-F", "/dev/null", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR",
            "-i", key.path]
    server = sp.Host()
    server.start()

    def master(name):
        path = f"/run/bench-{name}"
        sp.run([*base, "-M", "-S", path, "-fN", f"{user}@{sp.HOST4}"], check=True)
        return Command(name, [*base, "-S", path, f"{user}@{sp.HOST4}", "true"])

    commands = []
    for name, shell in shells.items():
        apply(number, shell=shell)
        commands.append(master(name))
    if have("bwrap"):
        with open("/etc/shells", "a", encoding="ascii") as file:
            file.write(BWRAP_BASH + "\n")
        sp.run(["usermod", "-s", BWRAP_BASH, user], check=True)
        commands.append(master("bwrap"))
    got = compare(150, commands)
    for command in commands:
        sp.run(["/usr/bin/ssh", "-S", f"/run/bench-{command.name}", "-O", "exit", "bench"])
    server.stop()
    apply(number, shell="chroot")
    yield Row(5, "ssh session over a standing connection", "bash", got["plain"], got["ours"], 1.15)
    if "bwrap" in got:
        yield Row(5, "  the same", PEER_BWRAP, got["bwrap"], got["ours"], 0.4)


def goal_7():
    """usermod and ours set the shell of another account each round, and set it back in the next pass."""
    first, rounds = 6000, 40
    got = {"usermod": [], "ours": []}
    before = pathlib.Path("/etc/passwd").read_text()
    for shell in ("/bin/sh", "/bin/bash"):
        one = compare(rounds, [Command("usermod", ["/usr/sbin/usermod", "-s", shell, "u{}"]),
                               Command("ours", [TOOLS / "bench-shells", shell, "u{}"])], first)
        for name, value in one.items():
            got[name].append(value)
    many = compare(20, [Command("one", [TOOLS / "bench-shells", "/bin/sh", "u{}"]),
                        Command("all to sh", [TOOLS / "bench-shells", "/bin/sh"]),
                        Command("all to bash", [TOOLS / "bench-shells", "/bin/bash"])], first)
    pathlib.Path("/etc/passwd").write_text(before)  # the domains' shells among them
    yield Row(7, f"one shell of {USERS} users, durable", "usermod -s", statistics.mean(got["usermod"]),
              statistics.mean(got["ours"]), 0.2)
    yield Row(7, f"all {USERS} shells in one call", "one", many["one"], (many["all to sh"] + many["all to bash"]) / 2, 2.0)


def goal_9():
    kinds = [("ed25519", []), ("rsa", ["-b", "3072"]), ("rsa-4096", ["-b", "4096"]), ("ecdsa", []), ("ecdsa-521", ["-b", "521"])]
    for kind, more in kinds:
        path = WORK / f"key-{kind}"
        sp.run(["ssh-keygen", "-q", "-t", kind.split("-")[0], *more, "-N", "", "-f", path], check=True)
    paths = [f"{WORK}/key-{kind}.pub" for kind, _ in kinds]
    spawned = compare(60, [Command(path, ["/usr/bin/ssh-keygen", "-lf", path]) for path in paths])
    ours = dict(line.split("\t") for line in sp.run([TOOLS / "bench-keycheck", *paths], check=True).stdout.splitlines())
    for (kind, _), path in zip(kinds, paths):
        yield Row(9, f"judging a key: {kind}", "ssh-keygen -lf", spawned[path], float(ours[path]) / 1000, 1 / 200)
    (WORK / "batch").mkdir()
    one, batch = map(float, sp.run([TOOLS / "bench-batch", WORK / "batch", 500], check=True, timeout=120).stdout.split())
    yield Row(9, "500 small files durable, as one batch", "an fsync for each", one, batch, 0.12)


def goal_10():
    """Record, names, mount points, a key, groups, shell, state: all of a first request, answered when it is durable."""
    first, rounds = 7000, 81
    commands = [Command("usermod", ["/usr/sbin/usermod", "-s", "/bin/bash", "u{}"]),
                Command("ours", [sp.HELPER], str(WORK / "first" / "{}"))]
    # A peer may not change the account that ours is about to be asked for.
    for number in range(first, first + rounds):
        make_site(number)
        make_request(number, "first", shell="chroot", authorized_keys=[{"key": a_public_key(number)}])
    commands[0].argv = ["/usr/sbin/usermod", "-s", "/bin/bash", "v{}"]
    if have("jk_init"):
        commands.append(Command("jailkit", [HERE / "jailkit-chain", "v{}"], every=40))
    got = compare(rounds, commands, first)
    yield Row(10, f"a first full request, {USERS} users", "usermod -s alone", got["usermod"], got["ours"], 0.4)
    if "jailkit" in got:
        yield Row(10, "  the same", "usermod, jk_init -k, jk_jailuser", got["jailkit"], got["ours"], 0.002)
    same = compare(100, [Command("spawn", [sp.HELPER, "--version"]), Command("ours", [sp.HELPER], str(WORK / "first" / "{}"))][:1] +
                   [Command("ours", [sp.HELPER], str(WORK / "first" / f"{first + 1:05d}"))])
    yield Row(10, "  asked again, nothing to do", "helper --version", same["spawn"], same["ours"], 2.0)


def copy_site(first, number):
    """Home, keys and mount points of account `first` for another one."""
    source, target, owner = SITES / account(first), SITES / account(number), FIRST_UID + number
    mask = os.umask(0)
    if not target.exists():
        make_site(number)
    for path in source.iterdir():
        if path.is_dir() and path.name != ".ssh":
            (target / path.name).mkdir(stat.S_IMODE(path.stat().st_mode), exist_ok=True)
    (target / ".ssh").mkdir(0o700, exist_ok=True)
    shutil.copy2(source / ".ssh/authorized_keys", target / ".ssh")
    for path in (target / ".ssh", target / ".ssh/authorized_keys"):
        os.chown(path, owner, owner)
    os.umask(mask)


COPIED = {}  # the accounts that have only the records of a domain, and whose


def copy_domain(first):
    """The domain of account `first` for all that have none: its records, copied. A request for each would take minutes."""
    numbers = [number for number in range(USERS - 81) if not (STORE / "state" / f"{account(number)}.json").exists()]
    COPIED.update((number, first) for number in numbers)
    uid, user = str(FIRST_UID + first), account(first)
    state = (STORE / "state" / f"{user}.json").read_text().splitlines()[0]
    texts = {kind: path.read_text() for kind, path in (("entry", STORE / "entry" / uid), ("passwd", STORE / "names" / uid / "passwd"),
                                                       ("group", STORE / "names" / uid / "group"), ("access", STORE / "access" / user))}
    for number in numbers:
        def mine(text, new=(account(number), str(FIRST_UID + number))):
            return text.replace(user, new[0]).replace(uid, new[1])

        line = mine(state)
        path = STORE / "state" / f"{account(number)}.json"
        path.write_text(f"{line}\nsha256 {hashlib.sha256(line.encode()).hexdigest()}\n")
        path.chmod(0o600)
        (STORE / "domains" / f"{account(number)}.example").symlink_to(account(number))
        entry = STORE / "entry" / mine(uid)
        entry.write_text(mine(texts["entry"]))
        entry.chmod(0o640)
        os.chown(entry, 0, FIRST_UID + number)
        access = STORE / "access" / mine(user)
        access.write_text(mine(texts["access"]))
        access.chmod(0o600)
        names = STORE / "names" / mine(uid)
        names.mkdir()
        for kind in ("passwd", "group"):
            (names / kind).write_text(mine(texts[kind]))
    every = [account(number) for number in numbers]
    for name in ("group", "gshadow"):
        path = pathlib.Path("/etc", name)
        lines = path.read_text().splitlines()
        for i, text in enumerate(lines):
            if text.startswith(("sallyport:", "sallyport-chroot:")):
                lines[i] = ",".join([text, *every])
        path.write_text("\n".join(lines) + "\n")
    path = pathlib.Path("/etc/passwd")
    shells = re.compile(f"^({'|'.join(every)}):(.*):[^:]*$", re.MULTILINE)
    path.write_text(shells.sub(f"\\1:\\2:{sp.CHROOT_BASH}", path.read_text()))


class Sizes:
    """The same host with ten domains and with all of them: records and account files that change places."""

    FILES = ("passwd", "shadow", "group", "gshadow")
    PARTS = ("state", "entry", "names", "domains")

    def __init__(self, few):
        self.now = "many"
        users = {account(number) for number in few}
        keep = users | {f"{user}.json" for user in users} | {f"{user}.lock" for user in users} | {f"{user}.example" for user in users} | \
            {str(FIRST_UID + number) for number in few}
        for name in self.FILES:
            path = pathlib.Path("/etc", name)
            shutil.copy2(path, f"{path}.few")
            lines = [re.sub(r"\b[uv]\d{5}\b,?", lambda found: found[0] if found[0].rstrip(",") in users else "", line)
                     if line.startswith("sallyport") else line for line in path.read_text().splitlines()
                     if not re.match(r"[uv]\d{5}:", line) or line.partition(":")[0] in users]
            pathlib.Path(f"{path}.few").write_text("\n".join(line.rstrip(",") for line in lines) + "\n")
        for name in self.PARTS:
            sp.run(["cp", "-a", "--no-target-directory", STORE / name, STORE / f"{name}.few"], check=True)
            for path in (STORE / f"{name}.few").iterdir():
                if path.name not in keep:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def switch(self, which):
        if which == self.now:
            return
        for path in [pathlib.Path("/etc", name) for name in self.FILES] + [STORE / name for name in self.PARTS]:
            path.rename(f"{path}.{self.now}")
            pathlib.Path(f"{path}.{which}").rename(path)
        self.now = which


@contextlib.contextmanager
def without_us():
    """The same host and users, with nothing of ours in sshd and nobody in our groups: what ten thousand users cost by themselves."""
    dropin, group = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf"), pathlib.Path("/etc/group")
    texts = {path: path.read_text() for path in (dropin, group)}
    dropin.write_text("")
    group.write_text(re.sub(r"^(sallyport[^:]*:x:\d+:).*$", r"\1", texts[group], flags=re.MULTILINE))
    try:
        yield
    finally:
        for path, text in texts.items():
            path.write_text(text)


def reads_of(command):
    """How often sshd opens /etc/group for one login: no load of this machine changes that."""
    trace = WORK / "opens"
    pid = pathlib.Path("/run/sshd.pid").read_text().strip()
    tracer = subprocess.Popen(["strace", "-f", "-q", "-e", "trace=openat", "-o", trace, "-p", pid], stderr=subprocess.DEVNULL)
    sp.wait_for(lambda: f"TracerPid:\t{tracer.pid}" in pathlib.Path(f"/proc/{pid}/status").read_text(), what="strace")
    sp.run([str(word) for word in command.argv], check=True)
    tracer.terminate()
    tracer.wait()
    return float(trace.read_text(errors="replace").count('"/etc/group"'))


def goal_6():
    """Whole logins over the network, and the jail's part of them alone, in turns on a host of ten and of ten thousand domains."""
    few, key = range(5000, 5010), sp.keypair()
    for number in few:
        make_site(number)
        apply(number, shell="chroot", authorized_keys=[{"key": key.public}])
    copy_domain(few[0])
    listed = json.loads(sp.run(["sallyport", "list", "--json"], check=True, timeout=120).stdout)
    count = len(listed["domains"])
    assert count >= USERS - 100 and not listed.get("broken"), listed.get("broken")
    uid, sizes = FIRST_UID + few[1], Sizes(few)
    server = sp.Host()
    server.start()
    commands = [Command("login", sp.client("ssh", key) + [f"{account(few[1])}@{sp.HOST4}", "true"], every=5),
                Command("jail", [sp.CHROOT_BASH, "-c", "true"], uid=uid)]
    commands[0].argv[0] = shutil.which(str(commands[0].argv[0]))
    got = {"few": [], "many": [], "without": []}
    for _ in range(5):
        for which in got:
            sizes.switch("few" if which == "few" else "many")
            with without_us() if which == "without" else contextlib.nullcontext():
                server.reload()
                got[which].append(compare(40, commands if which != "without" else commands[:1]))
    sizes.switch("many")
    server.reload()
    reads = reads_of(commands[0])
    with without_us():
        server.reload()
        bare = reads_of(commands[0])
    server.stop()
    for name, what in (("login", "a login over ssh"), ("jail", "  its jail alone, first login")):
        yield Row(6, f"{what}, {count} domains", "10 domains", *(statistics.median(one[name] for one in got[which]) for which in ("few", "many")), 1.1)
    yield Row(6, f"  the same login, {count} users", "no sshd policy", *(statistics.median(one["login"] for one in got[which]) for which in ("without", "many")), 1.1)
    yield Row(6, "  how often it opens /etc/group", "no sshd policy", bare, reads, 3.5, unit="times")


def goal_8():
    """Every account as it should be: the whole answer, beside a program that only reads, parses and looks."""
    if not COPIED:
        make_site(5100)
        apply(5100, shell="chroot", authorized_keys=[{"key": a_public_key(5100)}])
        copy_domain(5100)
    for number, first in COPIED.items():
        copy_site(first, number)
    sp.run(["sallyport", "reconcile"], timeout=900)  # what the goals before this one left behind
    time.sleep(2.5)  # what is younger is not relied upon
    start = json.loads(sp.run(["sallyport", "reconcile", "--json"], timeout=900).stdout)
    # Of the other goals' accounts one may have had a key taken out of its file, which is kept so.
    strange = [one for one in start["details"] if one["changed"]]
    assert start["accounts"] > USERS - 100 and strange == [] and start["failed"] == 0, strange[:3]
    memory = sp.run(["/usr/bin/python3", "-c", "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
                     "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", "sallyport", "reconcile"], check=True).stdout
    got = compare(11, [Command("floor", [TOOLS / "bench-floor"]), Command("ours", ["/usr/bin/sallyport", "reconcile"])])
    yield Row(8, f"a clean reconcile of {USERS} domains", "read, parse, stat", got["floor"], got["ours"], 1.2)
    yield Row(8, "  its memory", "", 0, int(memory) / 1024, 64, "MiB", "most")
    for number in COPIED:
        (SITES / account(number) / ".ssh/authorized_keys").chmod(0o644)
    yield Row(8, "  every account's keys mended after a chmod", "", 0, timed("sallyport", "reconcile"), 10000, bound="most")


def goal_11():
    got = compare(600, [Command("noop", [TOOLS / "bench-noop"]), Command("ours", [sp.HELPER, "--version"])])
    yield Row(11, "the helper started and ended", "a static no-op", got["noop"], got["ours"], 1.6)


def goal_13():
    """A certificate, from the request to the durable record and the answer. ssh-keygen signs, checks nothing and notes nothing."""
    number, key, ca = 5, sp.keypair(), WORK / "ca"
    make_site(number)
    sp.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ca], check=True)
    shutil.copy(key.path + ".pub", WORK / "certified.pub")
    sp.run(["sallyport", "certificates", "ca", "create"], check=True)
    apply(number, shell="bash", authorized_keys=[{"key": key.public}])
    request = request_file(WORK / "certificate", "certificate.issue", {"domain": f"{account(number)}.example", "fingerprint": key.fingerprint})
    got = compare(200, [Command("ssh-keygen", ["/usr/bin/ssh-keygen", "-q", "-s", ca, "-I", "u/k/13", "-n", "principal", "-z", "1", "-V",
                                               "-1m:+6h", WORK / "certified.pub"]),
                        Command("ours", [sp.HELPER], str(request))])
    yield Row(13, "an ed25519 certificate, whole request, durable", "ssh-keygen -s", got["ssh-keygen"], got["ours"], 0.6)


GOALS = {1: goal_1, 2: goal_2, 3: goal_3, 4: goal_4, 5: goal_5, 6: goal_6, 7: goal_7, 8: goal_8, 9: goal_9, 10: goal_10, 11: goal_11, 12: goal_12, 13: goal_13, 14: goal_14}
# The host is small at first and gets its ten thousand users between the two groups.
SMALL, LARGE = (11, 9, 1, 2, 3, 4, 5, 13, 14, 12), (7, 10, 6, 8)


def prepare():
    WORK.mkdir()
    SITES.mkdir(parents=True, exist_ok=True)
    pathlib.Path("/srv/jk").mkdir()
    shutil.copy(HERE / "bwrap-bash", BWRAP_BASH)
    if shutil.which("bwrap"):  # set-uid, its faster way in, and the only one where user namespaces are off or /proc is masked
        os.chmod("/usr/bin/bwrap", 0o4755)
    add_users(0, 400)
    for number in (0, 1, 2):
        make_site(number)
    apply(0, shell="chroot")  # the generation, the groups and sshd's drop-in: once per server


def measure(wanted):
    prepare()
    rows = []
    for number in SMALL + LARGE:
        if number == LARGE[0]:
            grow()
        if number not in wanted:
            continue
        print(f"tests/bench: goal {number} ...", file=sys.stderr, flush=True)
        rows += GOALS[number]()
    return sorted(rows, key=lambda row: row.goal)


def grow():
    """To USERS accounts. The peers of goal 10 get accounts of their own beside ours, named v instead of u."""
    add_users(400, USERS - 400 - 81)
    for name, line in (("passwd", "v{0:05d}:x:{1}:{1}::/var/www/vhosts/v{0:05d}:/bin/false\n"), ("shadow", "v{0:05d}:!:19000:0:99999:7:::\n"),
                       ("group", "v{0:05d}:x:{1}:\n"), ("gshadow", "v{0:05d}:!::\n")):
        with open(f"/etc/{name}", "a", encoding="ascii") as file:
            file.writelines(line.format(n, 40000 + n) for n in range(7000, 7081))
    for number in range(7000, 7081):
        path = SITES / f"v{number:05d}"
        path.mkdir()
        os.chown(path, 40000 + number, 40000 + number)


def number(value):
    return f"{value:.4f}" if value < 0.1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def table(rows):
    head = ("goal", "what", "peer", "peer's", "ours", "ratio", "goal", "")
    lines = [(str(row.goal), row.what, row.peer_name, f"{number(row.peer)} {row.unit}" if row.peer else "", f"{number(row.ours)} {row.unit}",
              f"{row.ratio:.4g}" if row.ratio is not None else "", row.bounds, "met" if row.met else "MISSED") for row in rows]
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    for line in [head, *lines]:
        print("  ".join(text.rjust(width) if i in (3, 4, 5, 6) else text.ljust(width)
                        for i, (text, width) in enumerate(zip(line, widths))).rstrip())
    reasons = {row.why: row for row in rows if row.why}
    for reason, row in reasons.items():
        print("\n" + textwrap.fill(f"{row.goal}, {row.what.strip()}: {reason}", 120, subsequent_indent="    "))


def main(arguments):
    wanted = [int(word) for word in arguments if word.isdigit()] or list(GOALS)
    unknown = [word for word in arguments if word != "--json" and not (word.isdigit() and int(word) in GOALS)]
    if unknown:
        sys.exit(f"tests/bench: no goal {unknown[0]}; there are {' '.join(map(str, GOALS))}")
    start = time.monotonic()
    rows = measure(wanted)
    load, seconds = os.getloadavg()[0], round(time.monotonic() - start)
    if "--json" in arguments:
        json.dump({"rows": [row.as_json() for row in rows], "met": sum(row.met for row in rows), "load": load, "busy": why.of_load(load),
                   "seconds": seconds}, sys.stdout, indent=2)
        print()
        return
    table(rows)
    if why.of_load(load):
        print("\n" + textwrap.fill(why.of_load(load), 120))
    print(f"\n{sum(row.met for row in rows)} of {len(rows)} met; load {load:.1f}; {seconds} s")


if __name__ == "__main__":
    main(sys.argv[1:])
