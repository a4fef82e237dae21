# SPDX-License-Identifier: GPL-3.0-or-later
"""Global keys through a real sshd: whom they open, whom they do not, and that no customer's file holds one."""

import json
import os
import pathlib
import time

import pytest

import sp
import sp_site
import sp_sshd
from sp_safety import refused

SALLYPORT = "/usr/bin/sallyport"
STORE = pathlib.Path("/var/lib/sallyport/global")
CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/global.conf")


def verb(*words, input=None):
    done = sp.run([SALLYPORT, "global-keys", *words, "--json"], input=input)
    return json.loads(done.stdout) if done.rc == 0 else done


def add(key, *words):
    done = verb("add", key.path + ".pub", *words)
    assert isinstance(done, dict) and done["changed"], done


def enters(user, key, **more):
    return sp.ssh(user, "echo in", key=key, **more).stdout == "in\n"


@pytest.fixture
def site(host):
    return sp_site.account("bash")


@pytest.fixture(autouse=True)
def none_left(host):
    yield
    for key in verb("list")["keys"]:
        verb("remove", key["fingerprint"], "--yes")
    assert "AuthorizedKeysFile" not in sp_sshd.OURS.read_text() and not (STORE / "all").exists()


def test_the_same_key_again_changes_nothing(host, site):
    key = sp.keypair("again").path + ".pub"
    words = "add", key, "--label", "support"
    assert verb(*words, "--dry-run")["changed"] is True
    for changed in (True, False):
        assert verb(*words)["changed"] is changed
        assert verb(*words, "--dry-run")["changed"] is False
    (STORE / "all").unlink()
    done = verb(*words)
    assert done["changed"] is True and done["changes"] and (STORE / "all").exists()
    assert verb("add", key, "--label", "another")["changed"] is True
    assert [one["label"] for one in verb("list")["keys"]] == ["another"]


def test_one_key_opens_every_managed_account_and_stands_in_no_customers_file(host, site):
    jailed, stranger, key = sp_site.account("chroot"), sp.make_user(shell="/bin/bash"), sp.keypair("everywhere")
    sp.put_key(stranger)
    add(key, "--label", "support")
    later = sp_site.account("bash")
    for user in (site, jailed, later):
        assert enters(user, key) and enters(user, sp.keypair()), user
        assert key.public.split()[1] not in pathlib.Path(user.home, ".ssh/authorized_keys").read_text()
    assert enters(stranger, sp.keypair()) and not enters(stranger, key)
    [listed] = sp.rpc("global_keys.list").ok()["keys"]
    assert (listed["fingerprint"], listed["label"], listed["group"]) == (key.fingerprint, "support", "")
    assert "support" not in (STORE / "all").read_text()
    verb("remove", key.fingerprint, "--yes")
    assert not enters(site, key) and enters(site, sp.keypair())


def test_a_groups_key_opens_its_members_alone_and_membership_needs_no_reload(host, site):
    sp.run(["groupadd", "-f", "reseller"], check=True)
    member, key, other = sp_site.account("bash"), sp.keypair("reseller"), sp.keypair("for-all")
    sp.run(["gpasswd", "-a", member.name, "reseller"], check=True)
    add(key, "--group", "reseller")
    add(other)
    assert enters(member, key) and enters(member, other) and enters(site, other) and not enters(site, key)
    sp.run(["gpasswd", "-a", site.name, "reseller"], check=True)
    sp.run(["gpasswd", "-d", member.name, "reseller"], check=True)
    assert enters(site, key) and not enters(member, key)


@pytest.mark.parametrize("how", ["none", "suspended", "removed"])
def test_an_account_that_is_shut_does_not_let_one_in(host, site, how):
    key = sp.keypair("everywhere")
    add(key)
    if how == "none":
        sp_site.apply(site, shell="none").ok()
    else:
        sp.rpc({"suspended": "account.suspend", "removed": "domain.remove"}[how], {"domain": site.domain}).ok()
        sp.run(["usermod", "-s", "/bin/bash", site.name])
    assert not enters(site, key)


def test_sources_and_expiry_hold(host, site):
    here, soon = sp.keypair("from-outside"), sp.keypair("soon-gone")
    add(here, "--from", sp.OUTSIDE4)
    assert enters(site, here, netns="outside", source=sp.OUTSIDE4) and not enters(site, here, netns="outside", source=sp.OUTSIDE4_B)
    end = time.time() + 3
    add(soon, "--expires-at", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)))
    assert enters(site, soon) or time.time() > end, "refused in its time"
    time.sleep(4.2)  # it is good to the end of its last second
    assert not enters(site, soon)
    assert sp.rpc("system.reconcile").ok()["global_keys_mended"] is True
    assert soon.public.split()[1] not in (STORE / "all").read_text()


def test_a_session_that_the_key_opened_ends_with_it(host, site):
    CONF.write_text("auth_log = /var/log/syslog.test\n")
    key = sp.keypair("everywhere")
    add(key)
    with host.logging_to_syslog():
        running, own = sp_site.background(site, key=key), sp_site.background(site)
        verb("remove", key.fingerprint, "--yes")
        assert running.wait(10) != 0 and own.poll() is None
        sp_site.end(own)
    CONF.unlink()


def test_where_no_log_tells_what_opened_a_session_it_goes_on_and_that_is_said(host, site):
    CONF.write_text("auth_log = /var/log/no-such.log\n")
    try:
        key = sp.keypair("everywhere")
        add(key)
        running = sp_site.background(site, key=key)
        told = verb("remove", key.fingerprint, "--yes")
        assert running.poll() is None and "what opened 1 connection" in told["warnings"][0], told
        sp_site.end(running)
    finally:
        CONF.unlink()


