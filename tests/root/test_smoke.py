# SPDX-License-Identifier: GPL-3.0-or-later
"""The throwaway host itself: without it no other end-to-end test means anything."""

import pytest

import sp
from sp_terminal import Terminal


@pytest.fixture
def person(host):
    """A user with plain bash and a key put by hand."""
    user = sp.make_user(shell="/bin/bash")
    sp.put_key(user)
    return user


def test_a_key_logs_in_to_plain_bash(person):
    done = sp.ssh(person, "id -un; echo $0; exit 3")
    assert (done.rc, done.stdout) == (3, f"{person.name}\nbash\n"), done.stderr


@pytest.mark.parametrize("source", [sp.OUTSIDE4, sp.OUTSIDE4_B, sp.OUTSIDE6, sp.OUTSIDE6_B])
def test_an_outside_client_comes_from_the_address_it_chose(person, source):
    done = sp.ssh(person, "echo $SSH_CONNECTION", source=source, netns="outside")
    assert done.rc == 0 and done.stdout.split()[0] == source, done
    assert sp.probe(source) == "open"
    assert sp.probe(source, port=23) == "refused"


def test_pam_is_used_and_the_wrong_key_is_refused(host, person):
    assert "usepam yes" in sp.run(["/usr/sbin/sshd", "-T"], check=True).stdout
    mark = host.mark()
    assert sp.ssh(person, "true", key=sp.keypair("stranger")).rc == 255
    host.logged("Connection closed by authenticating user", mark)


def test_a_password_logs_in(person):
    sp.run(["chpasswd"], input=f"{person.name}:Secret-1\n", check=True)
    assert sp.ssh(person, "echo in", password="Secret-1").stdout == "in\n"
    assert sp.ssh(person, "echo in", password="wrong").rc != 0


def test_a_terminal_types_resizes_and_ends(person):
    with Terminal(person, rows=30, cols=90) as term:
        assert term.run("tty").startswith("/dev/pts/")
        assert term.run("stty size") == "30 90"
        term.resize(40, 100)
        sp.wait_for(lambda: term.run("stty size") == "40 100", what="the resize")
        term.send("sleep 61\n")
        sp.wait_for(lambda: sp.run(["pgrep", "-u", person.name, "-x", "sleep"]).rc == 0, what="sleep")
        term.send("\x03")
        term.send("echo ended=$?\n")
        term.expect("ended=130")
        term.send("exit 5\n")
        assert term.wait() == 5


def test_files_travel(person, tmp_path):
    (tmp_path / "a").write_text("content")
    assert sp.scp(person, tmp_path / "a", "b").rc == 0
    assert sp.scp(person, "b", tmp_path / "c", to_host=False, legacy=True).rc == 0
    assert (tmp_path / "c").read_text() == "content"
    assert sp.rsync(person, f"{tmp_path}/", "folder/").rc == 0
    listing = sp.sftp_batch(person, ["ls -1 folder", "rm folder/a"])
    assert listing.rc == 0 and "folder/a" in listing.stdout, listing


def test_sshd_restarts_and_reloads(host, person):
    host.reload()
    assert sp.ssh(person, "true").rc == 0
    host.restart()
    assert sp.ssh(person, "true").rc == 0


def test_syslog_is_kept_a_line_a_message():
    sp.run(["logger", "--", "one\ttwo"], check=True)
    sp.wait_for(lambda: sp.syslog_lines("one\ttwo"), what="the message")


def test_a_snapshot_sees_owner_mode_acl_and_content(person):
    def change(*argv):
        before = sp.snapshot([person.home])
        sp.run(argv, check=True)
        return " ".join(before.diff(sp.snapshot([person.home])))

    assert sp.snapshot([person.home]).diff(sp.snapshot([person.home])) == []
    assert "new:" in change("touch", f"{person.home}/f")
    assert "content" in change("sh", "-c", f"echo x > {person.home}/f")
    assert "mode" in change("chmod", "600", f"{person.home}/f")
    assert "owner" in change("chown", "nobody", f"{person.home}/f")
    assert "posix_acl_access" in change("setfacl", "-m", "u:nobody:r", f"{person.home}/f")
    assert "user.note" in change("setfattr", "-n", "user.note", "-v", "x", f"{person.home}/f")


def test_the_machine_cannot_be_reached():
    table = open("/proc/self/mountinfo", encoding="utf-8").read()
    assert " / / " in table and "/.machine" not in table
    assert sp.run(["hostname"]).stdout == "sallyport-test\n"
    assert sp.run(["sh", "-c", "echo 1 > /proc/sys/kernel/sysrq"]).rc != 0
