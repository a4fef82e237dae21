# SPDX-License-Identifier: GPL-3.0-or-later
"""Document roots as panels own them and put them: each with a real login, and a chown -R of the panel's between two."""

import os
import pathlib
import re
import shutil
import time

import pytest

import sp
import sp_site

VHOSTS = pathlib.Path("/var/www/vhosts")


@pytest.fixture(scope="module", autouse=True)
def web(host):
    """The group that a panel gives its document roots to, so that the web server may pass."""
    sp.run(["groupadd", "-r", "psaserv"], check=True)
    sp.run(["usermod", "-a", "-G", "psaserv", "www-data"], check=True)


def works(user, root=None):
    """A login sees the site at its real path, is in a jail, and writes where it may."""
    root = root or user.docroot
    done = sp.ssh(user, f"pwd; test ! -e /boot && echo jailed; cat {root}/index.html; git -C ~ --version >/dev/null && echo git")
    assert done.stdout.split() == [user.home, "jailed", "site", "git"], done


def site_in(user):
    page = pathlib.Path(user.docroot, "index.html")
    page.write_text("site\n")
    os.chown(page, user.uid, user.gid)


# Who owns it

PANELS = {"plesk": ("user:psaserv", 0o750), "plesk-710": ("user:psaserv", 0o710), "root": ("root:root", 0o755), "own": ("user:user", 0o700),
          "own-web": ("user:www-data", 0o750), "root-group": ("root:user", 0o750), "setgid": ("user:psaserv", 0o2750)}


@pytest.mark.parametrize("panel", PANELS)
@sp.covers("jail 27", "jail 43", "tree owners")
def test_a_document_root_of_every_panel_survives_a_chown_between_two_logins(host, panel):
    owner, mode = PANELS[panel]
    name = sp.unique("own")
    user = sp.make_user(name, home=f"/home/{name}", docroot=VHOSTS / f"{name}.example", mode=mode, owner=owner.replace("user", name))
    os.chmod(user.docroot, mode)  # chown takes the setgid bit
    site_in(user)
    before = os.stat(user.docroot)
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    after = os.stat(user.docroot)
    assert (before.st_uid, before.st_gid, before.st_mode) == (after.st_uid, after.st_gid, after.st_mode), "it is the panel's"
    works(user)
    client = sp_site.background(user)
    for whose in (name, f"{name}:psaserv", f"{name}:{name}"):
        sp.run(["chown", "-R", whose, user.docroot], check=True)
        works(user)
        # What the panel gave away is still known for ours, and nothing is to be done but to name its group for `ls -l`.
        done = sp_site.apply(user, shell="chroot", jail=sp_site.JAIL).ok()
        assert all(change["target"].endswith("/group") for change in done["changes"]), done
        assert not sp_site.apply(user, shell="chroot", jail=sp_site.JAIL).ok()["changed"]
    sp.run(["chmod", "-R", "u+rwX,g+rX,o-w", user.docroot], check=True)
    works(user)
    sp_site.end(client)
    sp_site.apply(user, shell="chroot").ok()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert sorted(os.listdir(user.docroot)) in (["index.html"], sorted(["index.html", *left(user)])), os.listdir(user.docroot)


def left(user):
    """What a chmod -R of the panel's made unlike ours stays: empty directories, never content."""
    names = [name for name in os.listdir(user.docroot) if name != "index.html"]
    assert all(os.path.isdir(f"{user.docroot}/{name}") and not os.listdir(f"{user.docroot}/{name}") for name in names), names
    return names


# Where it is

PLACES = {"equal": ("{vhosts}/{name}", "{vhosts}/{name}"), "inside": ("/home/{name}", "/home/{name}/public_html"),
          "deep-inside": ("/home/{name}", "/home/{name}/domains/x.example/web"), "outside": ("/home/{name}", "{vhosts}/{name}"),
          "around": ("{vhosts}/{name}/private/home", "{vhosts}/{name}"), "srv": ("/srv/users/{name}", "/srv/www/{name}/htdocs")}


@pytest.mark.parametrize("place", PLACES)
@sp.covers("tree places")
def test_home_and_document_root_stand_at_their_real_paths_wherever_they_are(host, place):
    name = sp.unique("place")
    home, root = (path.format(name=name, vhosts=VHOSTS) for path in PLACES[place])
    user = sp.make_user(name, home=home, docroot=root)
    site_in(user)
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    works(user)
    done = sp.ssh(user, f"echo a > {root}/by-path; echo b > /by-slash; echo c > {home}/at-home; cat {root}/by-slash /by-path")
    assert done.stdout == "b\na\n", done
    assert [pathlib.Path(path).read_text() for path in (f"{root}/by-path", f"{root}/by-slash", f"{home}/at-home")] == ["a\n", "b\n", "c\n"]
    # Nobody else's is there, not even its name.
    done = sp.ssh(user, f"ls {pathlib.Path(root).parent} {pathlib.Path(home).parent} /home {VHOSTS} 2>/dev/null")
    assert not {word for word in done.stdout.split() if word.startswith(("own", "place")) and name not in word}, done
    assert sp.rpc("domain.get", {"domain": user.domain}).ok()["in_force"]
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert not [entry for entry in os.scandir(root) if entry.is_dir() and entry.stat().st_mode & 0o7777 == 0o1555]