@pytest.mark.parametrize("own", ["AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/more/%u", "AuthorizedKeysFile .ssh/authorized_keys"])
def test_the_files_that_the_host_names_are_read_as_before(host, site, own):
    key, more = sp.keypair("everywhere"), sp.keypair("more")
    folder = pathlib.Path("/etc/ssh/more")
    folder.mkdir(exist_ok=True)
    (folder / site.name).write_text(more.public + "\n")
    with sp_sshd.configured(host, end=f"\n{own}\n"):
        add(key)
        assert enters(site, key) and enters(site, sp.keypair()) and enters(site, more) == ("more" in own)
        verb("remove", key.fingerprint, "--yes")


MAIN, DROPIN = "/etc/ssh/more/main-%u", "/etc/ssh/more/dropin-%u"


@pytest.mark.parametrize("main, dropins", [
    (MAIN, {}), (None, {"50-own.conf": DROPIN}), (MAIN, {"50-own.conf": DROPIN}), (MAIN, {"50-own.conf.bak": DROPIN}),
    (None, {"05-own.conf": DROPIN, "60-own.conf": MAIN})])
def test_the_files_named_beside_ours_are_those_that_sshd_reads_without_us(host, site, main, dropins):
    """sshd takes the first value, and the main file includes the others before it says anything itself."""
    def in_force():
        words = sp.run(["sshd", "-T", "-C", f"user={site.name},host=localhost,addr=127.0.0.1"], check=True).stdout
        return next(line for line in words.splitlines() if line.startswith("authorizedkeysfile ")).split()[1:]

    with sp_sshd.configured(host, end=f"\nAuthorizedKeysFile {main}\n" if main else "",
                            dropins={name: f"AuthorizedKeysFile {value}\n" for name, value in dropins.items()}):
        before, key = in_force(), sp.keypair("everywhere")
        add(key)
        assert in_force() == [*before, str(STORE / "all")]
        verb("remove", key.fingerprint, "--yes")


def test_it_goes_with_keys_in_roots_store(host):
    CONF.write_text("key_store = root\n")
    try:
        key, user = sp.keypair("everywhere"), sp_site.account("bash")
        add(key)
        assert enters(user, key) and enters(user, sp.keypair())
        verb("remove", key.fingerprint, "--yes")
        assert enters(user, sp.keypair())
    finally:
        CONF.unlink()
        sp_site.account("bash")


def test_what_would_be_pushed_aside_is_named(host, site):
    block = f"Match User {site.name}\n\tAuthorizedKeysFile /etc/ssh/more/%u\n"
    with sp_sshd.configured(host, end=block):
        done = verb("add", sp.keypair("everywhere").path + ".pub")
        assert done.rc == 8 and "sshd_config:" in done.stderr and "within a Match block" in done.stderr, done


def test_a_file_that_somebody_changed_is_mended(host, site):
    key, planted = sp.keypair("everywhere"), sp.keypair("planted")
    add(key)
    with open(STORE / "all", "a", encoding="ascii") as file:
        file.write(planted.public + "\n")
    assert enters(site, planted)
    assert sp.rpc("system.reconcile").ok()["global_keys_mended"] is True
    assert not enters(site, planted) and enters(site, key)


def test_a_dry_run_tells_of_a_file_that_somebody_changed(host, site):
    add(sp.keypair("everywhere"))
    (STORE / "all").chmod(0o666)
    done = sp.run([SALLYPORT, "reconcile", "--dry-run"], check=True)
    assert "global keys: mended their files" in done.stdout and (STORE / "all").stat().st_mode & 0o777 == 0o666, done
    assert "global keys: mended their files" in sp.run([SALLYPORT, "reconcile"], check=True).stdout
    assert (STORE / "all").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("loosen", [lambda path: path.chmod(0o666), lambda path: path.chmod(0o620),
                                    lambda path: os.chown(path, 12345, 0)], ids=["all write", "a group writes", "a user's"])
def test_a_state_that_others_could_write_gives_nobody_a_key(host, site, loosen):
    """The directory lets everybody through: what stands there may be a customer's word."""
    key, planted = sp.keypair("everywhere"), sp.keypair("planted")
    add(key)
    state, before = STORE / "state", (STORE / "state").read_text()
    state.write_text(before.replace(key.public.split()[1], planted.public.split()[1]).replace(key.fingerprint, planted.fingerprint))
    assert state.read_text() != before
    loosen(state)
    try:
        problem, = sp.rpc("system.reconcile").ok()["problems"]
        assert problem["part"] == "global_keys" and problem["reason"] == "broken_state" and str(state) in problem["error"], problem
        assert not enters(site, planted) and enters(site, key)
        refused(sp.rpc("global_keys.list"), "broken_state")
    finally:
        state.write_text(before)
        sp.run(["sh", "-c", problem["hint"].partition("then: ")[2]], check=True)
    assert "problems" not in sp.rpc("system.reconcile").ok() and verb("list")["keys"]


def test_they_are_an_admins(host, site):
    key = sp.keypair("everywhere")
    refused(sp.rpc("global_keys.add", {"key": key.public}), "forbidden", "method")
    refused(sp.rpc("global_keys.remove", {"fingerprint": key.fingerprint}), "forbidden", "method")
    done = sp.run([SALLYPORT, "global-keys", "add", key.path + ".pub", "--group", "nosuchgroup"])
    assert done.rc == 7 and "group" in done.stderr, done
