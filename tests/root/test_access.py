# SPDX-License-Identifier: GPL-3.0-or-later
"""How an account proves itself, whether it is suspended, and between which dates: each shown by a real login."""

import datetime
import json
import pathlib
import re

import pytest

import sp
import sp_site
import sp_sshd

STATE = pathlib.Path("/var/lib/sallyport/state")
SECRET = "Both-Of-Them-77"


def ask(method, user, **params):
    return sp.rpc(method, {"domain": user.domain, **params}, timeout=60)


def get(user):
    return sp.rpc("domain.get", {"domain": user.domain}).ok()


def effective(user):
    """`sshd -T` for the user, as a dict."""
    shown = sp.run(["/usr/sbin/sshd", "-T", "-C", f"user={user.name},host=x,addr=127.0.0.1"], check=True).stdout
    return dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)


def ended(child):
    return child.wait(15) != 0


def by_key(user, **how):
    return sp.ssh(user, "echo in", **how).stdout == "in\n"


def by_password(user, method="password", secret=SECRET):
    return sp.ssh(user, "echo in", password=secret, options=[f"PreferredAuthentications={method}"]).stdout == "in\n"


def by_both(user, method="password", secret=SECRET):
    how = [f"PreferredAuthentications=publickey,{method}", f"IdentityFile={sp.keypair().path}"]
    return sp.ssh(user, "echo in", password=secret, options=how).stdout == "in\n"


@pytest.fixture(scope="module")
def user(host):
    one = sp_site.account("bash")
    ask("password.set", one, password=SECRET).ok()
    return one


@pytest.fixture(scope="module")
def jailed(host):
    return sp_site.account("chroot")


# Suspend and resume

def test_a_suspended_account_has_no_login_and_no_session_and_resume_brings_back_exactly_what_was_there(user):
    before = sp.snapshot([user.home])
    shown, groups = get(user), sp.run(["id", "-nG", user.name]).stdout
    with sp_site.session(user) as child:
        answer = ask("account.suspend", user).ok()
        assert answer["suspended"] is True and answer["changed"] is True
        assert [change["resource"] for change in answer["changes"]] == ["gate", "access", "sessions"]
        assert ended(child)
    assert not by_key(user) and not by_password(user)
    now = get(user)
    assert now["suspended"] is True and now["in_force"] is True and now["authorized_keys"] == shown["authorized_keys"]
    assert ask("account.suspend", user).ok()["changed"] is False
    assert ask("account.resume", user).ok()["suspended"] is False
    assert by_key(user) and by_password(user)
    after = get(user)
    assert {**after, "generation": 0} == {**shown, "generation": 0}
    assert sp.run(["id", "-nG", user.name]).stdout == groups
    assert sp.snapshot([user.home]) == before


def test_a_jailed_account_is_suspended_by_its_user_name_and_a_dry_run_suspends_nothing(jailed):
    with sp_site.session(jailed) as child:
        assert sp.rpc("account.suspend", {"user": jailed.name, "dry_run": True}).ok()["changed"] is True
        assert child.poll() is None and by_key(jailed)
        sp.rpc("account.suspend", {"user": jailed.name}).ok()
        assert ended(child) and not by_key(jailed)
    sp.rpc("account.resume", {"user": jailed.name}).ok()
    assert by_key(jailed)


def test_what_is_asked_for_while_suspended_is_kept_and_opens_nothing(user):
    other = sp.keypair("later")
    ask("account.suspend", user).ok()
    ask("keys.add", user, key=other.public).ok()
    sp_site.apply(user, shell="chroot", jail=sp_site.JAIL).ok()
    assert not by_key(user) and not by_key(user, key=other)
    sp_site.apply(user, shell="bash").ok()
    assert not by_key(user)
    sp.rpc("system.reconcile", {"restore_access": True}).ok()
    assert not by_key(user) and get(user)["suspended"] is True
    ask("account.resume", user).ok()
    assert by_key(user, key=other) and by_key(user)
    ask("keys.remove", user, fingerprint=other.fingerprint).ok()


