# SPDX-License-Identifier: GPL-3.0-or-later
"""The user exchanges a component of a path for a link while root works on it. Nothing outside his own tree may change.

SALLYPORT_RACE_ROUNDS: how many requests each race is made of (tests/race sets it)."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

import sp
import sp_site
from sp_safety import in_force, leftovers

ROUNDS = int(os.environ.get("SALLYPORT_RACE_ROUNDS", "10"))
SWAP = pathlib.Path(sp.__file__).with_name("swap.c")
VICTIM = pathlib.Path("/srv/victim")
POINTS = ("bin", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "tmp", "usr", "var", "www", ".ssh")
# What a request may answer that met the attack; it must never be a crash, nor success without effect.
HONEST = {"unsafe_path", "not_found", "conflict", "busy", "io", "not_in_force"}


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
    """A tree of root's that looks like what we work on: the same names, empty directories and key files."""
    for name in POINTS:
        (VICTIM / name).mkdir(parents=True)
    for path in (VICTIM / "authorized_keys", VICTIM / ".ssh" / "authorized_keys", VICTIM / "etc" / "passwd"):
        path.write_text("root's own\n")
        path.chmod(0o600)
    return VICTIM


def lay(user, path, what):
    """A link beside `path` that leads to `what`, and the name of it."""
    beside = f"{path}.beside"
    os.symlink(what, beside)
    os.chown(beside, user.uid, user.gid, follow_symlinks=False)
    return beside


@contextlib.contextmanager
def attacker(swap, user, *paths):
    """Exchanges the two, as the user. At the end the first name is what it was."""
    process = subprocess.Popen(["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", swap, *map(str, paths)],
                               stdout=subprocess.PIPE, text=True, cwd="/")
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
        away = pathlib.Path(f"{paths[0]}.away")
        if len(paths) > 1 and os.path.islink(paths[0]):
            sp.run(["mv", "--no-target-directory", paths[0], f"{paths[0]}.turn"], check=True)
            sp.run(["mv", "--no-target-directory", paths[1], paths[0]], check=True)
            sp.run(["mv", "--no-target-directory", f"{paths[0]}.turn", paths[1]], check=True)
        elif away.exists():
            away.rename(paths[0])


def outside(user):
    """Everything that is not this user's."""
    return sp.snapshot([VICTIM, "/root/.ssh", "/usr/local", "/srv"], times=True)


def key_edits(user, number):
    """Keys come and go."""
    keys = [{"key": sp.keypair().public}] + ([{"key": sp.keypair("other").public}] if number % 2 else [])
    return [sp.rpc("domain.apply", {"domain": user.domain, "authorized_keys": keys})]


def build_and_remove(user, number):
    """The jail's places are made, and taken away with the account."""
    if number % 2 == 0:
        return [sp_site.apply(user, shell="chroot", jail={"profiles": ["base"]}, keys=[sp.keypair()])]
    return [sp.rpc("domain.remove", {"domain": user.domain})]


def change_shell(user, number):
    return [sp.rpc("domain.apply", {"domain": user.domain, "shell": "bash" if number % 2 else "chroot"})]


RACES = {
    "ssh directory": ("{home}/.ssh", "{victim}/.ssh", key_edits),
    "ssh directory, other tree": ("{home}/.ssh", "{victim}", key_edits),
    "key file": ("{home}/.ssh/authorized_keys", "{victim}/authorized_keys", key_edits),
    "key file, on removal": ("{home}/.ssh/authorized_keys", "{victim}/authorized_keys", build_and_remove),
    "document root": ("{docroot}", "{victim}", build_and_remove),
    "document root, shell": ("{docroot}", "{victim}", change_shell),
    "parent of the document root": ("{home}/sites", "/srv", build_and_remove),
    "mount point": ("{docroot}/etc", "{victim}/etc", build_and_remove),
    "first component": ("{docroot}/var", "{victim}/var", build_and_remove),
}


def nested(name):
    """A user whose document root lies two levels below his home: each level is his to exchange."""
    user = sp.make_user(name)
    docroot = pathlib.Path(user.home) / "sites" / "victim"
    docroot.mkdir(parents=True)
    for path in (docroot.parent, docroot):
        os.chown(path, user.uid, user.gid)
    user = user._replace(docroot=str(docroot))
    sp_site.apply(user, shell="chroot", jail={"profiles": ["base"]}, keys=[sp.keypair()]).ok()
    return user


@sp.covers("safety 16", "safety 17", "safety 21")
@pytest.mark.parametrize("race", RACES)
def test_a_component_that_is_exchanged_for_a_link_leads_nothing_outside(host, swap, victim, race):
    user = nested(sp.unique("race"))
    path, target, operation = RACES[race]
    path = path.format(home=user.home, docroot=user.docroot)
    link = lay(user, path, target.format(victim=victim))
    before = outside(user)
    with attacker(swap, user, path, link):
        for number in range(1, ROUNDS + 1):
            for answer in operation(user, number):
                assert answer.error is None or answer.reason in HONEST, answer.body
    assert outside(user).diff(before) == []
    # The attack over, one request converges, and what is told is true.
    os.unlink(link)
    sp_site.apply(user, shell="chroot", jail={"profiles": ["base"]}, keys=[sp.keypair()]).ok()
    in_force(user)
    assert sp.ssh(user, "echo in").stdout == "in\n"
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert leftovers("/etc", "/var/lib/sallyport", user.home) == []


@sp.covers("safety 21")
def test_a_parent_renamed_to_and_fro_while_it_is_built_fails_closed(host, swap, victim):
    user = nested(sp.unique("race"))
    before = outside(user)
    with attacker(swap, user, f"{user.home}/sites"):
        for number in range(1, ROUNDS + 1):
            for answer in build_and_remove(user, number):
                assert answer.error is None or answer.reason in HONEST, answer.body
    assert outside(user).diff(before) == []
    sp_site.apply(user, shell="chroot", jail={"profiles": ["base"]}, keys=[sp.keypair()]).ok()
    in_force(user)
    assert sp.ssh(user, "echo in").stdout == "in\n"


@sp.covers("safety 17")
def test_a_home_of_roots_with_a_group_that_writes_gives_nothing_outside_away(host, swap, victim):
    """Root makes .ssh there, and gives it to the user: the one chown there is."""
    user = sp.make_user()
    os.chown(user.home, 0, user.gid)
    os.chmod(user.home, 0o770)
    shutil.rmtree(f"{user.home}/.ssh", ignore_errors=True)
    before = outside(user)
    os.mkdir(f"{user.home}/.ssh")
    os.chown(f"{user.home}/.ssh", user.uid, user.gid)
    link = lay(user, f"{user.home}/.ssh", f"{victim}/.ssh")
    with attacker(swap, user, f"{user.home}/.ssh", link):
        for number in range(1, ROUNDS + 1):
            answer = sp_site.apply(user, shell="bash", keys=[sp.keypair()] if number % 2 else [sp.keypair("other")])
            assert answer.error is None or answer.reason in HONEST, answer.body
    assert outside(user).diff(before) == []


def test_the_attacker_fools_a_naive_root(host, swap, victim):
    """What this file would show if we walked paths as others do."""
    user = nested(sp.unique("race"))
    link = lay(user, f"{user.home}/.ssh", f"{victim}/.ssh")
    marks = 0
    with attacker(swap, user, f"{user.home}/.ssh", link):
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
