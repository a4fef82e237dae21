# SPDX-License-Identifier: GPL-3.0-or-later
"""The SSH port beside the firewalls of others, which really run here: firewalld, ufw, iptables of both kinds, fail2ban."""

import contextlib
import functools
import json
import os
import pathlib
import re
import subprocess

import pytest

import sp
from sp_firewall import connected, flood, forget, fw, meets, restrict, shut, sources, table

OPENED = pathlib.Path("/var/lib/sallyport/firewall.opened")


def clean():
    forget()
    OPENED.unlink(missing_ok=True)
    for names, program in (("ip_tables_names", "iptables-legacy"), ("ip6_tables_names", "ip6tables-legacy")):
        tables = pathlib.Path("/proc/net", names)
        if tables.exists() and tables.read_text():  # it makes what it is asked for
            sp.run([program, "-w", "-P", "INPUT", "ACCEPT"])
            sp.run([program, "-w", "-F"])
            sp.run([program, "-w", "-X"])


@pytest.fixture(autouse=True)
def fresh(host):
    clean()


def get():
    return sp.rpc("firewall.get").ok()


def ours():
    """Our table, without what it has counted."""
    return [line for line in table() if not line.strip().startswith("packets ")]


def names(answer):
    return [one["name"] for one in answer["firewalls"] if one["in_force"]]


def blocks(answer):
    return [one["by"] for one in answer["blocked_by"]]


@functools.lru_cache
def somebody():
    """Somebody who may log in, for the doctor to ask about."""
    return sp.make_user(shell="/bin/bash").name


def doctor(source):
    """What the walk of a login finds of other firewalls."""
    answer = sp.rpc("login.diagnose", {"user": somebody(), "from": source}).ok()
    return next(one for one in answer["checks"] if one["check"] == "other_firewalls")


@contextlib.contextmanager
def running(argv, ready, what):
    with open("/run/other.log", "ab") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
    try:
        sp.wait_for(ready, timeout=60, what=what)
        yield process
    finally:
        process.terminate()
        process.wait(30)


# ufw


@pytest.fixture
def ufw(host):
    sp.run(["ufw", "--force", "reset"], check=True)
    sp.run(["ufw", "--force", "enable"], check=True)
    yield lambda *words: sp.run(["ufw", *words], check=True)
    sp.run(["ufw", "--force", "disable"], check=True)
    clean()


def rules(text):
    return re.findall(r"(?m)^22/tcp.*", text)


def test_ufw_is_asked_to_open_and_what_was_opened_is_taken_back(ufw):
    assert shut(sp.OUTSIDE4, sp.OUTSIDE6)
    found = doctor(sp.OUTSIDE4)
    assert found["state"] == "stops" and "ufw" in found["text"] and found["mend"] == "ufw allow 22/tcp"
    assert names(get()) == ["ufw", "iptables"]
    dry = fw(mode="open", dry_run=True).ok()
    assert any(one["target"] == "ufw" for one in dry["changes"]) and shut(sp.OUTSIDE4) and not OPENED.exists()
    answer = fw(mode="open").ok()
    assert {"resource": "firewall", "target": "ufw", "from": None, "to": "22/tcp open",
            "read_back": "22/tcp open"} in answer["changes"]
    assert answer["in_force"] and answer["blocked_by"] == []
    assert meets(sp.OUTSIDE4, sp.OUTSIDE6) == ["open", "open"] and doctor(sp.OUTSIDE4)["state"] == "ok"
    assert "sallyport" in ufw("status").stdout
    assert not fw(mode="open").ok()["changed"]
    # restricted restricts, though ufw lets everybody in
    restrict(sp.OUTSIDE4_B)
    assert shut(sp.OUTSIDE4, sp.OUTSIDE6) and sp.probe(sp.OUTSIDE4_B) == "open"
    fw(mode="open").ok()
    with connected(sp.OUTSIDE4):
        refused = fw(mode="unmanaged")
        assert refused.reason == "lockout" and "keep_opened" in refused.error["data"]["hint"]
    sp.wait_for(lambda: fw(mode="unmanaged").error is None, what="the end of the connection")
    assert shut(sp.OUTSIDE4) and not rules(ufw("status").stdout) and not OPENED.exists()


