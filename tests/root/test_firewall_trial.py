# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy of the SSH port on trial: the kernel forgets it by itself, unless it is confirmed."""

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

import sp
from sp_firewall import (LAST_GOOD, PENDING, STATE, connected, elements, forget, fw, meets, reconcile, restrict, shut,
                         sources, sweep_points, table)

LONG = 600


@pytest.fixture(autouse=True)
def fresh(host):
    forget()


def trial(*blocks, within=LONG, mode="restricted", **more):
    return fw(mode=mode, sources=sources(*blocks), confirm_within=within, **more).ok()["pending"]


def confirm(token):
    return sp.rpc("firewall.confirm", {"token": token})


def state():
    return sp.rpc("firewall.get").ok()


def prove(source=sp.OUTSIDE4_B):
    assert sp.probe(source) == "open"


def test_a_trial_narrows_at_once_and_is_shown_and_confirmed():
    answer = fw(mode="restricted", sources=sources(sp.OUTSIDE4_B), confirm_within=LONG).ok()
    assert answer["mode"] == "unmanaged" and answer["changed"] and not STATE.exists()
    assert [(one["target"], one["to"] == one["read_back"]) for one in answer["changes"]] == [("trial", True)]
    assert shut(sp.OUTSIDE4) and shut(sp.OUTSIDE6) and sp.probe(sp.OUTSIDE4_B) == "open"
    assert sp.probe("127.0.0.1", netns=None) == "open"
    shown = state()
    assert shown["in_force"] and shown["pending"]["sources"] == sources(sp.OUTSIDE4_B)
    assert shown["pending"]["connections"] == 1 and LONG - 60 < shown["pending"]["seconds_left"] <= LONG
    assert not reconcile()["changed"] and shut(sp.OUTSIDE4)  # cron leaves it alone
    done = confirm(shown["pending"]["token"]).ok()
    assert done["mode"] == "restricted" and done["in_force"] and "pending" not in done
    assert shut(sp.OUTSIDE4) and sp.probe(sp.OUTSIDE4_B) == "open"
    assert not PENDING.exists() and json.loads(STATE.read_text())["mode"] == "restricted"
    assert not reconcile()["changed"] and "pending" not in state()


@pytest.mark.parametrize("mode, more, seen", [("open", {}, ["open", "open"]),
                                              ("closed", {"acknowledge_closed": True}, ["dropped", "dropped"])])
def test_open_and_closed_can_be_tried_too(mode, more, seen):
    restrict(sp.OUTSIDE4_B)
    token = trial(sp.OUTSIDE4_B, mode=mode, **more)["token"]
    assert meets(sp.OUTSIDE4, sp.OUTSIDE4_B) == seen
    # Nobody new can come in where it is closed: there the token is enough.
    assert confirm(token).ok()["mode"] == mode
    assert meets(sp.OUTSIDE4, sp.OUTSIDE4_B) == seen


def test_a_trial_is_rolled_back():
    restrict(sp.OUTSIDE4)
    before = STATE.read_bytes()
    trial(sp.OUTSIDE4_B)
    assert shut(sp.OUTSIDE4)
    assert fw(mode="open").reason == "conflict"  # one thing at a time
    assert fw(mode="open", confirm_within=5).reason == "conflict"
    back = sp.rpc("firewall.rollback").ok()
    assert back["changed"] and back["in_force"] and [one["target"] for one in back["changes"]] == ["trial"]
    assert sp.probe(sp.OUTSIDE4) == "open" and shut(sp.OUTSIDE4_B)
    assert STATE.read_bytes() == before and not PENDING.exists()
    assert not sp.rpc("firewall.rollback").ok()["changed"]


