# SPDX-License-Identifier: GPL-3.0-or-later
"""Escape and abuse tests of the jail, techniques 1, 2, 4, 6 to 9: what sshd and PAM do before and beside the shell."""

import contextlib
import grp
import json
import os
import pathlib
import re
import socket
import subprocess
import threading

import pytest

import sp
import sp_site
from sp_terminal import Terminal

# A library that tells where it was loaded: below the document root as that process sees it.
WITNESS = r"""
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void witness(void)
{
    char space[64] = "", line[128];
    int fd = open("%s/loaded", O_WRONLY | O_CREAT | O_APPEND, 0666), n = (int)readlink("/proc/self/ns/mnt", space, 63);
    if (fd >= 0 && n > 0 && write(fd, line, (size_t)snprintf(line, sizeof(line), "%%s\n", space)) > 0)
        close(fd);
}
"""
HOSTS_OWN = ("BASH_ENV", "ENV", "PATH", "GCONV_PATH", "LOCPATH", "TERMINFO", "PYTHONPATH", "LD_PRELOAD", "LD_LIBRARY_PATH",
             "LD_AUDIT", "PERL5LIB", "PERL5OPT", "GIT_SSH_COMMAND", "HOSTALIASES", "LOCALDOMAIN", "PROMPT_COMMAND", "PS4",
             "SHELLOPTS", "IFS", "NLSPATH", "TMPDIR", "EDITOR")


@pytest.fixture(scope="module")
def site(host):
    return sp_site.account()


def write_as(user, name, text, mode=0o644):
    path = pathlib.Path(user.home) / name
    path.write_text(text)
    path.chmod(mode)
    os.chown(path, user.uid, user.gid)
    return path


def test_jail_01_a_preload_in_pam_environment_is_not_loaded_outside(site, tmp_path):
    source, library = tmp_path / "witness.c", f"{site.home}/witness.so"
    source.write_text(WITNESS % site.home)
    sp.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    loaded = write_as(site, "loaded", "", 0o666)
    env = write_as(site, ".pam_environment", "".join(f"{name}={library}\n" for name in ("LD_PRELOAD", "LD_AUDIT")))
    try:
        assert sp.ssh(site, "id -u").stdout == f"{site.uid}\n"
        with Terminal(site) as term:
            term.expect(r"\$ ")
            term.send("exit\n")
            term.wait()
        assert loaded.read_text() == ""
        # It does work where nothing stops it: so PAM reads the file, and the library is a good one.
        plain = sp.make_user(shell="/bin/bash")
        sp.put_key(plain)
        write_as(plain, ".pam_environment", f"LD_PRELOAD={library}\n")
        os.chmod(site.home, 0o755)
        sp.ssh(plain, "true")
        assert loaded.read_text() != ""
    finally:
        env.unlink()
        os.chmod(site.home, 0o750)


def test_jail_02_variables_that_steer_programs_are_absent_inside(site):
    ran = pathlib.Path(site.home) / "ran"
    script = write_as(site, "evil.sh", f"echo \"$$\" > {ran}; echo EVIL\n", 0o755)
    env = write_as(site, ".pam_environment", "".join(f"{name}={script}\n" for name in HOSTS_OWN))
    try:
        options = ["SendEnv=LC_EVIL LC_ALL", "SetEnv=LC_EVIL=/tmp/x LC_ALL=../../tmp"]
        done = sp.ssh(site, "env -0", options=options)
        assert done.rc == 0 and "EVIL" not in done.stdout.replace("LC_EVIL", ""), done
        got = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
        assert not (set(HOSTS_OWN) - {"PATH"}) & set(got), got
        assert str(script) not in got["PATH"] and "LC_EVIL" not in got and "LC_ALL" not in got, got
        assert (got["HOME"], got["USER"], got["LOGNAME"]) == (site.home, site.name, site.name)
        assert not ran.exists()
    finally:
        env.unlink()


@sp.covers("jail 5")
def test_jail_02_an_environment_option_and_file_of_the_users_are_ignored(site):
    keys = pathlib.Path(site.home) / ".ssh" / "authorized_keys"
    mine = sp.keypair("mine")
    before = keys.read_text()
    write_as(site, ".ssh/environment", "FROM_FILE=1\n")
    keys.write_text(before + f'environment="FROM_KEY=1",environment="LD_PRELOAD=/x" {mine.public}\n')
    try:
        done = sp.ssh(site, "env; echo end", key=mine)
        assert done.stdout.endswith("end\n") and "FROM_" not in done.stdout and "LD_PRELOAD" not in done.stdout, done
    finally:
        keys.write_text(before)


