# SPDX-License-Identifier: GPL-3.0-or-later
"""Escape and abuse tests of the jail, techniques 11 to 24, 29, 30, 35 to 38: each in a real login of an account that
a request made, with a process of the same uid outside as an accomplice where the technique wants one."""

import os
import pathlib
import time

import pytest

import sp
import sp_site
from sp_terminal import Terminal

DENIED = {"EPERM", "EACCES"}


@pytest.fixture(scope="module")
def site(host):
    user = sp_site.account()
    sp_site.attacks(user)
    return user


@pytest.fixture(scope="module")
def other(host):
    return sp_site.account()


@pytest.fixture
def stay(site):
    client = sp_site.background(site)
    yield client
    sp_site.end(client)


@pytest.fixture
def web(site):
    """The site's own process, as PHP-FPM would be."""
    with sp_site.Outside.python(site, "import time; print('ready'); time.sleep(1000)") as process:
        yield process


def refused(got, allowed=DENIED, but=()):
    """Each try has met one of these errors."""
    wrong = {name: what for name, what in got.items() if name not in but and what not in allowed}
    assert not wrong and len(got) > len(but), got


def test_jail_11_a_double_chroot_and_a_saved_directory_do_not_lead_out(site):
    got = sp_site.attack(site, "chroot")
    assert got == {"chroot": "EPERM", "fchdir": "OK", "up": "same", "pivot_root": "EPERM"}


GIVER = """
import os, socket, sys
where, mode, *what = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.bind(where)
server.listen()
print("ready")
peer = server.accept()[0]
fds = [os.open(name, os.O_PATH if mode == "path" else os.O_RDONLY) for name in what]
socket.send_fds(peer, [b"x"], fds)
peer.recv(1)
"""


def received_outside(user, technique, *words):
    """The same by a process outside: it must go through, or the test shows nothing."""
    path = f"{user.docroot}/s-outside"
    pathlib.Path(path).unlink(missing_ok=True)
    with sp_site.Outside.python(user, GIVER, path, *words):
        return sp_site.outcomes(sp.as_user(user, [f"{user.docroot}/attack", technique, path]))


def test_jail_12_descriptors_passed_over_a_socket_open_nothing(site):
    with sp_site.Outside.python(site, GIVER, f"{site.docroot}/s12", "path", "/", "/etc/hostname"):
        got = sp_site.attack(site, "receive-paths", "/s12")
    assert got.pop("receive") == "OK"
    refused(got)
    assert received_outside(site, "receive-paths", "path", "/", "/etc/hostname")["open-below-cwd"] == "OK"


def test_jail_13_mounts_of_proc_and_of_the_root_device_are_refused(site):
    refused(sp_site.attack(site, "mounts"), {"EPERM"})


def test_jail_14_a_jailed_directory_that_is_moved_out_leads_nowhere(site):
    below = pathlib.Path(site.docroot) / "a" / "b"
    below.mkdir(parents=True)
    aim = pathlib.Path("/var/tmp") / site.name
    aim.mkdir()
    for path in (below.parent, below, aim):
        os.chown(path, site.uid, site.gid)
    client = sp_site.background(site, "cd /a/b && echo in && read line && cd .. ; ls ../../../../etc/shadow ../../boot .."
                                      " ; cat ../../../../etc/hostname ../../../../../etc/hostname; cd ../../../..; pwd -P;"
                                      " ls -A | head -50")
    # Who has write access on both sides does it: the site's own code, with a directory of its own outside.
    # rename(2) itself: mv would copy where it cannot move.
    sp.as_user(site, ["/usr/bin/python3", "-c", f"import os; os.rename('{below}', '{aim}/b')"], check=True)
    out, err = client.communicate("go\n", timeout=15)
    assert "sallyport-test" not in out and "/etc/shadow" not in out and "boot" not in out.split(), (out, err)
    assert "No such file" in err or "Permission denied" in err, (out, err)


def test_jail_15_a_process_outside_of_the_same_uid_cannot_be_traced(site, web):
    got = sp_site.attack(site, "process", web.pid)
    refused({name: got[name] for name in ("attach", "seize", "vm-read", "vm-write")}, {"ESRCH", "EPERM"})
    assert web.alive()


def test_jail_16_a_descriptor_left_open_is_closed(site):
    """Left open by whoever starts the shell; sshd itself leaves none, which the same look over ssh shows."""
    got = sp_site.attack(site, "files")
    assert got.pop("fd-9") == "EBADF"
    assert set(got) == {"0", "1", "2"} and not any(what.startswith("/") for what in got.values()), got
    script = f"exec 9</ 12</etc/passwd; exec {sp.CHROOT_BASH} -c '/attack files'"
    got = sp_site.outcomes(sp.as_user(site, ["bash", "-c", script]))
    assert got.pop("fd-9") == "EBADF" and set(got) == {"0", "1", "2"}, got


