# SPDX-License-Identifier: GPL-3.0-or-later
"""Escape and abuse tests of the jail, techniques 31 to 34, 41, 42, 45, 46 and 48: the moment of entry, and what is joined."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

import sp
import sp_site
from sp_terminal import Terminal, in_front

REFUSED = 125


@pytest.fixture(scope="module")
def site(host):
    user = sp_site.account()
    sp_site.attacks(user)
    return user


@pytest.fixture(autouse=True)
def alone(site):
    """Nothing of the account runs when a test begins."""
    yield
    sp.run(["pkill", "-KILL", "-U", str(site.uid)])
    sp.wait_for(lambda: not sp_site.processes(site), what="the end of all that runs")


def test_jail_31_the_shell_cannot_be_traced_or_looked_into_during_set_up(site):
    with sp_site.Outside(site, [f"{site.docroot}/attack", "hunt", "8"]) as hunter:
        assert hunter.process.stdout.readline() == "ready\n"
        end = time.monotonic() + 7
        logins = [sp.ssh(site, "exit 3").rc for _ in iter(lambda: time.monotonic() < end, False)]
        got = dict(line.split() for line in hunter.process.communicate(timeout=20)[0].splitlines())
    # A hunter that catches the jailed bash of such a login may end it: that is his own session.
    assert int(got["seen"]) > 0 and (got["seized"], got["opened"]) == ("0", "0"), (got, logins)
    assert logins and 3 in logins
    assert sp.ssh(site, "exit 3").rc == 3


STOPPER = """
import os, signal, sys, time
names = sys.argv[1:]
print("ready")
while True:
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if "(chroot-bash)" not in stat.read(64) or os.stat(f"/proc/{pid}").st_uid not in (0, os.getuid()):
                    continue
            os.kill(int(pid), signal.SIGSTOP)
        except OSError:
            continue
        for name in names:
            try:
                os.rmdir(name)
                os.symlink("/" + os.path.basename(name), name)
            except OSError:
                pass
        try:
            os.kill(int(pid), signal.SIGCONT)
        except OSError:
            pass
        for name in names:
            if os.path.islink(name):
                os.unlink(name)
                os.mkdir(name)
"""


def test_jail_32_stopping_the_supervisor_and_swapping_files_has_no_effect(site):
    swapped = [f"{site.docroot}/{name}" for name in ("etc", "usr", "tmp", "run")]
    seen = set()
    pathlib.Path("/tmp/secret").touch()
    with sp_site.Outside.python(site, STOPPER, *swapped):
        for _ in range(25):
            done = sp.ssh(site, "for secret in /etc/shadow /usr/lib/systemd /run/sshd.pid /boot /tmp/secret; do"
                                " [ -e $secret ] && echo $secret; done; echo inside")
            seen.add((done.rc, done.stdout))
    # Who removes a mount point takes it away from his own running jail, too; he sees his own site there.
    assert seen <= {(0, "inside\n"), (REFUSED, "")} and (0, "inside\n") in seen, seen
    assert sp.ssh(site, "grep -c . /etc/passwd").stdout == "3\n"
    # A supervisor that stays stopped holds up nobody else.
    client = sp_site.background(site)
    for process in sp_site.processes(site, "chroot-bash"):
        os.kill(process.pid, signal.SIGSTOP)
    assert sp.ssh(site, "echo in").stdout == "in\n"
    sp_site.end(client)


RUNNER = """
import ctypes, os, sys
how = sys.argv[1]
if how == "argc 0":
    nothing = (ctypes.c_char_p * 1)(None)
    ctypes.CDLL(None).execve(sys.argv[2].encode(), nothing, nothing)
elif how == "closed":
    os.closerange(0, 3)
    os.execv(sys.argv[2], ["chroot-bash", "-c", "exit 7"])
else:
    os.execv(sys.argv[2], sys.argv[3:])
