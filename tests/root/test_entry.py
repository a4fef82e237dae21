# SPDX-License-Identifier: GPL-3.0-or-later
"""chroot-bash alone: the entry sequence, one jail per account, and the techniques that must not get out of it."""

import ctypes
import os
import pathlib
import shlex
import signal
import statistics
import subprocess
import textwrap
import time

import pytest

import sp
import sp_jail
from sp_terminal import Terminal

EPERM, ESRCH, EACCES, ENOSYS = 1, 3, 13, 38
REFUSED = 125


@pytest.fixture
def site(host):
    """An account with a jail in root layout; its processes are gone afterwards."""
    user = sp_jail.account()
    yield user
    sp.run(["pkill", "-KILL", "-u", str(user.uid)])


@pytest.fixture
def other(host):
    user = sp_jail.account()
    yield user
    sp.run(["pkill", "-KILL", "-u", str(user.uid)])


def python(user, code, **more):
    """Runs Python inside the jail; what it prints."""
    done = sp_jail.jail(user, "exec python3 -I -c " + shlex.quote(textwrap.dedent(code)), **more)
    assert done.rc == 0, done
    return done.stdout.strip()


def outside(user, code, **more):
    """Starts Python as the same user outside of the jail: a web process of that account."""
    return subprocess.Popen(sp_jail.argv_as(user, ["python3", "-I", "-u", "-c", textwrap.dedent(code)]), cwd="/",
                            stdout=subprocess.PIPE, text=True, **more)


def space(user, name="pid"):
    done = sp_jail.jail(user, f"readlink /proc/self/ns/{name}")
    assert done.rc == 0, done
    return done.stdout.strip()


