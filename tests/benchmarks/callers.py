# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal 14: 64 callers at once over the socket, each with first full requests, one after the other."""

import contextlib
import pathlib
import shutil
import sys

import sp
import sp_socket
from frame import FIRST_UID, SITES, STORE, TOOLS, Row, a_public_key, account, add_users, make_request, make_site

CALLERS, REQUESTS, FIRST = 64, 1280, 2000
FILES = ("passwd", "shadow", "group", "gshadow")


@contextlib.contextmanager
def passing_accounts():
    """Accounts that the other goals do not find again, nor what was made for them."""
    kept = {name: pathlib.Path("/etc", name).read_bytes() for name in FILES}
    numbers = range(FIRST, FIRST + REQUESTS)
    add_users(FIRST, REQUESTS)
    try:
        yield numbers
    finally:
        for name, text in kept.items():
            pathlib.Path("/etc", name).write_bytes(text)
        for number in numbers:
            for path in (STORE / "state" / f"{account(number)}.json", STORE / "state" / f"{account(number)}.lock",
                         STORE / "domains" / f"{account(number)}.example", STORE / "access" / account(number),
                         STORE / "entry" / str(FIRST_UID + number)):
                path.unlink(missing_ok=True)
            shutil.rmtree(STORE / "names" / str(FIRST_UID + number), ignore_errors=True)
            shutil.rmtree(SITES / account(number), ignore_errors=True)


def call(folder, first, count):
    """Requests a second, and the 99th percentile of their milliseconds."""
    lines = sp.run([TOOLS / "bench-callers", sp_socket.PATH, CALLERS, folder, first, count], check=True, timeout=300).stdout.split()
    took = sorted(float(line) for line in lines[2:])
    if lines[1] != "0":
        print(f"tests/bench: {lines[1]} requests were told busy, and asked again", file=sys.stderr)
    return count / float(lines[0]), took[min(len(took) - 1, int(len(took) * 0.99))]


def goal_14():
    """The floor: a static program that answers anything, started by the same listener for the same callers."""
    with passing_accounts() as numbers:
        for number in numbers:
            make_site(number)
            folder = make_request(number, "load", shell="chroot", authorized_keys=[{"key": a_public_key(number)}]).parent
        with sp_socket.listening(program=[TOOLS / "bench-answer"]):
            floor = call(folder, FIRST, REQUESTS)
        with sp_socket.listening():
            call(folder, FIRST, 64)
            ours = call(folder, FIRST + 64, REQUESTS - 64)
            same = call(folder, FIRST, REQUESTS)
    yield Row(14, f"{CALLERS} callers, first full requests a second", "a static no-op", floor[0], ours[0], 500, "/s", "least")
    yield Row(14, "  the 99th percentile of their time", "a static no-op", floor[1], ours[1], 150, bound="most")
    yield Row(14, "  asked again, nothing to do, a second", "a static no-op", floor[0], same[0], 500, "/s", "least")