def test_ufws_own_rules_for_the_port_are_never_overwritten(ufw):
    ufw("deny", "proto", "tcp", "from", "198.51.100.0/24", "to", "any", "port", "22")
    answer = fw(mode="open").ok()
    assert "ufw" in blocks(answer) and not answer["in_force"] and shut(sp.OUTSIDE4)
    assert any("deny port 22" in text for text in answer["warnings"]) and not OPENED.exists()
    ufw("delete", "deny", "proto", "tcp", "from", "198.51.100.0/24", "to", "any", "port", "22")
    ufw("limit", "22/tcp")
    answer = fw(mode="open").ok()  # one connection passes; how many more, nobody can tell
    assert sp.probe(sp.OUTSIDE4) == "open" and "22/tcp                     LIMIT" in ufw("status").stdout


def test_in_restricted_the_sources_get_through_ufw_and_nobody_else(ufw):
    answer = restrict(sp.OUTSIDE4_B)
    assert answer["in_force"] and any(one["target"] == "ufw" for one in answer["changes"])
    assert sp.probe(sp.OUTSIDE4_B) == "open" and shut(sp.OUTSIDE4, sp.OUTSIDE6)
    assert fw(mode="unmanaged", keep_opened=True).ok()["changed"]
    assert sp.probe(sp.OUTSIDE4) == "open" and rules(ufw("status").stdout)  # it is the administrator's now
    assert fw(mode="unmanaged").ok()["changes"] == []


@sp.covers("firewall 13")
def test_13_while_ufw_reloads_a_denied_source_gets_in_never_once(ufw):
    ufw("allow", "22/tcp")
    restrict(sp.OUTSIDE4_B)
    before = ours()
    sent, answered = flood(lambda: ufw("reload"))
    assert sent > 1000 and answered == 0, f"{answered} of {sent}"
    assert ours() == before and shut(sp.OUTSIDE4)


# firewalld


@pytest.fixture(scope="module")
def bus():
    pathlib.Path("/run/dbus").mkdir(exist_ok=True)
    with running(["dbus-daemon", "--system", "--nofork", "--nopidfile"],
                 lambda: os.path.exists("/run/dbus/system_bus_socket"), "the bus"):
        yield


@pytest.fixture
def firewalld(bus, host):
    with running(["firewalld", "--nofork", "--nopid"],
                 lambda: sp.run(["firewall-cmd", "--state"]).stdout == "running\n", "firewalld") as process:
        yield process
    sp.run(["firewall-offline-cmd", "--remove-port=22/tcp"])
    clean()


def ports(*words):
    return sp.run(["firewall-cmd", *words, "--list-ports"], check=True).stdout.split()


@sp.covers("firewall 14")
def test_14_firewalld_is_asked_to_open_and_its_reload_leaves_our_table_alone(firewalld):
    sp.run(["firewall-cmd", "--remove-service=ssh"], check=True)
    assert sp.probe(sp.OUTSIDE4) != "open"
    found = doctor(sp.OUTSIDE4)
    assert found["state"] == "stops" and "firewalld" in found["text"] and "--add-port=22/tcp" in found["mend"]
    assert names(get()) == ["firewalld"]
    answer = fw(mode="open").ok()
    assert [one["target"] for one in answer["changes"]][-1] == "firewalld zone public"
    assert answer["in_force"] and answer["blocked_by"] == [] and doctor(sp.OUTSIDE4)["state"] == "ok"
    assert meets(sp.OUTSIDE4, sp.OUTSIDE6) == ["open", "open"]
    assert ports() == ports("--permanent") == ["22/tcp"]
    restrict(sp.OUTSIDE4_B)
    before = ours()
    sent, answered = flood(lambda: sp.run(["firewall-cmd", "--reload"], check=True))
    assert sent > 100 and answered == 0 and ours() == before
    assert shut(sp.OUTSIDE4) and sp.probe(sp.OUTSIDE4_B) == "open"
    sp.run(["firewall-cmd", "--remove-service=ssh"], check=True)
    assert fw(mode="unmanaged", force=True).ok()["changed"]
    assert ports() == ports("--permanent") == [] and sp.probe(sp.OUTSIDE4) != "open"


