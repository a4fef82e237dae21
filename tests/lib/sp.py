# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end-to-end tests are written with: a host with a real sshd, users, keys, requests, clients, snapshots.

Works only inside tests/host. Nothing is cleaned up here: the whole host is thrown away.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import time

import inside

inside.require_throwaway()

HELPER = "/usr/libexec/sallyport/sallyport-helper"
CHROOT_BASH = "/usr/libexec/sallyport/chroot-bash"
SCHEMA = pathlib.Path("/usr/share/sallyport/request.schema.json")
SYSLOG = pathlib.Path("/var/log/syslog.test")
SSHD_LOG = pathlib.Path("/run/sshd.test.log")
WORK = pathlib.Path("/run/sallyport-test")
HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
OUTSIDE4, OUTSIDE4_B = "192.0.2.2", "192.0.2.3"
OUTSIDE6, OUTSIDE6_B = "2001:db8::2", "2001:db8::3"

# How many times longer than usual things may take: tests/lib/watched.py.
PATIENCE = float(os.environ.get("SALLYPORT_TEST_PATIENCE", "1"))


class _Patient(subprocess.Popen):
    """So does every wait for a program."""

    def wait(self, timeout=None):
        return super().wait(timeout and timeout * PATIENCE)

    def communicate(self, input=None, timeout=None):
        return super().communicate(input, timeout and timeout * PATIENCE)


subprocess.Popen = _Patient

Result = collections.namedtuple("Result", "rc stdout stderr raw")
Key = collections.namedtuple("Key", "path public fingerprint")
User = collections.namedtuple("User", "name uid gid home docroot domain")


def run(argv, input=None, timeout=60, env=None, cwd=None, check=False, **more):
    """Runs a program to its end. Output as text, bytes that are no UTF-8 as surrogates; .raw is stdout's bytes."""
    if isinstance(input, str):
        input = input.encode("utf-8", "surrogateescape")
    stdin = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    try:
        done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                              cwd=cwd, timeout=timeout, **stdin, **more)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{argv}: no end after {timeout} s\n{late.stdout}\n{late.stderr}") from None
    out, err = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
    assert not check or done.returncode == 0, f"{argv}: exit {done.returncode}\n{out}{err}"
    return Result(done.returncode, out, err, done.stdout)


def wait_for(question, timeout=30, what="it"):
    """Asks until the answer is true, and returns that answer."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout} s"
        time.sleep(0.02)


def spent():
    """Seconds of a processor that the programs of this test took so far: a busy host does not make it more."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def opened(pid):
    """The paths of what a process has open."""
    names = []
    with contextlib.suppress(OSError):  # it ended
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):  # that was closed
                names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return names


def outside_the_sandbox(why):
    """A mark of a test that the sandbox of the unit cannot have (SALLYPORT_TEST_SANDBOX)."""
    import pytest

    return pytest.mark.skipif("SALLYPORT_TEST_SANDBOX" in os.environ, reason=why)


def covers(*items):
    """Says which entries of the lists of attacks and known bugs a test shows: @sp.covers("jail 17", "panels symlink").

    An entry is a list's name, a space, and a number or one word. tests/lib/covers.py reads them without running anything.
    """
    import pytest

    for item in items:
        assert re.fullmatch(r"(jail|safety|firewall|speed) [1-9][0-9]?|(panels|tree|privilege) [a-z][a-z0-9-]*", item), item
    return pytest.mark.covers(*items)


# Names, users, keys

_numbers = itertools.count(1)


def unique(prefix="site"):
    """A name that no other test of this host has."""
    return f"{prefix}{next(_numbers)}"


def free_port():
    """A port that nobody here has: the kernel gives its clients higher ones."""
    return 12000 + next(_numbers)


def make_user(name=None, home=None, docroot=None, owner=None, shell="/bin/false", mode=0o750, groups=()):
    """A domain's system user as a panel makes it: home, with its document root, owned by `owner` ("user:group")."""
    name = name or unique()
    domain = f"{name}.example"
    home = str(home or f"/var/www/vhosts/{domain}")
    docroot = str(docroot or home)
    extra = ["-G", ",".join(groups)] if groups else []
    pathlib.Path(home).parent.mkdir(parents=True, exist_ok=True)
    run(["useradd", "-U", "-M", "-K", "MAIL_DIR=/dev/null", "-d", home, "-s", shell, *extra, name], check=True)
    entry = pwd.getpwnam(name)
    for folder in dict.fromkeys((home, docroot)):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, mode)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    if owner:
        run(["chown", owner, docroot], check=True)
    return User(name, entry.pw_uid, entry.pw_gid, home, docroot, domain)