def test_reconcile_shuts_a_suspended_account_again_that_somebody_let_in_by_hand(user):
    ask("account.suspend", user).ok()
    sp.run(["gpasswd", "-d", user.name, "sallyport-none"], check=True)
    assert by_key(user)
    with sp_site.session(user) as child:
        assert get(user)["in_force"] is False
        sp.rpc("system.reconcile", {}).ok()
        assert ended(child)
    assert not by_key(user)
    ask("account.resume", user).ok()


def test_an_account_whose_shell_was_never_asked_for_is_suspended_too(host):
    other = sp.make_user(shell="/bin/bash")
    sp_site.apply(other, keys=[sp.keypair()]).ok()
    assert by_key(other)
    ask("account.suspend", other).ok()
    assert not by_key(other)
    ask("account.resume", other).ok()
    assert by_key(other)


def test_suspending_names_an_account_that_there_is(user):
    assert sp.rpc("account.suspend", {"user": "nobody"}).reason == "not_found"
    assert sp.rpc("account.suspend", {"domain": "no.example"}).reason == "not_found"
    assert sp.rpc("account.suspend", {}).reason == "invalid"
    assert sp.rpc("account.suspend", {"domain": user.domain, "user": "nobody"}).reason == "conflict"


# Dates

def stamp(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_account_has_no_access_before_its_first_day_and_reconcile_opens_it_then(user):
    answer = ask("domain.apply", user, valid_from=stamp(6)).ok()
    assert "gate" in [change["resource"] for change in answer["changes"]]
    assert not by_key(user)
    sp.rpc("system.reconcile", {}).ok()

    def begun():
        sp.rpc("system.reconcile", {}).ok()
        return by_key(user)

    sp.wait_for(begun, 30, "the first day")
    ask("domain.apply", user, valid_from=None).ok()
    assert get(user)["valid_from"] is None


def test_an_accounts_keys_and_sessions_end_with_its_last_day(user):
    with sp_site.session(user) as child:
        ask("domain.apply", user, valid_until=stamp(3)).ok()
        sp.wait_for(lambda: not by_key(user), 20, "the last day")  # sshd itself: the key's expiry-time
        assert child.poll() is None
        sp.rpc("system.reconcile", {}).ok()
        assert ended(child)
    assert not by_password(user)
    ask("domain.apply", user, valid_until=None).ok()
    assert by_key(user) and by_password(user)


def test_dates_that_end_before_they_begin_are_refused(user):
    answer = ask("domain.apply", user, valid_from=stamp(100), valid_until=stamp(50))
    assert answer.reason == "invalid" and answer.error["data"]["field"] == "params.valid_until"


# Keys, passwords, both

@pytest.fixture(params=["password", "keyboard-interactive"])
def method(request, host):
    """sshd with the one or the other way to ask for a password."""
    if request.param == "password":
        yield request.param
        return
    with sp_sshd.configured(host, [(r"^KbdInteractiveAuthentication no$", "KbdInteractiveAuthentication yes")],
                            end="\nPasswordAuthentication no\n"):
        yield request.param


def test_a_key_alone(user, method):
    ask("domain.apply", user, authentication="key").ok()
    assert effective(user)["passwordauthentication"] == effective(user)["kbdinteractiveauthentication"] == "no"
    assert by_key(user) and not by_password(user, method)


def test_a_password_or_a_key(user, method):
    ask("domain.apply", user, authentication="password_or_key").ok()
    assert by_key(user) and by_password(user, method) and not by_password(user, method, "wrong")


def test_a_key_and_a_password_both(user, method):
    ask("domain.apply", user, authentication="key_and_password").ok()
    assert effective(user)["authenticationmethods"] == "publickey,password publickey,keyboard-interactive"
    assert by_both(user, method)
    assert not by_key(user) and not by_password(user, method) 
    ask("domain.apply", user, authentication="password_or_key").ok()
    assert by_key(user) and by_password(user, method)


def test_an_sshd_that_takes_no_passwords_is_named_and_not_overridden(host, user):
    with sp_sshd.configured(host, end="\nPasswordAuthentication no\n"):
        for wanted in ("key_and_password", "password_or_key"):
            answer = ask("domain.apply", user, authentication=wanted)
            assert answer.reason == "not_in_force" and "/etc/ssh/sshd_config:" in answer.error["data"]["hint"], answer.body
        assert not by_password(user)
    ask("domain.apply", user, authentication="password_or_key").ok()


def test_an_authentication_methods_of_somebody_else_is_named(host, user):
    with sp_sshd.configured(host, dropins={"05-two.conf": "AuthenticationMethods publickey,password\n"}):
        answer = ask("domain.apply", user, authentication="key")
        assert answer.reason == "not_in_force" and "05-two.conf:1" in answer.error["data"]["hint"], answer.body
    ask("domain.apply", user, authentication="password_or_key").ok()


# Passwords

def test_a_locked_password_is_locked_for_ssh_alone(user):
    line = next(line for line in pathlib.Path("/etc/shadow").read_text().splitlines() if line.startswith(user.name + ":"))
    answer = ask("password.lock", user).ok()
    assert answer["password_locked"] is True
    assert [(change["resource"], change["target"]) for change in answer["changes"]] == [("group", "sallyport-keyonly")]
    assert by_key(user) and not by_password(user)
    assert line in pathlib.Path("/etc/shadow").read_text().splitlines()
    # Another service that asks PAM goes on with the same password.
    assert sp.run(["pamtester", "other", user.name, "authenticate", "acct_mgmt"], input=SECRET + "\n").rc == 0
    assert ask("password.lock", user).ok()["changed"] is False
    assert ask("domain.apply", user, authentication="key_and_password").reason == "conflict"
    ask("password.unlock", user).ok()
    assert by_password(user)


def test_a_password_that_is_half_of_a_login_is_not_locked(user):
    ask("domain.apply", user, authentication="key_and_password").ok()
    assert ask("password.lock", user).reason == "conflict"
    ask("domain.apply", user, authentication="password_or_key").ok()


def test_a_generated_password_logs_in_and_stands_nowhere_else(user):
    answer = ask("password.generate", user)
    secret = answer.ok()["password"]
    assert re.fullmatch(r"([A-HJ-NP-Za-km-z2-9]{5}-){3}[A-HJ-NP-Za-km-z2-9]{5}", secret), secret
    assert answer.raw.decode().count(secret) == 1
    assert by_password(user, secret=secret) and not by_password(user)
    assert ask("password.generate", user).ok()["password"] != secret
    assert "password" not in ask("password.generate", user, dry_run=True).ok()
    assert not sp.syslog_lines(secret)
    assert sp.run(["grep", "-rlF", secret, "/var/log", "/etc", "/var/lib/sallyport/state"]).stdout == ""
    ask("password.set", user, password=SECRET).ok()


def test_a_generated_password_grows_where_pams_policy_refuses_it(user):
    service, policy = pathlib.Path("/etc/pam.d/common-password"), pathlib.Path("/bin/refuse-twice")
    old = service.read_text()
    policy.write_text("#!/bin/sh\necho x >>/run/asked\n[ $(wc -l </run/asked) -ge 3 ]\n")
    policy.chmod(0o755)
    service.write_text(f"password requisite pam_exec.so {policy}\n" + old)
    try:
        secret = ask("password.generate", user).ok()["password"]
    finally:
        service.write_text(old)
    assert len(secret) == 47 and by_password(user, secret=secret)
    ask("password.set", user, password=SECRET).ok()


def test_the_verbs(user):
    def verb(*words, **more):
        return sp.run(["sallyport", *words], **more)

    assert "gate" in verb("suspend", user.domain, check=True).stdout and not by_key(user)
    assert "suspended" in verb("status", user.domain, check=True).stdout
    verb("resume", "--user", user.name, check=True)
    assert by_key(user)
    secret = verb("password", "generate", user.domain, check=True).stdout.strip()
    assert by_password(user, secret=secret)
    verb("password", "set", user.domain, input=SECRET + "\n", check=True)
    assert by_password(user)
    verb("password", "lock", user.domain, check=True)
    assert not by_password(user)
    verb("password", "unlock", user.domain, check=True)
    verb("access", user.domain, "--authentication", "key", "--valid-until", "2090-01-01T00:00:00Z", check=True)
    shown = json.loads(verb("status", user.domain, "--json", check=True).stdout)
    assert shown["authentication"] == "key" and shown["valid_until"] == "2090-01-01T00:00:00Z"
    verb("access", user.domain, "--authentication", "password_or_key", "--valid-until", "never", check=True)
    assert get(user)["valid_until"] is None