def test_a_firewalld_whose_rules_somebody_flushed_only_says_that_it_runs(firewalld):
    sp.run(["nft", "flush", "ruleset"], check=True)
    assert get()["firewalls"] == [{"name": "firewalld", "in_force": False}]
    assert fw(mode="open").ok()["blocked_by"] == []
    shown = sp.run(["sallyport", "host"]).stdout
    assert "firewalld (says so" in shown


# iptables


raw_socket = sp.outside_the_sandbox("it opens no raw socket, by which iptables-legacy is asked")


@pytest.mark.parametrize("kind", ["iptables", pytest.param("iptables-legacy", marks=raw_socket)])
def test_iptables_of_both_kinds_gets_a_rule_in_front_and_loses_it_again(kind):
    four, six = kind, kind.replace("ip", "ip6", 1)
    for program in (four, six):
        done = sp.run([program, "-w", "-A", "INPUT", "-p", "tcp", "--dport", "20:25", "-j", "DROP"])
        assert done.rc == 0, f"this kernel does not do {program}: {done.stderr}"
    try:
        assert shut(sp.OUTSIDE4, sp.OUTSIDE6)
        found = doctor(sp.OUTSIDE6)
        assert found["state"] == "stops" and found["mend"] == f"{six} -w -I INPUT -p tcp --dport 22 -j ACCEPT"
        assert names(get()) == [kind]
        answer = fw(mode="open").ok()
        assert [one["target"] for one in answer["changes"]][-2:] == [four, six]
        assert answer["in_force"] and any("netfilter-persistent" in text for text in answer["warnings"])
        assert meets(sp.OUTSIDE4, sp.OUTSIDE6) == ["open", "open"]
        restrict(sp.OUTSIDE4_B)
        assert shut(sp.OUTSIDE4, sp.OUTSIDE6) and sp.probe(sp.OUTSIDE4_B) == "open"
        assert not fw(mode="open").ok()["blocked_by"]
        assert fw(mode="unmanaged", force=True).ok()["changed"] and shut(sp.OUTSIDE4, sp.OUTSIDE6)
        assert "sallyport" not in sp.run([four, "-S"]).stdout + sp.run([six, "-S"]).stdout
    finally:
        for program in (four, six):
            sp.run([program, "-w", "-F"])


def test_what_cannot_be_opened_is_named_and_an_unknown_rule_is_no_certain_block():
    sp.run(["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-m", "mark", "--mark", "7", "-j", "DROP"], check=True)
    answer = fw(mode="open").ok()
    assert [(one["by"], one["certain"]) for one in answer["blocked_by"]] == [("iptables", False)]
    assert answer["in_force"] and not OPENED.exists() and sp.probe(sp.OUTSIDE4) == "open"