def keypair(label="default", kind="ed25519"):
    """A key pair, made once for each label and kind."""
    path = WORK / "keys" / f"{kind}-{label}"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", label, "-f", path], check=True)
    public = path.with_name(path.name + ".pub")
    fingerprint = run(["ssh-keygen", "-lf", public], check=True).stdout.split()[1]
    return Key(str(path), public.read_text().strip(), fingerprint)


def put_key(user, *keys):
    """Puts keys where sshd looks, by hand, as the user would."""
    folder = pathlib.Path(user.home) / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "authorized_keys").write_text("".join(key.public + "\n" for key in keys or (keypair(),)))
    (folder / "authorized_keys").chmod(0o600)
    run(["chown", "-R", f"{user.uid}:{user.gid}", folder], check=True)


def as_user(user, argv, **more):
    """Runs a program as the user, outside of ssh: what the web server or cron of that account would do."""
    drop = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--init-groups", "--inh-caps=-all", "--"]
    return run([*drop, *argv], cwd="/", **more)


# Requests

@dataclasses.dataclass
class Answer:
    """One invocation of the helper. For a batch, `body` is the list of answers and result and error are None."""
    body: object
    exit: int
    stderr: str
    raw: bytes

    @property
    def result(self):
        return self.body.get("result") if isinstance(self.body, dict) else None

    @property
    def error(self):
        return self.body.get("error") if isinstance(self.body, dict) else None

    @property
    def reason(self):
        """The error's stable name, or None."""
        return ((self.error or {}).get("data") or {}).get("reason")

    def ok(self):
        """The result; fails the test where there is none."""
        assert self.error is None and self.exit == 0, f"exit {self.exit}: {self.body}\n{self.stderr}"
        return self.result


def strict_json(text):
    """Parses one JSON document; a duplicate key, NaN or trailing bytes are errors."""
    def pairs(items):
        assert len(dict(items)) == len(items), f"duplicate key in {items}"
        return dict(items)

    def constant(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)


@functools.lru_cache(None)
def _answer_schema():
    """The published schema's `$defs/answer`, checked and made ready once: that takes longer than a request."""
    import jsonschema

    schema = json.loads(SCHEMA.read_text())
    wanted = {"$defs": schema["$defs"], "$ref": "#/$defs/answer"}
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(wanted)
    return kind(wanted)


def validate_answer(body):
    """Checks an answer against the published schema, where that is installed."""
    if SCHEMA.exists():
        for one in body if isinstance(body, list) else [body]:
            _answer_schema().validate(one)


def rpc_raw(request, argv=(HELPER,), timeout=30, **more):
    """Sends bytes to the helper. What comes back must be exactly one JSON document that follows the schema."""
    done = run(argv, input=request, timeout=timeout, **more)
    try:
        body = strict_json(done.raw.decode("utf-8"))
    except ValueError as bad:
        raise AssertionError(f"the answer is not one JSON document ({bad}): {done.raw!r}\n{done.stderr}") from None
    validate_answer(body)
    return Answer(body, done.rc, done.stderr, done.raw)


def rpc(method, params=None, id="test", **more):
    """One JSON-RPC 2.0 request."""
    request = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        request["params"] = params
    answer = rpc_raw(json.dumps(request), **more)
    assert answer.body.get("jsonrpc") == "2.0" and answer.body.get("id") == id, f"not ours: {answer.body}"
    assert ("result" in answer.body) != ("error" in answer.body), f"neither or both: {answer.body}"
    return answer


