# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 44: the clock in 1970, beyond 2038 and backwards. What was asked for is kept, and nothing gets wider.

libfaketime stands between the helper and its clock; sshd, the kernel and the tests have the real one.
"""

import datetime
import fcntl
import os
import pathlib
import time

import pytest

import sp
from sp_safety import apply, managed, refused

STOPPED_1970 = "1970-01-01 00:00:10"  # it does not go on
AGE = {"1970": "@1970-01-01 00:00:10", "the last second of 32 bits": "@2038-01-19 03:14:06", "2040": "@2040-06-01 12:00:00", "2099": "@2099-12-30 00:00:00"}
SHIFTED = ["env", "LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1", "TZ=UTC", "NO_FAKE_STAT=1", "DONT_FAKE_MONOTONIC=1"]
CLOCK = pathlib.Path("/etc/faketimerc")  # the helper forgets its environment
LATER = "2107-08-09T10:11:12Z"


def at(clock, method, params=None, **more):
    CLOCK.write_text(clock + "\n", encoding="ascii")
    return sp.rpc(method, params, argv=[*SHIFTED, sp.HELPER], **more)


def lines(user):
    return pathlib.Path(user.home, ".ssh/authorized_keys").read_text().splitlines()


def real(hours):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("age", AGE)
def test_safety_44_a_whole_account_is_made_changed_and_removed_at_any_time(host, age):
    clock, user, mine, other = AGE[age], sp.make_user(), sp.keypair(), sp.keypair("other")
    first = {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot", "valid_until": LATER,
             "authorized_keys": [{"key": mine.public, "expires_at": LATER}]}
    assert at(clock, "domain.apply", first, timeout=90).ok()["changed"] is True
    assert at(clock, "domain.apply", first).ok()["changed"] is False
    at(clock, "keys.add", {"domain": user.domain, "key": other.public}).ok()
    at(clock, "system.reconcile").ok()
    # With the clock of today again
    shown = sp.rpc("domain.get", {"domain": user.domain}).ok()
    assert shown["valid_until"] == LATER and shown["in_force"] and not shown["pending"], shown
    assert {key["fingerprint"]: key.get("expires_at") for key in sp.rpc("keys.list", {"domain": user.domain}).ok()["keys"]} == {
        mine.fingerprint: LATER, other.fingerprint: None}
    assert any('expiry-time="21070809101112Z"' in line for line in lines(user)), lines(user)
    assert sp.ssh(user, "echo in", key=mine).stdout == "in\n" and sp.ssh(user, "echo in", key=other).stdout == "in\n"
    assert apply(user, shell="chroot").ok()["changed"] is False
    sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": other.fingerprint}).ok()
    at(clock, "domain.remove", {"domain": user.domain}).ok()
    assert sp.ssh(user, "echo in", key=mine).rc != 0
    assert sp.rpc("domain.get", {"domain": user.domain}).reason == "not_found"


def test_safety_44_what_ends_is_judged_by_the_clock_as_it_is(host):
    user, mine, brief = sp.make_user(), sp.keypair(), sp.keypair("brief")
    apply(user, shell="bash", authorized_keys=[{"key": mine.public}]).ok()
    refused(at(AGE["2040"], "keys.add", {"domain": user.domain, "key": brief.public, "expires_at": real(1)}), "invalid", "params.expires_at")
    at(AGE["1970"], "keys.add", {"domain": user.domain, "key": brief.public, "expires_at": real(1)}).ok()
    assert sp.ssh(user, "echo in", key=brief).stdout == "in\n"


def test_safety_44_what_a_clock_gone_wrong_took_away_is_not_forgotten(host):
    """A key that ends in an hour is none in 2040: it goes from the file. With the right clock that is something tightened."""
    user, mine, brief = sp.make_user(), sp.keypair(), sp.keypair("brief")
    apply(user, shell="bash", authorized_keys=[{"key": mine.public}, {"key": brief.public, "expires_at": real(1)}]).ok()
    at(AGE["2040"], "system.reconcile").ok()
    assert brief.public.split()[1] not in "".join(lines(user)) and mine.public.split()[1] in "".join(lines(user))
    assert sp.ssh(user, "echo in", key=brief).rc != 0 and sp.ssh(user, "echo in", key=mine).stdout == "in\n"
    one = next(one for one in sp.rpc("system.reconcile").ok()["details"] if one["user"] == user.name)
    assert brief.fingerprint in str(one), one
    assert apply(user, shell="bash").ok()["changed"] is True
    assert sp.ssh(user, "echo in", key=brief).stdout == "in\n"
    assert all("expiry-time" in line for line in lines(user) if brief.public.split()[1] in line)


def test_safety_44_what_was_seen_in_the_future_hides_no_drift_of_today(host):
    user = managed("chroot")
    at(AGE["2040"], "system.reconcile").ok()
    at(AGE["2040"], "system.reconcile").ok()
    sp.run(["usermod", "-s", "/bin/bash", user.name], check=True)
    os.chmod(f"{user.home}/.ssh/authorized_keys", 0o666)
    sp.rpc("system.reconcile").ok()
    assert sp.rpc("domain.get", {"domain": user.domain}).ok()["in_force"]
    assert sp.run(["getent", "passwd", user.name]).stdout.split(":")[6] == sp.CHROOT_BASH + "\n"
    assert os.stat(f"{user.home}/.ssh/authorized_keys").st_mode & 0o777 == 0o600


def test_safety_44_the_firewall_says_what_is_in_the_kernel_whatever_year_it_was_set_in(host):
    office = {"source": f"{sp.OUTSIDE4}/32", "comment": "office"}
    at(AGE["2040"], "firewall.set", {"mode": "restricted", "sources": [office]}).ok()
    assert at(AGE["2040"], "firewall.get").ok()["in_force"]
    sp.run(["nft", "flush", "ruleset"], check=True)
    for clock in (AGE["2040"], AGE["1970"]):
        assert at(clock, "firewall.get").ok()["in_force"] is False
    assert sp.rpc("firewall.get").ok()["in_force"] is False
    sp.rpc("firewall.restore").ok()
    assert sp.probe(sp.OUTSIDE4) == "open" and sp.probe(sp.OUTSIDE4_B) != "open"
    # Its time is over by the clock of 2040; with the right one it has its hour.
    sp.rpc("firewall.set", {"add": [{"source": sp.OUTSIDE4_B, "expires_at": real(1)}]}).ok()
    at(AGE["2040"], "system.reconcile").ok()
    assert [one["source"] for one in at(AGE["2040"], "firewall.get").ok()["sources"]] == [sp.OUTSIDE4]
    assert sp.probe(sp.OUTSIDE4_B) != "open"
    sp.rpc("system.reconcile").ok()
    assert [one["source"] for one in sp.rpc("firewall.get").ok()["sources"]] == [sp.OUTSIDE4, sp.OUTSIDE4_B]
    assert sp.probe(sp.OUTSIDE4_B) == "open"
    at(AGE["1970"], "firewall.set", {"mode": "open"}).ok()
    assert sp.probe(sp.OUTSIDE4_B) == "open"
    sp.rpc("firewall.set", {"mode": "unmanaged", "sources": []}).ok()


def test_safety_44_certificates_are_made_by_a_clock_that_can_be_right(host):
    user = managed("bash")
    sp.run(["sallyport", "certificates", "ca", "create"], check=True)
    ask = {"domain": user.domain, "fingerprint": sp.keypair().fingerprint}
    error = refused(at(AGE["1970"], "certificate.issue", ask), "unsupported")
    assert "clock" in error["message"], error
    early, today = at(AGE["2040"], "certificate.issue", ask).ok(), sp.rpc("certificate.issue", ask).ok()
    assert today["serial"] > early["serial"] and early["valid_from"].startswith("2040-06-01T11:59:"), early
    listed = {one["serial"] for one in sp.rpc("certificate.list", {"domain": user.domain}).ok()["certificates"]}
    assert {early["serial"], today["serial"]} <= listed, listed
    # What is good in 2040 only is revoked today all the same.
    sp.rpc("certificate.revoke", {"serial": early["serial"]}).ok()


def test_safety_44_what_is_revoked_stays_so_when_a_clock_gone_wrong_is_right_again(host):
    """Behind the test above: there is a CA. In 2040 all of today's has ended, and what ended long ago is forgotten."""
    user = managed("bash")
    answer = sp.rpc("certificate.issue", {"domain": user.domain, "fingerprint": sp.keypair().fingerprint}).ok()
    sp.rpc("certificate.revoke", {"serial": answer["serial"]}).ok()
    at(AGE["2040"], "system.reconcile").ok()
    sp.rpc("system.reconcile").ok()
    listed = sp.run(["ssh-keygen", "-Q", "-l", "-f", "/var/lib/sallyport/ca/revoked"]).stdout
    assert f"serial: {answer['serial']}\n" in listed, listed


def test_safety_44_a_lock_is_waited_for_by_a_clock_that_goes_on(host):
    """The wall clock stands still: busy by the deadline all the same."""
    user = managed("bash")
    with open("/etc/.pwd.lock", "w", encoding="ascii") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        begun = time.monotonic()
        answer = at(STOPPED_1970, "domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "none"},
                    timeout=60)
    refused(answer, "busy")
    assert time.monotonic() - begun < 50 * sp.PATIENCE


