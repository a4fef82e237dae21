# SPDX-License-Identifier: GPL-3.0-or-later
"""chroot-bash and those it talks to: signals, terminals, job control, clients."""

import os
import pathlib
import signal
import subprocess

import pytest

import sp
import sp_jail
from sp_terminal import Terminal, in_front
from sp_jail_fixtures import *  # noqa: F403


# Signals and terminals

def supervisor(user):
    return sp.run(["pgrep", "-u", str(user.uid), "-x", "chroot-bash"]).stdout.split()


@pytest.mark.parametrize("sent", [signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_are_passed_on(site, sent):
    child = sp_jail.start(site, f"trap 'exit 33' {sent.name[3:]}; echo ready; while :; do sleep 0.05; done", stdout=subprocess.PIPE)
    child.stdout.readline()
    child.send_signal(sent)
    assert child.wait(10) == 33


def test_a_killed_supervisor_hangs_up_its_shell(site, stay):
    stay.kill()
    sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 1, what="the end of the shell")
    sp.wait_for(lambda: not sp_jail.inits(site), 20, "the end of the jail")


def test_the_supervisor_has_no_capability(site, stay):
    status = pathlib.Path(f"/proc/{stay.pid}/status").read_text()
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert f"{name}:\t{0:016x}" in status
    assert "NoNewPrivs:\t1" in status


def interactive(term):
    """Job control as in plain bash."""
    term.expect(r"\$ ")
    assert term.run("tty").startswith("/dev/pts/")
    term.resize(40, 100)
    # Asked again, since su may still be setting the terminal up behind the first prompt.
    sp.wait_for(lambda: term.resize(40, 100) or term.run("stty size") == "40 100", what="the resize")
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
    term.send("kill -KILL %%; wait; echo gone-$((40+4))\n")
    term.expect("gone-44")
    # That it ended bash may tell any number of times, and late; nothing of it runs or is stopped.
    in_front(0, "cat")


def test_job_control_over_ssh(site):
    with Terminal(site) as term:
        interactive(term)
        assert term.run("echo reopened > /dev/stderr") == "reopened"
        assert term.run("stty -F /dev/tty size") == "40 100"
        term.send("exit 5\n")
        assert term.wait() == 5


def test_job_control_in_a_joined_login(site, stay):
    with Terminal(site) as term:
        interactive(term)
        assert "sleep 1000" in term.run("ps -eo args | grep '[s]leep 1000'")
        term.send("exit 6\n")
        assert term.wait() == 6


def test_job_control_under_su(site):
    with Terminal.local(["su", "-", site.name]) as term:
        interactive(term)
        term.send("exit 7\n")
        assert term.wait() == 7


def test_suspend_gives_the_terminal_back_to_the_outer_shell(site):
    with Terminal.local(["bash", "--norc", "--noprofile"]) as term:
        term.expect("# ")
        drop = " ".join(sp_jail.argv_as(site, [sp.CHROOT_BASH]))
        term.send(f"{drop}\n")
        term.expect(r"\$ ")
        term.send("suspend\n")
        term.expect("Stopped")
        term.send("fg; echo back=$?\n")
        term.expect(r"\$ ")
        term.send("exit 9\n")
        term.expect("back=9")
        term.send(f"{drop} -c 'sleep 62'\n")
        in_front(1, "sleep 62")
        term.send("\x1a")
        term.expect("Stopped")
        term.expect("# ")
        term.send("fg\n")
        in_front(1, "sleep 62")
        term.send("\x03")
        term.expect("# ")
        term.send("echo int=$?\n")
        term.expect("int=130")


def test_control_c_ends_a_command_on_a_terminal(site):
    with Terminal(site, command="sleep 63") as term:
        in_front(1, "sleep 63")
        term.send("\x03")
        assert term.wait() in (130, 255)
    sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 1, what="its end")


def test_a_lost_connection_hangs_up_the_shell(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("sleep 64\n")
        sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 0, what="sleep")
        os.kill(term.pid, signal.SIGKILL)
    sp.wait_for(lambda: sp.run(["pgrep", "-u", str(site.uid), "-x", "sleep"]).rc == 1, what="its end")
    sp.wait_for(lambda: not sp_jail.inits(site), 20, "the end of the jail")


def test_tmux_outlives_the_login_and_its_terminal_works(site):
    with Terminal(site) as term:
        term.expect(r"\$ ")
        term.send("tmux new-session -s work\n")
        term.expect(r"\[work\]")
        term.send("echo here-$((40+2)); tty\n")
        term.expect("here-42")
        term.send("tmux detach\n")
        term.expect("detached")
        term.send("exit\n")
        term.wait()
    with Terminal(site) as term:
        term.expect(r"\$ ")
        assert "work" in term.run("tmux ls")
        term.send("tmux attach -t work\n")
        term.expect("here-42")
        term.send("echo again-$((40+3))\n")
        term.expect("again-43")
        term.send("tmux kill-server\n")
        term.expect("server exited")
        term.send("exit\n")
        term.wait()
    sp.wait_for(lambda: not sp_jail.inits(site), 20, "the end of the jail")


def test_a_login_without_a_terminal_works(site):
    done = sp.ssh(site, "tty; echo $SSH_CONNECTION; exit 6")
    assert done.rc == 6 and done.stdout.startswith("not a tty\n") and len(done.stdout.split()) == 7, done


def test_files_travel(site, tmp_path):
    (tmp_path / "a").write_text("content")
    for legacy in (False, True):
        assert sp.scp(site, tmp_path / "a", f"b{legacy}", legacy=legacy).rc == 0
        assert sp.scp(site, f"b{legacy}", tmp_path / f"c{legacy}", to_host=False, legacy=legacy).rc == 0
        assert (tmp_path / f"c{legacy}").read_text() == "content"
    assert sp.rsync(site, f"{tmp_path}/", "folder/").rc == 0
    done = sp.sftp_batch(site, ["ls -1 folder", "get /etc/hostname " + str(tmp_path / "hostname")])
    assert done.rc == 0 and "folder/a" in done.stdout, done
    assert (tmp_path / "hostname").read_text() == "the-jail\n"


def test_a_crontab_line_runs_inside(site):
    """As cron runs it: no terminal, no SSH_* variable, its own little environment, output to a file."""
    with open("/run/cron.out", "wb") as out:
        env = {"SHELL": sp.CHROOT_BASH, "HOME": "/", "LOGNAME": site.name, "PATH": "/usr/bin:/bin"}
        subprocess.run(sp_jail.argv_as(site, [sp.CHROOT_BASH, "-c", "cat /etc/hostname; pwd"]), env=env, stdout=out, check=True,
                       start_new_session=True, stdin=subprocess.DEVNULL)
    assert pathlib.Path("/run/cron.out").read_text() == f"the-jail\n{site.home}\n"
