# SPDX-License-Identifier: GPL-3.0-or-later
"""Techniques that must not get out of a jail, and a system call that fails at every step of the entry."""

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
from sp_jail_fixtures import *  # noqa: F403


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
    code = sp_jail.ERRNO + f"""
import pty
pty.fork  # a terminal of our own would do, too; the caller's is the one that matters
print(call(16 if os.uname().machine == "x86_64" else 29, 0, {request_ | high << 32}, ctypes.c_char_p(b"x")))
"""
    with Terminal.local(sp_jail.argv_as(site, [sp.CHROOT_BASH, "-c", "python3 -I -c " + shlex.quote(code)])) as term:
        assert term.expect(r"^(\d+)").group(1) == str(EPERM)


def test_user_namespaces_are_refused(site):
    assert "Operation not permitted" in sp_jail.jail(site, "unshare -U true").stderr
    got = sp_jail.python(site, sp_jail.ERRNO + """
new = 0x10000000
print(call(272, new), call(272, 0x20000), call(272, 0x80), call(56, new | 17, 0, 0, 0, 0), call(435, 0, 0), call(308, 0, 0))
print(call(272, 0x200))
""")
    assert got.split() == [str(EPERM)] * 4 + [str(ENOSYS), str(EPERM), "0"]


def test_a_double_chroot_fails(site):
    got = sp_jail.python(site, """
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
    got = sp_jail.python(site, """
    import os
    fd = os.memfd_create("x", 0)
    with open("/usr/bin/readlink", "rb") as source:
        os.write(fd, source.read())
    os.execve(fd, ["readlink", "/proc/self/ns/user"], {})
    """)
    assert got.startswith("user:")


def test_kernel_interfaces_are_shut(site):
    got = sp_jail.python(site, sp_jail.ERRNO + """
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
    giver = sp_jail.outside(site, f"""
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
    got = sp_jail.python(site, """
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
    listener = sp_jail.outside(site, """
    import socket, time
    s = socket.socket(socket.AF_UNIX); s.bind("\\0of-the-host"); s.listen(); print("ready", flush=True); time.sleep(100)
    """)
    assert listener.stdout.readline() == "ready\n"
    got = sp_jail.python(site, """
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
    web = sp_jail.outside(site, "import time; print('up', flush=True); time.sleep(100)")
    web.stdout.readline()
    assert sp_jail.jail(site, f"kill -9 {web.pid}; kill -9 -1; true").rc in (0, -9)
    assert web.poll() is None
    got = sp_jail.python(site, sp_jail.ERRNO + f"print(call(101, 16, {web.pid}, 0, 0))")
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


# A system call that fails, each in its turn

LOOK = "cat /etc/hostname; grep -E '^(CapPrm|CapEff|NoNewPrivs|Seccomp):' /proc/self/status"
JAILED = f"the-jail\nCapPrm:\t{0:016x}\nCapEff:\t{0:016x}\nNoNewPrivs:\t1\nSeccomp:\t2\n"


def is_contained(done):
    """Whatever came out came out of the jail: all of it, or what a bash with a failing system call could make."""
    return set(done.stdout.splitlines()) <= set(JAILED.splitlines()) and (done.stdout == JAILED or done.rc != 0 or done.stderr)


def traced(user, inject):
    """Under root's strace, which does not take the capabilities away."""
    argv = ["strace", "-f", "-q", "-o", "/run/strace.out", "-u", user.name, *inject, sp.CHROOT_BASH, "-c", LOOK]
    return sp.run(argv, cwd="/", timeout=60)


def entry_calls(user):
    """Each system call of the entry itself, up to bash: name -> the most often that one process makes it."""
    assert traced(user, []).stdout == JAILED
    counts, in_bash = {}, set()
    for line in pathlib.Path("/run/strace.out").read_text().splitlines():
        pid, _, rest = line.partition(" ")
        name = rest.strip().partition("(")[0]
        if name == "execve" and "/bin/bash" in rest:
            in_bash.add(pid)
        if pid not in in_bash and name.isidentifier():
            counts[pid, name] = counts.get((pid, name), 0) + 1
    calls = {}
    for (_, name), count in counts.items():
        calls[name] = max(count, calls.get(name, 0))
    return calls


# What libc does before main, what may fail softly, and what fails by design (the proof of the drop).
NOT_SWEPT = {"execve", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "mprotect", "mmap", "munmap",
             "readlink", "getrandom", "exit_group", "access", "rt_sigaction", "rt_sigprocmask", "close", "wait4", "rt_sigtimedwait",
             "umask", "restart_syscall", "exit", "futex"}
# A login without these must not be.
ESSENTIAL = {"unshare", "chroot", "fchdir", "pivot_root", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "mount_setattr",
             "capset", "capget", "seccomp", "landlock_restrict_self", "landlock_add_rule", "setns"}


@pytest.mark.parametrize("living", [False, True])
def test_a_failing_system_call_never_widens(site, living):
    keeper = sp_jail.start(site, "exec sleep 1000") if living else None
    if living:
        sp.wait_for(lambda: sp_jail.inits(site), what="the jail")
    calls = entry_calls(site)
    assert ("setns" in calls) == living and ("pivot_root" in calls) != living
    swept, soft = 0, set()
    for name in sorted(calls.keys() - NOT_SWEPT):
        for when in range(1, calls[name] + 1):
            for error in ("EPERM", "ENOSYS") if name in ESSENTIAL else ("ENOMEM",):
                inject = ["-e", f"inject={name}:error={error}:when={when}"]
                done = traced(site, inject)
                if done.stdout and name in ESSENTIAL and not living:  # it may have joined the jail before, on its way out
                    sp.wait_for(lambda: not sp_jail.inits(site), what="the end of the jail before")
                    done = traced(site, inject)
                swept += 1
                assert is_contained(done), (name, when, error, done)
                if done.stdout:
                    soft.add(name)
    # setns and what asks about the candidate end in a new jail; the failed unshare(CLONE_NEWUSER) is what we want.
    assert soft & ESSENTIAL <= {"setns", "unshare", "fchdir", "chroot"} if living else soft & ESSENTIAL <= {"unshare"}, soft
    assert swept > 40
    if keeper:
        keeper.kill()
        keeper.wait()


@pytest.mark.parametrize("name, words", [("capset", "capabilities are left"), ("chroot", "user namespace")])
def test_a_drop_that_did_not_happen_is_noticed(site, name, words):
    done = traced(site, ["-e", f"inject={name}:retval=0"])
    assert done.rc == REFUSED and done.stdout == "" and words in done.stderr, done


def test_a_kernel_without_landlock_still_makes_a_jail(site):
    done = traced(site, ["-e", "inject=landlock_create_ruleset:error=ENOSYS"])
    assert (done.rc, done.stdout) == (0, JAILED), done
    assert sp.wait_for(lambda: sp_jail.entries(site), what="the line")[-1].endswith("landlock 0 (not in this kernel)")


def test_a_kernel_without_mount_setattr_is_named(site):
    done = traced(site, ["-e", "inject=mount_setattr:error=ENOSYS"])
    assert done.rc == REFUSED and "Linux 5.12" in done.stderr, done


def test_a_jail_that_ends_while_it_is_joined_is_replaced(site):
    keeper = sp_jail.start(site, "exec sleep 1000")
    sp.wait_for(lambda: sp_jail.inits(site), what="the jail")
    before = len(sp_jail.inits(site))
    done = traced(site, ["-e", "inject=vfork:error=ENOMEM:when=1"])
    assert (done.rc, done.stdout) == (0, JAILED), done
    assert "new" in sp_jail.entries(site)[-1] and before == 1
    keeper.kill()
    keeper.wait()


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
