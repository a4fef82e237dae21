# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in, and the way out: sessions.list, sessions.end, and the verb. sshd logs to syslog here, as a host's does."""

import contextlib
import datetime
import json
import pathlib
import subprocess
import time

import pytest

import sp
import sp_site
from sp_terminal import Terminal

CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/log.conf")
FIRST, SECOND = sp.keypair("first"), sp.keypair("second")


@pytest.fixture(scope="module", autouse=True)
def logging(host):
    CONF.write_text(f"auth_log = {sp.SYSLOG}\n")
    with host.logging_to_syslog():
        yield


@pytest.fixture(scope="module")
def site(logging):
    user = sp_site.account("chroot", keys=[FIRST, SECOND])
    sp.rpc("keys.add", {"domain": user.domain, "key": FIRST.public, "label": "Anna, laptop"}).ok()
    return user


@pytest.fixture(scope="module")
def other(logging):
    return sp_site.account("bash", keys=[FIRST])


def said(**params):
    return sp.rpc("sessions.list", params, timeout=60).ok()["sessions"]


def end(**params):
    return sp.rpc("sessions.end", params, timeout=60)


def sallyport(*words, **more):
    return sp.run(["sallyport", "sessions", *words], **more)


@contextlib.contextmanager
def login(user, key=FIRST, command="echo ready $SSH_CONNECTION; exec sleep 600", netns=None, source=None, options=()):
    """A client with one command, and the source port that the server sees."""
    with sp_site.session(user, key, source, netns, options, command=command) as child:
        child.port = int(child.said[2])
        assert any(f"port {child.port} " in line for line in sp.syslog_lines("Accepted publickey"))
        yield child


def of_port(port, **params):
    return next((one for one in said(**params) if one["port"] == port), None)


def goes_on(child):
    time.sleep(0.5)
    return child.poll() is None


def test_a_login_says_who_since_when_from_where_how_and_what_runs(site):
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)
    with login(site, netns="outside", source=sp.OUTSIDE4) as child:
        one = sp.wait_for(lambda: next((x for x in said(domain=site.domain) if x["port"] == child.port and x["programs"] == ["sleep"]), None))
        assert (one["user"], one["domains"], one["from"], one["state"], one["jailed"]) == (site.name, [site.domain], sp.OUTSIDE4, "connected", True)
        since = datetime.datetime.fromisoformat(one["since"].replace("Z", "+00:00"))
        assert before <= since <= datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        assert one["authentication"] == {"method": "publickey", "fingerprint": FIRST.fingerprint, "label": "Anna, laptop", "key_id": None, "serial": None}
        assert one["processes"] == 1 and one["programs"] == ["sleep"] and one["terminals"] == []
        assert one in said() and one in said(user=site.name)
    sp.wait_for(lambda: of_port(child.port) is None, what="the login's end")


def test_a_plain_shell_is_on_the_host_and_a_terminal_has_a_name(other):
    with Terminal(other, key=FIRST) as term:
        tty = term.run("tty").strip()
        assert sp.syslog_lines(f"Accepted publickey for {other.name} ")
        one, = said(domain=other.domain)
        assert one["jailed"] is False and one["terminals"] == [tty.removeprefix("/dev/")] and "bash" in one["programs"]
        table = sallyport().stdout.splitlines()
        assert table[0].split()[:4] == ["USER", "FROM", "SINCE", "WHERE"]
        row = next(line for line in table if line.startswith(other.name))
        assert " host " in row and one["id"] in row and "first" in row


def test_one_connection_with_several_sessions_is_one_login(site, tmp_path):
    control = [f"ControlPath={tmp_path}/%h", "ControlPersist=no"]
    with login(site, options=[*control, "ControlMaster=yes"]) as master:
        with sp_site.session(site, FIRST, options=[*control, "ControlMaster=no"]) as second:
            one = sp.wait_for(lambda: next((x for x in said() if x["port"] == master.port and x["processes"] == 2), None))
            assert len([x for x in said(domain=site.domain) if x["state"] == "connected"]) == 1
            assert end(session=one["id"]).ok()["changed"] is True
            assert master.wait(15) != 0 and second.wait(15) != 0
        assert of_port(master.port) is None


