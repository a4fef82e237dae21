# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandboxes of the units without systemd as pid 1: what its settings say, written down for tests/tools/sandboxed.c.

install() puts that program in the helper's place, so that every call, by sudo and by socket too, runs the helper in the
sandbox: `SALLYPORT_TEST_SANDBOX=1 tests/run PATTERN` does this for any end-to-end test.
"""

import ctypes
import ctypes.util
import functools
import os
import pathlib
import re
import shutil
import subprocess
import time

import sp_socket

DIRECTORY = pathlib.Path("/run/sandbox")
UNITS = pathlib.Path("/usr/lib/systemd/system")
PANEL, JAIL = "sallyport@.service", "sallyport-jail@.service"
HELPER = pathlib.Path("/usr/libexec/sallyport/sallyport-helper")
REAL = HELPER.with_name("sallyport-helper.sandboxed")
JAIL_SOCKET = pathlib.Path("/run/sallyport/jail.socket")
listener = None

EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
ALLOW, ERRNO = 0x7fff0000, 0x00050000
NE, EQ, MASKED_EQ = 1, 4, 7
NAMESPACES = {"mnt": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000,
              "net": 0x40000000}
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
# What systemd.exec(5) says of each, as mounts and as system calls; a setting that is in neither is not known here.
MOUNTS = {"PrivateNetwork=yes": ["net /"], "PrivateDevices=yes": ["dev /dev"], "ProtectProc=invisible": ["proc /proc"],
          "ProtectSystem=yes": ["ro /usr", "ro /boot", "ro /efi"], "ProtectSystem=full": ["ro /usr", "ro /boot", "ro /efi", "ro /etc"],
          "ProtectHome=read-only": ["ro /home", "ro /root", "ro /run/user"], "PrivateTmp=yes": ["tmp /tmp", "tmp /var/tmp"],
          "ProtectControlGroups=yes": ["ro /sys/fs/cgroup"], "ProtectKernelTunables=yes": ["ro /proc/sys", "ro /sys", "ro /proc/irq", "ro /proc/bus"],
          "ProtectKernelModules=yes": ["none /usr/lib/modules"], "ProtectKernelLogs=yes": ["none /dev/kmsg"]}
CALLS = {"ProtectClock=yes": ["@clock"], "ProtectHostname=yes": ["sethostname", "setdomainname"], "ProtectKernelLogs=yes": ["syslog"],
         "ProtectKernelModules=yes": ["@module"], "PrivateDevices=yes": ["@raw-io"], "LockPersonality=yes": [], "RestrictRealtime=yes": [],
         "MemoryDenyWriteExecute=yes": []}
ELSEWHERE = {"PrivateMounts=yes", "DevicePolicy=closed", "NoNewPrivileges=yes", "UMask=0077", "SystemCallArchitectures=native",
             "SystemCallErrorNumber=EPERM", "IPAddressDeny=any", "StandardInput=socket", "StandardOutput=socket", "StandardError=journal",
             "RuntimeMaxSec=30min"}


class Argument(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def settings(unit):
    """The [Service] lines: [(name, value)]."""
    lines = (UNITS / unit).read_text().partition("[Service]")[2].splitlines()
    return [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]


@functools.lru_cache(None)
def calls(name):
    """The system calls of a name: a group of systemd's, or one."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], check=True, capture_output=True, text=True).stdout
    found = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(calls(one) for one in found))


class Filter:
    """libseccomp, as far as it is needed."""

    def __init__(self):
        self.lib = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2")
        self.lib.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.lib.seccomp_init(ctypes.c_uint32(ALLOW)))

    def refuse(self, name, errno=EPERM, *arguments):
        number = self.lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # not of this architecture
            return
        wanted = (Argument * max(1, len(arguments)))(*arguments)
        assert self.lib.seccomp_rule_add_array(self.context, ctypes.c_uint32(ERRNO | errno), number, len(arguments), wanted) == 0, name

    def write(self, path):
        with open(path, "wb") as file:
            assert self.lib.seccomp_export_bpf(self.context, file.fileno()) == 0


def only_words(values):
    return [word for value in values for word in value.split()]


PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000


def refuse_executable_memory(out):
    both = PROT_WRITE | PROT_EXEC
    out.refuse("mmap", EPERM, Argument(2, MASKED_EQ, both, both))
    out.refuse("mprotect", EPERM, Argument(2, MASKED_EQ, PROT_EXEC, PROT_EXEC))
    out.refuse("pkey_mprotect", EPERM, Argument(2, MASKED_EQ, PROT_EXEC, PROT_EXEC))
    out.refuse("shmat", EPERM, Argument(2, MASKED_EQ, SHM_EXEC, SHM_EXEC))


