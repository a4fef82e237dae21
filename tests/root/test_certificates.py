# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates through a real sshd: what they open, what they do not, and what ends with them."""

import datetime
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import sp
import sp_site
import sp_sshd
from sp_crash import KILLAT, kill_when
from sp_safety import refused

SALLYPORT = "/usr/bin/sallyport"
CA = pathlib.Path("/var/lib/sallyport/ca")
CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/certificates.conf")
PLAIN = f"auth_log = {sp.SYSLOG}\n"


def verb(*words, check=True):
    done = sp.run([SALLYPORT, "certificates", *words, "--json"])
    assert not check or done.rc == 0, done
    return json.loads(done.stdout) if done.rc == 0 else done


@pytest.fixture(scope="module")
def ca(host):
    """sshd logs to syslog, as it does for real; there is a CA."""
    CONF.write_text(PLAIN)
    with host.logging_to_syslog():
        first = sp_site.account("bash")
        assert refused(issue_raw(first), "unsupported")
        yield verb("ca", "create")


@pytest.fixture
def site(ca):
    return sp_site.account("bash", keys=[key()])


def key():
    return sp.keypair("certified")


def stamp(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def issue_raw(user, which=None, **params):
    return sp.rpc("certificate.issue", {"domain": user.domain, "fingerprint": (which or sp.keypair()).fingerprint, **params})


def issue(user, which=None, **params):
    return issue_raw(user, which or key(), **params).ok()


def put(answer, which=None):
    """The certificate beside a copy of its key, as a client would have it. The key alone must not let in."""
    folder = sp.WORK / sp.unique("client")
    folder.mkdir(parents=True)
    private = folder / answer["file_name"].replace("-cert.pub", "")
    private.write_bytes(pathlib.Path((which or key()).path).read_bytes())
    private.chmod(0o600)
    (folder / answer["file_name"]).write_text(answer["certificate"] + "\n")
    return str(private)


def without_key(user):
    """The certificate alone opens: the key's line is taken away by hand."""
    path = pathlib.Path(user.home, ".ssh/authorized_keys")
    path.write_text("")


def login(user, answer, command="echo in", **more):
    return sp.ssh(user, command, key=put(answer), **more)


def shown(answer):
    path = sp.WORK / sp.unique("shown")
    path.write_text(answer["certificate"] + "\n")
    return sp.run(["ssh-keygen", "-L", "-f", path], check=True).stdout


def reasons(user):
    return [one["why"] for one in sp.rpc("login.explain", {"domain": user.domain}).ok()["refusals"]]


def explained(user, words):
    sp.wait_for(lambda: any(words in why for why in reasons(user)), what=f"{words!r} in {reasons(user)}")


# What they open

def test_a_certificate_opens_its_account(site):
    answer = issue(site, reason="deploy")
    assert login(site, answer).stdout == "in\n"
    without_key(site)
    assert login(site, answer).stdout == "in\n" and sp.ssh(site, "echo in", key=key()).rc == 255
    assert answer["key_id"] == f"{site.name}/{key().fingerprint}/test"
    assert any(f"ID {answer['key_id']} (serial {answer['serial']})" in line for line in sp.syslog_lines("Accepted"))
    [listed] = sp.rpc("certificate.list", {"domain": site.domain}).ok()["certificates"]
    assert (listed["serial"], listed["reason"], listed["revoked_at"]) == (answer["serial"], "deploy", None)


def test_it_lasts_six_hours_and_begins_a_minute_ago(site):
    answer = issue(site)
    begin, end = (datetime.datetime.fromisoformat(answer[name].replace("Z", "+00:00")) for name in ("valid_from", "valid_until"))
    now = datetime.datetime.now(datetime.timezone.utc)
    assert end - begin == datetime.timedelta(hours=6, minutes=1)
    assert abs((now - begin).total_seconds() - 60) < 20


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_openssh_reads_every_field_of_it(ca, kind):
    which = sp.keypair("kinds", kind)
    user = sp_site.account("bash", keys=[which])
    answer = issue(user, which, **{"from": ["192.0.2.0/24", "2001:db8::/32"], "command": "echo forced 'x'"})
    text = shown(answer)
    for words in (f"user certificate", f"Public key: {kind.upper()}-CERT {which.fingerprint}", f"Signing CA: ED25519 {answer['ca']}",
                  f'Key ID: "{answer["key_id"]}"', f"Serial: {answer['serial']}", answer["principal"], "force-command echo forced 'x'",
                  "source-address 192.0.2.0/24,2001:db8::/32", "permit-pty"):
        assert words in text, (words, text)
    assert "permit-port-forwarding" not in text and "X11" not in text
    assert answer["file_name"] == f"id_{kind}-cert.pub"
    without_key(user)
    assert sp.ssh(user, "true", key=put(answer, which), netns="outside", source=sp.OUTSIDE4).stdout == "forced x\n"


def test_it_opens_no_other_account(site):
    other = sp_site.account("bash")
    answer = issue(site)
    issue_raw(other).ok()  # a principal of its own
    assert login(other, answer).rc == 255
    explained(other, "made for another account")
    assert login(site, answer).rc == 0


@pytest.mark.parametrize("name, times, words", [
    ("expired", {"valid_from": -7200, "valid_until": 2}, "has expired"),
    ("not yet valid", {"valid_from": 3600, "valid_until": 7200}, "not valid yet")])
def test_it_opens_nothing_before_or_after_its_time(site, name, times, words):
    begin, answer = time.time(), issue(site, **{field: stamp(seconds) for field, seconds in times.items()})
    without_key(site)
    if name == "expired":
        assert login(site, answer).rc == 0 or time.time() > begin + 2, "refused in its time"
        time.sleep(2.2)
    assert login(site, answer).rc == 255
    explained(site, words)


def test_clocks_that_differ_by_a_minute_do_no_harm(site):
    """A host that is 50 s behind the one that issued; beyond that minute it is refused."""
    begin = datetime.datetime.fromisoformat(issue(site)["valid_from"].replace("Z", "+00:00"))
    assert (datetime.datetime.now(datetime.timezone.utc) - begin).total_seconds() > 50
    without_key(site)
    assert login(site, issue(site, valid_from=stamp(-2))).rc == 0
    assert login(site, issue(site, valid_from=stamp(30))).rc == 255


def test_it_opens_from_its_sources_only(site):
    answer = issue(site, **{"from": [sp.OUTSIDE4]})
    without_key(site)
    assert login(site, answer, netns="outside", source=sp.OUTSIDE4).rc == 0
    assert login(site, answer, netns="outside", source=sp.OUTSIDE4_B).rc == 255
    explained(site, "not from this address")


def test_a_forced_command_is_all_there_is(site):
    answer = issue(site, command="echo forced; echo $SSH_ORIGINAL_COMMAND")
    without_key(site)
    assert login(site, answer, "echo in").stdout == "forced\necho in\n"
    assert sp.sftp_batch(site, ["ls"], key=put(answer)).rc != 0


def test_a_jailed_account_takes_certificates_and_forced_commands(host, ca):
    user = sp_site.account("chroot", keys=[key()])
    plain, forced = issue(user), issue(user, command="echo forced")
    without_key(user)
    assert login(user, plain, "test ! -e /boot && echo in").stdout == "in\n"
    assert login(user, forced, "id").stdout == "forced\n"
    with sp_sshd.configured(host, [(sp_sshd.SUBSYSTEM, sp_sshd.INTERNAL)]):
        sp_site.apply(user).ok()
        error = refused(issue_raw(user, key(), command="echo forced"), "unsupported", "params.command")
        assert "sftp itself" in error["message"]
    sp_site.apply(user).ok()


def test_a_dry_run_signs_nothing_and_is_refused_what_a_request_is(site):
    before = sp.snapshot(["/var/lib/sallyport", "/etc"])
    dry = issue(site, lifetime=600, dry_run=True)
    refused(issue_raw(site, key(), lifetime=86401, dry_run=True), "invalid", "params.lifetime")
    assert sp.snapshot(["/var/lib/sallyport", "/etc"]) == before
    answer = issue(site, lifetime=600)
    assert set(answer) - set(dry) == {"serial", "principal", "certificate", "file_name", "commands"}
    assert all(answer[name] == dry[name] for name in ("user", "key_id", "from", "ca", "changed"))


# What is refused

def test_only_a_key_that_is_good_now_gets_one(site):
    other = sp_site.account("bash", keys=[sp.keypair("theirs")])
    refused(issue_raw(site, sp.keypair("theirs")), "not_found", "params.fingerprint")
    refused(issue_raw(other, key()), "not_found", "params.fingerprint")
    late = sp.keypair("late")
    sp.rpc("keys.add", {"domain": site.domain, "key": late.public, "expires_at": stamp(100), "from": [sp.OUTSIDE4]}).ok()
    answer = issue(site, late)
    assert answer["valid_until"] <= stamp(100) and answer["from"] == [sp.OUTSIDE4]
    refused(issue_raw(site, late, **{"from": [sp.OUTSIDE4_B]}), "invalid", "params.from")


@pytest.mark.parametrize("params, field", [
    ({"lifetime": 86401}, "lifetime"), ({"lifetime": 59}, "lifetime"), ({"valid_until": 90000}, "valid_until"),
    ({"valid_until": -5}, "valid_until"), ({"lifetime": 60, "valid_until": 60}, "lifetime"), ({"command": "a\nb"}, "command"),
    ({"from": ["0.0.0.0/0"]}, "from[0]"), ({"host": "a b"}, "host")])
def test_what_goes_too_far_is_refused(site, params, field):
    params = {name: stamp(value) if name == "valid_until" else value for name, value in params.items()}
    refused(issue_raw(site, key(), **params), "invalid", f"params.{field}")


def test_how_long_one_may_ask_for_is_the_configurations(site):
    CONF.write_text(PLAIN + "certificate_lifetime = 10m\ncertificate_max = 20m\n")
    try:
        answer = issue(site)
        assert stamp(590) <= answer["valid_until"] <= stamp(601)
        refused(issue_raw(site, key(), lifetime=1201), "invalid", "params.lifetime")
    finally:
        CONF.write_text(PLAIN)


# The account

@pytest.mark.parametrize("shut", ["none", "suspended", "removed"])
def test_an_account_that_is_shut_takes_none(site, shut):
    answer = issue(site)
    if shut == "none":
        sp_site.apply(site, shell="none").ok()
    elif shut == "suspended":
        sp.rpc("account.suspend", {"domain": site.domain}).ok()
    else:
        sp.rpc("domain.remove", {"domain": site.domain}).ok()
        sp.run(["usermod", "-s", "/bin/bash", site.name], check=True)  # somebody else's shell
    assert login(site, answer).rc == 255
    if shut != "removed":
        refused(issue_raw(site, key()), "conflict")
    if shut == "suspended":  # resume brings back what was there
        sp.rpc("account.resume", {"domain": site.domain}).ok()
        assert login(site, answer).rc == 0


def test_a_name_that_is_given_access_again_is_another_account_to_old_certificates(site):
    answer = issue(site)
    sp.rpc("domain.remove", {"domain": site.domain}).ok()
    sp_site.apply(site, shell="bash", keys=[key()]).ok()
    again = issue(site)
    without_key(site)
    assert login(site, answer).rc == 255 and login(site, again).rc == 0
    assert again["principal"] != answer["principal"]


def test_a_key_that_goes_takes_its_certificates_along(site):
    stays = sp.keypair("stays")
    sp.rpc("keys.add", {"domain": site.domain, "key": stays.public}).ok()
    goes, other = issue(site), issue(site, stays)
    without_key(site)  # a client offers its key before its certificate
    running = sp_site.background(site, key=put(goes))
    keeps = sp_site.background(site, key=put(other, stays))
    done = sp.rpc("keys.remove", {"domain": site.domain, "fingerprint": key().fingerprint}).ok()
    assert {"resource": "certificates", "target": str(goes["serial"]), "from": goes["key_id"], "to": "revoked",
            "read_back": "revoked"} in done["changes"]
    assert running.wait(10) != 0 and keeps.poll() is None
    assert login(site, goes).rc == 255
    without_key(site)
    assert sp.ssh(site, "echo in", key=put(other, stays)).rc == 0
    sp_site.end(keeps)


NARROWED = {
    "sources": lambda: {"authorized_keys": [{"key": key().public, "from": [sp.OUTSIDE4]}]},
    "expiry": lambda: {"authorized_keys": [{"key": key().public, "expires_at": stamp(3600)}]},
    "the account's last day": lambda: {"valid_until": stamp(3600)},
}


@pytest.mark.parametrize("how", NARROWED)
def test_a_key_that_is_narrowed_takes_along_what_was_issued_for_more(site, how):
    wide, narrow = issue(site), issue(site, lifetime=600, **{"from": [sp.OUTSIDE4]})
    without_key(site)
    running = sp_site.background(site, key=put(wide))
    params = {"domain": site.domain, **NARROWED[how]()}
    done = sp.rpc("domain.apply", params).ok()
    assert [one["target"] for one in done["changes"] if one["resource"] == "certificates"] == [str(wide["serial"])], done
    assert running.wait(10) != 0
    without_key(site)
    assert login(site, wide, netns="outside", source=sp.OUTSIDE4).rc == 255
    explained(site, "was revoked")
    assert login(site, narrow, netns="outside", source=sp.OUTSIDE4).stdout == "in\n"
    wider = sp.rpc("domain.apply", {"domain": site.domain, "authorized_keys": [{"key": key().public}], "valid_until": None}).ok()
    assert "certificates" not in [one["resource"] for one in wider["changes"]]
    without_key(site)
    assert login(site, wide, netns="outside", source=sp.OUTSIDE4).rc == 255
    assert login(site, narrow, netns="outside", source=sp.OUTSIDE4).stdout == "in\n"


@pytest.mark.parametrize("rule", [{"pty": False}, {"forwarding": "none"}, {"command": "true"}], ids=str)
def test_a_key_that_is_given_rules_takes_along_what_has_none(site, rule):
    answer = issue(site)
    without_key(site)
    assert login(site, answer).rc == 0
    done = sp.rpc("domain.apply", {"domain": site.domain, "authorized_keys": [{"key": key().public, **rule}]}).ok()
    assert [one["target"] for one in done["changes"] if one["resource"] == "certificates"] == [str(answer["serial"])], done
    without_key(site)
    assert login(site, answer).rc == 255


def test_more_sources_than_the_log_shows_are_compared_with_those_before(site):
    many = [sp.OUTSIDE4] + [f"2001:db8:1111:2222:3333:4444:5555:{number:x}" for number in range(1, 30)]

    def put_sources(sources, **more):
        done = sp.rpc("domain.apply", {"domain": site.domain, "authorized_keys": [{"key": key().public, "from": sources, **more}]}).ok()
        return [one["target"] for one in done["changes"] if one["resource"] == "certificates"]

    put_sources(many)
    answer = issue(site)
    assert len(answer["from"]) == 30 and put_sources(many, label="renamed") == []
    without_key(site)
    assert login(site, answer, netns="outside", source=sp.OUTSIDE4).rc == 0
    assert put_sources(many[1:]) == [str(answer["serial"])]
    without_key(site)
    assert login(site, answer, netns="outside", source=sp.OUTSIDE4).rc == 255


# Taken back

def two_sessions(site):
    """A certificate, a session that it opened, and one of another key, which has to go on."""
    stays = sp.keypair("stays")
    sp.rpc("keys.add", {"domain": site.domain, "key": stays.public}).ok()
    answer = issue(site)
    plain = sp_site.background(site, key=stays)
    without_key(site)
    return answer, sp_site.background(site, key=put(answer)), plain


@pytest.mark.parametrize("how", ["serial", "fingerprint", "key_id", "domain"])
def test_one_that_is_revoked_opens_nothing_and_its_sessions_end(site, how):
    answer, running, plain = two_sessions(site)
    other = sp_site.account("bash")
    theirs = issue_raw(other).ok()
    what = {"serial": answer["serial"], "fingerprint": answer["fingerprint"], "key_id": answer["key_id"], "domain": site.domain}[how]
    params = {how: what, "domain": site.domain} if how == "fingerprint" else {how: what}
    dry = sp.rpc("certificate.revoke", {**params, "dry_run": True}).ok()
    assert dry["changed"] and dry["changes"][0]["read_back"] is None and running.poll() is None
    done = sp.rpc("certificate.revoke", {**params, "reason": "lost"}).ok()
    assert [change["target"] for change in done["changes"]] == [str(answer["serial"])] and done["processes_ended"] > 0
    assert running.wait(10) != 0
    without_key(site)
    assert login(site, answer).rc == 255
    explained(site, "was revoked")
    assert plain.poll() is None, "a login of another key was ended"
    sp_site.end(plain)
    assert sp.ssh(other, "echo in", key=put(theirs, sp.keypair())).rc == 0
    assert not sp.rpc("certificate.revoke", params).ok()["changed"]


def is_revoked(answer):
    path = sp.WORK / sp.unique("asked-cert.pub")
    path.write_text(answer["certificate"] + "\n")
    return "REVOKED" in sp.run(["ssh-keygen", "-Q", "-f", CA / "revoked", path]).stdout


@pytest.mark.parametrize("how", ["certificate.revoke", "keys.remove"])
def test_a_session_that_a_request_cut_off_left_open_ends_with_the_next_one(site, how):
    """Killed behind the list and before the session's end: the same request again is no empty yes."""
    answer, running, plain = two_sessions(site)
    params = {"serial": answer["serial"]} if how == "certificate.revoke" else {"domain": site.domain, "fingerprint": key().fingerprint}
    sums = CA / "revoked.sum"  # the last that is written of the list
    before = sums.read_bytes()
    kill_when((how, params), lambda: sums.read_bytes() != before)
    assert is_revoked(answer) and running.poll() is None
    sp.rpc(how, params).ok()
    assert running.wait(10) != 0 and plain.poll() is None
    assert not sp.rpc(how, params).ok()["changed"]
    sp_site.end(plain)


@pytest.mark.parametrize("method", ["certificate.revoke", "global_keys.remove"])
def test_a_passwd_that_does_not_tell_who_somebody_is_leaves_no_session_behind_in_silence(site, method):
    everywhere, other = sp.keypair("everywhere"), sp_site.account("bash", keys=[key()])
    sp.run([SALLYPORT, "global-keys", "add", everywhere.path + ".pub"], check=True)
    answers = {user: issue(user) for user in (site, other)}
    without_key(site), without_key(other)
    opened = {user: put(answers[user]) if "cert" in method else everywhere for user in (site, other)}
    running = {user: sp_site.background(user, key=opened[user]) for user in (site, other)}

    def ask():
        if method == "global_keys.remove":
            return sp.run([SALLYPORT, "global-keys", "remove", everywhere.fingerprint, "--yes"]).rc
        return sp.rpc(method, {"fingerprint": key().fingerprint}).exit

    passwd = pathlib.Path("/etc/passwd")
    before = passwd.read_text()
    try:
        passwd.write_text(before + next(line for line in before.splitlines(True) if line.startswith(site.name + ":")))
        assert ask() != 0, "said to be ended, and it goes on"
        assert running[other].wait(10) != 0 and running[site].poll() is None
    finally:
        passwd.write_text(before)
    assert ask() == 0 and running[site].wait(10) != 0
    sp.run([SALLYPORT, "global-keys", "remove", everywhere.fingerprint, "--yes"])


def test_where_no_log_tells_what_opened_a_session_it_ends(site):
    stays = sp.keypair("stays")
    sp.rpc("keys.add", {"domain": site.domain, "key": stays.public}).ok()
    answer = issue(site)
    plain = sp_site.background(site, key=stays)
    CONF.write_text("auth_log = /var/log/no-such.log\n")
    try:
        sp.rpc("certificate.revoke", {"serial": answer["serial"]}).ok()
    finally:
        CONF.write_text(PLAIN)
    assert plain.wait(10) != 0


def test_what_was_never_issued_is_not_found(site):
    refused(sp.rpc("certificate.revoke", {"serial": 987654}), "not_found", "params.serial")
    refused(sp.rpc("certificate.revoke", {}), "invalid", "params.serial")


# The list of revoked ones locks nobody out

@pytest.mark.parametrize("damage", ["missing", "garbage", "empty", "cut"])
def test_a_broken_list_of_revoked_ones_is_made_anew_by_reconcile(site, damage):
    answer, krl = issue(site), CA / "revoked"
    sp.rpc("certificate.revoke", {"serial": answer["serial"]}).ok()
    good = krl.read_bytes()
    if damage == "missing":
        krl.unlink()
    else:
        krl.write_bytes({"garbage": b"garbage", "empty": b"", "cut": good[:-4]}[damage])
    admin = pathlib.Path("/root/.ssh")
    admin.mkdir(mode=0o700, exist_ok=True)
    (admin / "authorized_keys").write_text(sp.keypair("admin").public + "\n")
    assert sp.ssh("root", "echo in", key=sp.keypair("admin")).stdout == "in\n", "it concerns managed accounts alone"
    if damage == "empty":  # to sshd that is a list of nothing
        assert sp.ssh(site, "echo in", key=key()).rc == 0
    else:
        assert sp.ssh(site, "echo in", key=key()).rc == 255
        explained(site, "missing or broken")
    assert sp.rpc("system.reconcile").ok()["certificates"]["revoked_mended"] is True
    assert sp.ssh(site, "echo in", key=key()).stdout == "in\n" and login(site, answer).stdout == "in\n"  # by the key
    without_key(site)
    assert login(site, answer).rc == 255, "what was revoked stays so"
    assert sp.rpc("system.reconcile").ok()["certificates"]["revoked_mended"] is False


def test_a_list_that_ssh_keygen_left_empty_is_not_put_in_force(site):
    answer, krl, keygen = issue(site), CA / "revoked", pathlib.Path("/usr/bin/ssh-keygen")
    sp.rpc("certificate.revoke", {"serial": answer["serial"]}).ok()
    good = krl.read_bytes()
    other = issue(site)
    keygen.rename("/usr/bin/ssh-keygen.real")
    try:
        # As on a disk that filled up behind its back: it says yes, and has written nothing.
        keygen.write_text('#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" != -f ] || file=$2; [ "$1" != -k ] || makes=1; shift; done\n[ -z "$makes" ] || : >"$file"\n')
        keygen.chmod(0o755)
        refused(sp.rpc("certificate.revoke", {"serial": other["serial"]}), "rejected")
        assert krl.read_bytes() == good
    finally:
        pathlib.Path("/usr/bin/ssh-keygen.real").rename(keygen)
    sp.rpc("system.reconcile").ok()
    sp.rpc("certificate.revoke", {"serial": other["serial"]})
    assert krl.read_bytes() != good


def test_a_crash_while_something_is_revoked_leaves_a_whole_list(site):
    """The list that sshd reads is the old one or the new one, wherever the helper is killed, and reconcile finishes it."""
    first, krl = issue(site), CA / "revoked"
    sp.rpc("certificate.revoke", {"serial": first["serial"]}).ok()
    certificate = sp.WORK / "revoked-cert.pub"
    certificate.write_text(first["certificate"] + "\n")
    number, kills = 200, 0
    while True:
        answer = issue(site)
        request = {"jsonrpc": "2.0", "id": 1, "method": "certificate.revoke", "params": {"serial": answer["serial"]}}
        done = sp.run([KILLAT, str(number), sp.HELPER], input=sp.json.dumps(request))
        asked = sp.run(["ssh-keygen", "-Q", "-f", krl, certificate])
        assert krl.read_bytes().startswith(b"SSHKRL\n\0") and asked.rc == 1 and "REVOKED" in asked.stdout, (number, asked)
        if done.rc == 0:
            break
        kills, number = kills + 1, number + 31
    assert kills > 15
    sp.rpc("system.reconcile").ok()
    assert sp.rpc("system.reconcile").ok()["certificates"]["revoked_mended"] is False


def test_a_certificate_is_not_issued_into_a_broken_list(site):
    issue(site)
    (CA / "revoked").write_bytes(b"garbage")
    answer = issue(site)
    without_key(site)
    assert login(site, answer).rc == 0


def test_a_list_that_ssh_keygen_does_not_read_is_never_put_in_force(site):
    answer, good = issue(site), (CA / "revoked").read_bytes()
    real, fake = pathlib.Path("/usr/bin/ssh-keygen"), pathlib.Path("/usr/bin/ssh-keygen.real")
    real.rename(fake)
    real.write_text(f'#!/bin/sh\ncase "$*" in *-k*) {fake} "$@"; echo rubbish >/var/lib/sallyport/ca/revoked.made;; *) exec {fake} "$@";; esac\n')
    real.chmod(0o755)
    try:
        assert sp.rpc("certificate.revoke", {"serial": answer["serial"]}).reason == "rejected"
    finally:
        fake.rename(real)
    assert (CA / "revoked").read_bytes() == good
    assert sp.ssh(site, "echo in", key=key()).rc == 0
    sp.rpc("system.reconcile").ok()  # it was noted: this puts it in force
    without_key(site)
    assert login(site, answer).rc == 255


def test_ones_that_ended_leave_the_list(site):
    for seconds in (3, 12, 48):  # as long as this host needs
        end = int(time.time()) + seconds
        answer = issue(site, valid_from=stamp(-3600), valid_until=stamp(end - time.time()))
        sp.rpc("certificate.revoke", {"serial": answer["serial"]})
        if time.time() < end:
            break
    assert f"serial: {answer['serial']}" in listed()
    time.sleep(max(0.0, end + 0.2 - time.time()))
    assert sp.rpc("system.reconcile").ok()["certificates"]["revoked_mended"] is True
    assert not any(line.endswith(f" {answer['serial']}") for line in listed().splitlines())


def listed():
    return sp.run(["ssh-keygen", "-Q", "-l", "-f", CA / "revoked"]).stdout


# sshd

def test_what_comes_before_ours_in_sshd_is_named(host, site):
    dropin = {"05-panel.conf": f"Match User {site.name}\n\tTrustedUserCAKeys none\n"}
    with sp_sshd.configured(host, dropins=dropin):
        error = refused(issue_raw(site, key()), "not_in_force")
        assert "TrustedUserCAKeys" in error["message"] and "05-panel.conf:2" in error["data"]["hint"], error
    assert login(site, issue(site)).rc == 0


def test_a_ca_of_somebody_elses_is_not_pushed_aside(host, ca):
    pathlib.Path("/etc/ssh/revoked").touch()
    with sp_sshd.configured(host, end="\nRevokedKeys /etc/ssh/revoked\n"):
        done = verb("ca", "rotate", "--yes", check=False)
        assert done.rc == 8 and "RevokedKeys is set in /etc/ssh/sshd_config:" in done.stderr, done


# The authority

def test_a_ca_is_an_admins(ca):
    for method, params in (("create", {}), ("rotate", {}), ("drop", {"number": 1})):
        refused(sp.rpc(f"certificate.ca.{method}", params), "forbidden", "method")
    CONF.write_text(PLAIN + "panel_methods = certificate.ca.create\n")
    try:
        refused(sp.rpc("certificate.ca.create"), "conflict")
        refused(sp.rpc("certificate.ca.rotate"), "forbidden", "method")
    finally:
        CONF.write_text(PLAIN)


def test_nobody_but_root_reads_the_key(ca):
    assert oct(CA.stat().st_mode & 0o7777) == "0o700" and CA.stat().st_uid == 0
    for path in CA.iterdir():
        if path.suffix == "" and path.name.isdigit():
            assert oct(path.stat().st_mode & 0o7777) == "0o600" and path.stat().st_uid == 0


def test_rotation_is_add_wait_and_drop(site):
    old = issue(site)
    pid = pathlib.Path("/run/sshd.pid").stat().st_mtime_ns
    cas = verb("ca", "rotate", "--yes")["cas"]
    assert [one["signs"] for one in cas] == [False] * (len(cas) - 1) + [True]
    new = issue(site)
    assert new["ca"] == cas[-1]["fingerprint"] != old["ca"]
    without_key(site)
    assert login(site, old).rc == 0 and login(site, new).rc == 0
    running = sp_site.background(site, key=put(old))
    keeps = sp_site.background(site, key=put(new))
    for one in cas[:-1]:
        verb("ca", "drop", str(one["number"]), "--yes")
    assert running.wait(10) != 0 and keeps.poll() is None
    assert login(site, old).rc == 255 and login(site, new).rc == 0
    sp_site.end(keeps)
    assert pathlib.Path("/run/sshd.pid").stat().st_mtime_ns == pid, "no reload"


@pytest.mark.parametrize("method", ["certificate.issue", "system.reconcile"])
def test_a_ca_that_was_dropped_meanwhile_is_not_trusted_again(site, method):
    """Who waits for the store's lock has seen the CA, and writes the list of those that are trusted."""
    old = verb("ca", "rotate", "--yes")["cas"][0]
    ask = {"domain": site.domain, "fingerprint": key().fingerprint} if method == "certificate.issue" else {}
    with open(CA / "lock", "r+", encoding="ascii") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waits:
            waits.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": ask}).encode())
            waits.stdin.close()
            sp.wait_for(lambda: str(CA / "lock") in sp.opened(waits.pid), what="a helper that waits")
            os.kill(waits.pid, signal.SIGSTOP)
            fcntl.lockf(lock, fcntl.LOCK_UN)
            verb("ca", "drop", str(old["number"]), "--yes")
            os.kill(waits.pid, signal.SIGCONT)
            assert "result" in json.loads(waits.stdout.read())
    assert old["key"] not in (CA / "trusted").read_text()


def test_a_ca_in_an_agent_signs(site):
    socket, which = "/run/ca-agent.sock", sp.keypair("agent-ca")
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as agent:
        try:
            env = {**os.environ, "SSH_AUTH_SOCK": socket}
            sp.wait_for(lambda: sp.run(["ssh-add", "-q", which.path], env=env).rc == 0, what="the agent")
            CONF.write_text(PLAIN + f"ca_agent = {socket}\n")
            cas = verb("ca", "rotate", "--yes", "--key", which.public)["cas"]
            assert cas[-1]["in_agent"] and cas[-1]["fingerprint"] == which.fingerprint
            answer = issue(site, **{"from": [sp.OUTSIDE4], "command": "echo forced 'by agent'"})
            without_key(site)
            assert login(site, answer, netns="outside", source=sp.OUTSIDE4).stdout == "forced by agent\n"
            assert answer["ca"] == which.fingerprint and f"Serial: {answer['serial']}" in shown(answer)
        finally:
            agent.terminate()
            agent.wait(10)
    refused(issue_raw(site, key()), {"rejected", "not_found"})
    CONF.write_text(PLAIN)
    verb("ca", "drop", str(cas[-1]["number"]), "--yes")


def test_without_libsodium_ssh_keygen_signs_the_same(site):
    mine = issue(site, **{"from": [sp.OUTSIDE4], "command": "id"})
    for library in pathlib.Path("/usr/lib").glob("*/libsodium.so.*"):
        library.unlink()
    theirs = issue(site, **{"from": [sp.OUTSIDE4], "command": "id"})

    def fields(answer):
        return [line for line in shown(answer).splitlines()[1:] if "Serial" not in line and "Valid" not in line]

    assert fields(mine) == fields(theirs) and theirs["serial"] == mine["serial"] + 1


# What people get

def test_the_commands_bring_it_where_ssh_finds_it(site, tmp_path):
    answer = issue(site, host="127.0.0.1")
    assert set(answer["commands"]) == {"linux", "macos", "powershell", "putty"}
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "id_ed25519").write_bytes(pathlib.Path(key().path).read_bytes())
    (folder / "id_ed25519").chmod(0o600)
    without_key(site)
    first, second = answer["commands"]["linux"].split("\n")
    sp.run(["bash", "-c", first], env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, check=True)
    words = second.replace("~", str(tmp_path)).split()
    done = sp.run([*words[:1], "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
                   *words[1:], "echo in"])
    assert done.stdout == "in\n", done
    assert "Set-Content -Encoding ascii" in answer["commands"]["powershell"] and "-cert" in answer["commands"]["putty"]
    assert all(answer["certificate"] in text for text in answer["commands"].values())


