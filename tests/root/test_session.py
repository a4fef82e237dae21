# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do with SSH, the same in plain bash as in the jail: terminals, exit codes, streams, files, git."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

import sp
import sp_site
from sp_terminal import Terminal, in_front


@pytest.fixture(scope="module", params=["bash", "chroot"])
def site(host, request):
    user = sp_site.account(request.param)
    assert sp_site.login_shell(user) == {"bash": "/bin/bash", "chroot": sp.CHROOT_BASH}[request.param]
    user_shell[user.name] = request.param
    return user


user_shell = {}


@pytest.fixture(scope="module")
def blob():
    """20 MB in which every byte occurs."""
    return bytes(range(256)) * 4096 + os.urandom(19 << 20)


@pytest.mark.parametrize("code", [0, 1, 42, 254, 255])
def test_the_exit_code_is_the_commands(site, code):
    assert sp.ssh(site, f"exit {code}").rc == code
    assert sp.ssh(site, input=f"exit {code}\n").rc == code


def test_a_command_that_is_not_there_answers_127(site):
    done = sp.ssh(site, "no-such-program")
    assert done.rc == 127 and "command not found" in done.stderr and done.stdout == "", done


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "HUP", "SEGV"])
def test_a_command_that_a_signal_ends_is_told_as_such(site, name):
    # ssh's exit-signal: the client answers 255 whatever the signal, and says so.
    done = sp.ssh(site, f"kill -{name} $$")
    assert done.rc == 255 and done.stdout == "", done


def test_stdout_and_stderr_stay_apart(site):
    done = sp.ssh(site, "for i in 1 2 3; do echo out$i; echo err$i >&2; done; exit 5")
    assert done == (5, "out1\nout2\nout3\n", "err1\nerr2\nerr3\n", b"out1\nout2\nout3\n")


def test_nothing_is_said_that_nobody_asked_for(site):
    assert sp.ssh(site, "true") == (0, "", "", b"")


def test_quotes_newlines_and_bytes_of_a_command_arrive(site):
    done = sp.ssh(site, "printf '%s|' 'a  b' \"$HOME\" '$x' $'t\\tn\\n' 'ü' \\\\ ;\necho next; # end")
    assert done.stdout == f"a  b|{site.home}|$x|t\tn\n|ü|\\|next\n", done


def test_20_megabytes_pass_through_stdin_and_back_unchanged(site, blob):
    assert sp.ssh(site, "cat", input=blob, timeout=60).raw == blob
    assert sp.ssh(site, "wc -c", input=blob, timeout=60).stdout == f"{len(blob)}\n"


def test_the_end_of_stdin_is_seen_and_a_closed_stdout_too(site):
    assert sp.ssh(site, "cat; echo end", input=b"").stdout == "end\n"
    assert sp.ssh(site, "head -c 5", input=b"x" * 10_000_000).raw == b"xxxxx"
    done = sp.ssh(site, "yes | head -n 1; exit ${PIPESTATUS[0]}")
    assert (done.rc, done.stdout) == (141, "y\n"), done


def test_a_job_in_the_background_does_not_hold_the_login(site):
    start = time.monotonic()
    assert sp.ssh(site, "sleep 30 >/dev/null 2>&1 </dev/null & echo started").stdout == "started\n"
    assert time.monotonic() - start < 20 * sp.PATIENCE
    assert sp.ssh(site, "pkill -x sleep; true").rc == 0


def test_a_terminal_knows_its_name_and_size_and_follows_a_resize(site):
    with Terminal(site, rows=33, cols=99) as term:
        term.expect(r"\$ ")
        tty = term.run("tty")
        assert tty.startswith("/dev/pts/") and term.run("echo $SSH_TTY") == tty
        assert term.run("stty size") == "33 99" and term.run("tput cols") == "99"
        assert term.run("echo $TERM; test -t 0 -a -t 1 -a -t 2; echo $?") == "xterm\n0"
        term.send("trap 'echo winch' WINCH\n")
        term.resize(50, 120)
        sp.wait_for(lambda: term.run("stty size") == "50 120", what="the resize")
        assert "winch" in term.screen
        assert term.run("echo to-tty > /dev/tty; echo to-err > /dev/stderr") == "to-tty\nto-err"
        term.send("exit 42\n")
        assert term.wait() == 42