"""


@pytest.mark.parametrize("argv, rc", [
    (["argc 0"], REFUSED), (["closed"], 7), (["plain", "chroot-bash", "-c", "exit 7"], 7), (["plain", "-chroot-bash", "-c", "exit 7"], 7),
    (["plain", "chroot-bash", "-c"], REFUSED), (["plain", "chroot-bash", "-c", "id", "x"], REFUSED),
    (["plain", "chroot-bash", "-i"], REFUSED), (["plain", "chroot-bash", "--rcfile", "/etc/x"], REFUSED),
    (["plain", "chroot-bash", "-lc", "id"], REFUSED), (["plain", "chroot-bash", "/etc/passwd"], REFUSED)])
def test_jail_41_odd_arguments_and_closed_files_are_refused_or_run_cleanly(site, argv, rc):
    done = sp.as_user(site, ["/usr/bin/python3", "-I", "-c", RUNNER, argv[0], sp.CHROOT_BASH, *argv[1:]])
    assert (done.rc, done.stdout) == (rc, ""), done
    assert rc != REFUSED or re.fullmatch(r"chroot-bash: [^\n]+\n(hint: [^\n]+\n)?", done.stderr), done


def test_jail_41_long_commands_over_ssh_are_as_in_plain_bash(site):
    assert sp.ssh(site, "echo in; #" + "x" * 100_000).stdout == "in\n"
    # MAX_ARG_STRLEN is 128 KiB: execve(2) refuses it to the client and to sshd alike; so it comes from a file.
    config = sp.WORK / "long.conf"
    config.write_text("RemoteCommand echo in; #" + "x" * 140_000 + "\n")
    argv = [str(config) if word == "/dev/null" else word for word in sp.client("ssh")]
    plain = sp_site.account("bash")
    got = [sp.run([*argv, "-T", "-l", user.name, "127.0.0.1"]) for user in (plain, site)]
    assert (got[0].rc, got[0].stdout) == (got[1].rc, got[1].stdout) and got[0].stdout == "" and got[0].rc != 0, got
    script = "echo start; " + ": " + "y" * 2_000_000 + "; exit 9\n"
    done = sp.ssh(site, input=script)
    assert done.rc == 9 and done.stdout.endswith("start\n"), done


def test_jail_42_without_its_capabilities_the_shell_refuses_the_login(site):
    caps = sp.run(["getcap", sp.CHROOT_BASH], check=True).stdout.split(" ", 1)[1].strip()
    try:
        for broken in (["-r"], ["cap_sys_chroot=ep"], ["cap_sys_admin=ep"], ["cap_sys_admin,cap_sys_chroot=p"]):
            sp.run(["setcap", *broken, sp.CHROOT_BASH], check=True)
            for command in ("id", None):
                done = sp.ssh(site, command, input="id\n" if command is None else None)
                # What is permitted but not effective may be raised; nothing else may run.
                if broken[0].endswith("=p") and done.rc == 0:
                    assert "uid=" in done.stdout and sp.ssh(site, "test -e /boot").rc == 1
                    continue
                assert done.rc == REFUSED and "uid=" not in done.stdout and "chroot-bash" in done.stderr, (broken, done)
        sp.run(["setcap", "-r", sp.CHROOT_BASH], check=True)
        assert sp.sftp_batch(site, ["ls /"]).rc != 0
    finally:
        sp.run(["setcap", caps, sp.CHROOT_BASH], check=True)
    assert sp.ssh(site, "id -u").stdout == f"{site.uid}\n"


def test_jail_45_tmux_outlives_the_login_and_its_terminal_works(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("tmux new-session -s work\n")
        term.expect(r"\[work\]")
        term.send("echo here-$((40+2)); tty\n")
        term.expect("here-42")
        term.expect("/dev/pts/")
        # The window is closed, not left politely.
    sp.wait_for(lambda: not sp_site.processes(site, "sshd"), what="the end of the login")
    assert "work" in sp.ssh(site, "tmux ls").stdout
    with Terminal(site, rows=30, cols=100) as term:
        term.expect(r"\$ ")
        term.send("tmux attach -t work\n")
        term.expect("here-42")
        term.send("echo again-$((40+3)); stty size\n")
        term.expect("again-43")
        term.expect("29 100")
        term.send("sleep 71\n")
        in_front(1, "sleep 71")
        term.send("\x03")
        term.send("echo int-$?\n")
        term.expect("int-130")
        term.send("exit\n")
        term.expect("exited")
        term.send("exit\n")
        term.wait()
    sp.wait_for(lambda: not sp_site.jails(site), what="the end of the jail")


def test_jail_45_a_job_of_the_first_login_is_killed_from_the_second(site):
    job = sp.ssh(site, "nohup sleep 1001 >/dev/null 2>&1 </dev/null & echo $!").stdout.strip()
    sp.wait_for(lambda: sp_site.processes(site, "sleep"), what="the job")
    done = sp.ssh(site, f"ps -o args= -p {job}; kill {job}; while kill -0 {job}; do sleep 0.1; done")
    assert done.stdout == "sleep 1001\n" and done.stderr.count("No such process") == 1, done
    sp.wait_for(lambda: not sp_site.jails(site), what="the end of the jail")


def test_jail_45_nohup_in_a_terminal_outlives_it(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.run("nohup sh -c 'sleep 1; echo survived > ~/survived; sleep 1002' >/dev/null 2>&1 & true")
        term.send("exit\n")
        term.wait()
    mark = pathlib.Path(site.home) / "survived"
    sp.wait_for(mark.exists, what="the job's mark")
    assert sp.ssh(site, "pkill -f '[s]leep 1002' && while pgrep -x sleep; do :; done >/dev/null; echo gone").stdout == "gone\n"


LOCKER = """
import fcntl, os, struct, time
record = os.open("%s", os.O_RDONLY)
for start in range(0, 1):
    fcntl.fcntl(record, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
print("ready")
time.sleep(1000)
"""


def joined(user):
    """Whether a login joined what it found, by its own log line, and that it is in a good jail."""
    mark = len(sp.syslog_lines(f"{user.name} (uid"))
    done = sp.ssh(user, "test -e /boot && echo OUT; ls -d /proc/[0-9]* | wc -l; head -1 /etc/passwd")
    assert done.rc == 0 and int(done.stdout.split()[0]) < 10 and done.stdout.split()[1].startswith("root:x:0:0:root"), done
    return "living" in sp.wait_for(lambda: sp.syslog_lines(f"{user.name} (uid")[mark:], what="the line")[0]


def test_jail_46_a_forged_lock_on_the_record_is_not_joined(site):
    """Where a living jail may be is told by a lock on the entry record; anybody of the uid can hold one."""
    with sp_site.Outside.python(site, LOCKER % f"/var/lib/sallyport/entry/{site.uid}"):
        assert not joined(site)
    assert not joined(site)
    client = sp_site.background(site)
    sp.wait_for(lambda: joined(site), what="a join that this test sees")
    sp_site.end(client)


@pytest.mark.parametrize("spaces", ["-Urm", "-Urmpf", "-Urmpiuf"])
def test_jail_46_a_namespace_that_the_user_made_is_not_joined(site, spaces):
    forger = ["unshare", spaces, "--kill-child"] if "p" in spaces else ["unshare", spaces]
    argv = [*forger, "/usr/bin/python3", "-I", "-u", "-c", LOCKER % f"/var/lib/sallyport/entry/{site.uid}"]
    with sp_site.Outside(site, argv) as process:
        line = process.process.stdout.readline()
        assert line == "ready\n", line
        assert not joined(site)


FORGER = """
import ctypes, fcntl, os, struct, subprocess, sys, tempfile, time
record, generation, become, *places = sys.argv[1:]
root, libc = tempfile.mkdtemp(), ctypes.CDLL(None)
subprocess.run(["mount", "-t", "tmpfs", "forged", root], check=True)
for source, at in [(f"{generation}/usr", "/usr"), (f"{generation}/etc", "/etc"), *((place, place) for place in places)]:
    os.makedirs(root + at, exist_ok=True)
    subprocess.run(["mount", "--rbind", source, root + at], check=True)
for name in ("bin", "lib", "lib64"):
    os.symlink(f"usr/{name}", f"{root}/{name}")
open(f"{root}/forged", "w").close()
lock = os.open(record, os.O_RDONLY)
os.chroot(root)
os.chdir("/")
if become:
    uid, gid = map(int, become.split(":"))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which the change of ids has taken
fcntl.fcntl(lock, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
print("ready")
time.sleep(1000)
"""


@pytest.mark.parametrize("maker", ["root", "user"])
def test_jail_46_what_looks_like_the_jail_in_all_is_joined_only_if_privilege_made_it(site, maker):
    """The generation, the roots and the home stand where the shell looks, mounted by the user in namespaces of his own: he could
    mount anything below them. root's copy, which is joined, shows that nothing else is wrong with it."""
    argv = ["unshare", "-mpiuf" if maker == "root" else "-Urmpiuf", "--kill-child", "/usr/bin/python3", "-I", "-u", "-c", FORGER,
            f"/var/lib/sallyport/entry/{site.uid}", "/var/lib/sallyport/sets/base+git", f"{site.uid}:{site.gid}" if maker == "root" else "",
            site.docroot, site.home]
    with sp_site.Outside(site if maker == "user" else None, argv) as forger:
        line = forger.process.stdout.readline()
        assert line == "ready\n", line + forger.process.stdout.read()
        done = sp.ssh(site, "test -e /forged && echo forged || echo jail")
    assert done.stdout == {"root": "forged\n", "user": "jail\n"}[maker], done


def test_jail_46_a_jail_entered_in_a_namespace_of_the_users_is_not_joined(site):
    argv = ["unshare", "-Ur", sp.CHROOT_BASH, "-c", "echo in; exec sleep 1003"]
    with sp_site.Outside(site, argv) as process:
        process.process.stdout.readline()
        assert not joined(site)


def test_jail_46_a_lock_holder_that_stops_delays_no_login_for_long(site):
    code = """
import fcntl, sys, time
record = open("/var/lib/sallyport/entry/%d")
fcntl.flock(record, fcntl.LOCK_EX)
print("ready")
time.sleep(1000)
""" % site.uid
    with sp_site.Outside.python(site, code):
        start = time.monotonic()
        assert sp.ssh(site, "echo in").stdout == "in\n"
        assert time.monotonic() - start < 20 * sp.PATIENCE


def cron_lines(site, out, who=""):
    """As a panel writes them for a jailed customer: `who` is the user's column of /etc/cron.d."""
    return (f"SHELL={sp.CHROOT_BASH}\nMAILTO=\"\"\nBASH_ENV={site.home}/evil.sh\n"
            f"* * * * * {who}(pwd; readlink /proc/self/ns/mnt; test -e /boot && echo OUT; id -u) > {out}.new; mv {out}.new {out}\n")


@sp.covers("tree crontab")
def test_jail_48_a_crontab_line_with_the_jail_as_shell_runs_inside(site):
    """The real cron, with a clock by which its next minute is near: the user's own table, and a file of the panel's."""
    outs = [pathlib.Path(site.home) / name for name in ("cron.out", "panel.out")]
    table = pathlib.Path("/var/spool/cron/crontabs") / site.name
    table.write_text(cron_lines(site, outs[0]))
    table.chmod(0o600)
    os.chown(table, site.uid, table.parent.stat().st_gid)
    panel = pathlib.Path("/etc/cron.d/panel")
    panel.write_text(cron_lines(site, outs[1], site.name + " "))
    pathlib.Path(site.home, "evil.sh").write_text(f"touch {site.home}/evil-ran\n")
    clock = {"LD_PRELOAD": "/usr/$LIB/faketime/libfaketime.so.1", "NO_FAKE_STAT": "1", "FAKETIME": f"{58 - time.time() % 60:+.0f}s"}
    cron = subprocess.Popen(["/usr/sbin/cron", "-f"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clock)
    try:
        sp.wait_for(lambda: all(out.exists() for out in outs), 75, "cron's run")
    finally:
        cron.terminate()
        cron.wait(10)
        panel.unlink()
    for out in outs:
        where, space, uid = out.read_text().split()
        assert (where, uid) == (site.home, str(site.uid)) and space != os.readlink("/proc/self/ns/mnt")
    assert not os.path.exists(f"{site.home}/evil-ran")


def test_jail_33_no_service_manager_of_the_host_is_reached(site):
    """Units that the user writes are files; what would run them outside answers nowhere in the jail."""
    sockets = [pathlib.Path(path) for path in (f"/run/user/{site.uid}/bus", f"/run/user/{site.uid}/systemd/private", "/run/dbus/system_bus_socket",
                                               "/run/systemd/private", "/run/systemd/io.system.ManagedOOM")]
    servers = []
    for path in sockets:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        servers.append(socket.socket(socket.AF_UNIX))
        servers[-1].bind(str(path))
        servers[-1].listen()
        path.chmod(0o666)
    sp.run(["chown", "-R", str(site.uid), f"/run/user/{site.uid}"], check=True)
    done = sp.ssh(site, "mkdir -p ~/.config/systemd/user/default.target.wants; printf '[Service]\nExecStart=/bin/true\n' >~/.config/systemd/user/x.service;"
                        " ln -s ../x.service ~/.config/systemd/user/default.target.wants/; env | grep -e XDG_RUNTIME -e DBUS;"
                        f" ls -d {' '.join(map(str, sockets))} /run/user /run/dbus /run/systemd /var/lib/systemd 2>/dev/null;"
                        " systemctl --user daemon-reload 2>/dev/null && echo reached; loginctl enable-linger 2>/dev/null && echo lingers; echo end")
    for server in servers:
        server.close()
    assert done.stdout == "end\n", done
    assert not os.path.exists(f"/var/lib/systemd/linger/{site.name}")


def test_jail_34_no_crontab_and_no_at_job_is_made_from_inside(site):
    """The spools are not in the jail, and no setgid program that writes them is; a table of the panel's runs inside (48)."""
    before = sp.snapshot(["/var/spool/cron"])
    done = sp.ssh(site, "echo '* * * * * touch ~/out' | crontab - 2>/dev/null && echo made; crontab -l 2>/dev/null && echo listed;"
                        " echo 'touch ~/out' | at now 2>/dev/null && echo at; echo 'touch ~/out' | batch 2>/dev/null && echo batch;"
                        " ls -d /var/spool/cron /var/spool/at /etc/cron.d /etc/crontab 2>/dev/null; echo end")
    assert done.stdout == "end\n", done
    assert before.diff(sp.snapshot(["/var/spool/cron"])) == []
