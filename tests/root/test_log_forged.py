# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that somebody else wrote in sshd's name: they end nobody's login, keep none, and in a journal count for nothing."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

import sp
import sp_site

CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/log.conf")
OURS = pathlib.Path("/var/log/forged.log")
FIRST, SECOND = sp.keypair("first"), sp.keypair("second")


@pytest.fixture(scope="module", autouse=True)
def logging(host):
    """sshd's log as a host has it, with times and pids, and sallyport told where it is."""
    CONF.write_text(f"auth_log = {OURS}\n")
    with host.logging_to_syslog():
        yield


@contextlib.contextmanager
def session(user, key):
    """A login, and the pid of root's half of it."""
    before = set(servers(user))
    with sp_site.session(user, key) as child:
        yield child, (set(servers(user)) - before).pop()


def servers(user):
    return [int(pid) for pid in sp.run(["pgrep", "-u", "root", "-f", f"^sshd: {user.name} \\[priv\\]"]).stdout.split()]


def line(pid, user, key, at):
    text = time.strftime("%b %e %H:%M:%S", time.localtime(at))
    return f"<38>{text} sshd[{pid}]: Accepted publickey for {user.name} from 192.0.2.9 port 999 ssh2: ED25519 {key.fingerprint}\n"


def own_lines(*pids):
    return "".join(text + "\n" for text in sp.syslog_lines() if any(f"sshd[{pid}]: Accepted" in text for pid in pids))


def ended(child):
    return child.wait(15) != 0


def goes_on(child):
    time.sleep(0.7)
    return child.poll() is None


def remove(user, key):
    sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": key.fingerprint}, timeout=60).ok()


def test_a_line_of_an_earlier_process_of_that_number_ends_nobody(host):
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    with session(user, FIRST) as (first, one), session(user, SECOND) as (second, other):
        sp.wait_for(lambda: own_lines(one) and own_lines(other))
        OURS.write_text(line(other, user, FIRST, time.time() - 7200) + own_lines(one, other))
        remove(user, FIRST)
        assert ended(first) and goes_on(second)


def test_a_line_of_a_time_to_come_ends_nobody(host):
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    with session(user, SECOND) as (second, other):
        sp.wait_for(lambda: own_lines(other))
        OURS.write_text(own_lines(other) + line(other, user, FIRST, time.time() + 100))
        remove(user, FIRST)
        assert goes_on(second)


def test_a_line_of_another_time_keeps_no_login(host):
    """The real line is gone: pushed out, or rotated away."""
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    with session(user, FIRST) as (first, one):
        OURS.write_text(line(one, user, SECOND, time.time() - 7200))
        remove(user, FIRST)
        assert ended(first)


def test_a_second_line_of_one_login_keeps_no_key_in(host):
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    with session(user, FIRST) as (first, one):
        sp.wait_for(lambda: own_lines(one))
        OURS.write_text(line(one, user, SECOND, time.time()) + own_lines(one) + line(one, user, SECOND, time.time()))
        remove(user, FIRST)
        assert ended(first)


def test_a_log_that_was_flooded_keeps_no_login(host):
    """What pushes the real line out of view, and a forged one behind it."""
    user = sp_site.account("bash", keys=[FIRST, SECOND])
    with session(user, FIRST) as (first, one):
        sp.wait_for(lambda: own_lines(one))
        flood = f"{line(1, user, SECOND, time.time())}" * 1000
        with open(OURS, "w", encoding="ascii") as log:
            log.write(own_lines(one))
            while log.tell() < 17 << 20:
                log.write(flood)
            time.sleep(3.2)
            log.write(line(one, user, SECOND, time.time()) * 200)
            log.write(line(1, user, SECOND, time.time()) * (17 << 13))
        remove(user, FIRST)
        assert ended(first)
    OURS.write_text("")


@contextlib.contextmanager
def journal():
    """A real journald, in this host alone; it reads in the tree of control groups whose a sender is."""
    tree = pathlib.Path("/sys/fs/cgroup")
    sp.run(["mount", "-t", "cgroup2", "-o", "ro", "cgroup2", tree], check=True)
    os.makedirs("/run/systemd/journal", exist_ok=True)
    os.makedirs("/var/log/journal", exist_ok=True)
    log = pathlib.Path("/dev/log")
    log.rename("/dev/log.aside")
    log.symlink_to("/run/systemd/journal/dev-log")
    daemon = subprocess.Popen(["/usr/lib/systemd/systemd-journald"], stdin=subprocess.DEVNULL)
    sp.wait_for(pathlib.Path("/run/systemd/journal/socket").exists, what="the journal")
    CONF.write_text("")
    try:
        yield daemon
    finally:
        CONF.write_text(f"auth_log = {OURS}\n")
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(10)
        sp.run(["rm", "-rf", "/run/systemd/journal"], check=True)
        log.unlink()
        pathlib.Path("/dev/log.aside").rename(log)
        sp.run(["umount", tree], check=True)


def test_in_a_journal_nobody_writes_in_sshds_name_and_no_file_is_asked_beside_it(host):
    user, stranger = sp_site.account("bash", keys=[FIRST, SECOND]), sp.make_user(shell="/bin/bash")
    with journal() as daemon:
        with session(user, FIRST) as (first, one), session(user, SECOND) as (second, other):
            told = lambda: sp.run(["journalctl", "-q", "--no-pager", "_UID=0", "_COMM=sshd"]).stdout
            sp.wait_for(lambda: told().count(f"Accepted publickey for {user.name}") == 2, what="the journal")
            text = line(other, user, FIRST, time.time())
            for who in (stranger.name, "root"):
                sp.run(["runuser", "-u", who, "--", "logger", "-p", "authpriv.info", "-t", f"sshd[{other}]", text.split(": ", 1)[1].strip()], check=True)
            pathlib.Path("/var/log/auth.log").write_text(text)
            sp.wait_for(lambda: "192.0.2.9" in sp.run(["journalctl", "-q", "--no-pager"]).stdout, what="the forged lines")
            keys = {key["fingerprint"]: key for key in sp.rpc("keys.list", {"domain": user.domain}).ok()["keys"]}
            assert keys[FIRST.fingerprint]["last_used_from"] == "127.0.0.1" and keys[FIRST.fingerprint]["last_used_told_by"] == "journal"
            remove(user, FIRST)
            assert ended(first) and goes_on(second)
            # A journal that cannot be asked is not replaced by a file: of a login of which nothing is known it is assumed that it must go.
            program = pathlib.Path("/usr/bin/journalctl")
            program.rename("/usr/bin/journalctl.aside")
            program.write_text("#!/bin/sh\nexit 1\n")
            program.chmod(0o755)
            pathlib.Path("/var/log/auth.log").write_text(line(other, user, SECOND, time.time()))
            try:
                keys = sp.rpc("keys.list", {"domain": user.domain}).ok()["keys"]
                assert [key["last_used"] for key in keys] == [None]
            finally:
                pathlib.Path("/usr/bin/journalctl.aside").rename(program)
                pathlib.Path("/var/log/auth.log").unlink()
        assert daemon.poll() is None
