# SPDX-License-Identifier: GPL-3.0-or-later
"""chroot-bash alone: what its caller sees, whom it refuses, what the jail is, and that an account has one."""

import os
import pathlib
import signal
import subprocess
import textwrap
import time

import pytest

import sp
import sp_jail
from sp_jail_fixtures import *  # noqa: F403


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
    child = sp_jail.start(site, "echo x; exec >&- 2>&-; sleep 30", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    start = time.monotonic()
    assert child.stdout.read() == b"x\n" and child.stderr.read() == b""
    assert time.monotonic() - start < 25 * sp.PATIENCE
    child.kill()
    child.wait()


def test_a_background_job_holds_no_file_of_ours(site):
    done = sp_jail.jail(site, "sleep 100 >/dev/null 2>&1 </dev/null & echo started")
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
    assert len({sp_jail.space(site) for _ in range(3)}) == 1
    for name in ("mnt", "ipc", "uts"):
        assert sp_jail.space(site, name) == sp_jail.space(site, name) != os.readlink(f"/proc/self/ns/{name}")
    assert "sleep" in sp_jail.jail(site, "ps -e").stdout
    assert len(sp_jail.inits(site)) == 1


def test_two_accounts_share_nothing(site, stay, other):
    assert sp_jail.space(site) != sp_jail.space(other)
    assert "sleep" not in sp_jail.jail(other, "ps -e").stdout


def test_the_jail_ends_with_its_last_process(site, stay):
    assert sp_jail.inits(site)
    stay.terminate()
    stay.wait()
    sp.wait_for(lambda: not sp_jail.inits(site), what="the end of the jail")


def test_many_first_logins_at_once_make_one_jail(site):
    many = [sp_jail.start(site, "readlink /proc/self/ns/pid; read", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(20)]
    assert len({one.stdout.readline() for one in many}) == 1  # they stay until the last of them is in
    for one in many:
        one.communicate(timeout=30)


def test_logins_that_come_and_go_never_fail(site):
    loop = f"for i in $(seq 40); do {sp.CHROOT_BASH} -c true || exit; done"
    many = [subprocess.Popen(sp_jail.argv_as(site, ["bash", "-c", loop]), cwd="/") for _ in range(4)]
    assert [one.wait(60) for one in many] == [0] * 4


def test_nohup_outlives_the_login_and_is_killed_from_the_next(site):
    pid = sp_jail.jail(site, "nohup sleep 1001 >/dev/null 2>&1 </dev/null & echo $!").stdout.strip()
    assert sp_jail.jail(site, f"kill {pid} && while kill -0 {pid}; do sleep 0.1; done").rc == 0
    sp.wait_for(lambda: not sp_jail.inits(site), what="the end of the jail")


def test_a_process_in_two_logins_talks(site, stay):
    assert sp_jail.jail(site, "kill -TERM $(pgrep -x sleep)").rc == 0
    assert stay.wait(10) == -15


@pytest.mark.parametrize("change", [
    lambda user: sp_jail.write_record(user),
    lambda user: sp_jail.generation("c0ffee02"),
    lambda user: (os.rename(user.docroot, user.docroot + ".old"), sp.run(["cp", "-a", user.docroot + ".old", user.docroot])),
])
def test_what_changed_makes_a_new_jail(site, stay, change):
    before = sp_jail.space(site)
    change(site)
    assert sp_jail.space(site) != before
    assert stay.poll() is None
    sp_jail.generation()


def test_when_the_first_process_is_killed_the_next_login_makes_a_new_jail(site, stay):
    before = sp_jail.space(site)
    os.kill(sp_jail.inits(site)[0], signal.SIGKILL)
    assert stay.wait(10) == -9
    assert sp_jail.space(site) != before


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
    forger = sp_jail.outside(site, locker(site))
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


def test_joining_works_where_proc_hides_others(site, stay):
    """hidepid on the host's /proc is common in hosting."""
    sp.run(["mount", "-o", "remount,hidepid=2", "/proc"], check=True)
    try:
        assert joined(site)
    finally:
        sp.run(["mount", "-o", "remount,hidepid=0", "/proc"], check=True)


def test_a_held_flock_delays_and_does_not_shut_out(site):
    holder = sp_jail.outside(site, f"""
    import fcntl, time
    record = open("{sp_jail.STORE}/entry/{site.uid}")
    fcntl.flock(record, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(100)
    """)
    assert holder.stdout.readline() == "locked\n"
    start = time.monotonic()
    assert sp_jail.jail(site, "echo in").stdout == "in\n"
    assert 9 < time.monotonic() - start < 20 * sp.PATIENCE
    holder.kill()
    holder.wait()
    sp.wait_for(lambda: not sp_jail.inits(site), what="the end of the jail nobody joined")