def test_what_cannot_be_tried_is_refused_and_a_dry_run_begins_nothing():
    assert fw(mode="unmanaged", confirm_within=5).error["data"]["field"] == "params.confirm_within"
    for wrong in (0, -1, 86401, 1.5, "60"):
        assert fw(mode="open", confirm_within=wrong).error["data"]["field"] == "params.confirm_within"
    with connected(sp.OUTSIDE4):
        refused = fw(mode="restricted", sources=sources(sp.OUTSIDE4_B), confirm_within=5)
        assert refused.reason == "lockout" and sp.OUTSIDE4 in refused.error["message"]
    dry = fw(mode="restricted", sources=sources(sp.OUTSIDE4_B), confirm_within=5, dry_run=True).ok()
    assert dry["changed"] and "pending" not in dry and not PENDING.exists() and not table()
    restrict(sp.OUTSIDE4_B)
    same = fw(mode="restricted", sources=sources(sp.OUTSIDE4_B), confirm_within=5).ok()
    assert not same["changed"] and "pending" not in same and not PENDING.exists()


@sp.covers("firewall 6")
def test_6_killed_in_a_trial_the_kernel_reverts_by_the_deadline():
    restrict(sp.OUTSIDE4)
    before = STATE.read_bytes()
    request = json.dumps({"jsonrpc": "2.0", "id": "1", "method": "firewall.set",
                          "params": {"mode": "restricted", "sources": sources(sp.OUTSIDE4_B), "confirm_within": 3}})
    begun = time.monotonic()
    helper = subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    helper.stdin.write(request)
    helper.stdin.close()
    sp.wait_for(lambda: helper.stdout.readline(), what="the answer")  # the trial is on
    helper.send_signal(signal.SIGKILL)
    helper.wait()
    met = seen()
    assert met == NEW or time.monotonic() - begun > 2.5, "it ended too early"
    sp.wait_for(lambda: sp.probe(sp.OUTSIDE4, timeout=0.3) == "open", what="the end of the trial")  # nobody did it
    assert time.monotonic() - begun > 2.5
    assert shut(sp.OUTSIDE4_B) and STATE.read_bytes() == before
    mended = reconcile()
    assert [one["target"] for one in mended["changes"]] == ["trial"] and any("not confirmed" in w for w in mended["warnings"])
    assert not PENDING.exists() and not reconcile()["changed"] and elements("trial4") == []


@sp.covers("firewall 7")
def test_7_confirmed_after_its_end_it_is_an_error_and_nothing_changes():
    restrict(sp.OUTSIDE4)
    token = trial(sp.OUTSIDE4_B, within=1)["token"]
    sp.probe(sp.OUTSIDE4_B)
    before = STATE.read_bytes()
    sp.wait_for(lambda: sp.probe(sp.OUTSIDE4, timeout=0.3) == "open", what="the end of the trial")
    late = confirm(token)
    assert late.reason == "not_found" and "over" in late.error["message"] and late.error["data"]["hint"]
    assert STATE.read_bytes() == before and sp.probe(sp.OUTSIDE4) == "open" and shut(sp.OUTSIDE4_B)


def test_7_a_trial_that_ends_while_it_is_confirmed_is_refused_by_the_kernel(tmp_path):
    """The process is stopped between its question and its transaction; the kernel compares once more."""
    restrict(sp.OUTSIDE4)
    token = trial(sp.OUTSIDE4_B, within=2)["token"]
    sp.probe(sp.OUTSIDE4_B)
    before = STATE.read_bytes()
    request = json.dumps({"jsonrpc": "2.0", "id": "1", "method": "firewall.confirm", "params": {"token": token}})
    # The pending file is renamed into place just before the transaction: strace holds the process there.
    done = sp.run(["strace", "-f", "-qq", "-o", tmp_path / "trace", "-e", "trace=rename,renameat,renameat2",
                   "-e", "inject=rename,renameat,renameat2:delay_exit=3000000:when=1", sp.HELPER], input=request)
    answer = json.loads(done.stdout)
    assert answer["error"]["data"]["reason"] == "not_found", answer
    assert STATE.read_bytes() == before and not PENDING.exists()
    assert sp.probe(sp.OUTSIDE4) == "open" and shut(sp.OUTSIDE4_B)