def x11(user):
    """What a login with X11 forwarding gets, and what the client is told of it."""
    env = {**os.environ, "DISPLAY": "localhost:99"}
    argv = sp.client("ssh", None, None, None, ["LogLevel=INFO", "ForwardX11=yes", "ForwardX11Trusted=yes", "XAuthLocation=/usr/bin/xauth"])
    return sp.run([*argv, "-T", "-l", user.name, "127.0.0.1", "echo [$DISPLAY]; ls -A ~/.Xauthority"], env=env)


@pytest.mark.parametrize("shell", ["chroot", "bash"])
def test_jail_04_x11_forwarding_is_denied(site, host, shell):
    """By sshd, and not for want of a variable inside alone."""
    user = site if shell == "chroot" else sp_site.account(shell)
    done = x11(user)
    assert done.stdout == "[]\n" and "X11 forwarding request failed" in done.stderr, done
    plain = sp.make_user(shell="/bin/bash")
    sp.put_key(plain)
    got = x11(plain)
    assert got.stdout.startswith("[localhost:") and "X11 forwarding request failed" not in got.stderr, ("the test itself gets none", got)


@pytest.mark.parametrize("tty", [False, True])
def test_jail_06_ssh_rc_of_the_user_runs_inside(site, tty):
    out = pathlib.Path(site.home) / "rc.out"
    out.unlink(missing_ok=True)
    rc = write_as(site, ".ssh/rc", "readlink /proc/self/ns/mnt > ~/rc.out; test -e /boot && echo OUTSIDE >> ~/rc.out\n")
    try:
        assert sp.ssh(site, "true", tty=tty).rc == 0
        spaces = out.read_text().split()
        assert len(spaces) == 1 and spaces[0].startswith("mnt:") and spaces[0] != os.readlink("/proc/self/ns/mnt"), spaces
    finally:
        rc.unlink()


def test_jail_07_sftp_gets_the_jails_files_not_the_hosts(site, tmp_path):
    done = sp.sftp_batch(site, ["ls -1 /", "ls -1 /etc"])
    names = set(done.stdout.split())
    assert done.rc == 0 and "/boot" not in names and "/root" not in names and "/etc/shadow" not in names, done
    assert "/etc/passwd" in names
    for secret in ("/etc/hostname", "/etc/shadow", "/etc/ssh/sshd_config", "/var/lib/sallyport/entry"):
        got = sp.sftp_batch(site, [f"get {secret} {tmp_path}/got"])
        # A hostname the jail may have; it is not the host's.
        assert got.rc != 0 or (tmp_path / "got").read_bytes() != pathlib.Path(secret).read_bytes(), secret
    assert sp.sftp_batch(site, [f"get /etc/passwd {tmp_path}/passwd"]).rc == 0
    users = [line.split(":")[0] for line in (tmp_path / "passwd").read_text().splitlines()]
    assert set(users) == {"root", "nobody", site.name}
    for command in ("symlink /etc/shadow ~/x", "get ../../../../../../etc/shadow", "put /etc/hostname /etc/new"):
        assert sp.sftp_batch(site, [command, "get x"]).rc != 0, command


