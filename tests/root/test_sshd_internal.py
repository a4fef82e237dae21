# SPDX-License-Identifier: GPL-3.0-or-later
"""internal-sftp: who is in a jail gets his files from inside it, and all else is as it was."""

import os
import pathlib

import pytest

import sp
import sp_site
from sp_sshd import INTERNAL, OURS, SUBSYSTEM, configured, works
from sp_terminal import Terminal


def test_only_an_sshd_with_internal_sftp_gets_a_forced_command(host):
    works(sp.make_user())
    assert "ForceCommand" not in OURS.read_text()
    with configured(host, [(SUBSYSTEM, INTERNAL)]):
        user = sp.make_user()
        changes = works(user)["changes"]
        assert [one["read_back"] for one in changes if one["target"] == str(OURS)] == ["written"]
        assert "Match Group sallyport-chroot\n\tForceCommand" in OURS.read_text()
        assert not sp_site.apply(user, shell="chroot").ok()["changed"]
        assert works(sp.make_user())["changes"][0]["target"] != str(OURS)
    works(sp.make_user())
    assert "ForceCommand" not in OURS.read_text()


def test_without_internal_sftp_a_keys_own_command_counts(host):
    user = sp_site.account()
    keys = pathlib.Path(user.home) / ".ssh/authorized_keys"
    mine = sp.keypair("mine")
    keys.write_text(keys.read_text() + f'command="echo \\"[$SSH_ORIGINAL_COMMAND]\\"" {mine.public}\n')
    assert sp.ssh(user, "rm -rf /", key=mine).stdout == "[rm -rf /]\n"


def test_internal_sftp_costs_no_process_once_it_is_known(host):
    """The question is asked of sshd itself; the answer is remembered until one of its files changes."""
    trace = pathlib.Path("/run/trace.sshd")

    def asked(user):
        request = '{"jsonrpc":"2.0","id":1,"method":"domain.apply","params":{"domain":"%s","shell":"chroot"}}' % user.domain
        sp.run(["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace, sp.HELPER], input=request, check=True)
        return trace.read_text().count('"/usr/sbin/sshd"')

    with configured(host, [(SUBSYSTEM, INTERNAL)]):
        user = sp_site.account()
        assert asked(user) == 0
        with configured(host, end="\n# something else\n"):
            assert asked(user) > 0 and asked(user) == 0


@pytest.fixture(scope="module")
def internal(host):
    with configured(host, [(SUBSYSTEM, INTERNAL + " -l INFO")]):
        yield sp_site.account()
    works(sp.make_user())  # and back


def test_internal_sftp_serves_the_jails_files(internal, tmp_path):
    done = sp.sftp_batch(internal, ["ls -1 /", "ls -1 /etc", "pwd"])
    assert done.rc == 0 and "/boot" not in done.stdout and "/etc/shadow" not in done.stdout, done
    assert f"working directory: {internal.home}" in done.stdout
    (tmp_path / "up").write_bytes(os.urandom(300000))
    assert sp.sftp_batch(internal, [f"put {tmp_path}/up up", f"get up {tmp_path}/down", "chmod 600 up"]).rc == 0
    assert (tmp_path / "up").read_bytes() == (tmp_path / "down").read_bytes()
    assert sp.sftp_batch(internal, ["get /etc/ssh/sshd_config /tmp/x"]).rc != 0
    plain = sp.make_user(shell="/bin/bash")
    sp.put_key(plain)
    assert "/boot" in sp.sftp_batch(plain, ["ls -1 /"]).stdout, "nobody else's sftp has changed"


def test_with_internal_sftp_files_travel_by_every_other_way(internal, tmp_path):
    (tmp_path / "a file").write_text("content")
    for legacy in (False, True):
        assert sp.scp(internal, tmp_path / "a file", "copied", legacy=legacy).rc == 0
        assert sp.scp(internal, "copied", tmp_path / f"back{legacy}", to_host=False, legacy=legacy).rc == 0
        assert (tmp_path / f"back{legacy}").read_text() == "content"
    assert sp.rsync(internal, f"{tmp_path}/", "tree").rc == 0
    assert sp.ssh(internal, "cat 'tree/a file'").stdout == "content"
    sp.ssh(internal, "git init -q --bare repo.git")
    url = f"{internal.name}@127.0.0.1:repo.git"
    script = f"git init -q w && cd w && git commit -q --allow-empty -m x && git push -q {url} HEAD:main && git ls-remote {url}"
    env = {**os.environ, "GIT_SSH_COMMAND": sp.rsh(), "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    done = sp.run(["sh", "-ec", script], env=env, cwd=tmp_path)
    assert done.rc == 0 and "refs/heads/main" in done.stdout, done


def test_with_internal_sftp_commands_are_the_shells_own(internal):
    for command, rc, out in [
            ("exit 7", 7, ""), ("kill -9 $$", 255, ""), ("echo \"a  b\" 'c$d' \\\\e", 0, "a  b c$d \\e\n"),
            ("echo one; echo two\necho three", 0, "one\ntwo\nthree\n"), ("cat", 0, "input"),
            ("echo ${SSH_ORIGINAL_COMMAND-unset} $0 $#", 0, "unset bash 0\n"),
            ("shopt -q login_shell; echo $?", 0, "1\n"), ("sallyport-session", 127, ""),
            ("echo " + "x" * 100000, 0, "x" * 100000 + "\n")]:
        done = sp.ssh(internal, command, input="input")
        assert (done.rc, done.stdout) == (rc, out), (command[:80], done.rc, done.stdout[:200], done.stderr)
    done = sp.ssh(internal, input="shopt -q login_shell && echo login $0; exit 4\n")
    assert (done.rc, done.stdout) == (4, "login -bash\n"), done


def test_with_internal_sftp_a_terminal_is_one(internal):
    with Terminal(internal, rows=31, cols=91) as term:
        term.expect(r"\$ ")
        assert term.run("tty").startswith("/dev/pts/")
        assert term.run("stty size") == "31 91"
        assert term.run("shopt -q login_shell; echo $? $0") == "0 -bash"
        term.send("sleep 60\n")
        sp.wait_for(lambda: sp_site.processes(internal, "sleep"), what="sleep")
        term.send("\x1a")
        term.expect("Stopped")
        term.expect(r"\$ ")
        term.send("fg\n")
        state = ["ps", "-U", str(internal.uid), "-o", "stat=,comm="]
        sp.wait_for(lambda: "S+   sleep" in sp.run(state).stdout, what="sleep in the foreground")
        term.send("\x03")
        term.send("echo ended=$?\n")
        term.expect("ended=130")
        term.send("exit 5\n")
        assert term.wait() == 5
    assert sp.ssh(internal, "tty; exit 6", tty=True).rc == 6


def test_with_internal_sftp_the_answer_warns_of_a_keys_own_command(internal, host):
    keys = pathlib.Path(internal.home) / ".ssh/authorized_keys"
    before = keys.read_text()
    keys.write_text(before + f'from="192.0.2.0/24",command="echo mine" {sp.keypair("mine").public}\n')
    try:
        warnings = sp_site.apply(internal, shell="chroot").ok()["warnings"]
        assert any("command=" in text and "line 2" in text for text in warnings), warnings
    finally:
        keys.write_text(before)
