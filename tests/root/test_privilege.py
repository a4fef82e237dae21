# SPDX-License-Identifier: GPL-3.0-or-later
"""What the helper and its children may still do, shown by what happens when they try. The programs are the helper's own
functions (tests/tools/probe.c)."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

import sp

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
    sp.wait_for(lambda: not os.path.exists(f"/proc/{child}") or status(child)["State"].startswith("Z"), what="the end of the reader")


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