def test_job_control_stops_resumes_and_ends(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("sleep 61\n")
        in_front(1, "sleep 61")
        term.send("\x1a")
        term.expect("Stopped")
        assert "sleep 61" in term.run("jobs")
        assert term.run("bg").startswith("[1]+ sleep 61")
        term.send("fg\n")
        in_front(1, "sleep 61")
        term.send("\x03")
        term.send("echo ended=$?\n")
        term.expect("ended=130")
        term.send("cat | cat\n")
        in_front(2, "cat")
        term.send("\x1a")
        term.expect("Stopped")
        term.send("kill %1; wait; echo go''ne\n") # the echo of what is typed is not it
        term.expect("gone")
        term.send("sleep 62\n")
        in_front(1, "sleep 62")
        term.send("\x1c")
        term.send("echo quit=$?\n")
        term.expect("quit=131")
        term.expect(r"\$ ")
        term.send("(exit 7)\n")
        term.expect(r"exit 7\)[^$]*\$ ") # the end of input means the end only to a shell that is reading
        term.send("\x04")
        assert term.wait() == 7


def test_a_command_on_a_terminal_is_interrupted_by_the_client(site):
    with Terminal(site, command="sleep 63; exit 9") as term:
        in_front(1, "sleep 63")
        term.send("\x03")
        assert term.wait() in (130, 255)
    sp.wait_for(lambda: not sp_site.processes(site, "sleep"), what="its end")


def test_a_lost_connection_hangs_up_the_shell(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("sleep 64\n")
        sp.wait_for(lambda: sp_site.processes(site, "sleep"), what="sleep")
        os.kill(term.pid, signal.SIGKILL)
    sp.wait_for(lambda: not sp_site.processes(site), 20, "the end of all its processes")


def test_tmux_outlives_its_login_and_serves_the_next(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("tmux new-session -s work\n")
        term.expect(r"\[work\]")
        term.send("echo here-$((40+2))\n")
        term.expect("here-42")
    sp.wait_for(lambda: not sp_site.processes(site, "sshd"), what="the end of the login")
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("tmux attach -t work\n")
        term.expect("here-42")
        term.send("echo again-$((40+3))\n")
        term.expect("again-43")
        term.send("tmux kill-server\n")
        term.expect("exited")
        term.send("exit\n")
        term.wait()


def test_nohup_outlives_its_login_and_dies_by_the_next(site):
    job = sp.ssh(site, "nohup sleep 1001 >/dev/null 2>&1 </dev/null & echo $!").stdout.strip()
    done = sp.ssh(site, f"kill -0 {job} && kill {job}; sleep 0.2; kill -0 {job}")
    assert done.rc == 1, done
    sp.wait_for(lambda: not sp_site.processes(site), what="the end of all that runs")


def test_sftp_puts_gets_lists_renames_and_removes(site, blob, tmp_path):
    (tmp_path / "blob").write_bytes(blob)
    done = sp.sftp_batch(site, ["pwd", "mkdir in", f"put {tmp_path}/blob in/blob", "chmod 640 in/blob", "rename in/blob in/other",
                                "symlink other in/link", "ls -l in", f"get in/link {tmp_path}/back", "rm in/link", "rm in/other",
                                "rmdir in"], timeout=60)
    assert done.rc == 0 and site.home in done.stdout and "-rw-r-----" in done.stdout, done
    assert (tmp_path / "back").read_bytes() == blob


@pytest.mark.parametrize("legacy", [False, True])
def test_scp_copies_both_ways(site, blob, tmp_path, legacy):
    (tmp_path / "a file").write_bytes(blob)
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "folder" / "below" / "x").write_text("x")
    assert sp.scp(site, tmp_path / "a file", "copied", legacy=legacy).rc == 0
    assert sp.scp(site, tmp_path / "folder", "tree", legacy=legacy, recursive=True).rc == 0
    assert sp.scp(site, "copied", tmp_path / "back", to_host=False, legacy=legacy).rc == 0
    assert sp.scp(site, "tree", tmp_path / "tree", to_host=False, legacy=legacy, recursive=True).rc == 0
    assert (tmp_path / "back").read_bytes() == blob
    assert (tmp_path / "tree" / "below" / "x").read_text() == "x"
    assert sp.scp(site, "nothing", tmp_path / "n", to_host=False, legacy=legacy).rc != 0
    assert sp.ssh(site, "rm -r copied tree").rc == 0


def test_rsync_mirrors_both_ways(site, tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a").write_text("one")
    (source / "b").write_bytes(os.urandom(1 << 20))
    os.symlink("b", source / "link")
    flags = ("-rlpt", "--delete", "-z", "--itemize-changes")
    for to_host, pair in ((True, (f"{source}/", "mirror/")), (False, (tmp_path / "back", "mirror/"))):
        if not to_host:
            pair = ("mirror/", f"{tmp_path}/back/")
        done = sp.rsync(site, *pair, to_host=to_host, flags=flags)
        assert done.rc == 0, done
        again = sp.rsync(site, *pair, to_host=to_host, flags=flags)
        assert (again.rc, again.stdout) == (0, ""), again
    assert sp.snapshot([source / "b"])[str(source / "b")]["content"] == \
        sp.snapshot([tmp_path / "back" / "b"])[str(tmp_path / "back" / "b")]["content"]
    assert os.readlink(tmp_path / "back" / "link") == "b" and (tmp_path / "back" / "sub" / "a").read_text() == "one"
    (source / "b").unlink()
    assert sp.rsync(site, f"{source}/", "mirror/", flags=flags).rc == 0
    assert sp.ssh(site, "ls mirror; rm -r mirror").stdout == "link\nsub\n"


def test_git_clones_and_pushes_over_ssh_and_a_hook_runs_inside(site, tmp_path):
    hook = "#!/bin/sh\nread old new ref\n{ echo $ref; test -e /boot && echo OUT; } > ~/hooked\n"
    done = sp.ssh(site, f"git init -q -b main --bare repo.git && cat > repo.git/hooks/post-receive && chmod +x repo.git/hooks/"
                        "post-receive", input=hook)
    assert done.rc == 0, done
    env = {**os.environ, "GIT_SSH_COMMAND": sp.rsh(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}

    def git(*words):
        return sp.run(["git", *words], cwd=tmp_path, env=env, check=True)

    for url in (f"ssh://{site.name}@127.0.0.1{site.home}/repo.git", f"{site.name}@127.0.0.1:repo.git"):
        work = f"work-{url[:3]}"
        git("clone", "-q", url, work)
        (tmp_path / work / f"file-{url[:3]}").write_text("content")
        git("-C", work, "add", "-A")
        git("-C", work, "commit", "-q", "-m", "one")
        git("-C", work, "push", "-q", "origin", "HEAD:main")
    assert sp.ssh(site, "git -C repo.git rev-list --count main").stdout == "2\n"
    hooked = pathlib.Path(site.home, "hooked").read_text()
    assert hooked == "refs/heads/main\n" + ("OUT\n" if user_shell[site.name] == "bash" else "")
    # The document root's own checkout, as a deployment does it.
    done = sp.ssh(site, "git clone -q repo.git deployed && git -C deployed status --porcelain && git -C deployed log --oneline | wc -l")
    assert (done.rc, done.stdout) == (0, "2\n"), done
    sp.ssh(site, "rm -rf repo.git deployed hooked")


def test_many_logins_at_once_all_work(site):
    argv = [*sp.client("ssh"), "-T", "-l", site.name, "127.0.0.1", "sleep 0.3; echo in; exit 6"]
    # MaxStartups of sshd begins to drop at ten that are not let in yet.
    many = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)]
    assert [(one.communicate(timeout=30)[0], one.returncode) for one in many] == [(b"in\n", 6)] * 8
