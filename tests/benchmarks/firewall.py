# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal 12: the SSH port. Ours are whole requests, with the state on the disk and what the kernel has read back."""

import contextlib
import os
import pathlib
import subprocess

import sp
from frame import TOOLS, WORK, Command, Row, compare, have, request_file

ONE = "203.0.113.7"
ALONE = "one netlink transaction, nothing else"
RICH = f'rule family="ipv4" source address="{ONE}" port port="22" protocol="tcp" accept'


def firewall_request(name, method="firewall.set", **params):
    return str(request_file(WORK / f"firewall-{name}", method, params))


def blocks(first, count):
    return [{"source": f"10.{at >> 8}.{at & 255}.{first}/32"} for at in range(count)]


def peer_set(count):
    """The same addresses in a set of nft's, for nft to change."""
    listed = ",".join(one["source"].removesuffix("/32") for one in blocks(1, count))
    path = WORK / "peer.nft"
    path.write_text("add table inet peer\ndelete table inet peer\nadd table inet peer\n"
                    f"add set inet peer allow {{ type ipv4_addr; flags interval, timeout; }}\nadd element inet peer allow {{ {listed} }}\n")
    sp.run(["nft", "-f", path], check=True, timeout=60)
    return path


def add_and_remove(rounds=60):
    """One source more and one less, by turns, ours and nft's: the medians of adding. What nft changes makes the next request of ours
    read the kernel's table again ("look"); the others find it as they left it, as on a host whose ruleset nobody changes by the minute."""
    return compare(rounds, [
        Command("look", [sp.HELPER], firewall_request("look", "firewall.restore")),
        Command("check", [sp.HELPER], firewall_request("check", "firewall.restore", dry_run=True)),
        Command("ours", [sp.HELPER], firewall_request("add", add=[{"source": ONE}])),
        Command("ours back", [sp.HELPER], firewall_request("remove", remove=[ONE])),
        Command("nft", ["/usr/sbin/nft", "add", "element", "inet", "peer", "allow", f"{{ {ONE} }}"]),
        Command("nft back", ["/usr/sbin/nft", "delete", "element", "inet", "peer", "allow", f"{{ {ONE} }}"]),
        Command("alone", [TOOLS / "bench-netlink", "add", "77", "1"]),
        Command("alone back", [TOOLS / "bench-netlink", "remove", "77", "1"]),
    ])


@contextlib.contextmanager
def running(argv, ready, what):
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/") as process:
        try:
            sp.wait_for(ready, timeout=60, what=what)
            yield
        finally:
            process.terminate()


def ufw():
    """What ufw takes for the same, in force."""
    if not have("ufw"):
        return {}
    for words in (("reset",), ("enable",)):
        sp.run(["ufw", "--force", *words], check=True, timeout=60)
    rule = ["allow", "from", ONE, "to", "any", "port", "22", "proto", "tcp"]
    got = compare(6, [Command("add", ["/usr/sbin/ufw", *rule]), Command("back", ["/usr/sbin/ufw", "delete", *rule]),
                      Command("status", ["/usr/sbin/ufw", "status"]), Command("reload", ["/usr/sbin/ufw", "reload"], every=2)])
    sp.run(["ufw", "--force", "disable"], check=True, timeout=60)
    return got


def firewalld():
    if not have("firewalld", "dbus-daemon"):
        return {}
    pathlib.Path("/run/dbus").mkdir(exist_ok=True)
    with running(["dbus-daemon", "--system", "--nofork", "--nopidfile"], lambda: os.path.exists("/run/dbus/system_bus_socket"), "the bus"), \
            running(["firewalld", "--nofork", "--nopid"], lambda: sp.run(["firewall-cmd", "--state"]).stdout == "running\n", "firewalld"):
        return compare(6, [Command("add", ["/usr/bin/firewall-cmd", f"--add-rich-rule={RICH}"]),
                           Command("back", ["/usr/bin/firewall-cmd", f"--remove-rich-rule={RICH}"]),
                           Command("reload", ["/usr/bin/firewall-cmd", "--reload"], every=2)])