@contextlib.contextmanager
def server(family=socket.AF_INET, where=("127.0.0.1", 0)):
    """A service of the host's that greets whoever connects; yields its address."""
    with socket.socket(family) as listener:
        listener.bind(where)
        listener.listen()

        def greet():
            while True:
                try:
                    peer = listener.accept()[0]
                except OSError:
                    return
                with peer:
                    peer.sendall(b"hello from the host\n")

        threading.Thread(target=greet, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def tunnel(user, *arguments):
    """ssh -N with forwardings that the client accepts."""
    argv = sp.client("ssh", None, None, None, ["ExitOnForwardFailure=yes", "LogLevel=INFO"]) + [*arguments, "-N", "-l", user.name, "127.0.0.1"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        yield client
        client.kill()


def read_from(port, send=()):
    """What comes from a local port, once it listens; `send` is pairs of bytes to say and how much to hear."""
    def connected():
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except ConnectionRefusedError:
            return None

    with sp.wait_for(connected, what="the listening client") as peer:
        try:
            for say, hear in send:
                peer.sendall(say)
                peer.recv(hear)
            return peer.recv(100)
        except ConnectionResetError:
            return b""


def direct(user, address):
    return sp.run(sp.client("ssh") + ["-W", "%s:%d" % address, "-l", user.name, "127.0.0.1"]).stdout


def dynamic(user, address):
    """-D: a SOCKS5 proxy, asked for that address."""
    port = sp.free_port()
    ask = b"\5\1\0\1" + socket.inet_aton(address[0]) + address[1].to_bytes(2, "big")
    with tunnel(user, "-D", str(port)):
        return read_from(port, [(b"\5\1\0", 2), (ask, 10)]).decode()


def local(user, address):
    port = sp.free_port()
    with tunnel(user, "-L", f"{port}:%s:%d" % address):
        return read_from(port).decode()


def remote(user, address):
    """-R: the server's side listens."""
    port = sp.free_port()
    with tunnel(user, "-R", f"{port}:%s:%d" % address) as client:
        sp.wait_for(lambda: client.poll() is not None or sp.probe("127.0.0.1", port, None, "127.0.0.1") == "open",
                    what="an answer to -R")
        return "" if client.poll() is not None else read_from(port).decode()


WAYS = {"-W": direct, "-L": local, "-D": dynamic, "-R": remote}
POLICIES = {"none": set(), "local": {"-W", "-L", "-D"}, "all": set(WAYS)}


@pytest.mark.parametrize("shell", ["chroot", "bash"])
def test_jail_08_a_unix_socket_of_the_host_cannot_be_forwarded(host, shell, tmp_path):
    user = sp_site.account(shell, params={"forwarding": "all"})
    port, path = sp.free_port(), f"/run/{user.name}.sock"
    with server(socket.AF_UNIX, path):
        os.chmod(path, 0o666)
        plain = sp.make_user(shell="/bin/bash")
        sp.put_key(plain)
        with tunnel(plain, "-L", f"{port}:{path}"):
            assert read_from(port) == b"hello from the host\n", "the test itself does not reach it"
        port = sp.free_port()
        mark = host.mark()
        with tunnel(user, "-L", f"{port}:{path}"):
            assert read_from(port) == b""
        host.logged("refused streamlocal port forward", mark)
        with tunnel(user, "-R", f"/run/{user.name}.back:127.0.0.1:22") as client:
            assert client.wait(10) == 255
        assert not os.path.exists(f"/run/{user.name}.back")


@pytest.mark.parametrize("shell", ["chroot", "bash"])
@pytest.mark.parametrize("policy", ["unset", "none", "local", "all"])
def test_jail_09_tcp_forwarding_is_as_the_policy_says(host, shell, policy):
    user = sp_site.account(shell, params={} if policy == "unset" else {"forwarding": policy})
    allowed = POLICIES["local" if policy == "unset" else policy]
    with server() as address:
        got = {name for name, way in WAYS.items() if "hello from the host" in way(user, address)}
    assert got == allowed
    assert sp.ssh(user, "echo in").stdout == "in\n"


def test_jail_09_tunnel_devices_are_refused_whatever_the_policy(host):
    user = sp_site.account("bash", params={"forwarding": "all"})
    shown = sp.run(["/usr/sbin/sshd", "-T", "-C", f"user={user.name},host=localhost,addr=127.0.0.1"], check=True).stdout
    settings = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    assert settings["permittunnel"] == "no" and settings["gatewayports"] == "no" and settings["x11forwarding"] == "no"
    assert settings["allowstreamlocalforwarding"] == "no"
    with tunnel(user, "-w", "0:0") as client:
        assert client.wait(10) == 255


def test_jail_09_a_changed_policy_counts_from_the_next_login_on(host):
    user = sp_site.account("chroot")
    with server() as address:
        for policy in ("none", "all", "local"):
            sp_site.apply(user, forwarding=policy).ok()
            assert {name for name, way in WAYS.items() if way(user, address)} == POLICIES[policy], policy
    sp_site.apply(user, shell="none").ok()
    with server() as address:
        assert direct(user, address) == ""


def policy_of(user):
    shown = sp.run(["/usr/sbin/sshd", "-T", "-C", f"user={user.name},host=localhost,addr=127.0.0.1"], check=True).stdout
    return re.search("^allowtcpforwarding (.*)$", shown, re.MULTILINE)[1]


def test_jail_09_a_host_of_before_is_moved_by_the_first_request_and_nobody_gets_more(host):
    """In older drop-ins forwarding was off, but for the members of sallyport-local and sallyport-forward."""
    users = {how: sp_site.account("chroot", params={"forwarding": how}) for how in ("none", "local", "all")}
    users["gone"] = sp_site.account("none")
    dropin = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf")
    new = dropin.read_text()
    old = new.replace("Match Group sallyport-noforward\n\tAllowTcpForwarding no\n", "")
    old = old.replace("AllowTcpForwarding local", "AllowTcpForwarding no")
    old = old.replace("Match Group sallyport\n", "Match Group sallyport-local\n\tAllowTcpForwarding local\nMatch Group sallyport\n")
    sp.run(["groupadd", "-f", "-r", "sallyport-local"], check=True)
    members = {name: set(grp.getgrnam(f"sallyport{name}").gr_mem) for name in ("", "-noforward", "-forward")}
    locals_ = members[""] - members["-noforward"] - members["-forward"]
    sp.run(["groupdel", "sallyport-noforward"], check=True)
    sp.run(["gpasswd", "-M", ",".join(locals_), "sallyport-local"], check=True)
    dropin.write_text(old)
    host.reload()
    before = {how: policy_of(user) for how, user in users.items()}
    assert before == {"none": "no", "local": "local", "all": "yes", "gone": "no"}
    sp_site.account("chroot")
    assert dropin.read_text() == new and {how: policy_of(user) for how, user in users.items()} == before
    assert grp.getgrnam("sallyport-local").gr_mem == []
    report = sp.rpc("system.reconcile", {}, timeout=120).ok()
    assert not [one for one in json.dumps(report).split("{") if "sallyport-noforward" in one or "sallyport-local" in one], report
    sp.run(["groupdel", "sallyport-local"], check=True)


EXCEPTIONS = {"keyonly": {"authentication": "key"}, "both": {"authentication": "key_and_password"}, "noforward": {"forwarding": "none"},
              "forward": {"forwarding": "all"}}
DROPIN = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf")


def in_dropin():
    return {name for name in EXCEPTIONS if f"\nMatch Group sallyport-{name}\n" in DROPIN.read_text()}


def in_use():
    lines = pathlib.Path("/etc/group").read_text().splitlines()
    return {name for name in EXCEPTIONS for line in lines if line.startswith(f"sallyport-{name}:") and not line.endswith(":")}


def test_jail_09_exceptions_stand_in_the_drop_in_while_somebody_has_them(host):
    """Four accounts bring one each at the same moment, and none is lost; a drop-in with all of them is tidied; what is taken away
    from an account leaves its door as it was."""
    for line in pathlib.Path("/etc/group").read_text().splitlines():
        if line.split(":")[0] in {f"sallyport-{name}" for name in EXCEPTIONS}:
            for name in filter(None, line.split(":")[3].split(",")):
                for domain in sp.rpc("domain.list").ok()["domains"]:
                    if domain["user"] == name:
                        sp.rpc("domain.remove", {"domain": domain["domain"]}).ok()
    sp.rpc("system.reconcile", timeout=120).ok()
    plain = sp_site.account()
    assert in_use() == in_dropin() == set(), DROPIN.read_text()
    assert DROPIN.read_text() == (pathlib.Path(__file__).parents[2] / "templates/10-sallyport.conf").read_text(), "the package's own"
    users = {name: sp.make_user() for name in EXCEPTIONS}
    threads = [threading.Thread(target=sp_site.apply, args=(users[name],), kwargs={"shell": "chroot", "keys": [sp.keypair()], **more})
               for name, more in EXCEPTIONS.items()]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert in_use() == in_dropin() == set(EXCEPTIONS)
    for name, more in EXCEPTIONS.items():
        assert not sp_site.apply(users[name], shell="chroot", **more).ok()["changed"]
        assert sp.rpc("domain.get", {"domain": users[name].domain}).ok()["in_force"], name
    assert [policy_of(users[name]) for name in EXCEPTIONS] == ["local", "local", "no", "yes"]
    # One is given up; its block goes by reconcile, which tells of no account.
    sp_site.apply(users["forward"], forwarding="local").ok()
    assert in_dropin() == set(EXCEPTIONS) and policy_of(users["forward"]) == "local"
    assert sp.rpc("system.reconcile", {"dry_run": True}, timeout=120).ok()["details"] == [] and in_dropin() == set(EXCEPTIONS)
    assert sp.rpc("system.reconcile", timeout=120).ok()["details"] == [] and in_dropin() == set(EXCEPTIONS) - {"forward"}
    # By hand somebody is given more: that is no reason for a block, and mended.
    sp.run(["gpasswd", "-a", plain.name, "sallyport-forward"], check=True)
    assert policy_of(plain) == "local"
    sp.rpc("system.reconcile", timeout=120).ok()
    assert "forward" not in in_use() | in_dropin()
    # By hand somebody is given less: kept, and in force when sshd has read it.
    sp_site.apply(users["noforward"], forwarding="local").ok()
    sp.rpc("system.reconcile", timeout=120).ok()
    assert "noforward" not in in_dropin()
    sp.run(["gpasswd", "-a", plain.name, "sallyport-noforward"], check=True)
    report = sp.rpc("system.reconcile", timeout=120).ok()
    assert report["failed"] == 0 and policy_of(plain) == "no" and in_use() == in_dropin() == {"keyonly", "both", "noforward"}, report
    assert sp.ssh(plain, "echo in").stdout == "in\n"


def test_jail_09_a_forwarded_port_listens_on_loopback_only(host):
    user = sp_site.account("chroot", params={"forwarding": "all"})
    port = sp.free_port()
    with server() as address, tunnel(user, "-R", f"*:{port}:%s:%d" % address):
        sp.wait_for(lambda: sp.probe("127.0.0.1", port, None, "127.0.0.1") == "open", what="-R")
        assert sp.probe(port=port) == "refused"


def with_agent(user, command):
    """A login with ssh -A and an agent that holds a key."""
    agent = f"/run/agent.{user.name}"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL)
    try:
        env = {**os.environ, "SSH_AUTH_SOCK": agent}
        sp.wait_for(lambda: sp.run(["ssh-add", "-q", sp.keypair().path], env=env).rc == 0, what="the agent")
        argv = [word for word in sp.client("ssh") if word != "IdentityAgent=none"]
        argv = [word for i, word in enumerate(argv) if not (word == "-o" and i + 1 < len(argv) and argv[i + 1] == "-o")]
        return sp.run([*argv, "-A", "-T", "-l", user.name, "127.0.0.1", command], env=env)
    finally:
        process.terminate()
        process.wait(10)


def test_jail_10_a_forwarded_agent_is_not_visible_in_a_jail_and_works_in_bash(host):
    find = "echo [$SSH_AUTH_SOCK]; find / -xdev -type s 2>/dev/null; ls -A /tmp"
    jailed = with_agent(sp_site.account(), find)
    assert jailed.rc == 0 and jailed.stdout.splitlines()[0] == "[]" and "agent" not in jailed.stdout, jailed
    plain = with_agent(sp_site.account("bash"), "ssh-add -l")
    assert sp.keypair().fingerprint in plain.stdout, plain


@sp.covers("jail 10")
def test_an_agent_reaches_into_a_jail_where_the_account_may(host):
    user, other = sp_site.account(params={"jail": {**sp_site.JAIL, "agent": True}}), sp_site.account("bash")
    hop = f"ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes {other.name}@127.0.0.1 echo hopped"
    done = with_agent(user, f"{hop}; echo $SSH_AUTH_SOCK; (cat $SSH_AUTH_SOCK; cat $SSH_AUTH_SOCK/x) 2>&1")
    assert done.stdout.startswith("hopped\n/proc/"), done
    assert "Permission denied" in done.stdout or "No such device" in done.stdout, done
    assert "Not a directory" in done.stdout, done  # a name, and nothing below it
    # Also in a login that joins a living jail, and not for a login without -A.
    stay = sp_site.background(user)
    try:
        assert with_agent(user, hop).stdout == "hopped\n"
        assert sp.ssh(user, "echo [$SSH_AUTH_SOCK]; ls /proc/self/fd | sort -n | tail -1").stdout.split()[0] == "[]"
    finally:
        sp_site.end(stay)
    # A variable of the user's own making opens nothing of others', and no file that is no socket.
    for planted in ("/run/dbus", "/etc/passwd", "/dev/log"):
        (pathlib.Path(user.home) / ".pam_environment").write_text(f"SSH_AUTH_SOCK={planted}\n")
        assert sp.ssh(user, "echo [$SSH_AUTH_SOCK]").stdout == "[]\n", planted
    (pathlib.Path(user.home) / ".pam_environment").unlink()
    sp_site.apply(user, jail={"agent": False}).ok()
    assert with_agent(user, "echo [$SSH_AUTH_SOCK]").stdout == "[]\n"
