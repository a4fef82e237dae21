# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways around the root side that were found by reading it: each test failed before its mend."""

import base64
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import sp
from sp_safety import apply, get, in_force, managed, refused, request

STATE = pathlib.Path("/var/lib/sallyport")


def send(method, params):
    """A request that is left to run."""
    one = subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    one.stdin.write(json.dumps(request(method, params)).encode())
    one.stdin.close()
    return one


def answer_of(process):
    body = json.loads(process.stdout.read())
    process.wait(30)
    sp.validate_answer(body)
    return body


@contextlib.contextmanager
def held(path):
    """A lock that keeps a request where it is, so that something can happen meanwhile."""
    with open(path, "ab") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        yield


def waiting(path):
    """Has the helper opened the lock that is held?"""
    for pid in sp.run(["pgrep", "-f", sp.HELPER]).stdout.split():
        with contextlib.suppress(OSError):
            if any(os.readlink(entry) == str(path) for entry in os.scandir(f"/proc/{pid}/fd")):
                return True
    return False


# The user's home is his ground: what he does there must not keep him in

def link_ssh(home):
    (home / ".ssh").rename(home / "mine")
    (home / ".ssh").symlink_to("mine")


def fifo(home):
    (home / ".ssh/authorized_keys").rename(home / ".ssh/authorized_keys2")
    os.mkfifo(home / ".ssh/authorized_keys")


def folder(home):
    (home / ".ssh/authorized_keys").rename(home / ".ssh/authorized_keys2")
    (home / ".ssh/authorized_keys").mkdir()


SABOTAGE = pytest.mark.parametrize("sabotage", [link_ssh, fifo, folder])


def session_of(user):
    """A login that lasts."""
    argv = sp.client("ssh") + ["-T", "-l", user.name, "127.0.0.1", "echo in; exec sleep 97"]
    one = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert one.stdout.readline() == b"in\n"
    return one


@SABOTAGE
def test_none_is_not_held_up_by_what_the_user_makes_of_his_home(host, sabotage):
    user = managed("bash")
    one = session_of(user)
    sabotage(pathlib.Path(user.home))
    assert sp.ssh(user, "echo in").stdout == "in\n"  # sshd minds none of it
    result = apply(user, shell="none").ok()
    assert any("home" in text for text in result["warnings"]), result
    assert one.wait(10) != 0
    assert sp.ssh(user, "echo in").rc == 255
    assert get(user)["shell"] == "none"


@SABOTAGE
def test_a_removal_is_not_held_up_by_what_the_user_makes_of_his_home(host, sabotage):
    user = managed("bash")
    one = session_of(user)
    sabotage(pathlib.Path(user.home))
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert one.wait(10) != 0 and sp.ssh(user, "echo in").rc != 0
    assert sp.run(["getent", "passwd", user.name]).stdout.strip().endswith(":/bin/false")
    sp.run(["usermod", "-s", "/bin/bash", user.name], check=True)
    assert sp.ssh(user, "echo in").rc != 0, "the key is gone from wherever sshd read it"
    refused(sp.rpc("domain.get", {"domain": user.domain}), "not_found")


# A login on its way in while access is withdrawn

