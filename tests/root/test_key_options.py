# SPDX-License-Identifier: GPL-3.0-or-later
"""What one key may do less than its account: a forced command, forwarding, a terminal. Real logins through a real sshd."""

import base64
import json
import pathlib
import subprocess

import pytest

import sp
import sp_site
import sp_sshd
from sp_safety import refused

SALLYPORT = "/usr/bin/sallyport"
FREE, BOUND = sp.keypair("free"), sp.keypair("bound")


def add(user, key=BOUND, **rules):
    return sp.rpc("keys.add", {"domain": user.domain, "key": key.public, **rules}, timeout=60)


def line(user, key=BOUND):
    [found] = [one for one in pathlib.Path(user.home, ".ssh/authorized_keys").read_text().splitlines() if key.public.split()[1] in one]
    return found


def forwards(user, key):
    """Does -L reach sshd itself through this login?"""
    done = sp.ssh(user, key=key, arguments=["-W", "127.0.0.1:22"], input="x\n", timeout=20)
    return done.stdout.startswith("SSH-2.0-")


@pytest.fixture(scope="module", params=["bash", "chroot"])
def site(host, request):
    return sp_site.account(request.param, keys=[FREE])


def test_the_command_runs_in_place_of_the_clients_and_knows_it(site):
    add(site, command='printf "<%s>" "$SSH_ORIGINAL_COMMAND"; test -e /boot && printf " outside"; exit 7').ok()
    done = sp.ssh(site, "rm -rf 'a  b'; id", key=BOUND)
    jailed = "/boot" not in sp.ssh(site, "ls -d /boot", key=FREE).stdout
    assert (done.stdout, done.rc) == ("<rm -rf 'a  b'; id>" + ("" if jailed else " outside"), 7)
    assert sp.ssh(site, key=BOUND, input="id\n").stdout.startswith("<>"), "a shell was asked for"
    assert sp.ssh(site, "echo free", key=FREE).stdout == "free\n"


def test_sftp_and_scp_meet_the_command(site, tmp_path):
    (tmp_path / "up").write_text("up\n")
    add(site, command="echo held >&2; exit 3").ok()
    assert sp.sftp_batch(site, ["ls"], key=BOUND).rc != 0 and sp.sftp_batch(site, ["ls"], key=FREE).rc == 0
    for legacy in (False, True):
        assert sp.scp(site, tmp_path / "up", "got", key=BOUND, legacy=legacy).rc != 0
    assert sp.ssh(site, "test -e got", key=FREE).rc != 0
    # A wrapper that lets sftp through, as a customer would write it.
    add(site, command='case "$SSH_ORIGINAL_COMMAND" in */sftp-server) exec $SSH_ORIGINAL_COMMAND;; esac; exit 3').ok()
    assert sp.scp(site, tmp_path / "up", "got", key=BOUND).rc == 0 and sp.ssh(site, "cat got", key=BOUND).rc == 3
    assert sp.ssh(site, "cat got", key=FREE).stdout == "up\n"


def test_forwarding_is_a_matter_of_the_key_and_never_more_than_the_accounts(site):
    sp_site.apply(site, forwarding="all").ok()
    remote = ["-R", "127.0.0.1:0:127.0.0.1:22"]
    for how, local, listens in (("none", False, False), ("local", True, False), ("all", True, True)):
        add(site, forwarding=how).ok()
        assert forwards(site, BOUND) is local, how
        done = sp.ssh(site, "echo in", key=BOUND, arguments=remote, options=["ExitOnForwardFailure=yes"])
        assert (done.stdout == "in\n") is listens, (how, done)
    add(site, forwarding="local").ok()
    for address in ("localhost:1", "127.0.0.1:1", "0.0.0.0:42001", "localhost:42001", "*:42001"):
        done = sp.ssh(site, "echo in", key=BOUND, arguments=["-R", f"{address}:127.0.0.1:22"], options=["ExitOnForwardFailure=yes"])
        assert done.stdout == "", (address, done)
    assert forwards(site, FREE)
    sp_site.apply(site, forwarding="none").ok()
    add(site, forwarding="all").ok()
    assert not forwards(site, BOUND) and not forwards(site, FREE)
    sp_site.apply(site, forwarding="local").ok()


