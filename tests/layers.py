#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/layers.py BUILD: reads the symbols of what was built and fails on an import that a layer may not have."""

import collections
import pathlib
import re
import subprocess
import sys

# What each layer may see of the house, and of the libraries besides libc (None: any).
SEES = {
    "base": ([], []),
    "model": (["base"], ["libcjson", "libmd"]),
    "host": (["base", "model"], None),
    "resource": (["base", "model", "host"], None),
    "doctor": (["base", "model", "host", "resource"], None),
    "engine": (["base", "model", "host", "resource", "doctor"], None),
}
# The shells are read in one sitting: these modules of host, and base.
SHELL_MODULES = {"bpf", "fsat", "caps", "label", "layout", "record", "shown"}

NOWHERE = """system popen sprintf vsprintf __sprintf_chk __vsprintf_chk strcpy __strcpy_chk strcat __strcat_chk stpcpy
    __stpcpy_chk gets mktemp tempnam tmpnam strtok asctime ctime wordexp execlp execvp execvpe""".split()
# Only cmd and the shells print or end the process; _exit in a forked child is another thing.
NOT_IN_LIB = """exit quick_exit atexit printf __printf_chk vprintf __vprintf_chk puts putchar perror stdout stderr
    err errx warn warnx error""".split()
NOT_IN_MODEL = """open open64 openat openat64 creat creat64 fopen fopen64 fdopen freopen opendir fdopendir readdir
    readdir64 read pread pread64 write pwrite pwrite64 readv writev close close_range dup dup2 dup3 pipe pipe2 fcntl
    fcntl64 ioctl stat stat64 lstat lstat64 fstat fstat64 fstatat fstatat64 statx statfs fstatfs access faccessat
    rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat remove mkdir mkdirat rmdir mknod mknodat
    mkfifo readlink readlinkat realpath chmod fchmod fchmodat chown lchown fchown fchownat truncate ftruncate fsync
    fdatasync sync syncfs flock lockf getxattr fgetxattr setxattr fsetxattr fork vfork clone unshare setns execve
    execv execl execle fexecve posix_spawn posix_spawnp wait waitpid waitid kill raise signal sigaction socket
    socketpair connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg poll ppoll select epoll_wait
    mount umount umount2 chroot chdir fchdir pivot_root getuid geteuid getgid getegid setuid setgid setresuid setresgid
    getpid getpwnam getpwnam_r getpwuid getpwuid_r getgrnam getgrnam_r getgrgid getgrgid_r getenv secure_getenv setenv
    time clock_gettime gettimeofday localtime localtime_r mktime sleep nanosleep usleep syslog openlog syscall prctl mmap mmap64
    getaddrinfo gethostbyname""".split()

Object = collections.namedtuple("Object", "name defined undefined data")
problems = []


def symbols(path, *flags):
    return subprocess.run(["nm", *flags, str(path)], check=True, capture_output=True, text=True).stdout.splitlines()


def objects_of(path):
    """The objects of an archive, or the one that `path` is: what each defines and asks for."""
    found = {}
    for line in symbols(path, "-A"):
        where, _, rest = line.partition(": ") if ": " in line else line.rpartition(":")
        name = pathlib.Path(where.rpartition(":")[2] or where).name.removesuffix(".o").removesuffix(".c")
        one = found.setdefault(name, Object(name, set(), set(), set()))
        kind, symbol = rest.split()[-2:]
        symbol = symbol.partition("@")[0]
        if kind in "Uwv":
            one.undefined.add(symbol)
        elif kind.isupper():
            one.defined.add(symbol)
            if kind in "RD":
                one.data.add(symbol)
    return list(found.values())


