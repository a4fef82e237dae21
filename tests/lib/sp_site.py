# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts that real requests made, what belongs to them outside of their jail, and programs to attack with."""

import collections
import contextlib
import os
import pathlib
import signal
import subprocess

import sp

ATTACK = pathlib.Path(__file__).with_name("attack.c")
JAIL = {"profiles": ["base", "git"]}


def apply(user, domain=None, document_root=None, keys=None, **params):
    """domain.apply for the user's own domain, or a further one; the whole answer."""
    wanted = {"domain": domain or user.domain, "user": user.name, "document_root": document_root or user.docroot, **params}
    if keys is not None:
        wanted["authorized_keys"] = [{"key": key.public} for key in keys]
    return sp.rpc("domain.apply", wanted, timeout=60)


def account(shell="chroot", keys=(None,), params=(), **more):
    """A domain's user with the default key, and the shell, by one request."""
    user = sp.make_user(**more)
    wanted = dict(params)
    if shell == "chroot":
        wanted.setdefault("jail", JAIL)
    apply(user, shell=shell, keys=[key or sp.keypair() for key in keys], **wanted).ok()
    return user


def attacks(user):
    """Puts the attack program where the jail sees it as /attack: static, since a jail has no compiler."""
    built = sp.WORK / "attack"
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        sp.run(["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", built, ATTACK], check=True)
    target = pathlib.Path(user.docroot) / "attack"
    sp.run(["install", "-m", "755", built, target], check=True)
    return str(target)


def outcomes(done):
    """What an attack printed: name -> the errno's name, or "OK" where it went through."""
    assert done.rc == 0, done
    pairs = [line.rstrip("\r").split(" ", 1) for line in done.stdout.splitlines() if " " in line]
    assert pairs, done
    return dict(pairs)


def attack(user, *words, **more):
    """Runs it in a login of the user."""
    return outcomes(sp.ssh(user, " ".join(["~/attack" if user.home == user.docroot else f"{user.docroot}/attack",
                                           *map(str, words)]), **more))


class Outside:
    """A process of the same uid outside of every jail: a web server's. `with Outside(user, argv) as web: web.pid`
    Without a user it is root's."""

    def __init__(self, user, argv, **more):
        drop = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--init-groups", "--inh-caps=-all", "--"] if user else []
        self.process = subprocess.Popen([*drop, *map(str, argv)], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True, **more)
        self.pid = self.process.pid

    @classmethod
    def python(cls, user, code, *words):
        """Runs Python, and waits for its first line, which is `ready`."""
        self = cls(user, ["/usr/bin/python3", "-I", "-u", "-c", code, *words])
        line = self.process.stdout.readline()
        assert line == "ready\n", line + self.process.stdout.read()
        return self

    def alive(self):
        return self.process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A group of its own: whatever it started goes with it.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


Process = collections.namedtuple("Process", "pid name args")


def processes(user, name=None):
    """The account's processes as the host sees them."""
    found = []
    for line in sp.run(["ps", "-U", str(user.uid), "-o", "pid=,comm=,args="]).stdout.splitlines():
        pid, comm, args = (line.split(None, 2) + [""])[:3]
        if name in (None, comm):
            found.append(Process(int(pid), comm, args))
    return found


def jails(user):
    """The host's pids of the first processes of the account's jails."""
    return [one.pid for one in processes(user, "jail-init")]


def background(user, command="echo in; exec cat >/dev/null", key=None):
    """A login that stays until its client ends. Returned is the client."""
    argv = sp.client("ssh", key) + ["-T", "-l", user.name, "127.0.0.1", command]
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "in\n", client.stderr.read()
    return client


@contextlib.contextmanager
def session(user, key=None, source=None, netns=None, options=(), password=None, command="echo ready; exec sleep 600"):
    """A login for as long as the block lasts, from when its command has spoken: its client, and what was said."""
    argv = [*sp.client("ssh", key, source, netns, options, password), "-T", "-l", sp._name(user),
            sp._target(None, source, netns), command]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as client:
        try:
            client.said = client.stdout.readline().split()
            assert client.said[:1] == ["ready"], client.said
            yield client
        finally:
            client.kill()


def end(client):
    """Ends such a login, the hard way."""
    client.kill()
    client.communicate()


def space(user, name="pid"):
    """Which namespace a new login is in."""
    done = sp.ssh(user, f"readlink /proc/self/ns/{name}")
    assert done.rc == 0, done
    return done.stdout.strip()


def login_shell(user):
    return sp.run(["getent", "passwd", user.name], check=True).stdout.strip().split(":")[-1]