def test_a_key_without_a_terminal_gets_none(site):
    add(site, pty=False).ok()
    assert "/dev/pts" not in sp.ssh(site, "tty", key=BOUND, tty=True).stdout and sp.ssh(site, "echo in", key=BOUND).stdout == "in\n"
    assert sp.ssh(site, "tty", key=FREE, tty=True).stdout.strip().startswith("/dev/pts/")


def test_an_answer_sent_back_is_no_change_and_no_rule_is_the_way_back(site):
    rules = {"command": 'echo "a, b" \\x; #', "forwarding": "none", "pty": False}
    assert add(site, **rules).ok()["changed"]
    assert not add(site, **rules).ok()["changed"]
    keys = sp.rpc("keys.list", {"domain": site.domain}).ok()["keys"]
    [shown] = [key for key in keys if key["fingerprint"] == BOUND.fingerprint]
    assert {name: shown[name] for name in rules} == rules
    assert not sp.rpc("domain.apply", {"domain": site.domain, "authorized_keys": keys}).ok()["changed"]
    got = sp.rpc("domain.get", {"domain": site.domain}).ok()["authorized_keys"]
    assert [key["command"] for key in got if "command" in key] == [rules["command"]]
    sp.rpc("system.reconcile").ok()
    assert sp.ssh(site, "id", key=BOUND).stdout == "a, b x\n"
    assert add(site).ok()["changed"]
    assert line(site).startswith("ssh-ed25519 ") and sp.ssh(site, "echo in", key=BOUND).stdout == "in\n"


HOSTILE = ['echo "', 'echo \\"', 'a" ,environment="A=B', 'x",no-pty', 'x\\",permitopen="h:1" ssh-ed25519 AAAA',
           '" ' + FREE.public + " ", 'x \\\\"', "AAAA ssh-ed25519", "# '", 'echo "$(id)"', "ü — 漢"]


def test_no_command_adds_an_option_or_a_line(site):
    file = pathlib.Path(site.home, ".ssh/authorized_keys")
    add(site).ok()
    lines = len(file.read_text().splitlines())
    for command in HOSTILE:
        script = f": {base64.b64encode(command.encode()).decode()}; {command}"
        add(site, command=script).ok()
        assert len(file.read_text().splitlines()) == lines
        head, tail = line(site).rsplit(f" {BOUND.public.split()[0]} {BOUND.public.split()[1]}", 1)
        assert head.startswith('command="') and head.endswith('"') and tail.strip() in ("", *BOUND.public.split()[2:])
        assert head[9:-1].replace('\\"', "\x00").count('"') == 0 and head[9:-1].replace('\\"', '"') == script
        # What sshd hands to the shell is that text, whole: bash says so of its own -c.
        add(site, command="cat /proc/$$/cmdline | base64 -w0; exit; " + command).ok()
        told = base64.b64decode(sp.ssh(site, "id", key=BOUND).stdout or b"")
        if told:  # bash reads a line before it runs it: an open quote is its own error
            assert command.encode() in told, (command, told)
        done = sp.ssh(site, "tty", key=BOUND, tty=True)
        assert "/dev/pts" not in done.stdout, "the client's command ran"
    for command in ("a\nssh-ed25519 AAAA", "a\r\nb", "tab\t", "\x1b[2J", "x" * 20000, "ends in \\", ""):
        before = file.read_bytes()
        refused(add(site, command=command), "invalid", "params.command")
        assert file.read_bytes() == before
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "keys.add", "params":
                          {"domain": site.domain, "key": BOUND.public, "command": "@"}}).encode().replace(b"@", b"\xff\xfe")
    done = subprocess.run([sp.HELPER], input=request, capture_output=True, timeout=30, check=False)
    assert b'"error"' in done.stdout and file.read_bytes() == before


def test_the_verb_says_the_same(site, tmp_path):
    (tmp_path / "k.pub").write_text(BOUND.public + "\n")
    sp.run([SALLYPORT, "keys", "add", site.domain, tmp_path / "k.pub", "--command", 'echo "hi"', "--forwarding", "none", "--no-pty"], check=True)
    assert line(site).startswith('command="echo \\"hi\\"",no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-pty ')
    assert 'only runs "echo "hi"", forwarding none, no terminal' in sp.run([SALLYPORT, "keys", "list", site.domain]).stdout
    assert sp.ssh(site, "id", key=BOUND).stdout == "hi\n"


