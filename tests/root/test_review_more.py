# SPDX-License-Identifier: GPL-3.0-or-later
"""More ways around the root side that were found by reading it: each test failed before its mend."""

import contextlib
import json
import os
import pathlib

import pytest

import sp
import sp_site
from sp_safety import apply, get, in_force, managed, refused

VHOSTS = pathlib.Path("/var/www/vhosts")


@contextlib.contextmanager
def configured(host, **settings):
    """A configuration for a while; the drop-in of sshd follows with the next request."""
    path = pathlib.Path("/etc/sallyport/sallyport.conf.d/60-test.conf")
    path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    try:
        yield
    finally:
        path.unlink()


def remove(user, domain=None):
    return sp.rpc("domain.remove", {"domain": domain or user.domain})


# A document root of root's is one account's

@pytest.mark.parametrize("named", ["", "/inside", "/.."], ids=["itself", "inside", "around"])
def test_a_document_root_that_root_owns_is_no_other_accounts(host, named):
    around = VHOSTS / sp.unique("around")
    mine = around / "site"
    (mine / "inside").mkdir(parents=True)
    owner, thief = sp.make_user(home=f"/home/{sp.unique('o')}"), sp.make_user(home=f"/home/{sp.unique('t')}")
    apply(owner, document_root=str(mine), shell="chroot").ok()
    path = os.path.normpath(f"{mine}{named}")
    for dry in (True, False):
        told = refused(apply(thief, document_root=path, shell="bash", dry_run=dry), "conflict", "params.document_root")
        assert owner.name in told["message"], told
    assert sp_site.login_shell(thief) == "/bin/false"
    # His own directory inside somebody else's is his, as is a second domain of the same user.
    (mine / "own").mkdir()
    os.chown(mine / "own", thief.uid, thief.gid)
    apply(thief, document_root=str(mine / "own"), shell="bash").ok()
    apply(owner, domain=f"b.{owner.domain}", document_root=str(mine / "inside")).ok()
    for domain in (owner.domain, f"b.{owner.domain}"):
        remove(owner, domain).ok()
    if named != "/..":
        os.chown(mine, 0, 0)
        apply(thief, domain=f"c.{thief.domain}", document_root=path).ok()
        refused(sp.rpc("domain.apply", {"domain": owner.domain, "user": owner.name, "document_root": path}), "conflict")


# One uid has one jail

def test_a_second_name_of_a_uid_does_not_take_the_jail_of_the_first(host):
    user = sp_site.account()
    twin = user._replace(name=sp.unique("twin"), domain=f"{sp.unique('twin')}.example")
    sp.run(["useradd", "-o", "-u", str(user.uid), "-g", str(user.gid), "-M", "-d", user.home, "-s", "/bin/false", twin.name], check=True)
    record = pathlib.Path(f"/var/lib/sallyport/entry/{user.uid}")
    before = record.read_bytes()
    told = refused(apply(twin, shell="chroot", authorized_keys=[{"key": sp.keypair("twin").public}]), "conflict", "params.user")
    assert user.name in told["message"] and record.read_bytes() == before
    # Without a jail he is another name, and nobody's business; into one he does not come later either.
    apply(twin, shell="bash").ok()
    refused(apply(twin, shell="chroot"), "conflict", "params.user")
    remove(twin).ok()
    assert record.read_bytes() == before and sp.ssh(user, "test ! -e /boot && echo in").stdout == "in\n"
    in_force(user)
    remove(user).ok()
    apply(twin, shell="chroot").ok()
    assert twin.name in record.read_text()
    refused(sp_site.apply(user, shell="chroot"), "conflict", "params.user")


# What somebody shut while something was pending stays shut

@contextlib.contextmanager
def immutable(user):
    keys = pathlib.Path(user.home, ".ssh/authorized_keys")
    sp.run(["chattr", "+i", keys], check=True)
    try:
        yield
    finally:
        sp.run(["chattr", "-i", keys], check=True)


def shut_by_shell(user):
    sp.run(["usermod", "-s", "/usr/sbin/nologin", user.name], check=True)
    return lambda: sp_site.login_shell(user) == "/usr/sbin/nologin"


def shut_by_group(user):
    sp.run(["usermod", "-a", "-G", "sallyport-none", user.name], check=True)
    return lambda: "sallyport-none" in sp.run(["id", "-nG", user.name]).stdout.split()