@pytest.mark.parametrize("lines", ["Port 2022", "ListenAddress 127.0.0.1:2022", "Include /etc/ssh/port.more"])
def test_the_port_to_copy_is_the_one_that_sshd_listens_on(host, site, lines):
    pathlib.Path("/etc/ssh/port.more").write_text("Port 2022\n")
    with sp_sshd.configured(host, end=f"\n{lines}\n"):
        answer = issue(site, host="127.0.0.1")
        without_key(site)
        assert login(site, answer, arguments=["-p", "2022"]).stdout == "in\n"
        assert answer["commands"]["linux"].endswith(f"-p 2022 {site.name}@127.0.0.1"), answer["commands"]
        told = sp.rpc("system.host", {"domain": site.domain, "host": "127.0.0.1"}).ok()
        assert told["ports"] == [2022] and told["connection"]["port"] == 2022


def test_the_verbs_show_it(site):
    told = sp.run([SALLYPORT, "certificates", "issue", site.domain, key().fingerprint, "--lifetime", "90m", "--reason", "x"], check=True).stdout
    assert "id_ed25519-cert.pub, beside the key" in told and "powershell:" in told
    serial = told.split("serial")[1].split()[0]
    assert serial in sp.run([SALLYPORT, "certificates", "list", site.domain], check=True).stdout
    assert "revoked" in sp.run([SALLYPORT, "certificates", "revoke", serial, "--yes"], check=True).stdout
    assert "no certificates" in sp.run([SALLYPORT, "certificates", "list", site.domain], check=True).stdout
    assert sp.run([SALLYPORT, "certificates", "why", site.domain]).rc == 0


def test_without_a_ca_sshd_is_as_before(site):
    for one in verb("ca")["cas"]:
        verb("ca", "drop", str(one["number"]), "--yes")
    assert "TrustedUserCAKeys" not in sp_sshd.OURS.read_text()
    assert sp.ssh(site, "echo in", key=key()).stdout == "in\n"
    refused(issue_raw(site, key()), "unsupported")


def test_a_first_ca_that_sshd_was_not_told_of_is_made_anew_by_the_next_request(site):
    """Behind the test above: there is none."""
    broken = pathlib.Path("/etc/ssh/sshd_config.d/99-broken.conf")
    broken.write_text("NoSuchSetting yes\n")
    try:
        assert verb("ca", "create", check=False).rc
    finally:
        broken.unlink()
    refused(issue_raw(site, key()), "unsupported")
    assert [one["signs"] for one in verb("ca", "create")["cas"]] == [True]
    assert login(site, issue(site)).stdout == "in\n"


def test_a_record_that_ends_in_anothers_line_gives_no_serial_twice(site):
    record = CA / "issued"
    before = record.read_text()
    record.write_text(before + "# moved here\n")
    refused(issue_raw(site, key()), "broken_state")
    record.write_text(before)
    assert issue(site)["serial"] > 0