def rebuilt(count, peers, table):
    """The whole table in one transaction, as another mode wants it. The guide has no goal for these, nor for taking away: we are to be
    no slower than what does the same."""
    got = compare(12, [Command("ours", [sp.HELPER], firewall_request("open", mode="open")),
                       Command("ours back", [sp.HELPER], firewall_request("restricted", mode="restricted", force=True)),
                       Command("nft", ["/usr/sbin/nft", "-f", table])])
    for name, peer in [("nft -f", got["nft"]), *((f"{name} reload", peer["reload"]) for name, peer in peers if peer)]:
        yield Row(12, f"the table rebuilt, {count} there", name, peer, got["ours back"], 1)


def goal_12():
    peers = {"ufw allow": ufw(), "firewall-cmd --add-rich-rule": firewalld()}
    sp.run(["nft", "flush", "ruleset"], check=True)
    sp.rpc("firewall.set", {"mode": "restricted", "sources": blocks(1, 1)}).ok()
    table = peer_set(1)
    got = add_and_remove()
    for name, peer in [*((name, peer["add"]) for name, peer in peers.items() if peer), ("nft add element", got["nft"]), (ALONE, got["alone"])]:
        yield Row(12, "a source added, one there", name, peer, got["ours"], 2, bound="most")
    away = {"ufw allow": "ufw delete", "firewall-cmd --add-rich-rule": "firewall-cmd --remove-rich-rule"}
    for name, peer in [*((away[name], peer["back"]) for name, peer in peers.items() if peer), ("nft delete element", got["nft back"])]:
        yield Row(12, "a source taken away, of two", name, peer, got["ours back"], 1)
    yield from rebuilt(1, [(name.split()[0], peer) for name, peer in peers.items()], table)
    yield Row(12, "nothing to change, one source", "ufw status", peers["ufw allow"].get("status", 0), got["check"], 1.5, bound="most")
    foreign = WORK / "foreign.nft"
    many = ",".join(f"11.{at >> 16}.{at >> 8 & 255}.{at & 255}" for at in range(100000))
    foreign.write_text(f"add table ip foreign\nadd set ip foreign many {{ type ipv4_addr; }}\nadd element ip foreign many {{ {many} }}\n")
    sp.run(["nft", "-f", foreign], check=True, timeout=120)
    beside = add_and_remove(12)
    yield Row(12, "a source added beside a foreign set of 100,000", "nft add element", beside["nft"], beside["ours"], 2, bound="most")
    yield Row(12, "  the same", "without the foreign set", got["ours"], beside["ours"], 1.3)
    sp.run(["nft", "delete table ip foreign"], check=True)
    sp.rpc("firewall.set", {"sources": blocks(1, 9990)}).ok()
    table = peer_set(9990)
    large = add_and_remove(12)
    for name, peer in (("nft add element", large["nft"]), (ALONE, large["alone"])):
        yield Row(12, "a source added to 10,000", name, peer, large["ours"], 3, bound="most")
    yield Row(12, "a source taken away from 10,000", "nft delete element", large["nft back"], large["ours back"], 1)
    yield from rebuilt("10,000", [], table)
    yield Row(12, "  a check of them, somebody else having changed the ruleset", "nft add element", large["nft"], large["look"], 1)
    both = [firewall_request(f"replace{n}", sources=blocks(n, 9990)) for n in (1, 2)]
    replaced = compare(8, [Command("look", [sp.HELPER], firewall_request("look", "firewall.restore")),
                           Command("ours", [sp.HELPER], both[1]), Command("ours back", [sp.HELPER], both[0]),
                           Command("nft", ["/usr/sbin/nft", "-f", WORK / "peer.nft"]),
                           Command("alone", [TOOLS / "bench-netlink", "replace", "1", "9990"])])
    for name, peer in (("nft -f", replaced["nft"]), (ALONE, replaced["alone"])):
        yield Row(12, "10,000 sources replaced", name, peer, replaced["ours"], 25, bound="most")
    sp.run(["nft", "delete table inet peer"], check=True)
    sp.rpc("firewall.set", {"mode": "unmanaged", "sources": []})