def write_filter(of, directory):
    out = Filter()
    refused = set()
    for name, value in of:
        refused |= set().union(*(calls(one) for one in CALLS.get(f"{name}={value}", [])))
        if name == "SystemCallFilter":
            assert value.startswith("~"), "a list of what is allowed is not known here"
            refused |= set().union(*(calls(one) for one in value[1:].split()))
    for name in sorted(refused):
        out.refuse(name)
    kept = set(only_words(value for name, value in of if name == "RestrictNamespaces"))
    for name in NAMESPACES.keys() - kept:
        flag = NAMESPACES[name]
        for call, at in (("unshare", 0), ("clone", 0), ("setns", 1)):
            out.refuse(call, EPERM, Argument(at, MASKED_EQ, flag, flag))
    out.refuse("clone3", ENOSYS)
    if ("MemoryDenyWriteExecute", "yes") in of:
        refuse_executable_memory(out)
    families = {FAMILIES[name] for name in only_words(value for name, value in of if name == "RestrictAddressFamilies")}
    for family in set(range(46)) - families:
        out.refuse("socket", EAFNOSUPPORT, Argument(0, EQ, family, 0))
    out.refuse("personality", EPERM, Argument(0, NE, 0, 0))
    for policy in (1, 2, 6):
        out.refuse("sched_setscheduler", EPERM, Argument(1, MASKED_EQ, 0xff, policy))
    out.write(directory / "seccomp")


def write_mounts(of, directory):
    lines = []
    for name, value in of:
        lines += MOUNTS.get(f"{name}={value}", [])
        if name == "InaccessiblePaths":
            lines += [f"none {path.lstrip('-')}" for path in value.split()]
    # What is mounted anew comes before what is shut in it.
    lines.sort(key=lambda line: line.split()[0] not in ("dev", "proc", "net"))
    (directory / "mounts").write_text("\n".join(lines) + "\n")


def write_capabilities(of, directory):
    numbers = {name: int(number) for name, number in re.findall(r"#define (CAP_\w+)\s+(\d+)$",
                                                                pathlib.Path("/usr/include/linux/capability.h").read_text(), re.M)}
    kept = only_words(value for name, value in of if name == "CapabilityBoundingSet")
    (directory / "caps").write_text(f"{sum(1 << numbers[name] for name in kept):x}\n")


def unknown(of):
    """Settings that neither this file nor sandboxed.c brings about."""
    handled = {"ExecStart", "InaccessiblePaths", "SystemCallFilter", "RestrictNamespaces", "RestrictAddressFamilies", "CapabilityBoundingSet"}
    return [f"{name}={value}" for name, value in of
            if name not in handled and f"{name}={value}" not in {*MOUNTS, *CALLS, *ELSEWHERE}]


def write(unit, directory):
    """What the unit says, and the beginning of the line that starts a program in it."""
    directory.mkdir(exist_ok=True)
    of = settings(unit)
    assert not unknown(of), unknown(of)
    write_filter(of, directory)
    write_mounts(of, directory)
    write_capabilities(of, directory)
    shutil.copy(pathlib.Path(os.environ["SALLYPORT_BUILD"]) / "tests/sandboxed", directory / "sandboxed")
    return [str(directory / "sandboxed"), str(directory)]


def start_jail():
    """sallyport-jail.socket, which sallyport@.service wants, and its unit behind it."""
    global listener
    program, argument = dict(settings(JAIL))["ExecStart"].removeprefix("-").split()
    assert program == str(HELPER)
    JAIL_SOCKET.parent.mkdir(mode=0o755, exist_ok=True)
    line = [*write(JAIL, DIRECTORY / "jail"), REAL, argument]
    listener = subprocess.Popen(["systemd-socket-activate", "--accept", "--inetd", "-l", JAIL_SOCKET, *line],
                                cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": "/usr/bin"})
    while not sp_socket.listens(JAIL_SOCKET):
        assert listener.poll() is None
        time.sleep(0.02)
    JAIL_SOCKET.chmod(0o600)


def stop_jail():
    listener.terminate()
    listener.wait(10)
    JAIL_SOCKET.unlink(missing_ok=True)


def install():
    """From now on the helper runs in the sandbox, whoever starts it."""
    line = write(PANEL, DIRECTORY)
    HELPER.rename(REAL)
    HELPER.write_text(f'#!/bin/sh\nexec {" ".join(line)} {REAL} "$@"\n')
    HELPER.chmod(0o755)
    start_jail()


def remove():
    stop_jail()
    REAL.replace(HELPER)
