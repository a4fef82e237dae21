# SPDX-License-Identifier: GPL-3.0-or-later
"""A jail made by hand, for the tests of chroot-bash alone: no helper, no resource, no generation of our own.

The generation is the host's /usr itself, bound into the store, and an /etc with the bare minimum: the entry
program does not know the difference, and every tool of the host is there to attack it with.
"""

import os
import pathlib
import shlex
import stat
import subprocess
import textwrap

import sp

STORE = pathlib.Path("/var/lib/sallyport")
POINTS = "bin lib lib64 sbin usr etc dev proc tmp run".split()
NODES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
ETC = {
    "passwd": "", "group": "",  # mount points for the account's own
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n", "hosts": "127.0.0.1 localhost\n",
    "hostname": "the-jail\n",
}


def _folder(path, mode=0o755):
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    return path


def _make_dev():
    dev = _folder(STORE / "dev")
    for name, minor in NODES.items():
        _node(dev / name, 1, minor)
    _node(dev / "tty", 5, 0)
    _node(dev / "ptmx", 5, 2)
    for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        if not (dev / name).is_symlink():
            (dev / name).symlink_to("/proc/self/fd" + target)
    _folder(dev / "pts")
    _folder(dev / "shm")


def _node(path, major, minor):
    if not path.exists():
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        path.chmod(0o666)


def generation(name="c0ffee01", set_name="base"):
    """A generation of that name, made the current one of the set."""
    _folder(STORE, 0o711)
    _folder(STORE / "entry", 0o711)
    for part in ("sets", "gen", "names"):
        _folder(STORE / part)
    _make_dev()
    home = _folder(STORE / "gen" / name)
    _folder(home / "usr")
    _folder(home / "etc")
    for file, text in ETC.items():
        (home / "etc" / file).write_text(text)
    sp.run(["cp", "/etc/ld.so.cache", home / "etc"], check=True)
    if not (home / "usr" / "bin").exists():
        sp.run(["mount", "--bind", "/usr", home / "usr"], check=True)
    new = STORE / "sets" / (set_name + ".new")
    new.symlink_to(f"../gen/{name}")
    new.rename(STORE / "sets" / set_name)


def write_record(user, roots=None, home=None, profiles="base", tmp_mib=16, uid=None):
    """The entry record, replaced as root replaces it: a new inode."""
    lines = ["sallyport-entry 1", f"user {user.name}", f"uid {uid or user.uid}", f"gid {user.gid}",
             f"home {home or user.home}", f"profiles {profiles}", f"tmp_mib {tmp_mib}"]
    lines += [f"root {root}" for root in roots or [user.docroot]]
    path = STORE / "entry" / str(user.uid)
    new = path.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n")
    new.chmod(0o640)
    os.chown(new, 0, user.gid)
    new.rename(path)
    return path


def write_names(user):
    names = _folder(STORE / "names" / str(user.uid))
    (names / "passwd").write_text(f"root:x:0:0::/root:/bin/bash\n{user.name}:x:{user.uid}:{user.gid}::{user.home}:/bin/bash\n")
    (names / "group").write_text(f"root:x:0:\n{user.name}:x:{user.gid}:\n")


def mount_points(root, *paths):
    """The empty directories that root layout wants."""
    for name in dict.fromkeys(POINTS + [path.split("/")[1] for path in paths]):
        _folder(pathlib.Path(root) / name)


def account(points=True, **more):
    """A user whose login shell is chroot-bash, with everything that it needs."""
    user = sp.make_user(shell=sp.CHROOT_BASH, **more)
    generation()
    write_names(user)
    write_record(user)
    if points:
        mount_points(user.docroot, user.docroot, user.home)
    sp.put_key(user)
    return user


def argv_as(user, argv):
    """argv for running something as the user, with his groups and nothing of root's."""
    return ["/usr/bin/setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--init-groups", "--inh-caps=-all", "--", *argv]


def jail(user, command, timeout=30, **more):
    """chroot-bash -c COMMAND as that user, without sshd."""
    return sp.run(argv_as(user, [sp.CHROOT_BASH, "-c", command]), timeout=timeout, cwd="/", **more)


def start(user, command, **more):
    """The same, not waited for."""
    return subprocess.Popen(argv_as(user, [sp.CHROOT_BASH, "-c", command]), cwd="/", **more)


def inits(user):
    """The host's pids of the first processes of that account's jails."""
    return [int(pid) for pid in sp.run(["pgrep", "-u", str(user.uid), "-x", "jail-init"]).stdout.split()]


def python(user, code, **more):
    """Runs Python inside the jail; what it prints."""
    done = jail(user, "exec python3 -I -c " + shlex.quote(textwrap.dedent(code)), **more)
    assert done.rc == 0, done
    return done.stdout.strip()


def outside(user, code, **more):
    """Starts Python as the same user outside of the jail: a web process of that account."""
    return subprocess.Popen(argv_as(user, ["python3", "-I", "-u", "-c", textwrap.dedent(code)]), cwd="/",
                            stdout=subprocess.PIPE, text=True, **more)


def space(user, name="pid"):
    done = jail(user, f"readlink /proc/self/ns/{name}")
    assert done.rc == 0, done
    return done.stdout.strip()


def entries(user):
    """What was logged of this account's logins."""
    return sp.syslog_lines(f"{user.name} (uid {user.uid}) in a ")


# A system call by number, for Python inside the jail: call(NUMBER, ARG...) is its errno or 0.
ERRNO = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    ctypes.set_errno(0)
    done = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return 0 if done >= 0 else ctypes.get_errno()
"""
