# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the SSH port share: requests, our table as nft(8) lists it, clients, SYNs under load."""

import concurrent.futures
import contextlib
import datetime
import json
import pathlib
import subprocess
import sys
import textwrap

import sp

STORE = pathlib.Path("/var/lib/sallyport")
STATE = STORE / "firewall.json"
LAST_GOOD = STORE / "firewall.json-"
PENDING = STORE / "firewall.pending"
BOTH = [(sp.OUTSIDE4, sp.OUTSIDE4_B), (sp.OUTSIDE6, sp.OUTSIDE6_B)]


def fw(**params):
    return sp.rpc("firewall.set", params)


def sources(*blocks):
    return [{"source": block} for block in blocks]


def restrict(*blocks, **more):
    return fw(mode="restricted", sources=sources(*blocks), **more).ok()


def reconcile():
    return sp.rpc("system.reconcile", {}).ok()["firewall"]


def table():
    """Our table with its handles, which a rebuild changes; the rest of timeouts is left out."""
    text = sp.run(["nft", "-a", "list", "table", "inet", "sallyport"]).stdout
    return [line.split(" expires ")[0] for line in text.splitlines()]


def meets(*which, **more):
    """What SYNs from these addresses meet, all asked at once."""
    with concurrent.futures.ThreadPoolExecutor(len(which)) as pool:
        return list(pool.map(lambda source: sp.probe(source, timeout=0.4, **more), which))


def shut(*which, **more):
    """True if SYNs from every one of these addresses meet silence."""
    return set(meets(*which, **more)) == {"dropped"}


def elements(name):
    listing = json.loads(sp.run(["nft", "-j", "list", "set", "inet", "sallyport", name], check=True).stdout)
    return listing["nftables"][1]["set"].get("elem", [])


def soon(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextlib.contextmanager
def running(program, *arguments, netns="outside"):
    """A Python program in the clients' network (or here); its first line of output says that it is ready."""
    argv = ["ip", "netns", "exec", netns] if netns else []
    argv += [sys.executable, "-I", "-S", "-c", textwrap.dedent(program), *map(str, arguments)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()


CONNECT = """
import socket, sys
host, source = sys.argv[1:]
one = socket.create_connection((host, 22), 5, (source, 0))
print("ready", flush=True)
print(one.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def connected(source):
    """A connection to port 22 that stays; yields the client's port."""
    with running(CONNECT, sp.HOST6 if ":" in source else sp.HOST4, source) as process:
        yield int(process.stdout.readline())


# Sends SYNs as fast as it can and counts the SYN-ACKs that come back.
FLOOD = """
import select, socket, struct, sys, time
host, source = sys.argv[1:]
one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
one.bind((source, 0))
one.setblocking(False)
pseudo = socket.inet_aton(source) + socket.inet_aton(host) + struct.pack("!BBH", 0, 6, 20)
def syn(port):
    header = struct.pack("!HHIIBBHHH", port, 22, port, 0, 5 << 4, 2, 1024, 0, 0)
    total = sum(struct.unpack("!16H", pseudo + header))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return header[:16] + struct.pack("!H", 0xffff - total) + header[18:]
packets = [syn(port) for port in range(20000, 24000)]
print("ready", flush=True)
sent = answers = 0
stop = False
def look():
    global answers
    while True:
        try:
            data = one.recv(100)
        except BlockingIOError:
            return
        if data[20:22] == b"\\x00\\x16" and data[33] & 0x12 == 0x12:
            answers += 1
while not stop:
    for at, packet in enumerate(packets):
        try:
            one.sendto(packet, (host, 0))
            sent += 1
        except (BlockingIOError, OSError):
            pass
        if at % 50 == 0:
            look()
            time.sleep(0)
            if select.select([sys.stdin], [], [], 0)[0]:
                stop = True
                break
time.sleep(0.3)
look()
print(sent, answers, flush=True)
"""


def flood(during):
    """Runs `during` while SYNs come from a denied source; how many were sent, how many answered."""
    with running(FLOOD, sp.HOST4, sp.OUTSIDE4) as process:
        during()
        process.stdin.write("stop\n")
        process.stdin.flush()
        sent, answered = map(int, process.stdout.readline().split())
    return sent, answered


def sweep_points(calls, wanted=8):
    return sorted({1 + round(i * (calls - 1) / (wanted - 1)) for i in range(wanted)})


def forget():
    """A port that nobody manages, no state, and no connections of earlier clients."""
    sp.run(["nft", "flush", "ruleset"], check=True)
    for path in (STATE, LAST_GOOD, PENDING):
        path.unlink(missing_ok=True)
    sp.wait_for(lambda: "192.0.2.2" not in sp.run(["ss", "-Htn", "state", "established", "sport", "22"]).stdout)
