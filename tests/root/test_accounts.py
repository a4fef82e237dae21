# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts over real requests and logins: several domains on one user, narrowing, removal, and requests sent twice."""

import os
import pathlib
import signal
import time

import pytest

import sp
import sp_site
from sp_terminal import Terminal

STORE = "/var/lib/sallyport"


def fingerprints(user, domain):
    return [key["fingerprint"] for key in sp.rpc("domain.get", {"domain": domain}).ok()["authorized_keys"]]


def lets_in(user, *keys):
    """Which of these keys log in."""
    return [key.fingerprint for key in keys if sp.ssh(user, "echo in", key=key).stdout == "in\n"]


# Two domains and a subdomain on one user

@pytest.fixture(scope="module")
def hosting(host):
    """One system user, two domains with a document root each, and a subdomain below the first one's."""
    name = sp.unique("host")
    vhosts = pathlib.Path("/var/www/vhosts") / name
    user = sp.make_user(name, home=f"/home/{name}", docroot=vhosts / "first.example")
    roots = {f"first.{name}.example": vhosts / "first.example", f"second.{name}.example": vhosts / "second.example",
             f"sub.first.{name}.example": vhosts / "first.example" / "sub"}
    for domain, root in roots.items():
        root.mkdir(exist_ok=True)
        os.chown(root, user.uid, user.gid)
        (root / "index.html").write_text(domain)
    keys = {domain: sp.keypair(domain) for domain in roots}
    return user, roots, keys


def attach(hosting, domain, **params):
    user, roots, keys = hosting
    return sp_site.apply(user, domain, str(roots[domain]), [keys[domain]], **params)


def test_two_domains_and_a_subdomain_share_one_jail_and_each_keeps_its_keys(hosting):
    user, roots, keys = hosting
    first, second, sub = roots
    attach(hosting, first, shell="chroot", jail=sp_site.JAIL).ok()
    assert lets_in(user, *keys.values()) == [keys[first].fingerprint]
    assert sp.ssh(user, f"cat /index.html; ls {roots[second]}", key=keys[first]).stdout == first
    # The further ones add to the account, and need not repeat the shell.
    attach(hosting, second).ok()
    attach(hosting, sub, shell="chroot").ok()
    assert lets_in(user, *keys.values()) == [key.fingerprint for key in keys.values()]
    for domain in roots:
        assert fingerprints(user, domain) == [keys[domain].fingerprint]
        done = sp.ssh(user, "cat /index.html; " + "; ".join(f"cat {root}/index.html" for root in roots.values()), key=keys[domain])
        assert done.stdout == first + "".join(roots), done
    done = sp.ssh(user, " && ".join(f"touch {root}/new" for root in roots.values()) + "; echo > /var/www/x", key=keys[sub])
    assert done.rc != 0 and all((root / "new").exists() for root in roots.values()), done
    got = sp.rpc("domain.get", {"domain": sub}).ok()
    assert (got["document_root"], got["shell"], sorted(got["domains"])) == (str(roots[sub]), "chroot", sorted(roots))


def test_a_contradicting_shell_is_a_conflict_until_it_is_said_to_be_account_wide(hosting):
    user, roots, keys = hosting
    first, second, sub = roots
    before = sp.snapshot(["/etc", STORE, user.home], times=True)
    answer = attach(hosting, sub, shell="bash")
    assert answer.reason == "conflict" and answer.error["data"]["field"] == "params.shell", answer
    assert first in answer.error["message"] and "account_wide" in answer.error["data"]["hint"], answer
    assert answer.exit != 0 and sp_site.login_shell(user) == sp.CHROOT_BASH
    left = [line for line in before.diff(sp.snapshot(["/etc", STORE, user.home], times=True)) if "mtime" not in line]
    assert left == []
    attach(hosting, sub, shell="bash", account_wide=True).ok()
    assert sp_site.login_shell(user) == "/bin/bash"
    assert {sp.rpc("domain.get", {"domain": domain}).ok()["shell"] for domain in roots} == {"bash"}
    assert sp.ssh(user, "test -d /boot", key=keys[second]).rc == 0
    attach(hosting, sub, shell="chroot", account_wide=True).ok()
    assert sp.ssh(user, "test -d /boot", key=keys[second]).rc == 1


