# SPDX-License-Identifier: GPL-3.0-or-later
"""domain.rebind: another name, another document root, or the same user under a new name; logins before and after."""

import os
import pathlib
import shutil

import pytest

import sp
import sp_site
from sp_safety import refused

STORE = pathlib.Path("/var/lib/sallyport")


def rebind(domain, **params):
    return sp.rpc("domain.rebind", {"domain": domain, **params}, timeout=60)


def listed():
    return {one["domain"]: one for one in sp.rpc("domain.list").ok()["domains"]}


def folder(user, path, **files):
    path = pathlib.Path(path)
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", path], check=True)
    path.chmod(0o750)
    return str(path)


def points(root):
    """The mount points below a document root."""
    return sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and (entry.stat().st_mode & 0o7777) == 0o1555)


@pytest.fixture
def site(host):
    name = sp.unique()
    user = sp.make_user(name, home=f"/home/{name}", docroot=f"/var/www/vhosts/{name}.example/web")
    sp_site.apply(user, shell="chroot", jail=sp_site.JAIL, keys=[sp.keypair()]).ok()
    (pathlib.Path(user.docroot) / "here").write_text("old")
    return user


def all_out(user):
    """The client is back before sshd and the jail have gone: what still stands would be ended, and a plan says so."""
    sp.wait_for(lambda: sp.run(["pgrep", "-u", user.name]).rc == 1 and sp.run(["pgrep", "-f", f"^sshd: {user.name}"]).rc == 1, what="the end of the login")


def test_a_document_root_moves_and_is_the_jails_root_at_the_next_login(site):
    assert sp.ssh(site, "cat /here; pwd").stdout == f"old{site.home}\n"
    all_out(site)
    new = folder(site, f"/srv/sites/{site.name}", here="new")
    old_points = points(site.docroot)
    before = sp.snapshot([new])
    dry = rebind(site.domain, document_root=new, dry_run=True).ok()
    assert dry["changed"] and not before.diff(sp.snapshot([new]))
    result = rebind(site.domain, document_root=new).ok()
    assert (result["domain"], result["user"], result["changed"]) == (site.domain, site.name, True)
    assert [one["target"] for one in result["changes"]] == [one["target"] for one in dry["changes"]]
    assert old_points and points(site.docroot) == [] and "srv" in points(new)
    assert (pathlib.Path(site.docroot) / "here").read_text() == "old", "content stays"
    assert sp.ssh(site, f"cat /here {new}/here; test -e {site.docroot} || echo gone").stdout == "newnewgone\n"
    assert not rebind(site.domain, document_root=new).ok()["changed"]
    assert sp.rpc("domain.get", {"domain": site.domain}).ok()["in_force"]
    assert not sp_site.apply(site, document_root=new).ok()["changed"]
    assert "rebind" in refused(sp_site.apply(site), "conflict", "params.document_root")["data"]["hint"]


def test_a_directory_that_the_panel_has_renamed_is_followed(site):
    new = site.docroot + "2"
    os.rename(site.docroot, new)
    assert sp.ssh(site, "true").rc == 125, "nothing wider while the root is missing"
    rebind(site.domain, document_root=new).ok()
    assert sp.ssh(site, "cat /here").stdout == "old"


def test_sessions_in_a_root_that_is_given_up_end_and_others_go_on(site):
    second = f"b.{site.domain}"
    sp_site.apply(site, domain=second, document_root=folder(site, f"/var/www/vhosts/{second}")).ok()
    session = sp_site.background(site)
    with sp_site.Outside(site, ["sleep", "60"]) as web:
        rebind(second, document_root=folder(site, f"/srv/sites/{second}")).ok()
        rebind(second, new_domain=f"c.{site.domain}").ok()
        assert session.poll() is None
        result = rebind(site.domain, document_root=folder(site, f"/srv/sites/{site.name}", here="new")).ok()
        assert [one["read_back"] for one in result["changes"] if one["resource"] == "sessions"] == ["ended"]
        assert session.wait(10) != 0 and web.alive()
    assert sp.ssh(site, "cat /here").stdout == "new"