def test_jail_17_a_directory_fd_over_a_socket_opens_nothing_of_the_host(site):
    aim = pathlib.Path("/var/tmp") / f"{site.name}.17"
    aim.mkdir()
    (aim / "mine").write_text("content")
    for path in (aim, aim / "mine"):
        os.chown(path, site.uid, site.gid)
    before = sp.snapshot([aim])
    with sp_site.Outside.python(site, GIVER, f"{site.docroot}/s17", "read", str(aim), "/"):
        got = sp_site.attack(site, "receive-directory", "/s17")
    assert got.pop("receive") == "OK"
    # To move or link across the fence may be answered as across file systems.
    refused(got, DENIED | {"EXDEV"})
    assert before.diff(sp.snapshot([aim])) == []
    outside = received_outside(site, "receive-directory", "read", str(aim), "/")
    assert {outside[name] for name in ("read", "create", "up", "by-proc", "mkdir", "unlink")} == {"OK"}, outside


def test_jail_18_abstract_sockets_of_the_host_are_out_of_reach(site):
    listener = """
import socket, time
for kind, name in ((socket.SOCK_STREAM, "\\0of-the-host"), (socket.SOCK_DGRAM, "\\0of-the-host-dgram")):
    s = socket.socket(socket.AF_UNIX, kind); s.bind(name)
    if kind == socket.SOCK_STREAM: s.listen()
    globals()[name] = s
print("ready"); time.sleep(1000)
"""
    with sp_site.Outside.python(site, listener):
        refused(sp_site.attack(site, "abstract", "of-the-host"), {"EPERM"})
        sp_site.attacks(site)
        outside = sp_site.outcomes(sp.as_user(site, [f"{site.docroot}/attack", "abstract", "of-the-host"]))
    assert set(outside.values()) == {"OK"}, "the test itself does not reach it"


def test_jail_19_a_process_outside_of_the_same_uid_cannot_be_killed(site, web):
    refused(sp_site.attack(site, "process", web.pid), {"ESRCH"}, but=("attach", "seize", "vm-read", "vm-write"))
    assert sp.ssh(site, f"kill -9 {web.pid}").rc == 1
    sp.ssh(site, "kill -9 -1")
    assert web.alive()


def test_jail_20_proc_leads_to_the_jail_only(site, web, stay):
    done = sp.ssh(site, """
    for p in /proc/1 /proc/self /proc/[0-9]*; do
        for way in root cwd root/.. cwd/../../../../../..; do
            for secret in boot etc/shadow opt/host-secret; do ls -d "$p/$way/$secret" 2>/dev/null; done
            grep -s sallyport-test "$p/$way/etc/hostname"
        done
        ls -l $p/fd 2>/dev/null | grep -E ' (/etc|/boot)'
    done
    grep -cv -e ' /' /proc/1/mountinfo; cat /proc/1/environ | tr '\\0' ' '; ls -d /proc/[0-9]* | wc -l""")
    lines = done.stdout.split()
    assert lines[0] == "0" and len(lines) == 2 and int(lines[1]) < 12, done
    assert sp.ssh(site, f"ls -d /proc/{web.pid}/root").rc != 0
    for command in ("echo x > /proc/sys/kernel/hostname", "echo c > /proc/sysrq-trigger", "echo 1 > /proc/sys/kernel/core_pattern",
                    "cat /proc/kcore", "cat /proc/1/mem"):
        done = sp.ssh(site, command)
        assert done.rc != 0 and done.stdout == "", (command, done)


def test_jail_21_no_new_namespace_can_be_made(site):
    got = sp_site.attack(site, "namespaces")
    assert got.pop("clone3-user") == "ENOSYS" and got.pop("clone3") == "ENOSYS"
    refused(got, {"EPERM"})


def test_jail_22_nodes_are_neither_made_nor_opened(site):
    planted = ["char", "mem", "block"]
    for name, kind, major, minor in (("char", 0o20666, 1, 5), ("mem", 0o20666, 1, 1), ("block", 0o60666, 7, 0)):
        os.mknod(f"{site.docroot}/{name}.node", kind, os.makedev(major, minor))
        os.chmod(f"{site.docroot}/{name}.node", 0o666)
    paths = [f"{root}/{name}.node" for name in planted for root in ("", site.docroot)]
    got = sp_site.attack(site, "nodes", *paths)
    for name in planted:
        os.unlink(f"{site.docroot}/{name}.node")
    assert set(paths) < set(got)
    refused(got, {"EPERM", "EACCES"})
    assert sp.ssh(site, "head -c 3 /dev/zero | wc -c; : > /dev/null; mkfifo /tmp/p && echo pipe").stdout == "3\npipe\n"