def _await_syslog():
    """What was sent until now is written: tests/lib/host-syslog.py tells."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
        asker.bind("")  # any name: there is an answer
        asker.settimeout(10 * PATIENCE)
        asker.sendto(b"\0", "/dev/log")
        asker.recv(1)


def syslog_lines(containing=""):
    """What was logged so far."""
    if not os.path.islink("/dev/log"):  # a journal's
        _await_syslog()
    text = SYSLOG.read_bytes().decode("utf-8", "surrogateescape") if SYSLOG.exists() else ""
    return [line for line in text.split("\n") if line and containing in line]


# The host and its sshd

class Host:
    """The private host: its sshd runs from the host's own sshd_config, nothing overridden but where the log goes."""

    def __init__(self):
        self.sshd = None
        self.sshd_log = SSHD_LOG

    def start(self, *options):
        """Starts sshd on what its configuration says, and waits until it listens."""
        assert self.sshd is None, "sshd runs already"
        run(["ssh-keygen", "-A"], check=True)
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        run(["/usr/sbin/sshd", "-t"], check=True)
        mark = self.mark()
        where = [] if self.sshd_log == SYSLOG else ["-E", str(self.sshd_log)]
        self.sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", *where, *options], cwd="/",
                                     stdin=subprocess.DEVNULL, start_new_session=True)
        self._until_listening(mark)

    def stop(self):
        """Stops the listener; sessions that run go on."""
        if self.sshd:
            self.sshd.terminate()
            self.sshd.wait(10)
            self.sshd = None

    def restart(self, *options):
        self.stop()
        self.start(*options)

    def reload(self):
        """SIGHUP, as `systemctl reload ssh` sends it."""
        mark = self.mark()
        self.sshd.send_signal(signal.SIGHUP)
        self._until_listening(mark)

    @contextlib.contextmanager
    def logging_to_syslog(self):
        """sshd's log for a while as a host has it, with times and pids."""
        self.stop()
        self.sshd_log = SYSLOG
        self.start()
        yield
        self.stop()
        self.sshd_log = SSHD_LOG
        self.start()

    def log(self, since=0):
        """sshd's log from byte `since` on (see mark)."""
        return self.sshd_log.read_bytes()[since:].decode("utf-8", "replace") if self.sshd_log.exists() else ""

    def logged(self, text, since=0, timeout=30):
        """Waits until sshd has logged this: it does so after the client is gone."""
        wait_for(lambda: text in self.log(since), timeout, f"{text!r} in sshd's log")

    def mark(self):
        """Where sshd's log ends now."""
        return self.sshd_log.stat().st_size if self.sshd_log.exists() else 0

    def _until_listening(self, mark):
        def ready():
            assert self.sshd.poll() is None, f"sshd ended with {self.sshd.returncode}:\n{self.log(mark)}"
            return "Server listening on" in self.log(mark)

        wait_for(ready, what="sshd listening")


# Clients

CLIENT_OPTIONS = {
    "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "GlobalKnownHostsFile": "/dev/null",
    "BatchMode": "yes", "IdentitiesOnly": "yes", "IdentityAgent": "none", "ConnectTimeout": "5", "LogLevel": "ERROR",
    "KexAlgorithms": "curve25519-sha256", "HostKeyAlgorithms": "ssh-ed25519",
    "Ciphers": "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com", "PreferredAuthentications": "publickey",
}


def _target(host, source, netns):
    if host:
        return host
    if ":" in (source or ""):
        return HOST6 if netns else "::1"
    return HOST4 if netns else "127.0.0.1"


def _name(user):
    return getattr(user, "name", user)


def client(program, key=None, source=None, netns=None, options=(), password=None):
    """The command line of an OpenSSH client up to its own arguments; `options` are -o texts, which win."""
    argv = ["ip", "netns", "exec", netns] if netns else []
    settings = dict(CLIENT_OPTIONS)
    if source:
        settings["BindAddress"] = source
    if password is not None:
        argv += ["sshpass", "-p", password]
        settings.update(BatchMode="no", PreferredAuthentications="password,keyboard-interactive",
                        NumberOfPasswordPrompts="1")
    else:
        settings["IdentityFile"] = getattr(key or keypair(), "path", key)
    argv += [program, "-F", "/dev/null"]
    for text in options:
        argv += ["-o", text]
    for name, value in settings.items():
        argv += ["-o", f"{name}={value}"]
    return argv


def ssh(user, command=None, key=None, tty=False, source=None, netns=None, input=None, options=(), host=None,
        password=None, timeout=30, arguments=()):
    """A real login. `netns="outside"` comes from the other network, `source` picks the address there."""
    argv = client("ssh", key, source, netns, options, password)
    argv += ["-tt" if tty else "-T", *arguments, "-l", _name(user), _target(host, source, netns)]
    return run(argv + ([] if command is None else [command]), input=input, timeout=timeout)


def _address(user, host, source, netns):
    return f"{_name(user)}@[{_target(host, source, netns)}]"