def test_a_name_moves_with_keys_sources_and_the_ports_rules(site, host):
    new = f"new.{site.domain}"
    sp_site.apply(site, sources=[sp.OUTSIDE4]).ok()
    sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.77"}]}).ok()
    try:
        keys = pathlib.Path(site.home, ".ssh/authorized_keys").read_bytes()
        generation = sp.rpc("domain.get", {"domain": site.domain}).ok()["generation"]
        refused(rebind(site.domain, new_domain=new, if_generation=generation - 1), "conflict", "params.if_generation")
        result = rebind(site.domain, new_domain=new, if_generation=generation).ok()
        assert (result["domain"], result["changed"], result["generation"]) == (new, True, generation + 1)
        assert result["changes"][0] == {"resource": "domain", "target": new, "from": site.domain, "to": new, "read_back": new}
        assert pathlib.Path(site.home, ".ssh/authorized_keys").read_bytes() == keys
        owners = {one["owner"] for one in sp.rpc("firewall.get").ok()["sources"] if one.get("owner")}
        assert owners == {new}
        assert sp.ssh(site, "echo in", source=sp.OUTSIDE4, netns="outside").stdout == "in\n"
        assert sp.probe(sp.OUTSIDE4_B) == "dropped"
        assert new in listed() and site.domain not in listed()
        assert not (STORE / "domains" / site.domain).is_symlink()
        refused(sp.rpc("domain.get", {"domain": site.domain}), "not_found")
        assert sp.rpc("domain.get", {"domain": new}).ok()["sources"] == [sp.OUTSIDE4]
        again = rebind(site.domain, new_domain=new).ok()  # a panel's second try
        assert not again["changed"] and again["generation"] == generation + 1
        sp.rpc("domain.remove", {"domain": new}).ok()
        assert not [one for one in sp.rpc("firewall.get").ok()["sources"] if one.get("owner")]
    finally:
        sp.rpc("firewall.set", {"mode": "unmanaged", "force": True}).ok()


def test_name_and_root_move_at_once_among_other_domains_of_the_account(site):
    second = f"b.{site.domain}"
    other = folder(site, f"/var/www/vhosts/{second}", here="second")
    sp_site.apply(site, domain=second, document_root=other).ok()
    new = folder(site, f"/srv/sites/{site.name}", here="new")
    rebind(second, new_domain=f"c.{site.domain}", document_root=new).ok()
    assert {name: one["document_root"] for name, one in listed().items() if one["user"] == site.name} == {
        site.domain: site.docroot, f"c.{site.domain}": new}
    assert sp.ssh(site, f"cat /here {new}/here; ls -d {other}").stdout == "oldnew"


def test_what_cannot_be_rebound_is_refused_and_nothing_is_written(site, host):
    other = sp_site.account()
    new = folder(site, f"/srv/sites/{site.name}")
    os.symlink(new, f"/srv/sites/{site.name}-link")
    watched = ["/etc/passwd", "/etc/group", STORE / "state", STORE / "domains", STORE / "entry", "/srv"]
    before = sp.snapshot(watched)
    for params, reason, field in [
            ({}, "invalid", "params.new_domain"),
            ({"new_domain": other.domain}, "conflict", "params.new_domain"),
            ({"new_domain": "no domain"}, "invalid", "params.new_domain"),
            ({"document_root": "/srv/missing"}, "not_found", "params.document_root"),
            ({"document_root": other.docroot}, "unsafe_path", "params.document_root"),
            ({"document_root": f"/srv/sites/{site.name}-link"}, "unsafe_path", "params.document_root"),
            ({"document_root": "/etc"}, {"forbidden", "unsafe_path", "invalid"}, "params.document_root"),
            ({"user": other.name}, "conflict", "params.user"),
            ({"user": site.name, "document_root": new}, "invalid", "params.user"),
            ({"user": "nobodyhere"}, "not_found", "params.user"),
            ({"user": "root"}, {"conflict", "forbidden"}, "params.user"),
            ({"shell": "bash", "new_domain": "x.example"}, "invalid", "params.shell")]:
        refused(rebind(site.domain, **params), reason, field)
    refused(rebind("unknown.example", new_domain="x.example"), "not_found", "params.domain")
    refused(rebind("unknown.example", new_domain=site.domain, document_root=new), "not_found", "params.domain")
    assert before.diff(sp.snapshot(watched)) == []
    assert sp.ssh(site, "cat /here").stdout == "old"


# usermod -l: the same user under a new name

