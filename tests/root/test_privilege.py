# SPDX-License-Identifier: GPL-3.0-or-later
"""What the helper and its children may still do, shown by what happens when they try. The programs are the helper's own
functions (tests/tools/probe.c)."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

import sp
import sp_sandbox

PROBE = pathlib.Path(os.environ["SALLYPORT_BUILD"]) / "tests/probe"
INFO = {"jsonrpc": "2.0", "id": "info", "method": "system.info"}
KEPT = ("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_admin",
        "sys_ptrace", "sys_chroot", "sys_admin", "mknod", "audit_write")


def probe(where, *what):
    done = sp.run([PROBE, where, *what], check=True)
    return dict(line.split() for line in done.stdout.splitlines())


def status(pid):
    """The lines of /proc/PID/status as a dictionary."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def has_ended(pid):
    try:
        return status(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def waiting():
    """A helper whose request has not arrived, and the child that waits for it."""
    helper = subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    children = pathlib.Path(f"/proc/{helper.pid}/task/{helper.pid}/children")
    child = int(sp.wait_for(lambda: children.read_text(), what="the child"))
    sp.wait_for(lambda: status(child)["Seccomp_filters"] != status(helper.pid)["Seccomp_filters"], what="the child's filter")
    yield helper, child
    helper.kill()
    helper.communicate()


@sp.covers("safety 48", "privilege parser")
def test_safety_48_the_process_that_reads_requests_has_nothing(waiting):
    helper, child = waiting
    has = status(child)
    assert has["Uid"].split() == has["Gid"].split() == ["65534"] * 4 and has["Groups"].strip() == ""
    assert {has[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert (has["NoNewPrivs"], has["Seccomp"]) == ("1", "2")
    assert sorted(os.listdir(f"/proc/{child}/fd")) == ["0", "1"]
    limits = {line[:25].strip(): line[25:].split()[:2] for line in pathlib.Path(f"/proc/{child}/limits").read_text().splitlines()}
    assert limits["Max processes"] == limits["Max file size"] == ["0", "0"] and limits["Max open files"] == ["2", "2"]
    out, _ = helper.communicate(json.dumps(INFO).encode(), timeout=30)
    assert sp.strict_json(out.decode())["result"]["version"]


@sp.covers("privilege parser")
@pytest.mark.parametrize("what", ["shadow", "open", "socket", "execve", "fork", "kill", "setuid", "unshare", "mount", "ptrace", "prctl", "bpf",
                                  "exec-memory", "mprotect", "getpid"])
def test_safety_48_the_process_that_reads_requests_ends_when_it_tries(host, what):
    assert probe("sealed", what) == {what: "killed"}


def test_safety_48_it_may_have_memory_but_not_much(host):
    assert probe("sealed", "memory", "much-memory") == {"memory": "done", "much-memory": "ENOMEM"}


def test_a_reader_that_is_stopped_or_killed_stops_nobody_else(waiting):
    """It is nobody's, whom other programs may be, too."""
    helper, child = waiting
    os.kill(child, signal.SIGSTOP)
    assert sp.rpc("system.info").ok()
    os.kill(child, signal.SIGKILL)
    out, _ = helper.communicate(timeout=30)
    answer = sp.strict_json(out.decode())
    assert answer["error"]["data"]["reason"] == "internal" and helper.returncode == 1, answer


def test_a_helper_that_ends_takes_its_reader_along(waiting):
    helper, child = waiting
    helper.kill()
    helper.wait()
    sp.wait_for(lambda: has_ended(child), what="the end of the reader")


@sp.covers("privilege home")
def test_safety_48_the_child_that_works_in_a_home_is_its_user(host):
    """With effective ids alone, so that the user can neither stop nor read it: strace stops it where it opens the home."""
    user = sp.make_user()
    log = pathlib.Path("/tmp/home.trace")
    sp.rpc("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "bash",
                            "authorized_keys": [{"key": sp.keypair().public}]},
           argv=("strace", "-f", "-qq", "-o", log, "-e", "trace=setresuid,setresgid,setgroups", sp.HELPER)).ok()
    calls = [line.split(None, 1)[1] for line in log.read_text().splitlines()]
    assert f"setresuid(-1, {user.uid}, -1)" in " ".join(calls) and f"setresgid(-1, {user.gid}, -1)" in " ".join(calls)
    # What such ids leave of root's rights is the kernel's to say.
    done = sp.run(["/usr/bin/python3", "-c", "import os\n"
                   f"os.setgroups([]); os.setresgid(-1, {user.gid}, -1); os.setresuid(-1, {user.uid}, -1)\n"
                   "print([line for line in open('/proc/self/status') if line.startswith('CapEff')][0].split()[1])\n"
                   "try:\n open('/etc/shadow')\nexcept PermissionError:\n print('EACCES')"], check=True)
    assert done.stdout.split() == ["0" * 16, "EACCES"]


@sp.covers("privilege capabilities")
def test_safety_48_the_helper_keeps_the_capabilities_that_it_names(waiting):
    helper, _ = waiting
    has = status(helper.pid)
    names = sp.run(["capsh", f"--decode={has['CapBnd'].strip()}"], check=True).stdout.strip().partition("=")[2]
    assert {name.removeprefix("cap_") for name in names.split(",")} <= set(KEPT)
    assert has["CapPrm"] == has["CapBnd"] and has["CapInh"] == has["CapAmb"] == "0" * 16
    assert (has["NoNewPrivs"], has["Seccomp"]) == ("1", "2")


REFUSED = {"kernel": ["init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon", "acct", "syslog"],
           "clock": ["clock_settime", "settimeofday"],
           "interfaces": ["bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "open_by_handle_at"],
           "processes": ["ptrace", "process_vm_writev"], "terminal": ["TIOCSTI"]}


@pytest.mark.parametrize("kind", REFUSED)
@sp.covers("privilege kernel", "privilege clock", "privilege interfaces", "privilege processes", "privilege terminal")
def test_what_no_operation_needs_is_refused_to_the_helper_and_all_it_starts(host, kind):
    assert probe("helper", *REFUSED[kind]) == dict.fromkeys(REFUSED[kind], "EPERM")


@sp.covers("privilege sockets")
def test_sockets_of_other_families_are_refused_to_the_helper(host):
    assert probe("helper", "packet-socket", "alg-socket", "vsock-socket", "raw-socket", "socket") == {
        "packet-socket": "EAFNOSUPPORT", "alg-socket": "EAFNOSUPPORT", "vsock-socket": "EAFNOSUPPORT", "raw-socket": "EPERM", "socket": "done"}


def test_what_operations_need_is_let_through(host):
    assert probe("helper", "shadow", "fork", "kill", "setuid") == dict.fromkeys(("shadow", "fork", "kill", "setuid"), "done")
    assert probe("helper", "mount") == {"mount": "EFAULT"}


# The unit's sandbox: with SALLYPORT_TEST_SANDBOX=1 every end-to-end test runs the helper in it.

# What systemd-analyze counts against the unit, and which operation wants it.
NEEDED = {
    "User=/DynamicUser=": "root's files are what it edits", "RootDirectory=/RootImage=": "the document roots are anywhere",
    "PrivateNetwork=": "the packet filter of the host", "PrivateUsers=": "the owners of files are the host's",
    "DeviceAllow=": "ProtectClock= itself brings char-rtc", "ProtectHome=": "document roots lie in /home", "ProtectSystem=": "document roots lie where the configuration says",
    "ProcSubset=": "mounts and sockets of the host",
    "RestrictSUIDSGID=": "it shuts openat2(2)", "SystemCallFilter=~@privileged": "chown, setuid",
    "CapabilityBoundingSet=~CAP_KILL": "sessions are ended",
    "CapabilityBoundingSet=~CAP_(DAC_*|FOWNER|IPC_OWNER)": "files of users",
    "CapabilityBoundingSet=~CAP_(CHOWN|FSETID|SETFCAP)": "files of users",
    "CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP)": "the child that works in a home", "CapabilityBoundingSet=~CAP_SYS_PTRACE": "whose sshd, whose jail",
    "CapabilityBoundingSet=~CAP_NET_ADMIN": "the packet filter", "CapabilityBoundingSet=~CAP_AUDIT_*": "PAM writes its record",
    "RestrictAddressFamilies=~AF_NETLINK": "the packet filter", "RestrictAddressFamilies=~AF_UNIX": "the journal, and the unit of jails",
}
# In the unit of jails, whose socket is root's alone, that and what proves them; less of the rest.
NEEDED_FOR_JAILS = {
    **{name: why for name, why in NEEDED.items() if name not in {
        "PrivateNetwork=", "CapabilityBoundingSet=~CAP_(CHOWN|FSETID|SETFCAP)",
        "CapabilityBoundingSet=~CAP_NET_ADMIN", "CapabilityBoundingSet=~CAP_AUDIT_*"}},
    "PrivateDevices=": "null and zero of jails are made", "CapabilityBoundingSet=~CAP_MKNOD": "null and zero of jails are made",
    "NoNewPrivileges=": "systemd would mount all nosuid, and chroot-bash is tried; the helper says it itself",
    "MemoryDenyWriteExecute=": "node is proved in its jail", "SystemCallFilter=~@resources": "programs that are proved may ask for it",
    "SystemCallFilter=~@mount": "jails are proved, id maps mounted", "CapabilityBoundingSet=~CAP_SYS_ADMIN": "jails are proved, id maps mounted",
    "CapabilityBoundingSet=~CAP_SYS_CHROOT": "jails are proved",
    **{f"RestrictNamespaces=~{name}": "jails are proved, id maps kept" for name in ("user", "pid", "uts", "mnt", "ipc")},
}
# systemd-analyze's figures; that of panels is the one that counts.
EXPOSURE = {sp_sandbox.PANEL: (NEEDED, 3.0), sp_sandbox.JAIL: (NEEDED_FOR_JAILS, 3.7)}


@sp.covers("privilege unit")
@pytest.mark.parametrize("unit", EXPOSURE)
def test_the_unit_opens_what_operations_need_and_nothing_else(host, unit):
    needed, most = EXPOSURE[unit]
    done = sp.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={round(most * 10)}", sp_sandbox.UNITS / unit])
    open_ = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("✗")}
    assert open_ <= needed.keys(), open_ - needed.keys()
    assert done.rc == 0, done


@pytest.mark.parametrize("unit", [name for unit in EXPOSURE for name in (unit.replace("@.", "@x."), unit.replace("@.service", ".socket"))])
def test_the_unit_is_one_that_systemd_reads(host, unit):
    done = sp.run(["systemd-analyze", "verify", "--man=no", sp_sandbox.UNITS / unit])
    assert "sallyport" not in done.stderr, done


@sp.covers("safety 49")
def test_safety_49_operations_work_in_the_sandbox_of_the_unit(sandbox, host):
    user = sp.make_user()
    params = {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot",
              "authorized_keys": [{"key": sp.keypair().public}]}
    assert sp.rpc("domain.apply", params).ok()["changed"] is True
    assert sp.ssh(user, "echo in").stdout == "in\n"
    assert sp.rpc("domain.apply", params).ok()["changed"] is False
    sp.rpc("password.set", {"domain": user.domain, "password": "Sandboxed-Word-49"}).ok()
    sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.0/24"}], "force": True}).ok()
    sp.rpc("firewall.set", {"mode": "open"}).ok()
    sp.rpc("system.reconcile").ok()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert sp.ssh(user, "echo in").rc != 0


@sp.covers("privilege mounts", "privilege namespaces")
def test_safety_49_what_the_sandbox_shuts_is_shut(sandbox):
    tried = sp.run([*sandbox, "/bin/sh", "-c", """
        for path in /usr/x /usr/bin/x /boot/x /proc/sys/kernel/hostname; do (: >$path) 2>/dev/null && echo "wrote $path"; done
        ls /usr/lib/modules 2>/dev/null | head -1
        for path in /etc /var/lib /home /run; do [ -w $path ] || echo "cannot write $path"; done
        ls -A /tmp
        unshare -n true 2>/dev/null && echo network
        unshare -C true 2>/dev/null && echo cgroup
        for space in -m -p -i -u -U; do unshare $space true 2>/dev/null && echo "namespace $space"; done
        nsenter -t 1 -m true 2>/dev/null && echo "pid 1's mounts"
        mount -t tmpfs none /mnt 2>/dev/null && echo mount
        mknod /run/sandbox/node c 1 3 2>/dev/null && echo mknod
        chroot / true 2>/dev/null && echo chroot
        ls /dev | grep -vxE 'full|log|null|ptmx|pts|random|shm|tty|urandom|zero'
        setpriv --reuid=www-data --regid=www-data --clear-groups ls -d /proc/1 2>/dev/null
        chmod 755 /usr 2>/dev/null && echo chmod
        true"""], check=True)
    assert tried.stdout == "", tried
    names = ["bpf", "perf_event_open", "keyctl", "ptrace", "init_module", "kexec_load", "reboot", "clock_settime", "swapon", "acct",
             "mount", "unshare", "open_tree", "setns", "mprotect", "both-memory", "sched_setscheduler"]
    inside = shutil.copy(PROBE, sp_sandbox.DIRECTORY)  # the build may lie in /tmp
    done = sp.run([*sandbox, inside, "plain", *names], check=True)
    assert dict(line.split() for line in done.stdout.splitlines()) == dict.fromkeys(names, "EPERM")
    done = sp.run([*sandbox, inside, "plain", "inet-socket", "packet-socket", "alg-socket", "socket"], check=True)
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["EAFNOSUPPORT", "EAFNOSUPPORT", "EAFNOSUPPORT", "done"]