@sp.covers("firewall 8")
def test_8_confirmed_without_a_new_connection_it_is_refused():
    restrict(sp.OUTSIDE4, sp.OUTSIDE4_B)
    with connected(sp.OUTSIDE4_B):
        token = trial(sp.OUTSIDE4_B)["token"]
        refused = confirm(token)  # the connection from before proves nothing
        assert refused.reason == "lockout" and "anew" in refused.error["message"]
        assert confirm("0123456789abcdef").error["data"]["field"] == "params.token"
        assert sp.probe("127.0.0.1", netns=None) == "open" and confirm(token).reason == "lockout"
        prove()
        assert confirm(token).ok()["mode"] == "restricted"


def attempt(number, request):
    """The helper, killed at its system call `number`; how many it makes."""
    killat = os.environ["SALLYPORT_BUILD"] + "/tests/killat"
    text = json.dumps({"jsonrpc": "2.0", "id": "1", **request}).encode()
    done = subprocess.run([killat, str(number), sp.HELPER], input=text, capture_output=True, timeout=60, check=False)
    return int(done.stderr.split(b"calls=")[1].split()[0])


def seen():
    return meets(sp.OUTSIDE4, sp.OUTSIDE4_B)


OLD, NEW = ["open", "dropped"], ["dropped", "open"]


@sp.covers("firewall 9")
def test_9_killed_while_a_trial_begins_it_is_on_or_it_is_not():
    request = {"method": "firewall.set",
               "params": {"mode": "restricted", "sources": sources(sp.OUTSIDE4_B), "confirm_within": LONG}}

    def begin(number):
        forget()
        restrict(sp.OUTSIDE4)
        return attempt(number, request)

    calls = begin(1 << 30)
    assert seen() == NEW
    met = []
    for number in sweep_points(calls, 6):
        begin(number)
        met.append(seen())
        assert met[-1] in (OLD, NEW), (number, met[-1])
        assert ("pending" in state()) == (met[-1] == NEW), number
        sp.rpc("firewall.rollback").ok()
        assert seen() == OLD and not PENDING.exists(), number
    assert OLD in met and NEW in met


@sp.covers("firewall 9")
def test_9_killed_while_it_confirms_the_policy_is_the_old_or_the_new_and_the_next_call_agrees():
    def try_at(number):
        forget()
        restrict(sp.OUTSIDE4)
        token = trial(sp.OUTSIDE4_B)["token"]
        prove()
        return attempt(number, {"method": "firewall.confirm", "params": {"token": token}})

    calls = try_at(1 << 30)
    assert seen() == NEW and not PENDING.exists()
    ends = set()
    for number in sweep_points(calls, 9):
        try_at(number)
        assert seen() == NEW, number  # on trial or for good: nothing in between lets the other in
        running = "pending" in state()
        reconcile()
        if running:  # it was not committed: it can still be given up, or confirmed
            assert json.loads(STATE.read_text())["sources"] == sources(sp.OUTSIDE4), number
            sp.rpc("firewall.rollback").ok()
            assert seen() == OLD, number
        else:
            assert json.loads(STATE.read_text())["sources"] == sources(sp.OUTSIDE4_B), number
            assert LAST_GOOD.read_bytes() == STATE.read_bytes() and seen() == NEW, number
        assert not PENDING.exists() and not reconcile()["changed"], number
        ends.add(running)
    assert ends == {True, False}


@contextlib.contextmanager
def another_boot(tmp_path):
    fake = tmp_path / "boot_id"
    fake.write_text("00000000-0000-4000-8000-000000000000\n")
    where = "/proc/sys/kernel/random/boot_id"
    sp.run(["mount", "--bind", fake, where], check=True)
    try:
        yield
    finally:
        sp.run(["umount", where], check=True)