@pytest.mark.parametrize("shut", [shut_by_shell])  # a removal that is held up is in the group, and finishing it takes it out
@pytest.mark.parametrize("restore", [False, True])
def test_a_pending_removal_opens_nothing_that_somebody_shut(host, shut, restore):
    user = sp.make_user(shell="/bin/bash")
    apply(user, shell="bash", authorized_keys=[{"key": sp.keypair().public}]).ok()
    with immutable(user):
        assert remove(user).error
        is_shut = shut(user)
        sp.rpc("system.reconcile", {}, timeout=60)
        assert is_shut()
    sp.rpc("system.reconcile", {}, timeout=60)
    assert is_shut()
    sp.rpc("system.reconcile", {"restore_access": True} if restore else {}, timeout=60)
    assert is_shut() or restore
    assert user.name not in json.dumps(sp.rpc("domain.list", {}).ok())


@pytest.mark.parametrize("shut", [shut_by_shell, shut_by_group])
def test_a_pending_request_opens_nothing_that_somebody_shut(host, shut):
    user = managed("bash")
    folder = pathlib.Path(user.home, ".ssh")
    folder.chmod(0o500)
    assert sp.rpc("keys.add", {"domain": user.domain, "key": sp.keypair("more").public}).error and get(user)["pending"]
    is_shut = shut(user)
    sp.rpc("system.reconcile", {}, timeout=60)
    assert is_shut() and get(user)["pending"]
    folder.chmod(0o700)
    sp.rpc("system.reconcile", {}, timeout=60)
    assert is_shut()
    apply(user, shell="bash").ok()  # asked for again, it is opened
    assert not is_shut()
    in_force(user)
    assert sp.ssh(user, "echo in", key=sp.keypair("more")).stdout == "in\n"


def test_what_was_begun_is_finished_by_reconcile(host):
    """Not only kept shut: a request that failed half way is carried out when the way is clear."""
    user = sp.make_user()
    folder = pathlib.Path(user.home, ".ssh")
    folder.mkdir(mode=0o500)
    os.chown(folder, user.uid, user.gid)
    apply(user, shell="none").ok()
    assert apply(user, shell="chroot", forwarding="all", authorized_keys=[{"key": sp.keypair().public}]).error
    assert get(user)["pending"] and sp_site.login_shell(user) == "/bin/false"
    folder.chmod(0o700)
    sp.rpc("system.reconcile", {}, timeout=60).ok()
    in_force(user)
    assert sp.ssh(user, "test ! -e /boot && echo in").stdout == "in\n"


# A generation is never seen twice

def test_a_generation_is_not_given_a_second_time(host):
    user = managed("bash")
    apply(user, forwarding="none").ok()
    old = get(user)["generation"]
    gone = remove(user).ok()["generation"]
    assert gone >= old
    new = apply(user, shell="bash").ok()["generation"]
    assert new > gone
    refused(apply(user, forwarding="none", if_generation=old), "conflict", "params.if_generation")
    apply(user, forwarding="none", if_generation=new).ok()


# The shell `none` closes the port for all of an account's domains

def test_none_for_the_whole_account_takes_every_domains_sources_from_the_firewall(host):
    user = sp.make_user()
    second = f"b.{user.domain}"
    apply(user, shell="bash", sources=["198.51.100.1"]).ok()
    apply(user, domain=second, shell="bash", sources=["198.51.100.2"]).ok()

    def known():
        return {one["source"] for one in sp.rpc("firewall.get").ok()["sources"]} & {"198.51.100.1/32", "198.51.100.2/32", "198.51.100.1", "198.51.100.2"}

    assert len(known()) == 2
    dry = apply(user, shell="none", account_wide=True, dry_run=True).ok()
    assert dry["changed"] and len(known()) == 2
    apply(user, shell="none", account_wide=True).ok()
    assert known() == set()
    apply(user, shell="bash", account_wide=True).ok()
    assert len(known()) == 2
    remove(user, second).ok()
    assert len(known()) == 1
    remove(user).ok()
    assert known() == set()


# Every key that lets in is shown, and one that was taken away does not come back