@pytest.fixture
def stay(site):
    """Something that lives in the jail meanwhile."""
    child = sp_jail.start(site, "echo in; exec sleep 1000", stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "in\n"
    yield child
    child.kill()
    child.wait()


ERRNO = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    ctypes.set_errno(0)
    done = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return 0 if done >= 0 else ctypes.get_errno()
"""


# What the caller sees

@pytest.mark.parametrize("command, rc", [("true", 0), ("exit 7", 7), ("exit 255", 255), ("nosuchprogram", 127),
                                         ("kill -TERM $$", -15), ("kill -SEGV $$", -11), ("kill -KILL $$", -9),
                                         ("kill -INT $$", -2)])
def test_it_ends_as_the_command_ends(site, command, rc):
    assert sp_jail.jail(site, command).rc == rc


def test_the_string_reaches_bash_untouched(site):
    assert sp_jail.jail(site, "printf '%s|' \"$0\" \"a  b\" '$x' \"$#\"").stdout == "bash|a  b|$x|0|"


def test_a_login_shell_is_one(site):
    done = sp.run(["su", "-", site.name], input="shopt -q login_shell && echo $0 $PWD; exit 4")
    assert (done.rc, done.stdout) == (4, f"-bash {site.home}\n"), done


@pytest.mark.parametrize("argv", [["chroot-bash", "-l"], ["chroot-bash", "-c"], ["chroot-bash", "-c", "true", "x"],
                                  ["chroot-bash", "--", "true"], [""]])
def test_other_arguments_are_refused(site, argv):
    code = f"import os; os.execv({sp.CHROOT_BASH!r}, {argv!r})"
    done = sp.run(sp_jail.argv_as(site, ["python3", "-c", code]))
    # Python itself refuses an empty first argument; the kernel makes one of an empty argv.
    assert done.rc == (1 if argv == [""] else REFUSED) and done.stdout == "", done


def test_an_empty_argv_is_refused(site):
    code = """
    import ctypes, os
    nothing = (ctypes.c_char_p * 1)(None)
    ctypes.CDLL(None).execve(b"%s", nothing, nothing)
    """ % sp.CHROOT_BASH
    done = sp.run(sp_jail.argv_as(site, ["python3", "-c", textwrap.dedent(code)]))
    assert done.rc == REFUSED and "chroot-bash: " in done.stderr and done.stdout == "", done


def test_a_long_command_runs_and_a_longer_one_is_the_kernels_to_refuse(site):
    assert sp_jail.jail(site, "echo in; #" + "x" * 100000).stdout == "in\n"
    with pytest.raises(OSError):
        sp_jail.jail(site, "#" + "x" * (2 << 20))


def test_closed_standard_files_are_survived(site):
    for fds in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        script = f"{sp.CHROOT_BASH} -c 'exit 3' {fds}"
        assert sp.run(sp_jail.argv_as(site, ["sh", "-c", script])).rc == 3, fds


def test_a_directory_on_standard_input_is_refused(site):
    done = sp.run(sp_jail.argv_as(site, ["sh", "-c", f"exec {sp.CHROOT_BASH} -c true < /"]))
    assert done.rc == REFUSED and "directory" in done.stderr, done


def test_other_files_of_the_caller_are_closed(site):
    script = f"exec 9</ 11</etc/passwd; {sp.CHROOT_BASH} -c 'ls /proc/self/fd; cat <&9'"
    done = sp.run(sp_jail.argv_as(site, ["bash", "-c", script]))
    assert "9" not in done.stdout.split() and "11" not in done.stdout.split() and done.rc != 0, done


def test_a_pipe_ends_when_the_shell_closes_it(site):
    child = sp_jail.start(site, "echo x; exec >&- 2>&-; sleep 5", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    start = time.monotonic()
    assert child.stdout.read() == b"x\n" and child.stderr.read() == b""
    assert time.monotonic() - start < 4
    child.kill()
    child.wait()


def test_a_background_job_holds_no_file_of_ours(site):
    done = sp_jail.jail(site, "sleep 100 >/dev/null 2>&1 </dev/null & echo started", timeout=5)
    assert done.stdout == "started\n"


def test_ignored_and_blocked_signals_are_reset(site):
    script = f"trap '' HUP INT TERM CHLD PIPE; exec {sp.CHROOT_BASH} -c 'grep SigIgn: /proc/self/status'"
    done = sp.run(sp_jail.argv_as(site, ["bash", "-c", script]))
    assert done.stdout.split() == ["SigIgn:", "0" * 16], done


def test_umask_and_limits_are_kept(site):
    script = f"umask 027; ulimit -c 0; ulimit -n 99; exec {sp.CHROOT_BASH} -c 'umask; ulimit -c; ulimit -n'"
    assert sp.run(sp_jail.argv_as(site, ["bash", "-c", script])).stdout.split() == ["0027", "0", "99"]


def test_the_environment_is_new(site):
    env = {"BASH_ENV": "/tmp/x", "ENV": "/tmp/x", "PATH": "/evil", "GCONV_PATH": "/tmp", "LOCPATH": "/tmp", "TERMINFO": "/tmp",
           "PYTHONPATH": "/tmp", "LD_PRELOAD": "/tmp/x.so", "SSH_AUTH_SOCK": "/tmp/a", "HOME": "/root", "USER": "root",
           "IFS": "x", "BASH_FUNC_ls%%": "() { echo no; }", "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "../../x",
           "TZ": "Europe/Paris", "SSH_TTY": "/dev/pts/3", "SSH_CONNECTION": "192.0.2.2 1 192.0.2.1 22", "SSH_CLIENT": "a;b",
           "SSH_ORIGINAL_COMMAND": "rrsync 'a b'"}
    done = sp_jail.jail(site, "env", env={**env, "LC_TIME": "x" * 100})
    got = dict(line.split("=", 1) for line in done.stdout.splitlines())
    for name in ("_", "SHLVL", "PWD"):
        got.pop(name)
    assert got == {"HOME": site.home, "USER": site.name, "LOGNAME": site.name, "SHELL": "/bin/bash",
                   "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "Europe/Paris",
                   "SSH_TTY": "/dev/pts/3", "SSH_CONNECTION": env["SSH_CONNECTION"],
                   "SSH_ORIGINAL_COMMAND": env["SSH_ORIGINAL_COMMAND"]}


def test_an_entry_is_logged_with_the_level_reached(site):
    assert sp_jail.jail(site, "true").rc == 0
    line = sp.wait_for(lambda: sp.syslog_lines(f"{site.name} (uid {site.uid})"), what="the line")[0]
    assert "new root-layout jail" in line and "landlock" in line


def test_the_first_process_does_not_show_the_first_command(site, stay):
    assert "sleep 1000" not in sp_jail.jail(site, "tr '\\0' ' ' < /proc/1/cmdline").stdout
    assert sp_jail.jail(site, "cat /proc/1/comm").stdout == "jail-init\n"


# Who is refused

def refusal(done, text):
    assert done.rc == REFUSED and done.stdout == "" and text in done.stderr, done
    assert done.stderr.startswith("chroot-bash: ") and done.stderr.count("\n") == 1, done


def test_without_capabilities_it_refuses(site):
    path = "/usr/libexec/sallyport/stripped"
    sp.run(["cp", sp.CHROOT_BASH, path], check=True)
    refusal(sp.run(sp_jail.argv_as(site, [path, "-c", "id"])), "capabilities")
    no_new_privs = ["setpriv", "--no-new-privs", sp.CHROOT_BASH, "-c", "id"]
    refusal(sp.run(sp_jail.argv_as(site, no_new_privs)), "capabilities")


def test_a_tracer_takes_its_capabilities(site):
    done = sp.run(sp_jail.argv_as(site, ["strace", "-f", "-o", "/dev/null", sp.CHROOT_BASH, "-c", "id"]))
    refusal(done, "capabilities")


def test_root_is_refused(site):
    refusal(sp.run([sp.CHROOT_BASH, "-c", "id"]), "root has no jail")


def test_an_account_without_a_record_is_refused(host):
    sp_jail.generation()
    user = sp.make_user()
    refusal(sp_jail.jail(user, "id"), "no jail")


@pytest.mark.parametrize("spoil", [
    lambda path, user: path.write_text("sallyport-entry 2\n"),
    lambda path, user: path.write_text(path.read_text()[:-20]),
    lambda path, user: os.chmod(path, 0o660),
    lambda path, user: os.chown(path, user.uid, user.gid),
    lambda path, user: sp_jail.write_record(user, uid=user.uid + 1),
    lambda path, user: sp_jail.write_record(user, profiles="other"),
    lambda path, user: (path.rename(f"{path}.x"), path.symlink_to(f"{path}.x")),
    lambda path, user: (path.unlink(), os.mkfifo(path), os.chmod(path, 0o644)),
])
def test_a_bad_record_is_refused(site, spoil):
    spoil(sp_jail.STORE / "entry" / str(site.uid), site)
    done = sp_jail.jail(site, "id")
    assert done.rc == REFUSED and done.stdout == "", done


def test_a_root_of_somebody_else_is_refused(site):
    os.chown(site.docroot, 65534, 65534)
    os.chmod(site.docroot, 0o755)
    refusal(sp_jail.jail(site, "id"), "neither")
    for owner in (0, site.uid):
        os.chown(site.docroot, owner, site.gid)
        assert sp_jail.jail(site, "id -u").rc == 0
    sp.run(["chown", "-R", site.name, site.docroot], check=True)  # as a panel does
    assert sp_jail.jail(site, "id -u").rc == 0


@pytest.mark.parametrize("kind", ["link", "file", "parent"])
def test_a_root_that_is_a_link_or_a_file_is_refused(site, kind):
    path = pathlib.Path(site.docroot)
    path.rename(str(path) + ".real")
    if kind == "link":
        path.symlink_to("/etc")
    elif kind == "file":
        path.write_text("")
    else:
        path.symlink_to(str(path) + ".real")
        sp_jail.write_record(site, roots=[site.docroot + "/usr"])
    done = sp_jail.jail(site, "id")
    assert done.rc == REFUSED and done.stdout == "", done


# What the jail is

def test_slash_is_the_document_root_and_the_hosts_files_are_not_there(site):
    (pathlib.Path(site.docroot) / "index.html").write_text("site")
    done = sp_jail.jail(site, "cat /index.html; ls -A /; ls /var/www/vhosts /home /root 2>/dev/null; cat /etc/shadow")
    names = set(done.stdout.split())
    assert {"site" + ".ssh"} & names or "index.html" in names
    assert "home" not in names and "root" not in names and "boot" not in names
    assert done.rc != 0 and site.domain in names
    assert "daemon" not in sp_jail.jail(site, "cat /etc/passwd").stdout


def test_both_views_are_writable_and_the_rest_is_not(site):
    done = sp_jail.jail(site, f"echo a > /one && echo b > {site.docroot}/two && cat {site.docroot}/one /two")
    assert done.stdout == "a\nb\n", done
    for path in ("/usr/x", "/etc/x", "/bin/x", "/var/x", "/var/www/x", "/var/www/vhosts/x", "/dev/x", "/lib/x"):
        assert sp_jail.jail(site, f"echo > {path}").rc != 0, path
    for path in ("/tmp/x", "/var/tmp/y", "/dev/shm/x", "/run/x"):
        assert sp_jail.jail(site, f"echo > {path}").rc == 0, path
    assert not os.path.exists(site.docroot + "/tmp/x")


def test_tmp_is_private_and_limited(site, stay):
    done = sp_jail.jail(site, "head -c 30M /dev/zero > /tmp/big; stat -c %s /tmp/big; stat -c %a /tmp")
    assert int(done.stdout.split()[0]) <= 16 << 20 and done.stdout.split()[1] == "1777"
    assert not os.path.exists("/tmp/big")
    assert sp_jail.jail(site, "for i in $(seq 20000); do : > /dev/shm/$i || exit 9; done").rc == 9


def test_a_home_elsewhere_and_more_roots_are_there(site):
    home, more = pathlib.Path("/home") / site.name, pathlib.Path("/srv/more") / site.name
    for path in (home, more, more / "below"):
        path.mkdir(parents=True)
        os.chown(path, site.uid, site.gid)
    sp_jail.write_record(site, roots=[site.docroot, str(more / "below"), str(more), "/srv/gone"], home=str(home))
    sp_jail.mount_points(site.docroot, "/home", "/srv")
    done = sp_jail.jail(site, f"pwd; touch here {more}/there {more}/below/too; ls -d /srv/*; echo $HOME")
    assert done.stdout.split() == [str(home), "/srv/more", str(home)], done
    assert (home / "here").exists() and (more / "there").exists() and (more / "below" / "too").exists()
    assert sp_jail.jail(site, f"df --output=target {more}/below | tail -1").stdout.strip() == str(more)


def layout_works(user, layout):
    done = sp_jail.jail(user, f"cd {user.docroot} && touch x && /bin/ls / && stat -fc %T / && pwd && git --version && sh -c true")
    assert done.rc == 0 and user.docroot in done.stdout.split(), done
    assert ("tmpfs" in done.stdout.split()) == (layout == "path"), done
    return done


@pytest.mark.parametrize("name", ["bin", "lib", "var", "etc", "usr", "tmp"])
def test_a_site_with_content_there_gets_the_path_layout(site, name):
    own = pathlib.Path(site.docroot) / name / "console"
    own.write_text("the site's own")
    before = sp.snapshot([own.parent])
    layout_works(site, "path")
    assert before.diff(sp.snapshot([own.parent])) == []
    assert sp_jail.jail(site, "echo > /x").rc != 0


@pytest.mark.parametrize("kind", ["missing", "link", "file", "fifo", "unreadable"])
def test_a_mount_point_that_is_none_makes_the_path_layout(site, kind):
    point = pathlib.Path(site.docroot) / "usr"
    point.rmdir()
    if kind == "link":
        point.symlink_to("/usr")
    elif kind == "file":
        point.write_text("")
    elif kind == "fifo":
        os.mkfifo(point)
    elif kind == "unreadable":
        point.mkdir(0)
    layout_works(site, "path")


def test_a_mount_point_that_the_user_made_himself_gains_nothing(site):
    point = pathlib.Path(site.docroot) / "usr"
    point.rmdir()
    point.mkdir()
    os.chown(point, site.uid, site.gid)
    layout_works(site, "root")


# One jail per account

def test_a_second_login_joins_the_first(site, stay):
    assert len({space(site) for _ in range(3)}) == 1
    for name in ("mnt", "ipc", "uts"):
        assert space(site, name) == space(site, name) != os.readlink(f"/proc/self/ns/{name}")
    assert "sleep" in sp_jail.jail(site, "ps -e").stdout
    assert len(sp_jail.inits(site)) == 1


def test_two_accounts_share_nothing(site, stay, other):
    assert space(site) != space(other)
    assert "sleep" not in sp_jail.jail(other, "ps -e").stdout


def test_the_jail_ends_with_its_last_process(site, stay):
    assert sp_jail.inits(site)
    stay.terminate()
    stay.wait()
    sp.wait_for(lambda: not sp_jail.inits(site), 3, "the end of the jail")


def test_many_first_logins_at_once_make_one_jail(site):
    many = [sp_jail.start(site, "readlink /proc/self/ns/pid; sleep 2", stdout=subprocess.PIPE, text=True) for _ in range(20)]
    assert len({one.communicate(timeout=30)[0] for one in many}) == 1


def test_logins_that_come_and_go_never_fail(site):
    loop = f"for i in $(seq 40); do {sp.CHROOT_BASH} -c true || exit; done"
    many = [subprocess.Popen(sp_jail.argv_as(site, ["bash", "-c", loop]), cwd="/") for _ in range(4)]
    assert [one.wait(60) for one in many] == [0] * 4


def test_nohup_outlives_the_login_and_is_killed_from_the_next(site):
    pid = sp_jail.jail(site, "nohup sleep 1001 >/dev/null 2>&1 </dev/null & echo $!").stdout.strip()
    assert sp_jail.jail(site, f"kill -0 {pid} && kill {pid} && sleep 0.1; kill -0 {pid}").rc == 1
    sp.wait_for(lambda: not sp_jail.inits(site), 3, "the end of the jail")


def test_a_process_in_two_logins_talks(site, stay):
    assert sp_jail.jail(site, "kill -TERM $(pgrep -x sleep)").rc == 0
    assert stay.wait(5) == -15


@pytest.mark.parametrize("change", [
    lambda user: sp_jail.write_record(user),
    lambda user: sp_jail.generation("c0ffee02"),
    lambda user: (os.rename(user.docroot, user.docroot + ".old"), sp.run(["cp", "-a", user.docroot + ".old", user.docroot])),
])
def test_what_changed_makes_a_new_jail(site, stay, change):
    before = space(site)
    change(site)
    assert space(site) != before
    assert stay.poll() is None
    sp_jail.generation()


def test_when_the_first_process_is_killed_the_next_login_makes_a_new_jail(site, stay):
    before = space(site)
    os.kill(sp_jail.inits(site)[0], signal.SIGKILL)
    assert stay.wait(5) == -9
    assert space(site) != before


LOCKER = """
import fcntl, os, struct, sys, time
record = os.open("%s", os.O_RDONLY)
inode = os.stat("%s").st_ino
fcntl.fcntl(record, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, inode, 1, 0))
print("locked", flush=True)
time.sleep(100)
"""


def locker(user):
    return LOCKER % (sp_jail.STORE / "entry" / str(user.uid), sp_jail.STORE / "gen/c0ffee01")


def joined(user):
    """The log tells of each login whether it joined."""
    mark = len(sp.syslog_lines(f"{user.name} (uid"))
    assert sp_jail.jail(user, "true").rc == 0
    return "living" in sp.wait_for(lambda: sp.syslog_lines(f"{user.name} (uid")[mark:], what="the line")[0]


def test_a_forged_lock_of_an_outside_process_is_not_joined(site):
    forger = outside(site, locker(site))
    assert forger.stdout.readline() == "locked\n"
    assert not joined(site)
    forger.kill()
    forger.wait()


def test_a_namespace_that_the_user_made_is_not_joined(site):
    argv = ["unshare", "-Urmpiuf", "--kill-child", "python3", "-I", "-u", "-c", locker(site)]
    forger = subprocess.Popen(sp_jail.argv_as(site, argv), cwd="/", stdout=subprocess.PIPE, text=True)
    assert forger.stdout.readline() == "locked\n"
    assert not joined(site)
    forger.kill()
    forger.wait()


def test_a_jail_that_the_user_made_in_his_own_namespace_is_not_joined(site):
    argv = ["unshare", "-Um", "--map-current-user", sp.CHROOT_BASH, "-c", "echo in; exec sleep 1002"]
    forger = subprocess.Popen(sp_jail.argv_as(site, argv), cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    forger.stdout.readline()
    assert not joined(site)
    forger.kill()
    forger.wait()


def test_a_held_flock_delays_and_does_not_shut_out(site):
    holder = outside(site, f"""
    import fcntl, time
    record = open("{sp_jail.STORE}/entry/{site.uid}")
    fcntl.flock(record, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(100)
    """)
    assert holder.stdout.readline() == "locked\n"
    start = time.monotonic()
    assert sp_jail.jail(site, "echo in").stdout == "in\n"
    assert 9 < time.monotonic() - start < 15
    holder.kill()
    holder.wait()
    sp.wait_for(lambda: not sp_jail.inits(site), 3, "the end of the jail nobody joined")


# Signals and terminals

def supervisor(user):
    return sp.run(["pgrep", "-u", str(user.uid), "-x", "chroot-bash"]).stdout.split()


@pytest.mark.parametrize("sent", [signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_are_passed_on(site, sent):
    child = sp_jail.start(site, f"trap 'exit 33' {sent.name[3:]}; echo ready; while :; do sleep 0.05; done", stdout=subprocess.PIPE)
    child.stdout.readline()
    child.send_signal(sent)
    assert child.wait(5) == 33


def test_a_killed_supervisor_hangs_up_its_shell(site, stay):
    stay.kill()
    sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 1, 5, "the end of the shell")
    sp.wait_for(lambda: not sp_jail.inits(site), 8, "the end of the jail")


def test_the_supervisor_has_no_capability(site, stay):
    status = pathlib.Path(f"/proc/{stay.pid}/status").read_text()
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert f"{name}:\t{0:016x}" in status
    assert "NoNewPrivs:\t1" in status


def interactive(term):
    """Job control as in plain bash."""
    term.expect(r"\$ ")
    assert term.run("tty").startswith("/dev/pts/")
    term.resize(40, 100)
    sp.wait_for(lambda: term.run("stty size") == "40 100", what="the resize")
    term.send("sleep 61\n")
    time.sleep(0.4)
    term.send("\x1a")
    term.expect("Stopped")
    assert "sleep 61" in term.run("jobs")
    assert term.run("bg").startswith("[1]+ sleep 61")
    term.send("fg\n")
    term.expect("sleep 61")
    time.sleep(0.3)
    term.send("\x03")
    term.send("echo ended=$?\n")
    term.expect("ended=130")
    term.send("cat | cat\n")
    time.sleep(0.2)
    term.send("\x1a")
    term.expect("Stopped")
    term.send("kill %1; wait; echo gone\n")
    term.expect("^gone")


def test_job_control_over_ssh(site):
    with Terminal(site) as term:
        interactive(term)
        assert term.run("echo reopened > /dev/stderr") == "reopened"
        assert term.run("stty -F /dev/tty size") == "40 100"
        term.send("exit 5\n")
        assert term.wait() == 5


def test_job_control_in_a_joined_login(site, stay):
    with Terminal(site) as term:
        interactive(term)
        assert "sleep 1000" in term.run("ps -eo args | grep '[s]leep 1000'")
        term.send("exit 6\n")
        assert term.wait() == 6


def test_job_control_under_su(site):
    with Terminal.local(["su", "-", site.name]) as term:
        interactive(term)
        term.send("exit 7\n")
        assert term.wait() == 7


def test_suspend_gives_the_terminal_back_to_the_outer_shell(site):
    with Terminal.local(["bash", "--norc", "--noprofile"]) as term:
        term.expect("# ")
        drop = " ".join(sp_jail.argv_as(site, [sp.CHROOT_BASH]))
        term.send(f"{drop}\n")
        term.expect(r"\$ ")
        term.send("suspend\n")
        term.expect("Stopped")
        term.send("fg; echo back=$?\n")
        time.sleep(0.5)
        term.send("exit 9\n")
        term.expect("back=9")
        term.send(f"{drop} -c 'sleep 62'\n")
        time.sleep(0.5)
        term.send("\x1a")
        term.expect("Stopped")
        term.send("fg\n")
        time.sleep(0.5)
        term.send("\x03")
        time.sleep(0.5)
        term.send("echo int=$?\n")
        term.expect("int=130")


def test_control_c_ends_a_command_on_a_terminal(site):
    with Terminal(site, command="sleep 63") as term:
        sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 0, what="sleep")
        time.sleep(0.3)
        term.send("\x03")
        assert term.wait() in (130, 255)
    sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 1, what="its end")


def test_a_lost_connection_hangs_up_the_shell(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("sleep 64\n")
        sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 0, what="sleep")
        os.kill(term.pid, signal.SIGKILL)
    sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 1, 10, "its end")
    sp.wait_for(lambda: not sp_jail.inits(site), 5, "the end of the jail")


def test_tmux_outlives_the_login_and_its_terminal_works(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("tmux new-session -s work\n")
        time.sleep(1)
        term.send("echo here-$((40+2)); tty\n")
        term.expect("here-42")
        time.sleep(0.5)  # tmux takes keys that come at once for a paste
        term.send("\x02")
        time.sleep(0.2)
        term.send("d")
        term.expect("detached")
        term.send("exit\n")
        term.wait()
    with Terminal(site) as term:
        term.expect(r"\$ ")
        assert "work" in term.run("tmux ls")
        term.send("tmux attach -t work\n")
        term.expect("here-42")
        term.send("echo again-$((40+3))\n")
        term.expect("again-43")
        term.send("tmux kill-server\n")
        term.expect("server exited")
        term.send("exit\n")
        term.wait()
    sp.wait_for(lambda: not sp_jail.inits(site), 5, "the end of the jail")


def test_a_login_without_a_terminal_works(site):
    done = sp.ssh(site, "tty; echo $SSH_CONNECTION; exit 6")
    assert done.rc == 6 and done.stdout.startswith("not a tty\n") and len(done.stdout.split()) == 7, done


def test_files_travel(site, tmp_path):
    (tmp_path / "a").write_text("content")
    for legacy in (False, True):
        assert sp.scp(site, tmp_path / "a", f"b{legacy}", legacy=legacy).rc == 0
        assert sp.scp(site, f"b{legacy}", tmp_path / f"c{legacy}", to_host=False, legacy=legacy).rc == 0
        assert (tmp_path / f"c{legacy}").read_text() == "content"
    assert sp.rsync(site, f"{tmp_path}/", "folder/").rc == 0
    done = sp.sftp_batch(site, ["ls -1 folder", "get /etc/hostname " + str(tmp_path / "hostname")])
    assert done.rc == 0 and "folder/a" in done.stdout, done
    assert (tmp_path / "hostname").read_text() == "the-jail\n"


def test_a_crontab_line_runs_inside(site):
    """As cron runs it: no terminal, no SSH_* variable, its own little environment, output to a file."""
    with open("/run/cron.out", "wb") as out:
        env = {"SHELL": sp.CHROOT_BASH, "HOME": "/", "LOGNAME": site.name, "PATH": "/usr/bin:/bin"}
        subprocess.run(sp_jail.argv_as(site, [sp.CHROOT_BASH, "-c", "cat /etc/hostname; pwd"]), env=env, stdout=out, check=True,
                       start_new_session=True, stdin=subprocess.DEVNULL)
    assert pathlib.Path("/run/cron.out").read_text() == f"the-jail\n{site.home}\n"


# Techniques

def test_bash_env_and_preload_do_nothing_outside(site):
    """ssh sets them for us: ~/.pam_environment and environment= of a key."""
    home = pathlib.Path(site.home)
    (home / "evil.sh").write_text(f"echo ran > {home}/ran-$(readlink /proc/self/ns/pid | tr -d '[:]')\n")
    for name in ("BASH_ENV", "ENV"):
        sp_jail.jail(site, "true", env={name: str(home / "evil.sh")})
    (home / ".pam_environment").write_text(f"BASH_ENV={home}/evil.sh\nLD_PRELOAD={home}/nothing.so\n")
    done = sp.ssh(site, "echo ${BASH_ENV:-none} ${LD_PRELOAD:-none}")
    assert done.stdout == "none none\n" and "nothing.so" not in done.stderr, done
    assert not list(home.glob("ran-*"))


def test_ssh_rc_runs_inside(site):
    (pathlib.Path(site.home) / ".ssh" / "rc").write_text("cat /etc/hostname > ~/rc.out\n")
    assert sp.ssh(site, "true").rc == 0
    assert (pathlib.Path(site.home) / "rc.out").read_text() == "the-jail\n"


@pytest.mark.parametrize("request_, high", [(0x5412, 0), (0x541C, 0), (0x5412, 0xdeadbeef), (0x541C, 1)])
def test_terminal_injection_is_refused(site, request_, high):
    code = ERRNO + f"""
import pty
pty.fork  # a terminal of our own would do, too; the caller's is the one that matters
print(call(16 if os.uname().machine == "x86_64" else 29, 0, {request_ | high << 32}, ctypes.c_char_p(b"x")))
"""
    with Terminal.local(sp_jail.argv_as(site, [sp.CHROOT_BASH, "-c", "python3 -I -c " + shlex.quote(code)])) as term:
        assert term.expect(r"^(\d+)").group(1) == str(EPERM)


def test_user_namespaces_are_refused(site):
    assert "Operation not permitted" in sp_jail.jail(site, "unshare -U true").stderr
    got = python(site, ERRNO + """
new = 0x10000000
print(call(272, new), call(272, 0x20000), call(272, 0x80), call(56, new | 17, 0, 0, 0, 0), call(435, 0, 0), call(308, 0, 0))
print(call(272, 0x200))
""")
    assert got.split() == [str(EPERM)] * 4 + [str(ENOSYS), str(EPERM), "0"]


def test_a_double_chroot_fails(site):
    got = python(site, """
    import os
    os.mkdir("/tmp/x")
    root = os.open("/", os.O_RDONLY)
    try:
        os.chroot("/tmp/x")
    except PermissionError as no:
        print(no.errno)
    os.fchdir(root)
    for _ in range(64):
        os.chdir("..")
    print(sorted(os.listdir("."))== sorted(os.listdir("/")))
    """)
    assert got.split() == [str(EPERM), "True"]


def test_proc_leads_nowhere_else(site, stay):
    done = sp_jail.jail(site, "ls -d /proc/[0-9]* | wc -l; for p in /proc/[0-9]*; do ls $p/root/boot $p/cwd/../../../../boot; done 2>/dev/null")
    assert int(done.stdout.split()[0]) < 8 and len(done.stdout.split()) == 1, done
    assert sp_jail.jail(site, "echo 1 > /proc/sys/kernel/hostname").rc != 0
    assert sp_jail.jail(site, "echo c > /proc/sysrq-trigger").rc != 0


def test_mounts_nodes_and_devices_are_refused(site):
    os.mknod(f"{site.docroot}/node", 0o20666, os.makedev(1, 5))
    os.chmod(f"{site.docroot}/node", 0o666)
    for command in ("mount -t proc proc /tmp", "mount --bind / /tmp", "mknod /tmp/n c 1 5", "umount /proc", "head -c1 /node",
                    f"head -c1 {site.docroot}/node", "head -c1 /tmp/n"):
        assert sp_jail.jail(site, command).rc != 0, command
    assert sp_jail.jail(site, "head -c1 /dev/zero && head -c1 /dev/urandom && : > /dev/null").rc == 0


def test_a_setuid_or_capable_file_at_home_gains_nothing(site):
    for name, how in (("suid", ["chmod", "4755"]), ("capable", ["setcap", "cap_dac_override,cap_sys_admin=ep"])):
        path = f"{site.home}/{name}"
        sp.run(["cp", "/usr/bin/bash", path], check=True)
        sp.run([*how, path], check=True)
        done = sp_jail.jail(site, f"~/{name} -p -c 'id -u; grep CapEff /proc/self/status'")
        assert done.stdout.split() == [str(site.uid), "CapEff:", "0" * 16], done


def test_a_memfd_runs_and_is_confined(site):
    got = python(site, """
    import os
    fd = os.memfd_create("x", 0)
    with open("/usr/bin/readlink", "rb") as source:
        os.write(fd, source.read())
    os.execve(fd, ["readlink", "/proc/self/ns/user"], {})
    """)
    assert got.startswith("user:")


def test_kernel_interfaces_are_shut(site):
    got = python(site, ERRNO + """
# keyctl add_key request_key bpf perf_event_open userfaultfd open_by_handle_at mount umount2 pivot_root open_tree move_mount fsopen
for number in (250, 248, 249, 321, 298, 323, 304, 165, 166, 155, 428, 429, 430, 425, 246, 175):
    print(call(number, 0, 0, 0, 0, 0), end=" ")
""")
    assert set(got.split()) == {str(EPERM)}


def test_another_architecture_is_killed(site):
    """int 0x80 from 64-bit code calls by the numbers of i386; x32 by a bit in the number."""
    code = """
    import ctypes, mmap
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(bytes(%s))
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    """
    i386 = "[0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]"
    x32 = "[0xb8, 39, 0, 0, 0x40, 0x0f, 0x05, 0xc3]"
    for machine in (i386, x32):
        done = sp_jail.jail(site, "exec python3 -c " + shlex.quote(textwrap.dedent(code % machine)))
        assert done.rc == -signal.SIGSYS, done


def test_shared_memory_is_the_jails_own(site):
    sp.run(["setpriv", f"--reuid={site.uid}", "--clear-groups", "ipcmk", "-M", "4096"], check=True)
    pathlib.Path("/dev/shm/of-the-host").write_text("x")
    done = sp_jail.jail(site, "ipcs -m | grep -c 0x; ls /dev/shm")
    assert done.stdout.split() == ["0"], done


def test_a_directory_passed_over_a_socket_opens_nothing(site):
    giver = outside(site, f"""
    import array, os, socket
    server = socket.socket(socket.AF_UNIX)
    server.bind("{site.docroot}/s")
    server.listen()
    print("ready", flush=True)
    peer = server.accept()[0]
    socket.send_fds(peer, [b"x"], [os.open("/", os.O_RDONLY), os.open("/etc", os.O_PATH)])
    peer.recv(1)
    """)
    assert giver.stdout.readline() == "ready\n"
    got = python(site, """
    import os, socket
    s = socket.socket(socket.AF_UNIX)
    s.connect("/s")
    root, etc = socket.recv_fds(s, 1, 2)[1]
    for where, name in ((root, "etc/passwd"), (etc, "passwd"), (root, ".")):
        try:
            os.open(name, os.O_RDONLY, dir_fd=where)
            print("open")
        except OSError as no:
            print(no.errno)
    try:
        os.fchdir(root)
        os.listdir(".")
        print("listed")
    except OSError as no:
        print(no.errno)
    """)
    assert set(got.split()) <= {str(EACCES), str(EPERM)}, got
    giver.wait(5)


def test_abstract_sockets_of_the_host_are_refused(site):
    listener = outside(site, """
    import socket, time
    s = socket.socket(socket.AF_UNIX); s.bind("\\0of-the-host"); s.listen(); print("ready", flush=True); time.sleep(100)
    """)
    assert listener.stdout.readline() == "ready\n"
    got = python(site, """
    import socket
    try:
        socket.socket(socket.AF_UNIX).connect("\\0of-the-host"); print("connected")
    except OSError as no:
        print(no.errno)
    """)
    listener.kill()
    listener.wait()
    assert got == str(EPERM)


def test_processes_of_the_same_user_outside_are_out_of_reach(site):
    web = outside(site, "import time; print('up', flush=True); time.sleep(100)")
    web.stdout.readline()
    assert sp_jail.jail(site, f"kill -9 {web.pid}; kill -9 -1; true").rc in (0, -9)
    assert web.poll() is None
    got = python(site, ERRNO + f"print(call(101, 16, {web.pid}, 0, 0))")
    assert got == str(ESRCH)
    web.kill()
    web.wait()


def test_moving_the_jailed_directory_out_leads_nowhere(site):
    sub = pathlib.Path(site.docroot) / "a" / "b"
    sub.mkdir(parents=True)
    sp.run(["chown", "-R", site.name, sub.parent], check=True)
    child = sp_jail.start(site, "cd /a/b; echo in; read x; cd ..; cd ../../../../../..; ls; cat boot/* etc/shadow /proc/self/cwd/../etc/hostname",
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "in\n"
    target = pathlib.Path("/var/tmp/moved")
    sub.rename(target)
    out, err = child.communicate("go\n", timeout=10)
    assert "sallyport-test" not in out and "vmlinuz" not in out and "root:" not in out, (out, err)


def test_a_stranger_cannot_enter_by_a_jailed_process(site, stay, other):
    inner = sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).stdout.split()[0]
    done = sp.run(sp_jail.argv_as(other, ["nsenter", "-t", inner, "-m", "true"]))
    assert done.rc != 0


def test_another_users_terminal_is_shut(site, other):
    with Terminal(other) as term:
        term.expect(r"\$ ")
        tty = term.run("tty")
        done = sp_jail.jail(site, f"echo x > {tty}")
        assert done.rc != 0 and "denied" in done.stderr, done


def test_sockets_of_the_host_are_absent(site):
    done = sp_jail.jail(site, "ls -A /run; test ! -e /dev/log")
    assert (done.rc, done.stdout) == (0, "")


def test_stopping_the_supervisor_and_swapping_files_has_no_effect(site):
    for _ in range(10):
        child = sp_jail.start(site, "cat /etc/hostname", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.kill(child.pid, signal.SIGSTOP)
        point = pathlib.Path(site.docroot) / "etc"
        try:
            point.rmdir()
            point.symlink_to("/etc")
        except OSError:
            pass
        os.kill(child.pid, signal.SIGCONT)
        out, err = child.communicate(timeout=10)
        assert out in ("the-jail\n", ""), (out, err)
        if point.is_symlink():
            point.unlink()
            point.mkdir()


def test_a_rename_loop_of_a_parent_fails_closed(site):
    """The document root swaps with a link to /etc, all the time: a login works or is refused, and sees no other root."""
    path = pathlib.Path(site.docroot)
    bait = path.with_name(path.name + ".bait")
    bait.symlink_to("/")
    loop = subprocess.Popen(["python3", "-I", "-c", textwrap.dedent(f"""
    import ctypes
    libc = ctypes.CDLL(None)
    while True:
        libc.renameat2(-100, b"{path}", -100, b"{bait}", 2)
    """)])
    try:
        seen = {(done.rc, done.stdout) for done in (sp_jail.jail(site, "cat /etc/hostname; ls /boot 2>/dev/null; true") for _ in range(60))}
    finally:
        loop.kill()
        loop.wait()
    assert seen <= {(0, "the-jail\n"), (REFUSED, "")}, seen


# What it costs

def _cost(argv, n=60):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        subprocess.run(argv, check=True, cwd="/", env={"PATH": "/usr/bin:/bin"})
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def test_cost_beside_plain_bash(site, capsys):
    def settled(command):
        return sp_jail.argv_as(site, command)

    plain = _cost(settled(["/bin/bash", "-c", "true"]))
    first = _cost(settled([sp.CHROOT_BASH, "-c", "true"]))
    keeper = sp_jail.start(site, "sleep 1000")
    sp.wait_for(lambda: sp_jail.inits(site), what="the jail")
    join = _cost(settled([sp.CHROOT_BASH, "-c", "true"]))
    keeper.kill()
    keeper.wait()
    with capsys.disabled():
        print(f"\nexec to end, setpriv included: bash {plain:.2f} ms, first login {first:.2f}, joining login {join:.2f}")