def test_removing_a_domain_leaves_the_others_their_access(hosting):
    user, roots, keys = hosting
    first, second, sub = roots
    sp.rpc("domain.remove", {"domain": second}).ok()
    assert lets_in(user, *keys.values()) == [keys[first].fingerprint, keys[sub].fingerprint]
    done = sp.ssh(user, f"cat /index.html; ls -A {roots[second]}", key=keys[sub])
    assert done.stdout == first and "No such file" in done.stderr, done
    # The first one's document root was "/"; now the subdomain's is.
    sp.rpc("domain.remove", {"domain": first}).ok()
    assert lets_in(user, *keys.values()) == [keys[sub].fingerprint]
    assert sp.ssh(user, "cat /index.html", key=keys[sub]).stdout == sub
    sp.rpc("domain.remove", {"domain": sub}).ok()
    assert lets_in(user, *keys.values()) == [] and sp_site.login_shell(user) == "/bin/false"
    assert all((root / "index.html").read_text() == domain for domain, root in roots.items())
    # Of the mount points, which moved with "/", none is left.
    assert [sorted(os.listdir(root)) for root in roots.values()] == [["index.html", "new", "sub"], *[["index.html", "new"]] * 2]
    assert sp.rpc("domain.get", {"domain": first}).reason == "not_found"


def test_a_key_that_two_domains_name_stays_until_both_are_gone(host):
    name = sp.unique("share")
    home = pathlib.Path("/var/www/vhosts") / name
    user = sp.make_user(name, home=home, docroot=home / "a")
    (home / "b").mkdir()
    os.chown(home / "b", user.uid, user.gid)
    key = sp.keypair("shared")
    for part in ("a", "b"):
        sp_site.apply(user, f"{part}.{name}.example", str(home / part), [key], shell="bash").ok()
    sp.rpc("domain.remove", {"domain": f"a.{name}.example"}).ok()
    assert lets_in(user, key)
    sp.rpc("domain.remove", {"domain": f"b.{name}.example"}).ok()
    assert not lets_in(user, key)


# Access withdrawn

def daemon(user):
    """A process of the same uid that no login started: PHP-FPM's."""
    return sp_site.Outside.python(user, "import time; print('ready'); time.sleep(1000)")


def of_logins(user, web):
    return [one for one in sp_site.processes(user) if one.pid != web.pid]


@pytest.mark.parametrize("shell", ["bash", "chroot"])
def test_the_shell_none_ends_what_logins_started_and_nothing_else(host, shell):
    user = sp_site.account(shell)
    with daemon(user) as web, Terminal(user) as term:
        term.expect(r"\$ ")
        term.send("tmux new-session -d -s work 'sleep 2001'; (setsid nohup sleep 2002 >/dev/null 2>&1 </dev/null &) ; echo up-$((1+1))\n")
        term.expect("up-2")
        client = sp_site.background(user)
        sp.wait_for(lambda: len(sp_site.processes(user, "sleep")) == 2, what="both jobs")
        assert any("tmux" in one.name for one in sp_site.processes(user))
        result = sp_site.apply(user, shell="none").ok()
        assert result["changed"] and of_logins(user, web) == [], result
        assert client.wait(10) == 255 and term.wait() == 255
        assert web.alive()
        assert sp_site.login_shell(user) == "/bin/false"
        assert sp.ssh(user, "true").rc == 255
        sp.run(["chsh", "-s", "/bin/bash", user.name])
        assert sp.ssh(user, "true").rc == 255, "the group alone shuts it"
        sp.run(["chsh", "-s", "/bin/false", user.name], check=True)
    # And back: the same keys, without sending them again.
    sp_site.apply(user, shell=shell).ok()
    assert sp.ssh(user, "echo in").stdout == "in\n"


def test_a_login_of_another_user_goes_on_when_one_is_shut(host):
    one, two = sp_site.account(), sp_site.account()
    client = sp_site.background(two)
    sp_site.apply(one, shell="none").ok()
    assert client.poll() is None and sp.ssh(two, "echo in").stdout == "in\n"
    sp_site.end(client)


def test_none_touches_neither_password_nor_expiry_nor_other_daemons(host):
    user = sp_site.account("bash")
    sp.run(["chpasswd"], input=f"{user.name}:Secret-{user.uid}\n", check=True)
    shadow = sp.run(["getent", "shadow", user.name], check=True).stdout
    sp_site.apply(user, shell="none").ok()
    assert sp.run(["getent", "shadow", user.name], check=True).stdout == shadow
    assert sp.ssh(user, "true", password=f"Secret-{user.uid}").rc != 0


