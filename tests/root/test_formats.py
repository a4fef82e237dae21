# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier versions wrote is read by this one (tests/fixtures keeps a file of each kind and age); what a later one wrote
is left alone, and access with it."""

import hashlib
import json
import os
import pathlib

import pytest
import sp
import sp_site
from sp_safety import STORE, in_force, refused

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
STATE, RECORD = pathlib.Path(STORE, "state/fixture.json"), pathlib.Path(STORE, "entry/41001")
FIREWALL = pathlib.Path(STORE, "firewall.json")


@pytest.fixture(scope="module")
def user(host):
    """The user of the fixtures, as if this host had always had him."""
    sp_site.account()  # the store, the groups and a generation are there
    one = sp.make_user("fixture")
    sp.run(["usermod", "-u", "41001", one.name], check=True)
    sp.run(["groupmod", "-g", "41001", one.name], check=True)
    sp.run(["chown", "-R", "41001:41001", one.home], check=True)
    return one._replace(uid=41001, gid=41001)


def place(name, path, mode=0o600, gid=0):
    path.write_bytes((FIXTURES / name).read_bytes())
    path.chmod(mode)
    os.chown(path, 0, gid)


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("account-*")))
def test_an_account_of_each_age_is_read_and_put_in_force(user, name):
    place(name, STATE)
    index = pathlib.Path(STORE, "domains", user.domain)
    index.unlink(missing_ok=True)
    index.symlink_to(user.name)
    shown = sp.rpc("domain.get", {"domain": user.domain}).ok()
    assert shown["generation"] == 1 and shown["desired_shell"] == "chroot" and shown["forwarding"] == "none", shown
    assert shown["jail"]["profiles"] == ["base", "git"] and shown["jail"]["tmp_mib"] == 64, shown
    assert [key["label"] for key in shown["authorized_keys"]] == ["anna"] and shown["sources"] == ["192.0.2.0/24"], shown
    ruled = "before" not in name
    assert [key.get("command") for key in shown["authorized_keys"]] == (['echo "a"'] if ruled else [None]), shown
    limited = "before-limits" not in name
    assert shown["jail"]["agent"] is limited and shown["limits"]["processes"] == (100 if limited else 512), shown
    sp.rpc("domain.apply", {"domain": user.domain, "jail": {"tmp_mib": 32}}).ok()
    assert in_force(user)["generation"] == 2
    sp.rpc("domain.remove", {"domain": user.domain}).ok()


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("entry-*")))
def test_a_record_of_each_age_lets_its_account_in(user, name):
    sp_site.apply(user, shell="chroot", jail={"profiles": ["git"]}, keys=[sp.keypair()]).ok()
    place(name, RECORD, 0o640, user.gid)
    assert sp.ssh(user, "echo in; pwd").stdout.split() == ["in", user.home]
    # The next look brings it up to date.
    sp.rpc("system.reconcile").ok()
    in_force(user)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("firewall-*")))
def test_a_firewall_of_each_age_is_restored(host, name):
    place(name, FIREWALL)
    try:
        assert sp.rpc("firewall.restore", {}).ok()["in_force"]
        shown = sp.rpc("firewall.get").ok()
        assert shown["mode"] == "restricted" and [one["source"] for one in shown["sources"]].count("192.0.2.0/24") >= 1, shown
        assert sp.probe(sp.OUTSIDE4) == "open" and sp.probe("192.0.2.2") == "open"
    finally:
        FIREWALL.unlink()
        sp.run(["nft", "flush", "ruleset"], check=True)


def test_a_newer_account_is_left_alone_loudly_and_its_access_stays(user):
    sp_site.apply(user, shell="chroot", jail={"profiles": ["git"]}, keys=[sp.keypair()]).ok()
    newer = json.loads(STATE.read_text().split("\n")[0])
    newer.update(format=2, something_new={"a": 1})
    text = json.dumps(newer, separators=(",", ":"))
    content = f"{text}\nsha256 {hashlib.sha256(text.encode()).hexdigest()}\n"
    good = STATE.read_bytes()
    STATE.write_text(content)
    before = sp.snapshot([user.home, f"{STORE}/entry", f"{STORE}/names", f"{STORE}/state", "/etc/passwd", "/etc/group"],
                         exclude=[f"{STORE}/state/{user.name}.lock"])
    for method, params in (("domain.apply", {"shell": "bash"}), ("domain.apply", {"shell": "none"}), ("domain.remove", {}),
                           ("keys.add", {"key": sp.keypair("other").public})):
        error = refused(sp.rpc(method, {"domain": user.domain, **params}), "broken_state")
        assert "newer" in error["message"], error
    assert sp.rpc("system.reconcile").ok()["failed"] >= 1
    after = sp.snapshot([user.home, f"{STORE}/entry", f"{STORE}/names", f"{STORE}/state", "/etc/passwd", "/etc/group"],
                        exclude=[f"{STORE}/state/{user.name}.lock"])
    assert before.diff(after) == []
    assert sp.ssh(user, "echo in").stdout == "in\n"
    STATE.write_bytes(good)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