@pytest.mark.parametrize("store", ["home", "root"])
def test_keys_list_shows_the_keys_of_the_other_file_too(host, store):
    with configured(host, key_store=store):
        user, planted = managed("bash"), sp.keypair("planted")
        host.reload()
        sp.put_key(user, planted) if store == "root" else None
        folder = pathlib.Path(user.home, ".ssh")
        other = folder / ("authorized_keys" if store == "root" else "authorized_keys2")
        other.write_text(f"# mine\n{planted.public}\n")
        sp.run(["chown", "-R", f"{user.uid}:{user.gid}", folder], check=True)
        assert sp.ssh(user, "echo in", key=planted).stdout == "in\n"
        shown = sp.rpc("keys.list", {"domain": user.domain}).ok()["foreign_keys"]
        assert shown == [{"fingerprint": planted.fingerprint, "type": "ssh-ed25519", "line": 2, "file": f".ssh/{other.name}"}]
        # What cannot be read is said, and hides no other key.
        other.unlink()
        os.mkfifo(other)
        assert sp.rpc("keys.list", {"domain": user.domain}).ok()["foreign_keys"] == []
    remove(user).error
    apply(sp.make_user(), shell="bash").ok()
    host.reload()


@pytest.mark.parametrize("first", ["home", "root"])
def test_a_key_that_was_taken_away_does_not_come_back_with_the_key_store(host, first):
    second = "root" if first == "home" else "home"
    gone, stays = sp.keypair("gone"), sp.keypair("stays")
    with configured(host, key_store=first):
        user = managed("bash", keys=(gone, stays))
        host.reload()
        assert sp.ssh(user, "echo in", key=gone).stdout == "in\n"
    for store in (second, first, second):
        with configured(host, key_store=store):
            sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": gone.fingerprint}).ok()
            sp.rpc("system.reconcile", {}, timeout=60).ok()
            host.reload()
            assert sp.ssh(user, "echo in", key=stays).stdout == "in\n", store
            assert sp.ssh(user, "echo in", key=gone).rc == 255, store
            in_force(user)
    remove(user).ok()
    apply(sp.make_user(), shell="bash").ok()
    host.reload()


# A home behind links of root's

def linked_home(base, *, target_owner=0, mode=0o755):
    """/srv/TOP/base -> real, as /home -> /srv/home."""
    top = pathlib.Path("/srv") / sp.unique("homes")
    (top / "real").mkdir(parents=True)
    (top / base).symlink_to(top / "real")
    return top


@pytest.mark.parametrize("shell", ["bash", "chroot"])
@pytest.mark.parametrize("relative", [False, True])
def test_a_home_behind_a_link_of_roots_is_where_it_leads(host, shell, relative):
    top = linked_home("home")
    if relative:
        (top / "deep").mkdir()
        (top / "home").unlink()
        (top / "home").symlink_to("deep/../real/.")
    name = sp.unique("linked")
    home = top / "home" / name
    user = sp.make_user(name, home=home, docroot=f"/var/www/vhosts/{name}.example")
    apply(user, shell=shell, authorized_keys=[{"key": sp.keypair().public}]).ok()
    real = f"{top}/real/{name}"
    done = sp.ssh(user, "cd ~ && pwd -P; echo x > ~/mine; ls -d /boot 2>/dev/null")
    assert done.rc in (0, 2) and done.stdout.split()[0] == real, done
    assert pathlib.Path(real, "mine").read_text() == "x\n" and (done.stdout.count("/boot") == 0) == (shell == "chroot")
    in_force(user)
    remove(user).ok()
    assert pathlib.Path(real, ".ssh/authorized_keys").read_text() == ""


@pytest.mark.parametrize("how", ["link", "folder", "group", "last", "beneath", "loop"])
def test_a_home_behind_a_link_that_others_can_move_is_refused(host, how):
    top = linked_home("home")
    name = sp.unique("linked")
    user = sp.make_user(name, home=top / "home" / name, docroot=f"/var/www/vhosts/{name}.example")
    if how == "link":
        os.lchown(top / "home", user.uid, user.gid)
    elif how == "folder":
        os.chown(top, user.uid, user.gid)
    elif how == "group":
        os.chmod(top, 0o775)
    elif how == "last":  # the user's own directory is on the way to it
        below = top / "real" / name / "x"
        below.symlink_to("/srv")
        sp.run(["usermod", "-d", f"{top}/real/{name}/x/home", name], check=True)
    elif how == "beneath":
        (top / "real" / name).rename(top / "elsewhere")
        (top / "real" / name).symlink_to(top / "elsewhere")
        os.chmod(top / "real", 0o777)
    else:
        (top / "home").unlink()
        (top / "home").symlink_to("home")
    refused(apply(user, shell="bash", authorized_keys=[{"key": sp.keypair().public}]), {"unsafe_path", "not_found"})
    assert sp.ssh(user, "true").rc != 0
