# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/lib/watched.py runs this in a throwaway host: TOOL PLANTED FILE [PYTEST-ARGUMENT...]. Reports go to stdout.

Exit status: 0 all well, 1 there were reports, 2 only tests failed, 3 what was planted was not reported.
"""
import collections
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading

LOGS = pathlib.Path("/run/watched")
PROGRAMS = ("/usr/libexec/sallyport/sallyport-helper", "/usr/bin/sallyport")
VALGRIND = ("valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite "
            f"--suppressions={os.environ['SALLYPORT_SOURCE']}/tests/lib/valgrind.supp --log-file={LOGS}/%p")

NAME, END = "\0sallyport-watched", b"that was all so far"

reports = collections.defaultdict(str)
emptied = threading.Event()


def collect(listener):
    """The kernel names the sender, by its pid in this host, whatever namespace it moved into."""
    while True:
        text, extra, _, _ = listener.recvmsg(65536, 256)
        if text == END:
            emptied.set()
            continue
        pid = struct.unpack("3i", extra[0][2])[0] if extra else 0
        reports[pid] += text.decode("utf-8", "replace")


def listen():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    listener.bind(NAME)
    threading.Thread(target=collect, args=[listener], daemon=True).start()


def wrap(program):
    """From here on valgrind runs it. The shell has file capabilities, which the kernel takes from whatever runs under valgrind."""
    os.rename(program, program + ".watched")
    pathlib.Path(program).write_text(f'#!/bin/sh\nexec {VALGRIND} {program}.watched "$@"\n')
    os.chmod(program, 0o755)


def said():
    """All reports so far. Lines with -- are valgrind's about itself: system calls that it does not know."""
    emptied.clear()
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(END, NAME) # behind whatever came before
    emptied.wait()
    found = dict(reports)
    for log in LOGS.iterdir():
        text = "".join(line for line in log.read_text(errors="replace").splitlines(True) if not line.startswith("--"))
        if text.strip():
            found[log.name] = text
    return found


def planted(tool, program):
    """The same way that a program's report would take."""
    argv = [*VALGRIND.split(), program] if tool == "valgrind" else [program, "/var/empty"]
    os.makedirs("/var/empty", exist_ok=True)
    subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = said()
    reports.clear()
    for log in LOGS.iterdir():
        log.unlink()
    return any(re.search("heap-buffer-overflow|Invalid write of size 1", text) for text in found.values())


def main(tool, program, *arguments):
    LOGS.mkdir()
    LOGS.chmod(0o1777)
    listen()
    if not planted(tool, program):
        return 3
    if tool == "valgrind":
        for one in PROGRAMS:
            wrap(one)
    failed = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], check=False,
                            stdout=sys.stderr).returncode
    found = said()
    for pid, text in found.items():
        print(f"== {pid}\n{text}")
    return 1 if found else 2 if failed else 0


sys.exit(main(*sys.argv[1:]))