def test_from_bash_to_chroot_the_unjailed_sessions_end(host):
    user = sp_site.account("bash")
    with daemon(user) as web:
        client = sp_site.background(user)
        job = sp.ssh(user, "nohup setsid sleep 2003 >/dev/null 2>&1 </dev/null & echo $!").stdout.strip()
        assert os.path.exists(f"/proc/{job}")
        sp_site.apply(user, shell="chroot", jail=sp_site.JAIL).ok()
        assert client.wait(10) == 255 and of_logins(user, web) == []
        assert web.alive()
        assert sp.ssh(user, "test -e /boot; echo $?").stdout == "1\n"


def test_from_chroot_to_bash_and_a_key_edit_end_no_session(host):
    user = sp_site.account("chroot")
    client = sp_site.background(user)
    sp_site.apply(user, keys=[sp.keypair(), sp.keypair("more")]).ok()
    sp_site.apply(user, shell="bash").ok()
    assert client.poll() is None
    assert sp.ssh(user, "test -d /boot").rc == 0
    sp_site.end(client)


# Removal

@pytest.mark.parametrize("found", ["/bin/false", "/usr/sbin/nologin", "/bin/sh", "/usr/bin/dash"])
def test_removal_gives_back_the_shell_that_was_found(host, found):
    user = sp.make_user(shell=found)
    for shell in ("bash", "chroot", "none", "chroot"):
        sp_site.apply(user, shell=shell, keys=[sp.keypair()]).ok()
    client = sp_site.background(user)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert sp_site.login_shell(user) == found
    assert client.wait(10) == 255
    groups = sp.run(["id", "-Gn", user.name], check=True).stdout.split()
    assert not [group for group in groups if group.startswith("sallyport")], groups


def test_removal_leaves_user_home_content_and_foreign_keys(host):
    user = sp.make_user()
    own = sp.keypair("own")
    sp.put_key(user, own)
    (pathlib.Path(user.docroot) / "index.html").write_text("site")
    paths = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", user.home]
    before = sp.snapshot(paths)
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    assert lets_in(user, own, sp.keypair()) == [own.fingerprint, sp.keypair().fingerprint]
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    sp.wait_for(lambda: not sp_site.jails(user), what="the end of the jail")
    assert before.diff(sp.snapshot(paths)) == []
    assert not list(pathlib.Path(STORE).glob(f"*/{user.uid}")) and os.listdir(f"{STORE}/state").count(user.name) == 0
    again = sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert again["changed"] is False


# The same request twice

@pytest.mark.parametrize("shell", ["none", "bash", "chroot"])
def test_an_identical_second_request_touches_nothing(host, shell):
    user = sp.make_user()
    request = {"shell": shell, "keys": [sp.keypair(), sp.keypair("more")], "forwarding": "all",
               "jail": {"profiles": ["git"], "tmp_mib": 64}}
    assert sp_site.apply(user, **request).ok()["changed"] is True
    paths = ["/etc", user.home, STORE, "/run/sallyport"]
    before, mark = sp.snapshot(paths, times=True), time.time_ns()
    for _ in range(2):
        result = sp_site.apply(user, **request).ok()
        assert (result["changed"], result["changes"]) == (False, []), result
    after = sp.snapshot(paths, times=True)
    assert before.diff(after) == []
    changed = [path for path in after if os.lstat(path).st_ctime_ns > mark and not path.endswith(".pwd.lock")]
    assert changed == []


def test_a_dry_run_tells_the_changes_and_makes_none(host):
    user = sp.make_user()
    paths = ["/etc", user.home, STORE]
    request = {"shell": "chroot", "keys": [sp.keypair()], "jail": sp_site.JAIL}
    before = sp.snapshot(paths, times=True)
    told = sp_site.apply(user, dry_run=True, **request).ok()
    assert before.diff(sp.snapshot(paths, times=True)) == []
    done = sp_site.apply(user, **request).ok()

    def names(result):
        return [(change["resource"], change["target"], change["to"]) for change in result["changes"]]

    assert told["changes"] and names(told) == names(done)
    assert {change["read_back"] for change in told["changes"]} == {None}
    assert sp.ssh(user, "echo in").stdout == "in\n"


def test_a_killed_jail_init_leaves_no_account_shut(host):
    user = sp_site.account()
    client = sp_site.background(user)
    os.kill(sp.wait_for(lambda: sp_site.jails(user), what="the jail")[0], signal.SIGKILL)
    client.wait(10)
    assert sp.ssh(user, "echo in").stdout == "in\n"
