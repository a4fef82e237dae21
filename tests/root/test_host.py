# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/host, from within a first throwaway host: the inner one must keep apart from the outer, and leave nothing."""

import os
import pathlib
import signal
import subprocess

import pytest

import inside
import sp

SOURCE = pathlib.Path(os.environ["SALLYPORT_SOURCE"])
HOST = SOURCE / "tests" / "host"
ENV = {**os.environ, "SALLYPORT_NO_BUILD": "1"}


def world():
    """What a run could leave behind."""
    processes = [entry for entry in os.listdir("/proc") if entry.isdigit()]
    names = {folder: sorted(os.listdir(folder)) for folder in ("/tmp", "/run", "/mnt", "/dev", "/run/netns")}
    links = sorted(os.listdir("/proc/sys/net/ipv4/conf"))
    return sorted(processes), pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8"), names, links


def in_host(*argv, **more):
    return sp.run([HOST, *argv], env=ENV, **more)


def unchanged(before):
    sp.wait_for(lambda: world() == before, what="the world as it was")


def test_the_exit_status_and_the_streams_are_the_commands():
    before = world()
    done = in_host("sh", "-c", "cat; echo aside >&2; exit 7", input="through")
    assert (done.rc, done.stdout, done.stderr) == (7, "through", "aside\n")
    unchanged(before)


def test_what_is_done_inside_stays_inside():
    before, files = world(), sp.snapshot(["/etc", "/var/www", SOURCE / "tests"])
    done = in_host("sh", "-ec", "useradd inner; touch tests/x /etc/x /tmp/x; mkdir -p /var/www/x; mount -t tmpfs x /srv;"
                   "ip link add v0 type veth peer name v1; nft add table inet x; (sleep 50 &); hostname -s")
    assert (done.rc, done.stdout) == (0, "sallyport-test\n"), done
    assert files.diff(sp.snapshot(["/etc", "/var/www", SOURCE / "tests"])) == []
    assert sp.run(["nft", "list", "ruleset"], check=True).stdout == ""
    unchanged(before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_killed_it_takes_everything_along(number, tmp_path):
    before = world()
    with subprocess.Popen([HOST, "sh", "-c", "echo up; exec sleep 50"], env=ENV, stdout=subprocess.PIPE) as outer:
        assert outer.stdout.readline() == b"up\n"
        outer.send_signal(number)
        assert outer.wait(20) in (128 + number, 143, -number)
    unchanged(before)


def test_it_works_without_stdin_and_from_anywhere(tmp_path):
    done = sp.run(["sh", "-c", f"exec {HOST} true <&-"], env=ENV, cwd=tmp_path)
    assert done.rc == 0, done


def test_the_later_stages_refuse_to_run_on_their_own():
    before = world()
    forbidden = " ".join(os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "net", "pid", "ipc", "uts"))
    stage = {**ENV, "SP_FORBIDDEN": forbidden, "SP_SOURCE": str(SOURCE), "SP_BUILD": "/nowhere", "SP_UPPER": "tmpfs"}
    for name in ("isolate", "furnish"):
        script = SOURCE / "tests" / "lib" / f"host-{name}.sh"
        assert sp.run(["bash", script, "touch", "/tmp/bad"], env={**ENV, "SP_FORBIDDEN": ""}).rc != 0
        assert sp.run(["unshare", "-m", "-p", "-f", "bash", script, "touch", "/tmp/bad"], env=stage).rc == 125
    assert not os.path.exists("/tmp/bad")
    unchanged(before)


@pytest.mark.parametrize("marker", ["", "mnt:[1] net:[1] pid:[1] ipc:[1] $(readlink /proc/self/ns/pid)"])
def test_the_guard_is_not_fooled_by_the_environment(marker):
    assert inside.why_not() is None
    write = f'echo "{marker}" >/run/sallyport-throwaway;' if marker else ""
    shell = f". {SOURCE}/tests/lib/inside.sh; sp_require_throwaway; echo fooled"
    python = "import inside; inside.require_throwaway(); print('fooled')"
    for argv in (f"bash -c '{shell}'", f'cd {SOURCE}/tests/lib && /usr/bin/python3 -c "{python}"'):
        done = sp.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs x /run; {write} {argv}"])
        assert (done.rc, done.stdout) == (125, ""), done
        assert "only inside tests/host" in done.stderr