@raw_socket
def test_tables_of_the_old_kind_that_cannot_be_read_are_no_pass(host):
    """As from the unit, which may open no such socket."""
    sp.run(["iptables-legacy", "-w", "-P", "INPUT", "DROP"], check=True)
    try:
        request = json.dumps({"jsonrpc": "2.0", "id": "1", "method": "firewall.get"})
        answer = sp.rpc_raw(request, argv=("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sp.HELPER)).ok()
        assert [(one["by"], one["certain"]) for one in sp.rpc("firewall.set", {"mode": "open"}).ok()["blocked_by"]] == []
        assert [one["name"] for one in answer["firewalls"]] == ["iptables-legacy"]
        answer = sp.rpc_raw(request, argv=("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sp.HELPER)).ok()
        assert [(one["by"], one["certain"]) for one in answer["blocked_by"]] == [("iptables-legacy", False)]
    finally:
        fw(mode="unmanaged", force=True)
        sp.run(["iptables-legacy", "-w", "-P", "INPUT", "ACCEPT"], check=True)


# fail2ban


JAIL = """[sshd]
enabled = true
backend = polling
logpath = /run/sshd.test.log
banaction = {}
port = 22
"""


@pytest.mark.parametrize("action", ["nftables-multiport", "iptables-multiport"])
def test_who_asks_is_told_that_fail2ban_bans_him(host, action):
    """The caller's session outlives the ban here: what it asks is answered to a file."""
    pathlib.Path("/etc/fail2ban/jail.d/test.conf").write_text(JAIL.format(action))
    pathlib.Path("/etc/sudoers.d/admin").write_text("%admins ALL=(root) NOPASSWD: /usr/bin/sallyport\n")
    sp.run(["groupadd", "-f", "admins"], check=True)
    person = sp.make_user(shell="/bin/bash", groups=["admins"])
    sp.put_key(person)
    os.makedirs("/run/fail2ban", exist_ok=True)
    go, out = pathlib.Path(f"/tmp/go-{person.name}"), pathlib.Path(f"/tmp/out-{person.name}")
    ask = f"until [ -e {go} ]; do sleep 0.1; done; sudo -n sallyport firewall open --json >{out}.new; mv {out}.new {out}"
    argv = sp.client("ssh", source=sp.OUTSIDE4, netns="outside") + ["-T", "-l", person.name, sp.HOST4, ask]
    with running(["fail2ban-server", "-f", "start"],
                 lambda: sp.run(["fail2ban-client", "ping"]).rc == 0, "fail2ban"):
        session = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        try:
            sp.wait_for(lambda: sp.run(["pgrep", "-u", person.name, "-f", str(go)]).rc == 0, what="the command of the session")
            sp.run(["fail2ban-client", "set", "sshd", "banip", sp.OUTSIDE4], check=True)
            sp.wait_for(lambda: sp.probe(sp.OUTSIDE4, timeout=0.4) != "open", what="the ban")
            go.touch()
            sp.wait_for(out.exists, timeout=30, what="the answer")
            answer = json.loads(out.read_text())
            assert [(one["by"], one["from"]) for one in answer["blocked_by"]] == [("fail2ban", sp.OUTSIDE4)]
            assert answer["blocked_by"][0]["mend"] == f"fail2ban-client unban {sp.OUTSIDE4}"
            assert answer["in_force"] and "fail2ban" in names(answer) and sp.probe(sp.OUTSIDE4_B) == "open"
            found = doctor(sp.OUTSIDE4)
            assert found["state"] == "stops" and found["mend"] == f"fail2ban-client unban {sp.OUTSIDE4}"
            sp.run(["fail2ban-client", "unban", sp.OUTSIDE4], check=True)
            assert get()["blocked_by"] == [] and sp.probe(sp.OUTSIDE4) == "open"
        finally:
            session.kill()
            session.wait()
            sp.run(["fail2ban-client", "unban", "--all"])
            sp.run(["pkill", "-KILL", "-u", person.name])


@sp.covers("firewall 20")
def test_20_a_real_login_cannot_take_itself_out_through_sudo(host):
    pathlib.Path("/etc/sudoers.d/admin").write_text("%admins ALL=(root) NOPASSWD: /usr/bin/sallyport\n")
    sp.run(["groupadd", "-f", "admins"], check=True)
    person = sp.make_user(shell="/bin/bash", groups=["admins"])
    sp.put_key(person)
    restrict(sp.OUTSIDE4, sp.OUTSIDE4_B)

    def sudo(command):
        return sp.ssh(person, f"env | grep -c SSH_CONNECTION; sudo -n sallyport firewall {command}", netns="outside",
                      source=sp.OUTSIDE4)

    before = table()
    refused = sudo(f"unallow {sp.OUTSIDE4}")
    assert refused.rc == 13 and f"{sp.OUTSIDE4} (you)" in refused.stderr, refused
    for words in (f"restrict {sp.OUTSIDE4_B}", "close --yes", f"restrict {sp.OUTSIDE4_B} --confirm-within 60s"):
        assert f"{sp.OUTSIDE4} (you)" in sudo(words).stderr, words
    assert table() == before
    assert sudo(f"unallow {sp.OUTSIDE4_B}").rc == 0  # another's address may go
    assert sudo(f"restrict {sp.OUTSIDE4_B} --force").rc == 0
    assert shut(sp.OUTSIDE4)