def sftp_batch(user, commands, key=None, source=None, netns=None, options=(), host=None, timeout=30):
    """Runs sftp commands, one a line; the first that fails ends it."""
    argv = client("sftp", key, source, netns, options) + ["-q", "-b", "-", _address(user, host, source, netns)]
    return run(argv, input="\n".join(commands) + "\n", timeout=timeout)


def scp(user, source_path, target_path, to_host=True, legacy=False, recursive=False, key=None, source=None,
        netns=None, options=(), host=None, timeout=30):
    """Copies to the host, or from it; `legacy` is scp's old protocol (-O)."""
    remote = _address(user, host, source, netns) + ":"
    pair = [source_path, remote + str(target_path)] if to_host else [remote + str(source_path), target_path]
    flags = (["-O"] if legacy else []) + (["-r"] if recursive else [])
    return run(client("scp", key, source, netns, options) + ["-q", *flags, *pair], timeout=timeout)


def rsh(key=None, source=None, netns=None, options=()):
    """The ssh command as one string, for rsync -e and GIT_SSH_COMMAND."""
    return " ".join(client("ssh", key, source, netns, options))


def rsync(user, source_path, target_path, to_host=True, key=None, netns=None, host=None, flags=("-a",), timeout=60):
    remote = _address(user, host, None, netns) + ":"
    pair = [source_path, remote + str(target_path)] if to_host else [remote + str(source_path), target_path]
    return run(["rsync", *flags, "-e", rsh(key, None, netns), *pair], timeout=timeout)


_PROBE = """
import errno, socket, sys
host, port, source, seconds = sys.argv[1:]
try:
    socket.create_connection((host, int(port)), float(seconds), (source, 0)).close()
    print("open")
except TimeoutError:
    print("dropped")
except ConnectionRefusedError:
    print("refused")
except OSError as error:
    print(errno.errorcode.get(error.errno, str(error)))
"""


def probe(source=OUTSIDE4, port=22, netns="outside", host=None, timeout=1.0):
    """What a TCP connection meets: "open", "refused", "dropped", or the name of another errno."""
    argv = ["ip", "netns", "exec", netns] if netns else []
    argv += ["/usr/bin/python3", "-I", "-S", "-c", _PROBE, _target(host, source, netns), port, source, timeout]
    return run(argv, check=True).stdout.strip()


# Before and after

def _entry(path, times):
    info = os.lstat(path)
    facts = {"mode": oct(info.st_mode), "owner": f"{info.st_uid}:{info.st_gid}"}
    if stat.S_ISLNK(info.st_mode):
        facts["target"] = os.readlink(path)
    elif stat.S_ISREG(info.st_mode):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOATIME)
        with open(handle, "rb") as file:
            digest = hashlib.sha256()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        facts["content"] = f"{info.st_size} {digest.hexdigest()}"
    elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        facts["device"] = hex(info.st_rdev)
    # POSIX ACLs and file capabilities are xattrs too.
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        facts[name] = os.getxattr(path, name, follow_symlinks=False).hex()
    if times:
        facts["inode"], facts["mtime"] = info.st_ino, info.st_mtime_ns
    return facts


class Snapshot(dict):
    """path -> what is to be known of it."""

    def diff(self, after):
        """What differs, one readable line each."""
        lines = [f"gone: {path}" for path in self if path not in after]
        lines += [f"new: {path}" for path in after if path not in self]
        for path in self.keys() & after.keys():
            for fact in sorted(self[path].keys() | after[path].keys()):
                old, new = self[path].get(fact), after[path].get(fact)
                if old != new:
                    lines.append(f"{path}: {fact}: {old} -> {new}")
        return sorted(lines)


def snapshot(paths, exclude=(), times=False):
    """Type, owner, mode, ACL, xattrs and content of trees; `times` adds inode and mtime: not even rewritten."""
    exclude = {str(path) for path in exclude}
    found = Snapshot()
    todo = [str(path) for path in paths]
    while todo:
        path = todo.pop()
        if path in exclude or not os.path.lexists(path):
            continue
        try:
            found[path] = _entry(path, times)
            if os.path.isdir(path) and not os.path.islink(path):
                todo += [os.path.join(path, name) for name in os.listdir(path)]
        except FileNotFoundError:
            found.pop(path, None)
    return found


def remove_user(user):
    run(["userdel", "-f", _name(user)])
    shutil.rmtree(user.home, ignore_errors=True)
