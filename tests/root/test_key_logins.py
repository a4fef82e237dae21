# SPDX-License-Identifier: GPL-3.0-or-later
"""What a key did and does: who brought it, when it was used, and the logins that end with it. sshd logs to syslog here."""

import contextlib
import datetime
import pathlib
import time

import pytest

import sp
import sp_site

CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/log.conf")


@pytest.fixture(scope="module", autouse=True)
def logging(host):
    """sshd's log as a host has it, with times and pids, and sallyport told where it is."""
    CONF.write_text(f"auth_log = {sp.SYSLOG}\n")
    with host.logging_to_syslog():
        yield


@contextlib.contextmanager
def session(user, key=None, password=None, options=()):
    with sp_site.session(user, key, options=options, password=password) as child:
        assert any(f"Accepted {how} for {user.name} " in line for line in sp.syslog_lines() for how in ("publickey", "password"))
        yield child


def ended(child):
    return child.wait(15) != 0


def goes_on(child):
    time.sleep(0.7)
    return child.poll() is None


def ask(method, user, **params):
    return sp.rpc(method, {"domain": user.domain, **params}, timeout=60)


def listed(user):
    return {key["fingerprint"]: key for key in ask("keys.list", user).ok()["keys"]}


FIRST, SECOND = sp.keypair("first"), sp.keypair("second")


@pytest.mark.parametrize("shell", ["bash", "chroot"])
def test_a_key_that_is_removed_takes_its_logins_along_and_no_others(host, shell):
    user = sp_site.account(shell, keys=[FIRST, SECOND])
    with session(user, FIRST) as first, session(user, SECOND) as second, session(user, FIRST) as third:
        answer = ask("keys.remove", user, fingerprint=FIRST.fingerprint).ok()
        assert [(change["resource"], change["from"], change["read_back"]) for change in answer["changes"] if change["resource"] == "sessions"] == \
            [("sessions", "logins: 2", "ended")]
        assert ended(first) and ended(third) and goes_on(second)
        assert sp.ssh(user, "echo in", key=SECOND).stdout == "in\n"


def test_a_key_that_a_list_leaves_out_takes_its_logins_along(host):
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    with session(user, FIRST) as first, session(user, SECOND) as second:
        sp_site.apply(user, keys=[SECOND]).ok()
        assert ended(first) and goes_on(second)


def test_logins_are_kept_where_the_request_says_so_and_a_dry_run_ends_none(host):
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    with session(user, FIRST) as first:
        assert "sessions" in [change["resource"] for change in ask("keys.remove", user, fingerprint=FIRST.fingerprint, dry_run=True).ok()["changes"]]
        assert goes_on(first)
        ask("keys.remove", user, fingerprint=FIRST.fingerprint, keep_sessions=True).ok()
        assert goes_on(first) and sp.ssh(user, "echo in", key=FIRST).rc != 0


def test_a_key_that_another_domain_still_has_keeps_its_logins(host):
    user = sp_site.account("bash", keys=[FIRST])
    sp_site.apply(user, domain="also." + user.domain, keys=[FIRST]).ok()
    with session(user, FIRST) as first:
        ask("keys.remove", user, fingerprint=FIRST.fingerprint).ok()
        assert goes_on(first)


def test_a_key_that_was_half_of_a_login_takes_it_along(host):
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    ask("password.set", user, password="Half-Of-It-66").ok()
    ask("domain.apply", user, authentication="key_and_password").ok()
    how = ["PreferredAuthentications=publickey,password"]
    with session(user, password="Half-Of-It-66", options=[*how, f"IdentityFile={FIRST.path}"]) as first, \
            session(user, password="Half-Of-It-66", options=[*how, f"IdentityFile={SECOND.path}"]) as second:
        ask("keys.remove", user, fingerprint=FIRST.fingerprint).ok()
        assert ended(first) and goes_on(second)


def test_a_login_by_password_outlives_the_keys(host):
    user = sp_site.account("bash", keys=[FIRST])
    ask("password.set", user, password="Not-A-Key-66").ok()
    with session(user, password="Not-A-Key-66") as child, session(user, FIRST) as first:
        ask("keys.remove", user, fingerprint=FIRST.fingerprint).ok()
        assert ended(first) and goes_on(child)


def test_reconcile_takes_an_expired_key_out_of_the_file_and_ends_its_logins(host):
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    keys = pathlib.Path(user.home) / ".ssh/authorized_keys"
    with session(user, FIRST) as first, session(user, SECOND) as second:
        soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        ask("keys.add", user, key=FIRST.public, expires_at=soon).ok()
        sp.wait_for(lambda: sp.ssh(user, "echo in", key=FIRST).rc != 0, 20, "the expiry")  # sshd itself
        assert FIRST.public.split()[1] in keys.read_text() and first.poll() is None
        sp.rpc("system.reconcile", {}).ok()
        assert FIRST.public.split()[1] not in keys.read_text()
        assert ended(first) and goes_on(second)


def test_a_login_of_which_the_log_tells_nothing_ends_too(host):
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    with session(user, SECOND) as second:
        CONF.write_text("auth_log = /var/log/none\n")
        try:
            ask("keys.remove", user, fingerprint=FIRST.fingerprint).ok()
        finally:
            CONF.write_text(f"auth_log = {sp.SYSLOG}\n")
        assert ended(second)


def test_each_key_says_who_brought_it_and_when_it_was_last_used_and_from_where(host):
    user = sp_site.account("bash", keys=[FIRST])
    begin = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    panel = sp.make_user()
    caller = {"PATH": "/usr/bin", "SUDO_UID": str(panel.uid), "SUDO_USER": panel.name}
    sp.rpc("keys.add", {"domain": user.domain, "key": SECOND.public}, env=caller).ok()
    keys = listed(user)
    assert keys[FIRST.fingerprint]["added_by"] == "root" and keys[SECOND.fingerprint]["added_by"] == panel.name
    assert keys[FIRST.fingerprint]["last_used"] is None and keys[FIRST.fingerprint]["last_used_from"] is None
    assert sp.ssh(user, "true", key=FIRST, netns="outside", source=sp.OUTSIDE4).rc == 0
    assert sp.ssh(user, "true", key=FIRST, netns="outside", source=sp.OUTSIDE4_B).rc == 0
    sp.wait_for(lambda: listed(user)[FIRST.fingerprint]["last_used_from"] == sp.OUTSIDE4_B, what="the last use")
    keys = listed(user)
    used = datetime.datetime.strptime(keys[FIRST.fingerprint]["last_used"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    assert begin <= used <= datetime.datetime.now(datetime.timezone.utc)
    assert keys[SECOND.fingerprint]["last_used"] is None
    # The same list again is no new key; what an answer shows may be sent back.
    before = keys[FIRST.fingerprint]["added_at"]
    time.sleep(1.1)
    answer = sp.rpc("domain.apply", {"domain": user.domain, "authorized_keys": list(keys.values())}).ok()
    assert answer["changed"] is False
    assert listed(user)[FIRST.fingerprint]["added_at"] == before