@pytest.mark.parametrize("how", [["chmod", "4755"], ["chmod", "2755"], ["setcap", "cap_sys_admin,cap_dac_override=eip"]])
def test_jail_23_a_setuid_or_capable_file_at_home_gains_nothing(site, how):
    path = sp_site.attacks(site)
    sp.run(["chown", "root:root", path], check=True)
    sp.run([*how, path], check=True)
    got = sp_site.attack(site, "gain")
    os.unlink(path)
    sp_site.attacks(site)
    assert got.pop("ids") == f"{site.uid} {site.uid} {site.gid} {site.gid}"
    assert got.pop("caps") == "0 0 0" and got.pop("no_new_privs") == "1"
    refused(got, DENIED | {"ENOENT"})  # no such file as the host's shadow


def test_jail_24_nothing_in_the_jail_is_setuid_or_capable(site):
    done = sp.ssh(site, "find / -xdev -perm /6000 2>/dev/null; find /usr /etc /dev /lib/ /bin/ -perm /6000 2>/dev/null; true")
    assert (done.rc, done.stdout) == (0, ""), done
    store = "/var/lib/sallyport/gen"
    assert sp.run(["find", store, "-perm", "/6000"]).stdout == ""
    assert sp.run(["getcap", "-r", store]).stdout == ""
    assert sp.run(["find", store, "(", "-not", "-user", "root", "-o", "-not", "-type", "l", "-perm", "/022", ")"]).stdout == ""


def test_jail_29_terminal_injection_is_refused_under_roots_su_and_over_ssh(site):
    names = {"TIOCSTI", "TIOCSTI-high", "TIOCSTI-bit32", "TIOCLINUX", "TIOCLINUX-high"}
    for start in (lambda: Terminal(site), lambda: Terminal.local(["su", "-", site.name])):
        with start() as term:
            term.expect(r"\$ ")
            got = dict(line.split(" ") for line in term.run("~/attack terminal").splitlines())
            assert got["open"] == "OK" and {got[name] for name in names} == {"EPERM"}, got
            term.send("exit\n")
            term.wait()


def test_jail_30_another_users_terminal_is_shut(site, other):
    with Terminal(other) as term:
        term.expect(r"\$ ")
        tty = term.run("tty")
        for command in (f"echo x > {tty}", f"cat < {tty}", f"stty -F {tty} size"):
            done = sp.ssh(site, command)
            assert done.rc != 0 and "denied" in done.stderr, (command, done)
        assert sp_site.attack(site, "terminal", tty)["open"] == "EACCES"
        assert sp.ssh(site, f"ps -t {tty} -o args=").stdout == ""


def test_jail_35_sockets_of_the_host_are_absent(site):
    import socket
    names = ["dbus/system_bus_socket", "docker.sock", "php/php-fpm.sock", "mysqld/mysqld.sock"]
    kept = []
    for name in names:
        path = pathlib.Path("/run") / name
        path.parent.mkdir(exist_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        path.chmod(0o666)
        kept.append(server)
    done = sp.ssh(site, "ls -A /run; ls -A /run/. | wc -l; for s in " + " ".join(f"/run/{n} /var/run/{n}" for n in names)
                  + "; do test -e $s && echo $s; done; find / -xdev -type s 2>/dev/null; test -e /dev/log && echo log")
    for server in kept:
        server.close()
    # Those of the tests above are his own.
    sockets = {f"{root}/{name}" for root in ("", site.docroot) for name in ("s12", "s17", "s-outside")}
    assert set(done.stdout.split()) - sockets == {"0"}, done


def test_jail_36_a_program_from_memory_runs_and_is_confined(site):
    got = sp_site.attack(site, "memfd")
    assert got.pop("ids").split()[0] == str(site.uid)
    assert got.pop("caps") == "0 0 0" and got.pop("no_new_privs") == "1"
    refused(got, DENIED | {"ENOENT"})  # no such file as the host's shadow


def test_jail_37_the_kernels_keys_are_denied(site):
    refused(sp_site.attack(site, "keys"), {"EPERM"})


def test_jail_38_shared_memory_is_not_the_hosts(site):
    key = 0x5a11 + site.uid
    maker = f"""
import ctypes, os, time
libc = ctypes.CDLL(None)
assert libc.shmget({key}, 4096, 0o1666) >= 0 and libc.msgget({key}, 0o1666) >= 0 and libc.semget({key}, 1, 0o1666) >= 0
open("/dev/shm/of-the-host", "w").close()
os.chmod("/dev/shm/of-the-host", 0o666)
print("ready")
time.sleep(1000)
"""
    with sp_site.Outside.python(site, maker):
        # The numbers of keys are asked without creation first: in the jail there is nothing of that key.
        got = sp_site.attack(site, "ipc", key)
    assert {got[name] for name in ("shm", "msg", "sem", "posix")} == {"ENOENT"}, got
    assert got["own-shm"] == got["own-posix"] == "OK", got
    assert not os.path.exists("/dev/shm/own")


def test_jail_the_jail_still_serves_after_all_this(site):
    start = time.monotonic()
    assert sp.ssh(site, "echo in").stdout == "in\n"
    assert time.monotonic() - start < 15 * sp.PATIENCE
    sp.wait_for(lambda: not sp_site.jails(site), 20, "the end of the jail")