def test_a_login_that_had_named_its_user_before_the_gate_was_shut_is_ended(host):
    user = managed("bash")
    go, key = sp.WORK / f"{user.name}.go", sp.WORK / f"{user.name}.key"
    sp.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", key], check=True)
    sp.rpc("keys.add", {"domain": user.domain, "key": key.with_name(key.name + ".pub").read_text().strip()}).ok()
    ask = sp.WORK / f"{user.name}.ask"
    ask.write_text(f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.05; done\necho secret\n")
    ask.chmod(0o700)
    argv = sp.client("ssh", key=key, options=("BatchMode=no",)) + ["-T", "-l", user.name, "127.0.0.1", "echo in; sleep 5"]
    with held("/etc/.pwd.lock"):
        slow = send("domain.apply", {"domain": user.domain, "shell": "none"})
        sp.wait_for(lambda: waiting("/etc/.pwd.lock"), what="the request at the gate")
        late = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                env={**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"})
        sp.wait_for(lambda: sp.run(["pgrep", "-f", str(ask)]).rc == 0, what="the client asking for its passphrase")
    assert "result" in answer_of(slow)
    go.touch()
    assert late.stdout.read() == b"" and late.wait(10) == 255


# Names and numbers that come back

def test_two_users_that_ask_for_one_domain_at_once_do_not_both_get_it(host):
    one, other = sp.make_user(), sp.make_user()
    (STATE / "state").mkdir(parents=True, exist_ok=True)
    lock = STATE / f"state/{one.name}.lock"
    with held(lock):
        slow = send("domain.apply", {"domain": one.domain, "user": one.name, "document_root": one.docroot, "shell": "bash"})
        sp.wait_for(lambda: waiting(lock), what="the request at its account's lock")
        apply(other, domain=one.domain, shell="bash").ok()
    assert answer_of(slow)["error"]["data"]["reason"] == "conflict"
    domains = {(item["domain"], item["user"]) for item in sp.rpc("domain.list", {}).ok()["domains"]}
    assert (one.domain, other.name) in domains and (one.domain, one.name) not in domains
    assert sp.run(["getent", "passwd", one.name]).stdout.strip().endswith(":/bin/false")


def made_anew(user):
    """The user is deleted behind our back, and another gets his name."""
    sp.run(["userdel", "-f", user.name], check=True)
    sp.run(["useradd", "-U", "-M", "-u", str(user.uid + 20000), "-d", user.home, "-s", "/bin/bash", user.name], check=True)
    sp.run(["chown", "-R", f"{user.name}:{user.name}", user.home], check=True)


def test_a_password_is_not_set_for_another_user_of_the_same_name(host):
    user = managed("bash")
    made_anew(user)
    before = pathlib.Path("/etc/shadow").read_bytes()
    refused(sp.rpc("password.set", {"domain": user.domain, "password": "Correct-Horse-7"}), "conflict")
    assert pathlib.Path("/etc/shadow").read_bytes() == before


def test_the_record_of_a_user_with_a_reused_uid_is_not_taken_away(host):
    gone = managed("chroot")
    sp.run(["userdel", "-f", gone.name], check=True)
    name = sp.unique()
    heir = sp.make_user(name)
    sp.run(["usermod", "-u", str(gone.uid), name], check=True)
    sp.run(["chown", "-R", f"{name}:{name}", heir.home], check=True)
    heir = heir._replace(uid=gone.uid)
    apply(heir, shell="chroot", authorized_keys=[{"key": sp.keypair().public}]).ok()
    sp.rpc("domain.remove", {"domain": gone.domain}).ok()
    in_force(heir)
    assert sp.ssh(heir, "id -un").stdout == f"{name}\n"


@contextlib.contextmanager
def configured(host, **settings):
    path = pathlib.Path("/etc/sallyport/sallyport.conf.d/review.conf")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    try:
        yield
    finally:
        path.unlink()


def test_a_key_store_of_roots_keeps_nothing_for_the_next_user_of_a_name(host):
    with configured(host, key_store="root"):
        user = managed("bash")
        host.reload()
        assert sp.ssh(user, "echo in").stdout == "in\n"
        made_anew(user)
        sp.rpc("domain.remove", {"domain": user.domain}).ok()
        apply(user, shell="bash", authorized_keys=[{"key": sp.keypair("heir").public}]).ok()
        assert sp.ssh(user, "echo in").rc == 255
        assert sp.ssh(user, "echo in", key=sp.keypair("heir")).stdout == "in\n"
    apply(user, shell="none").ok()
    host.reload()


# What takes away is never refused for who it is taken from

def test_access_is_withdrawn_from_a_user_whom_the_policy_no_longer_allows(host):
    user = managed("bash", keys=(sp.keypair(), sp.keypair("other")))
    second = f"shop.{user.domain}"
    apply(user, domain=second).ok()
    with configured(host, denied_users=f"root,{user.name}"):
        refused(sp.rpc("keys.add", {"domain": user.domain, "key": sp.keypair("third").public}), "forbidden", "params.user")
        sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": sp.keypair("other").fingerprint}).ok()
        sp.rpc("domain.remove", {"domain": second}).ok()
        apply(user, shell="none").ok()
        refused(apply(user, shell="bash"), "forbidden", "params.user")
    assert sp.ssh(user, "true").rc == 255


def test_what_takes_away_opens_nothing_that_was_shut_meanwhile(host):
    user = managed("bash", keys=(sp.keypair(), sp.keypair("other")))
    sp.run(["usermod", "-s", "/bin/false", user.name], check=True)
    sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": sp.keypair("other").fingerprint}).ok()
    assert get(user)["login_shell"] == "/bin/false"
    sp.rpc("keys.add", {"domain": user.domain, "key": sp.keypair("other").public}).ok()
    assert in_force(user)["login_shell"] == "/bin/bash"


def test_the_account_is_held_until_its_sources_are_in_force(host):
    """Else a removal could come between, and the port stay open for a domain that is gone."""
    user = managed("bash")
    lock = STATE / "firewall.lock"
    with held(lock):
        slow = send("domain.apply", {"domain": user.domain, "sources": ["198.51.100.0/24"]})
        sp.wait_for(lambda: waiting(lock), what="the request at the firewall")
        with pytest.raises(BlockingIOError), open(STATE / f"state/{user.name}.lock", "rb+") as account:
            fcntl.lockf(account, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert "result" in answer_of(slow)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert user.domain not in json.dumps(sp.rpc("firewall.get", {}).ok())


# What a user writes comes back in the answer

@pytest.mark.parametrize("written", [
    b'command="' + b"x" * 331 + b" " * 5000 + b'" ', b'command="' + b"x " * 600 + b'" ',
    b'command="' + b" " * 20000 + b'" ', b'environment="A=\xff\xfe" ', b'environment="A=' + b"\xc3\xa9" * 300 + b'" ',
    b'environment="A=\x1b[2J\x7f" '], ids=["padded", "long", "blank", "no-utf8", "cut", "control"])
def test_a_line_of_the_users_own_neither_breaks_the_answer_nor_the_helper(host, written):
    user, key = sp.make_user(), sp.keypair()
    folder = pathlib.Path(user.home, ".ssh")
    folder.mkdir(mode=0o700)
    (folder / "authorized_keys").write_bytes(written + key.public.encode() + b"\n")
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", folder], check=True)
    result = apply(user, shell="bash", authorized_keys=[{"key": key.public}]).ok()
    for change in result["changes"]:
        for text in change.values():
            assert text is None or text.isprintable(), change
    assert (folder / "authorized_keys").read_text() == key.public + "\n"
    in_force(user)


@pytest.mark.parametrize("store", ["home", "root"])
def test_switching_on_shows_the_keys_of_the_other_file_that_sshd_reads(host, store):
    with configured(host, key_store=store):
        user, planted = sp.make_user(), sp.keypair("planted")
        sp.put_key(user, planted)
        folder = pathlib.Path(user.home, ".ssh")
        if store == "home":
            (folder / "authorized_keys").rename(folder / "authorized_keys2")
        result = apply(user, shell="bash", authorized_keys=[{"key": sp.keypair().public}]).ok()
        host.reload()
        assert sp.ssh(user, "echo in", key=planted).stdout == "in\n"
        assert any(planted.fingerprint in text for text in result["warnings"]), result
        again = apply(user, shell="bash", authorized_keys=[{"key": sp.keypair().public}]).ok()
        assert not again["changed"] and again["warnings"] == []
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    apply(sp.make_user(), shell="bash").ok()  # the drop-in as it was
    host.reload()


# What is written can be read again

def blobs(number, bits=0):
    """Keys that are good, each another, without asking ssh-keygen a thousand times: ed25519, or RSA of so many bits."""
    def word(data):
        return len(data).to_bytes(4, "big") + data

    def blob():
        if not bits:
            return word(b"ssh-ed25519") + word(os.urandom(32))
        return word(b"ssh-rsa") + word(b"\1\0\1") + word(b"\0\xff" + os.urandom(bits // 8 - 2) + b"\1")

    kind = "ssh-rsa" if bits else "ssh-ed25519"
    return [{"key": f"{kind} {base64.b64encode(blob()).decode()}"} for _ in range(number)]


def test_an_account_does_not_grow_beyond_what_can_be_managed(host):
    user = managed("bash")
    refused(apply(user, authorized_keys=blobs(1001)), "invalid", "params.authorized_keys")
    refused(apply(user, sources=[f"10.{n >> 8}.{n & 255}.0/24" for n in range(10001)]), "invalid", "params.sources")
    in_force(user)


def test_a_state_larger_than_a_request_is_read_again(host):
    user = managed("bash", keys=())
    apply(user, authorized_keys=blobs(250, 16384)).ok()
    apply(user, domain=f"x.{user.domain}", sources=[f"2001:db8:1234:5678:9abc:def0:1234:{n:x}" for n in range(0x1000, 0x3400)]).ok()
    assert (STATE / f"state/{user.name}.json").stat().st_size > 1 << 20
    in_force(user)
    sp.rpc("domain.remove", {"domain": f"x.{user.domain}"}).ok()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