def test_sftp_is_a_login(site):
    argv = [*sp.client("sftp", FIRST), "-q", "-b", "-", f"{site.name}@127.0.0.1"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        client.stdin.write("pwd\n")
        client.stdin.flush()
        one = sp.wait_for(lambda: next((x for x in said(domain=site.domain) if "sftp-server" in x["programs"]), None), what="sftp")
        assert one["jailed"] and one["state"] == "connected"
        end(session=one["id"]).ok()
        assert not [x for x in said(domain=site.domain) if x["state"] == "connected"]
        client.stdin.close()
        client.wait(15)
    sp.wait_for(lambda: not sp_site.processes(site, "sftp-server"))


def test_what_a_login_left_in_the_jail_is_seen_and_ended_alone(site, other):
    end(domain=site.domain).ok()  # without a terminal a command outlives its client
    with login(site, SECOND, "tmux new-session -d -s work 'exec sleep 2001'; echo ready $SSH_CONNECTION") as done:
        assert done.wait(15) == 0
    with login(site) as stays:
        left = sp.wait_for(lambda: next((x for x in said(domain=site.domain) if x["state"] == "left_behind" and len(x["programs"]) == 2), None), what="tmux")
        assert left["jailed"] and left["processes"] == 2 and left["from"] is None and left["authentication"] is None
        assert set(left["programs"]) == {"tmux: server", "sleep"}
        assert "(left behind)" in sallyport("list", site.domain).stdout
        answer = end(session=left["id"]).ok()
        assert [one["id"] for one in answer["sessions"]] == [left["id"]] and answer["changes"][0]["read_back"] == "ended"
        assert goes_on(stays) and not [x for x in sp_site.processes(site) if "2001" in x.args]
        assert sp.ssh(site, "echo in", key=FIRST).stdout == "in\n"
        assert end(session=left["id"]).reason == "not_found"


def test_one_login_is_ended_and_no_other_of_the_account_nor_anybody_elses(site, other):
    with login(site) as first, login(site) as second, login(other) as stranger:
        one = of_port(first.port)
        dry = end(session=one["id"], dry_run=True).ok()
        assert dry["changes"][0]["read_back"] is None and goes_on(first)
        end(session=one["id"]).ok()
        assert first.wait(15) != 0 and goes_on(second) and stranger.poll() is None
        assert sp_site.jails(site), "the jail that they share goes on"


def test_a_program_that_ignores_being_hung_up_and_its_children_end_too(other):
    command = "trap '' HUP TERM; (setsid sh -c 'trap \"\" HUP; while :; do sleep 7; done' &) ; echo ready $SSH_CONNECTION; while :; do sleep 7; done"
    with login(other, command=command) as child:
        end(domain=other.domain).ok()
        assert child.wait(15) != 0
        sp.wait_for(lambda: not sp_site.processes(other), what="the end of all of them")


def test_the_logins_of_a_key_end_with_it_and_no_others(site, other):
    with login(site, FIRST) as first, login(site, SECOND) as second, login(other, FIRST) as elsewhere:
        end(domain=site.domain, fingerprint=FIRST.fingerprint).ok()
        assert first.wait(15) != 0 and goes_on(second) and elsewhere.poll() is None
        done = sallyport("end", "--key", FIRST.fingerprint, "--yes")
        assert done.rc == 0 and f"sessions {other.name}: " in done.stdout, done
        assert elsewhere.wait(15) != 0 and goes_on(second)


def test_a_login_that_the_log_says_nothing_of_is_not_taken_for_a_keys(site):
    with login(site, FIRST) as first:
        CONF.write_text("auth_log = /var/log/none\n")
        try:
            assert of_port(first.port)["authentication"] is None
            answer = end(fingerprint=FIRST.fingerprint, domain=site.domain).ok()
            assert answer["changed"] is False and "does not tell" in answer["warnings"][0] and goes_on(first)
        finally:
            CONF.write_text(f"auth_log = {sp.SYSLOG}\n")


def test_all_ends_every_account_but_not_root_nor_what_no_login_started(site, other):
    sp.put_key(sp.User("root", 0, 0, "/root", "/root", ""), FIRST)
    with login(site) as first, login(other) as second, sp_site.Outside(other, ["sleep", "3003"]) as web, \
            login(sp.User("root", 0, 0, "/root", "/root", "")) as root:
        assert end(all=True).ok()["changed"] is True
        assert first.wait(15) != 0 and second.wait(15) != 0 and web.alive() and goes_on(root)
        assert said() == []


@pytest.mark.parametrize("params, reason", [
    ({}, "invalid"), ({"all": True, "user": "x"}, "invalid"), ({"session": "1"}, "invalid"), ({"session": "1-2\n"}, "invalid"),
    ({"session": "1-1"}, "not_found"), ({"domain": "nobody.example"}, "not_found"), ({"user": "root"}, "not_found")])
def test_what_says_too_little_or_nobody_is_refused(host, params, reason):
    assert end(**params).reason == reason


def test_the_verb_names_what_it_will_do_and_asks(site):
    with login(site) as child:
        silent = sallyport("end", site.domain)
        assert silent.rc == 5 and "ends these logins" in silent.stderr and "--yes" in silent.stderr and goes_on(child)
        one = of_port(child.port)
        with Terminal.local(["sallyport", "sessions", "end", site.domain]) as term:
            term.expect("dry run: nothing was changed")
            term.expect(one["id"])
            term.expect(r"Do it\? \[y/N\] ")
            term.send("n\n")
            assert term.wait() == 5
        assert goes_on(child)
        with Terminal.local(["sallyport", "sessions", "end", "--session", one["id"]]) as term:
            term.expect(r"Do it\? \[y/N\] ")
            term.send("y\n")
            assert term.wait() == 0
        assert child.wait(15) != 0
    assert json.loads(sallyport("end", site.domain, "--yes", "--json").stdout)["changed"] is False
    assert sallyport().stdout == "nobody is in\n"


def test_a_program_that_gives_itself_a_name_drives_no_terminal(other):
    evil = "\x1b]0;owned\x07\x9b31m\n2"
    script = f"import ctypes, time; ctypes.CDLL(None).prctl(15, {evil.encode('latin-1')!r}, 0, 0, 0); print('ready', *__import__('os').environ['SSH_CONNECTION'].split(), flush=True); time.sleep(600)"
    with login(other, command=f"python3 -c \"{script}\"") as child:
        assert any("owned" in name for name in of_port(child.port)["programs"])
        for words in ([], ["--json"]):
            with Terminal.local(["sallyport", "sessions", *words], cols=200) as term:
                assert term.wait() == 0
                assert "\x1b]" not in term.screen and "\x9b" not in term.screen and "\x07" not in term.screen and "owned" in term.screen