@sp.covers("firewall 10")
def test_10_after_a_reboot_the_committed_policy_is_loaded(tmp_path):
    restrict(sp.OUTSIDE4)
    token = trial(sp.OUTSIDE4_B)["token"]
    prove()
    with another_boot(tmp_path):
        sp.run(["nft", "flush", "ruleset"], check=True)  # what a boot begins with
        answer = sp.rpc("firewall.restore", {}).ok()
        assert answer["in_force"] and any("not confirmed" in text for text in answer["warnings"])
        assert not PENDING.exists() and seen() == OLD
        assert confirm(token).reason == "not_found"


def test_a_broken_file_of_a_trial_ends_it():
    restrict(sp.OUTSIDE4)
    trial(sp.OUTSIDE4_B)
    PENDING.write_text(PENDING.read_text().replace("restricted", "unmanaged_"))
    assert reconcile()["changed"] and not PENDING.exists()
    assert seen() == OLD and "pending" not in state()


def test_a_flush_ends_a_trial_and_reconcile_brings_back_what_was_committed():
    restrict(sp.OUTSIDE4)
    token = trial(sp.OUTSIDE4_B)["token"]
    sp.run(["nft", "flush", "ruleset"], check=True)
    assert reconcile()["in_force"] and seen() == OLD
    assert confirm(token).reason == "not_found"


def test_a_domain_that_comes_during_a_trial_is_let_in_and_stays(user):
    restrict(sp.OUTSIDE4)
    token = trial(sp.OUTSIDE4_B)["token"]
    prove()
    sp.rpc("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "bash",
                            "sources": [sp.OUTSIDE6]}).ok()
    assert sp.probe(sp.OUTSIDE6) == "open" and seen() == NEW
    pending = state()["pending"]
    assert pending["connections"] >= 2  # what was proved before counts on
    assert {"source": sp.OUTSIDE6, "owner": user.domain} in pending["sources"]
    assert {"source": sp.OUTSIDE6, "owner": user.domain} in confirm(token).ok()["sources"]
    assert sp.probe(sp.OUTSIDE6) == "open" and seen() == NEW
    sp.rpc("domain.remove", {"domain": user.domain}).ok()


def test_the_command_tries_confirms_and_rolls_back():
    def command(*words):
        return sp.run(["sallyport", "firewall", *words])

    begun = command("restrict", sp.OUTSIDE4_B, "--confirm-within", "5m")
    assert begun.rc == 0 and "on trial  restricted" in begun.stdout and "confirm anew" not in begun.stdout
    assert "sallyport firewall rollback" in command().stdout
    assert command("confirm").rc != 0 and shut(sp.OUTSIDE4)
    assert command("rollback").rc == 0 and sp.probe(sp.OUTSIDE4) == "open"
    token = json.loads(command("restrict", sp.OUTSIDE4_B, "--confirm-within=60", "--json").stdout)["pending"]["token"]
    prove()
    assert command("confirm", "0000000000000000").rc != 0
    assert command("confirm", token).rc == 0 and shut(sp.OUTSIDE4)
    assert command("confirm").rc != 0  # none runs
    assert command("open", "--confirm-within", "soon").rc == 5


def test_the_doctor_tells_what_a_trial_lets_through(user):
    sp.rpc("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "bash",
                            "authorized_keys": [{"key": sp.keypair().public}]}).ok()
    trial(sp.OUTSIDE4_B)

    def found(source):
        answer = sp.rpc("login.diagnose", {"user": user.name, "from": source}).ok()
        return next(one for one in answer["checks"] if one["check"] == "firewall")

    assert found(sp.OUTSIDE4)["state"] == "stops" and "trial" in found(sp.OUTSIDE4)["text"]
    assert found(sp.OUTSIDE4_B)["state"] == "ok" and "trial" in found(sp.OUTSIDE4_B)["text"]