@pytest.mark.parametrize("store", ["home", "root"])
def test_a_renamed_user_is_taken_over_when_asked(host, store):
    conf = pathlib.Path("/etc/sallyport/sallyport.conf.d/50-test.conf")
    conf.write_text(f"key_store = {store}\n")
    try:
        user = sp_site.account()
        second = f"b.{user.domain}"
        sp_site.apply(user, domain=second, document_root=folder(user, f"/var/www/vhosts/{second}")).ok()
        new = sp.unique("renamed")
        sp.run(["usermod", "-l", new, user.name], check=True)
        now = user._replace(name=new)
        assert sp.ssh(user, "true").rc == 255
        told = refused(sp_site.apply(user, forwarding="none"), "conflict", "params.user")
        assert new in told["data"]["hint"] and "rebind" in told["data"]["hint"]
        told = refused(sp_site.apply(now, forwarding="none"), "conflict", "params.user")
        assert "rebind" in told["data"]["hint"]
        reconciled = sp.rpc("system.reconcile", {}, timeout=120)
        assert reconciled.body, "a renamed user stops nobody else"
        files = [STORE / "state", STORE / "domains", STORE / "entry", STORE / "keys"]
        before = sp.snapshot(files)
        dry = rebind(user.domain, user=new, dry_run=True).ok()
        assert dry["changes"][0] == {"resource": "account", "target": new, "from": user.name, "to": new, "read_back": None}
        assert before.diff(sp.snapshot(files)) == []
        result = rebind(user.domain, user=new).ok()
        assert result["user"] == new and result["changes"][0]["read_back"] == new
        assert sp.ssh(now, "id -un; test ! -e /boot && echo jailed").stdout == f"{new}\njailed\n"
        assert {one["user"] for name, one in listed().items() if name in (user.domain, second)} == {new}
        assert not (STORE / "state" / f"{user.name}.json").exists() and not (STORE / "keys" / user.name).exists()
        assert not rebind(user.domain, user=new).ok()["changed"]
        assert sp.rpc("domain.get", {"domain": second}).ok()["in_force"]
        sp.rpc("domain.remove", {"domain": user.domain}).ok()
        sp.rpc("domain.remove", {"domain": second}).ok()
        assert sp_site.login_shell(now) == "/bin/false", "the shell of the beginning is remembered"
    finally:
        conf.unlink()


def test_a_rename_that_was_cut_short_is_finished_by_the_same_request(host):
    user = sp_site.account()
    new = sp.unique("renamed")
    sp.run(["usermod", "-l", new, user.name], check=True)
    state, old_state = STORE / "state" / f"{new}.json", STORE / "state" / f"{user.name}.json"
    kept = old_state.read_bytes()
    rebind(user.domain, user=new).ok()
    old_state.write_bytes(kept)  # as if the last step had not been reached
    old_state.chmod(0o600)
    rebind(user.domain, user=new).ok()
    assert state.exists() and not old_state.exists()
    assert sp.ssh(user._replace(name=new), "echo in").stdout == "in\n"


def test_another_user_under_the_old_name_gets_nothing(host):
    user = sp_site.account()
    new = sp.unique("renamed")
    sp.run(["usermod", "-l", new, user.name], check=True)
    sp.run(["groupmod", "-n", new, user.name], check=True)
    stranger = sp.make_user(user.name, home=f"/home/{user.name}")
    sp.put_key(stranger)
    assert stranger.uid != user.uid
    refused(sp_site.apply(user, shell="chroot"), "conflict", "params.user")
    rebind(user.domain, user=new).ok()
    assert sp.ssh(user._replace(name=new), "echo in").stdout == "in\n"
    assert sp.ssh(stranger, "echo in").rc != 0 and sp_site.login_shell(stranger) == "/bin/false"


def test_a_second_name_of_the_same_uid_is_not_taken_over(host):
    user = sp_site.account()
    alias = sp.unique("alias")
    sp.run(["useradd", "-M", "-o", "-u", str(user.uid), "-g", str(user.gid), "-d", user.home, "-s", "/bin/false", alias], check=True)
    assert "second name" in refused(rebind(user.domain, user=alias), "conflict", "params.user")["data"]["hint"]


def test_the_admins_verb_does_the_same(site):
    new = folder(site, f"/srv/sites/{site.name}", here="new")
    done = sp.run(["sallyport", "rebind", site.domain, "--to", f"v.{site.domain}", "--document-root", new])
    assert done.rc == 0 and new in done.stdout, done
    assert sp.ssh(site, "cat /here").stdout == "new"
    assert sp.run(["sallyport", "rebind", f"v.{site.domain}"]).rc == 5
    assert "nothing" in sp.run(["sallyport", "rebind", site.domain, "--to", f"v.{site.domain}"]).stdout
    shutil.rmtree(new)