def exported(library):
    """What a shared library of the system offers."""
    table = subprocess.run(["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
    match = re.search(rf"^\s*{re.escape(library)}\.so\S* .*=> (\S+)$", table, re.M)
    if not match:
        sys.exit(f"layers: no {library} on this machine")
    return {line.split()[-1].partition("@")[0] for line in symbols(match.group(1), "-D", "--defined-only")}


def problem(text):
    problems.append(text)


def check_forbidden(where, one, *lists):
    for name in sorted(one.undefined.intersection(*[set().union(*lists)])):
        problem(f"{where}: {one.name} imports {name}, which is forbidden there")


def check_layer(layer, layers, libc):
    """Every import must come from the layer itself, from one it sees, or from a library it may use."""
    sees, libraries = SEES[layer]
    own = set().union(*(one.defined for one in layers[layer]))
    house = {symbol: name for name in layers for one in layers[name] for symbol in one.defined}
    outside = None if libraries is None else libc.union(*(exported(name) for name in libraries))
    for one in layers[layer]:
        check_forbidden(f"lib/{layer}", one, NOWHERE, NOT_IN_LIB, NOT_IN_MODEL if layer == "model" else [])
        for symbol in sorted(one.undefined - own - {"_GLOBAL_OFFSET_TABLE_"}):
            if symbol in house:
                if house[symbol] not in sees:
                    problem(f"lib/{layer}: {one.name} imports {symbol} from {house[symbol]}, which it may not see")
            # An sp_ symbol that is nowhere is the linker's business, where something uses it.
            elif outside is not None and symbol not in outside and not symbol.startswith("sp_"):
                problem(f"lib/{layer}: {one.name} imports {symbol}, which is of no library it may use")


def check_resources(objects):
    """A resource has one const struct, and no resource knows another; the array knows them all."""
    for one in objects:
        for other in objects:
            shared = one.undefined & other.defined
            if one.name != "resources" and other is not one and other.data and shared:
                problem(f"lib/resource: {one.name} imports {', '.join(sorted(shared))} from resource {other.name}")


def built(build, folder):
    """The objects of each program of a folder: program -> objects."""
    return {path.name.removesuffix(".p"): [one for file in sorted(path.glob("*.o")) for one in objects_of(file)]
            for path in sorted((build / folder).glob("*.p"))}


def check_shells(build, layers):
    allowed = set().union(*(one.defined for one in layers["base"]),
                          *(one.defined for one in layers["host"] if one.name in SHELL_MODULES))
    house = {symbol: f"{name}/{one.name}" for name in layers for one in layers[name] for symbol in one.defined}
    for program, objects in built(build, "shells").items():
        for one in objects:
            check_forbidden(f"shells/{program}", one, NOWHERE)
            for symbol in sorted(one.undefined & house.keys() - allowed):
                problem(f"shells/{program}: {one.name} imports {symbol} from {house[symbol]}, which it may not see")
        binary = build / "shells" / program
        if binary.exists():
            for line in symbols(binary) + symbols(binary, "-D"):
                if "cJSON" in line:
                    problem(f"shells/{program}: contains {line.split()[-1]}: no JSON in a shell")


def check_pam(build):
    """The module runs inside other programs: it shows PAM's entry points alone, and does not end its host."""
    for program, objects in built(build, "lib/pam").items():
        for one in objects:
            check_forbidden(f"lib/pam/{program}", one, NOWHERE, NOT_IN_LIB)
        for line in symbols(build / "lib/pam" / program, "-D"):
            kind, symbol = line.split()[-2:]
            if "cJSON" in symbol or (kind == "T" and not symbol.startswith("pam_sm_")):
                problem(f"lib/pam/{program}: shows {symbol}")


def main():
    build = pathlib.Path(sys.argv[1])
    layers = {}
    for layer in SEES:
        archive = build / "lib" / layer / f"lib{layer}.a"
        layers[layer] = objects_of(archive) if archive.exists() else []
    if not layers["base"]:
        sys.exit(f"layers: {build} holds no lib/base/libbase.a")
    libc = exported("libc") | exported("ld-linux-x86-64") if exported("libc") else set()
    for layer in layers:
        check_layer(layer, layers, libc)
    check_resources(layers["resource"])
    check_shells(build, layers)
    check_pam(build)
    for program, objects in built(build, "cmd").items():
        for one in objects:
            check_forbidden(f"cmd/{program}", one, NOWHERE)
            if "main" not in one.defined:
                check_forbidden(f"cmd/{program}", one, ["exit"])
    print("\n".join(problems) or f"layers: {sum(map(len, layers.values()))} objects, every import is allowed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
