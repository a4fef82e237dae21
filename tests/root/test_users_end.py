# SPDX-License-Identifier: GPL-3.0-or-later
"""Extra logins end with all that is connected, a forwarding without a shell too, and when they were to."""

import contextlib
import datetime
import fcntl
import pathlib
import subprocess
import time

import pytest

import sp
from sp_users import add, ground, site  # noqa: F401

STORE = pathlib.Path("/var/lib/sallyport")


@contextlib.contextmanager
def forwarding(user, key="tech"):
    """A connection without a session: nothing of the account runs but sshd itself."""
    port = 20000 + user.uid % 10000
    argv = [*sp.client("ssh", key=sp.keypair(key)), "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{port}:127.0.0.1:22", f"{user.name}@127.0.0.1"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            sp.wait_for(lambda: sp.run(["ssh-keyscan", "-t", "ed25519", "-T", "1", "-p", str(port), "127.0.0.1"]).stdout, what="the forwarding")
            yield child
        finally:
            child.kill()


def stamp(at):
    return datetime.datetime.fromtimestamp(int(at), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def timers():
    """This host as if systemd ran it, with a systemd-run that writes down what it is told."""
    said, program, booted = sp.WORK / "systemd-run", pathlib.Path("/usr/bin/systemd-run"), pathlib.Path("/run/systemd/system")
    said.write_text("")
    real = program.read_bytes() if program.exists() else None
    program.unlink(missing_ok=True)
    program.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" END >>{said}\n')
    program.chmod(0o755)
    booted.mkdir(parents=True)
    yield lambda: [one.strip().split("\n") for one in said.read_text().split("END\n") if one.strip()]
    booted.rmdir()
    program.unlink()
    if real:
        program.write_bytes(real)
        program.chmod(0o755)


def test_an_extra_login_that_is_over_is_ended_to_the_second_with_its_forwardings(site, timers):
    user = add(site, sp.unique("tech"), forwarding="local", expires_at=stamp(time.time() + 3600))
    assert timers() == [], "what is far off is left to the next reconcile"
    with forwarding(user) as connection:
        end = int(time.time()) + 5
        sp.rpc("user.add", {"domain": site.domain, "user": user.name, "expires_at": stamp(end)}).ok()  # made shorter
        armed = [one for one in timers() if f"--unit=sallyport-end-{end}" in one]
        assert armed and armed[0][-2:] == ["/usr/bin/sallyport", "reconcile"], timers()
        calendar = next(word.split("=", 1)[1] for word in armed[0] if word.startswith("--on-calendar="))
        told = sp.run(["systemd-analyze", "calendar", calendar], env={"PATH": "/usr/bin", "TZ": "UTC"})
        assert told.rc == 0 and stamp(end).replace("T", " ").rstrip("Z") in told.stdout, told
        time.sleep(max(0.0, end - time.time()))
        assert connection.poll() is None
        sp.run(armed[0][-2:], check=True)
        assert connection.wait(15) != 0
    assert sp.run(["getent", "passwd", user.name]).rc == 2


def test_a_key_that_ends_and_an_account_that_begins_are_waited_for_too(site, timers):
    soon, later = int(time.time()) + 100, int(time.time()) + 200
    sp.rpc("keys.add", {"domain": site.domain, "key": sp.keypair("brief").public, "expires_at": stamp(soon)}).ok()
    sp.rpc("domain.apply", {"domain": site.domain, "valid_from": stamp(later)}).ok()
    assert {f"--unit=sallyport-end-{at}" for at in (soon, later)} <= {one[2] for one in timers()}, timers()
    before = len(timers())
    sp.rpc("domain.get", {"domain": site.domain}).ok()
    assert len(timers()) == before, "a look arms nothing"


def test_suspension_ends_a_forwarding_and_so_does_the_key_that_goes(site):
    user = add(site, sp.unique("tech"), forwarding="local")
    with forwarding(user) as connection:
        sp.rpc("account.suspend", {"user": user.name}).ok()
        assert connection.wait(15) != 0
    sp.rpc("account.resume", {"user": user.name}).ok()
    with forwarding(user) as connection:
        sp.rpc("user.add", {"domain": site.domain, "user": user.name, "authorized_keys": []}).ok()
        assert connection.wait(15) != 0


def test_a_site_that_is_suspended_ends_the_forwardings_of_its_logins(site):
    user = add(site, sp.unique("tech"), forwarding="local")
    with forwarding(user) as connection:
        sp.rpc("account.suspend", {"domain": site.domain}).ok()
        assert connection.wait(15) != 0


@pytest.mark.parametrize("method", ["account.suspend", "password.lock"])
def test_what_is_done_to_a_login_is_done_under_its_owners_lock(site, method):
    user = add(site, sp.unique("tech"))
    lock = STORE / "state" / f"{site.name}.lock"
    with open(lock, "ab") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        slow = subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        slow.stdin.write(sp.json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"user": user.name}}).encode())
        slow.stdin.close()
        sp.wait_for(lambda: str(lock) in sp.opened(slow.pid) or slow.poll() is not None, what="the owner's lock")
        time.sleep(0.3)
        assert slow.poll() is None, "it did not wait"
    assert "result" in sp.json.loads(slow.stdout.read())
    slow.wait(10)