@sp.covers("tree several-roots")
def test_several_document_roots_of_an_account_stand_at_their_real_paths(host):
    name = sp.unique("many")
    user = sp.make_user(name, home=f"/home/{name}", docroot=VHOSTS / f"{name}.example")
    roots = [user.docroot, f"{VHOSTS}/{name}-two.example", f"/srv/more/{name}/web", f"{user.docroot}/sub/inside", f"/home/{name}/at-home"]
    keys = [sp.keypair(f"root-{n}") for n in range(len(roots))]
    for n, (root, key) in enumerate(zip(roots, keys)):
        os.makedirs(root, exist_ok=True)
        pathlib.Path(root, "which").write_text(f"{n}\n")
        sp.run(["chown", "-R", f"{user.uid}:{user.gid}", root], check=True)
        sp_site.apply(user, domain=f"d{n}.{user.domain}", document_root=root, shell="chroot", jail=sp_site.JAIL, keys=[key]).ok()
    for key in keys:
        done = sp.ssh(user, "cat /which " + " ".join(f"{root}/which" for root in roots), key=key)
        assert done.stdout.split() == ["0", *"01234"], done
    # A tool that records a path in one root finds the other by it, and so does the web server outside.
    done = sp.ssh(user, f"cd {roots[0]} && git init -q x && cd x && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x"
                        f" && git worktree add -q {roots[1]}/tree && git -C {roots[1]}/tree status -sb", key=keys[0])
    assert done.rc == 0 and "tree" in done.stdout, done
    assert sp.as_user(user, ["git", "-C", f"{roots[1]}/tree", "status", "-sb"]).stdout.strip() == done.stdout.strip()
    # One goes, its place with it; the others stay.
    sp.rpc("domain.remove", {"domain": f"d1.{user.domain}"}).ok()
    done = sp.ssh(user, f"cat {roots[2]}/which; ls -d {roots[1]}", key=keys[2])
    assert done.stdout == "2\n" and "No such file" in done.stderr, done
    # The first one goes: the next is "/", and the mount points move along.
    sp.rpc("domain.remove", {"domain": f"d0.{user.domain}"}).ok()
    assert sp.ssh(user, "cat /which", key=keys[2]).stdout == "2\n"
    assert "usr" not in os.listdir(roots[0]) and "usr" in os.listdir(roots[2])


SITES = {"symfony": ["bin/console", "var/cache/prod/x", "public/index.php", "vendor/autoload.php"],
         "magento": ["app/etc/env.php", "bin/magento", "lib/internal/a", "var/log/system.log", "dev/tests/a", "pub/index.php"],
         "everything": [f"{name}/own" for name in "bin lib lib64 sbin usr etc dev proc tmp run var home".split()]}


@pytest.mark.parametrize("site", SITES)
@sp.covers("jail 47", "tree own-directories")
def test_a_site_with_directories_of_these_names_is_not_touched(host, site):
    user = sp.make_user()
    for name in SITES[site]:
        path = pathlib.Path(user.docroot, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", user.docroot], check=True)
    names = [f"{user.docroot}/{name}" for name in os.listdir(user.docroot)]
    before = sp.snapshot(names, times=True)
    answer = sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    assert any("path layout" in text for text in answer["warnings"]), answer
    done = sp.ssh(user, f"cd {user.docroot} && cat {' '.join(SITES[site])} && git --version && test ! -e /boot && ls -A")
    assert done.rc == 0 and done.stdout.startswith("".join(f"{name}\n" for name in SITES[site])), done
    sp.run(["sallyport", "reconcile"], timeout=60)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert before.diff(sp.snapshot(names, times=True)) == []
    assert sorted(os.listdir(user.docroot)) == sorted([os.path.basename(name) for name in names] + [".ssh"])


def test_names_in_a_home_that_is_the_document_root_are_as_the_manual_says(host):
    """chroot-bash(8): `~/bin` and the like are mount points in the root layout, and the customer's own in the path layout."""
    manual = (pathlib.Path(__file__).parents[2] / "man/chroot-bash.8").read_text()
    user = sp.make_user()
    assert user.home == user.docroot
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    points = [name for name in os.listdir(user.docroot) if name != ".ssh"]
    assert sorted(points) == sorted("bin lib lib64 sbin usr etc dev proc tmp run var".split())
    assert all(re.search(rf"~/{name}\b", manual) for name in points)
    for name in points:
        done = sp.ssh(user, f"cd; ls -A {name}; touch {name}/x; rmdir {name}; mv {name} mine; ls -d mine")
        assert done.rc != 0 and done.stdout == "", done
    done = sp.ssh(user, "mkdir -p ~/.local/bin && printf '#!/bin/sh\necho mine' >~/.local/bin/tool && chmod +x ~/.local/bin/tool && ~/.local/bin/tool")
    assert done.stdout == "mine\n", done
    os.rmdir(f"{user.docroot}/bin")  # over FTP
    shutil.copytree(f"{user.docroot}/.local/bin", f"{user.docroot}/bin")
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", f"{user.docroot}/bin"], check=True)
    deadline = time.monotonic() + 20 * sp.PATIENCE  # the jail of the login before ends with its last process
    while (done := sp.ssh(user, "~/bin/tool && echo more >~/bin/more && cat ~/bin/more")).rc != 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert done.stdout == "mine\nmore\n", done
    assert sp.rpc("domain.get", {"domain": user.domain}).ok()["jail"]["layout"] == "path"