def test_two_domains_may_not_force_two_commands(host):
    user = sp_site.account("bash", keys=[FREE])
    add(user, command="echo one").ok()
    answer = sp.rpc("domain.apply", {"domain": "also." + user.domain, "user": user.name, "document_root": user.docroot,
                                     "authorized_keys": [{"key": BOUND.public, "command": "echo two"}]}).ok()
    assert any("another command" in text for text in answer["warnings"]), answer
    assert sp.ssh(user, "id", key=BOUND).stdout == "one\n"


def test_where_sshd_would_override_the_command_the_key_does_not_let_in(host):
    user = sp_site.account("chroot", keys=[FREE])
    with sp_sshd.configured(host, [(sp_sshd.SUBSYSTEM, sp_sshd.INTERNAL)]):
        error = refused(add(user, command="echo held"), "not_in_force", "params.command")
        assert "internal-sftp" in error["message"] and "Subsystem sftp" in error["data"]["hint"]
        wanted = [{"key": FREE.public}, {"key": BOUND.public, "command": "echo held"}]
        answer = sp.rpc("domain.apply", {"domain": user.domain, "authorized_keys": wanted}).ok()
        assert any("internal-sftp" in text and BOUND.fingerprint in text for text in answer["warnings"]), answer
        assert sp.ssh(user, "id", key=BOUND).rc != 0 and sp.ssh(user, "echo in", key=FREE).stdout == "in\n"
    sp_sshd.works(sp.make_user())  # the ForceCommand goes with internal-sftp
    sp.rpc("domain.apply", {"domain": user.domain}).ok()
    assert sp.ssh(user, "id", key=BOUND).stdout == "held\n"
    with sp_sshd.configured(host, [(sp_sshd.SUBSYSTEM, sp_sshd.INTERNAL)]):  # the admin changes his mind
        sp.rpc("domain.apply", {"domain": user.domain}).ok()
        assert sp.ssh(user, "id", key=BOUND).rc != 0 and sp.ssh(user, "echo in", key=FREE).stdout == "in\n"
    sp_sshd.works(sp.make_user())


def test_a_wrapper_of_the_hosts_is_no_place_for_a_forced_command(host):
    user = sp_site.account("bash", keys=[FREE])
    wrapper = f"\nMatch User {user.name}\n\tForceCommand $SHELL -c \"${{SSH_ORIGINAL_COMMAND:-true}}\"\n"
    with sp_sshd.configured(host, end=wrapper):
        refused(add(user, command="echo held"), "not_in_force", "params.command")
        assert sp.ssh(user, "id -un", key=BOUND).rc != 0


def test_a_key_that_may_do_less_gets_no_certificate_that_may_do_more(host):
    user = sp_site.account("bash", keys=[FREE])
    add(user, command="echo held").ok()
    refused(sp.rpc("certificate.issue", {"domain": user.domain, "fingerprint": BOUND.fingerprint}), "conflict", "params.fingerprint")


def test_a_global_key_may_do_less_too_but_forces_no_command(host):
    user = sp_site.account("bash", keys=[FREE])
    refused(sp.rpc("global_keys.add", {"key": BOUND.public, "command": "id"}), {"invalid", "forbidden"})
    (pathlib.Path("/run") / "g.pub").write_text(BOUND.public + "\n")
    done = sp.run([SALLYPORT, "global-keys", "add", "/run/g.pub", "--no-pty", "--forwarding", "none", "--json"], check=True)
    assert json.loads(done.stdout)["changed"]
    assert "/dev/pts" not in sp.ssh(user, "tty", key=BOUND, tty=True).stdout and sp.ssh(user, "echo in", key=BOUND).stdout == "in\n" and not forwards(user, BOUND) and forwards(user, FREE)
    sp.run([SALLYPORT, "global-keys", "remove", BOUND.fingerprint, "--yes"], check=True)
