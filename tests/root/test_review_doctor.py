# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways around what root does on behalf of a user, found by reading it: each test failed before its mend."""

import json
import os
import pathlib
import pty
import time

import sp
import sp_site
from sp_safety import refused, request

GIVE_BACK = "/usr/libexec/sallyport/give-back"


def at_a_terminal(argv):
    """The command with a terminal of its own that is its controlling one, as an admin has it; what it printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    out = b""
    while True:
        try:
            some = os.read(terminal, 4096)
        except OSError:
            break
        if not some:
            break
        out += some
    os.waitpid(pid, 0)
    os.close(terminal)
    return out.decode()


def account_with_shell(name, text):
    user = sp_site.account("bash")
    shell = pathlib.Path("/usr/local/lib/review", name, "zsh")
    shell.parent.mkdir(parents=True, exist_ok=True)
    shell.write_text(f"#!/bin/sh\ncd {user.home}\n{text}")
    shell.chmod(0o755)
    with open("/etc/shells", "a", encoding="ascii") as shells:
        shells.write(f"{shell}\n")
    sp.run(["usermod", "-s", str(shell), user.name], check=True)
    return user


def test_the_shell_that_the_doctor_tries_has_not_roots_terminal(host):
    user = account_with_shell("terminal", "(: </dev/tty) 2>/dev/null && echo terminal >seen || echo none >seen\n")
    assert "was started" in at_a_terminal(["sallyport", "doctor", "--user", user.name])
    assert (pathlib.Path(user.home) / "seen").read_text() == "none\n"


def test_what_the_tried_shell_leaves_running_ends_with_it_and_is_bounded(host):
    user = account_with_shell("daemon", "setsid sleep 4711 </dev/null >/dev/null 2>&1 &\nulimit -u -t >limits\nsleep 0.2\n")
    sp.rpc("login.diagnose", {"user": user.name}, timeout=60).ok()
    assert sp.run(["pgrep", "-u", user.name, "-f", "sleep 4711"]).rc == 1
    assert "unlimited" not in (pathlib.Path(user.home) / "limits").read_text()


def test_a_batch_of_questions_has_one_deadline(host):
    user = account_with_shell("hangs", "exec sleep 4712\n")
    began = time.monotonic()
    questions = [request("login.diagnose", {"user": user.name}, id=n) for n in range(4)]
    answers = json.loads(sp.run([sp.HELPER], input=json.dumps(questions), timeout=100).stdout)
    assert time.monotonic() - began < 30 * sp.PATIENCE
    assert [one["result"]["stop"]["check"] for one in answers[:2]] == ["jail", "jail"], answers
    assert [one["error"]["data"]["reason"] for one in answers[2:]] == ["busy", "busy"], answers
    assert sp.run(["pgrep", "-u", user.name, "-f", "sleep 4712"]).rc == 1


def test_a_panel_asks_about_those_alone_whom_it_may_name(host):
    stranger = sp.make_user()
    sp.rpc("login.diagnose", {"user": stranger.name}, timeout=60).ok()
    for name in ("root", "daemon", "www-data"):
        refused(sp.rpc("login.diagnose", {"user": name}, timeout=60), "forbidden", "params.user")
    assert sp.run(["sallyport", "doctor", "--user", "daemon"]).stdout.count("daemon") > 0


def test_a_mend_names_nothing_that_a_user_chose(host):
    key = sp.keypair()
    user, victim = sp_site.account("bash", keys=[key]), sp.make_user()
    odd = pathlib.Path(user.home) / "x; touch $(id -u)"
    theirs = pathlib.Path("/srv") / sp.unique("theirs")
    theirs.write_text("")
    os.chown(theirs, victim.uid, victim.gid)
    theirs.chmod(0o644)
    (pathlib.Path(user.home) / ".ssh").rename(odd)
    (pathlib.Path(user.home) / ".ssh").symlink_to(odd)
    odd.chmod(0o777)
    ask = lambda: next(check for check in sp.rpc("login.diagnose", {"user": user.name}, timeout=60).ok()["checks"] if check["check"] == "key")
    told = ask()
    assert str(odd) in told["text"] and told["mend"] == f"namei -l {user.home}/.ssh/authorized_keys", told
    odd.chmod(0o700)
    (odd / "authorized_keys").unlink()
    (odd / "authorized_keys").symlink_to(theirs)
    told = ask()
    assert str(theirs) in told["text"] and told["mend"] == f"namei -l {user.home}/.ssh/authorized_keys", told
    (pathlib.Path(user.home) / ".ssh").unlink()


def test_nothing_is_given_back_half_where_a_state_cannot_be_read(host, tmp_path):
    good, broken = sp_site.account("chroot"), sp_site.account("chroot")
    state = pathlib.Path(f"/var/lib/sallyport/state/{broken.name}.json")
    kept = state.read_bytes()
    state.write_bytes(kept[:-20])
    try:
        done = sp.run([GIVE_BACK, str(tmp_path)])
        assert done.rc != 0 and "cannot be read" in done.stderr, done
        assert sp_site.login_shell(good).endswith("chroot-bash") and not list(tmp_path.iterdir())
    finally:
        state.write_bytes(kept)
    path = pathlib.Path("/etc/sallyport/sallyport.conf.d/60-review.conf")
    path.write_text("no such = setting\n")
    try:
        assert sp.run([GIVE_BACK, str(tmp_path)]).rc != 0
    finally:
        path.unlink()
    assert sp.run([GIVE_BACK, str(tmp_path)]).rc == 0
    assert not sp_site.login_shell(good).endswith("chroot-bash") and not sp_site.login_shell(broken).endswith("chroot-bash")
