# SPDX-License-Identifier: GPL-3.0-or-later
"""Escape and abuse tests of the jail, techniques 25 to 28, 43 and 47: what stands in the document root, who owns it,
and who swaps it while sallyport builds or somebody logs in."""

import os
import pathlib
import shutil
import subprocess

import pytest

import sp
import sp_site

POINTS = "bin lib lib64 sbin usr etc dev proc tmp run var".split()
STORE = "/var/lib/sallyport"
# What a request may change of the host: its own store and the account databases.
OWN = [STORE, "/etc/passwd", "/etc/passwd-", "/etc/group", "/etc/group-", "/etc/gshadow", "/etc/gshadow-", "/etc/.pwd.lock",
       "/etc/shadow", "/etc/shadow-", "/etc/subuid", "/etc/subuid-", "/etc/subgid", "/etc/subgid-"]


def the_host():
    """The host's files that an escape of root's hands would reach; root's home and /opt without what is below."""
    found = sp.snapshot(["/etc", "/usr/libexec/sallyport", "/usr/bin"], exclude=OWN)
    for folder in ("/root", "/opt", "/"):
        names = [os.path.join(folder, name) for name in os.listdir(folder)]
        found.update(sp.snapshot([folder], exclude=names))
        found.update((name, {"is": "there"}) for name in names)
    return found


def give(path, user):
    os.chown(path, user.uid, user.gid, follow_symlinks=False)


def works_in(user, layout):
    """A login works, sees its site, and nothing of the host; in the layout that is expected."""
    done = sp.ssh(user, f"cd {user.docroot} && pwd && git --version && test ! -e /boot && test ! -e /etc/shadow && stat -fc %T /")
    assert done.rc == 0 and done.stdout.split()[0] == user.docroot, done
    got = sp.rpc("domain.get", {"domain": user.domain}).ok()["jail"]["layout"]
    assert got == layout and (done.stdout.split()[-1] == "tmpfs") == (layout == "path"), (got, done)


PLANTS = {
    "links-to-the-host": {name: f"/{name}" for name in ("etc", "dev", "tmp", "usr", "bin", "lib", "run", "proc", "var")},
    "links-to-root": {"etc": "/root", "tmp": "/root", "usr": "/opt"},
    "dangling": {"etc": "/etc/new-by-sallyport", "run": "/root/new-by-sallyport", "var": "/opt/new-by-sallyport"},
    "relative": {"etc": "../../../../etc", "dev": "../../../../dev", "lib": "usr/lib", "usr": "."},
}


@pytest.mark.parametrize("plant", PLANTS)
def test_jail_25_planted_links_do_not_carry_build_refresh_or_removal_out(host, plant):
    user = sp.make_user()
    for name, target in PLANTS[plant].items():
        os.symlink(target, f"{user.docroot}/{name}")
        give(f"{user.docroot}/{name}", user)
    before, links = the_host(), sp.snapshot([f"{user.docroot}/{name}" for name in PLANTS[plant]])
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["base"]}).ok()
    works_in_base(user)
    sp_site.apply(user, jail=sp_site.JAIL).ok()
    works_in(user, "path")
    sp.run(["sallyport", "reconcile"], timeout=60)
    works_in(user, "path")
    assert sp_site.apply(user, shell="chroot").ok()["changed"] is False
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert before.diff(the_host()) == []
    assert links.diff(sp.snapshot([f"{user.docroot}/{name}" for name in PLANTS[plant]])) == []


def works_in_base(user):
    assert sp.ssh(user, f"cd {user.docroot} && test ! -e /boot && echo in").stdout == "in\n"


def test_jail_25_planted_links_after_the_build_do_not_carry_the_removal_out(host):
    user = sp_site.account()
    before = the_host()
    for name in ("etc", "run", "var", "usr"):
        os.rmdir(f"{user.docroot}/{name}")
        os.symlink({"etc": "/etc/ssh/sshd_config.d", "run": "/opt/empty", "var": "/root", "usr": "/opt"}[name],
                   f"{user.docroot}/{name}")
    os.makedirs("/opt/empty", exist_ok=True)
    before = the_host()
    works_in(user, "path")
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert before.diff(the_host()) == []
    assert not os.path.isdir(f"{user.docroot}/proc") and os.path.islink(f"{user.docroot}/etc")


SWAPPER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
a, b = (name.encode() for name in sys.argv[1:])
print("ready")
while True:
    libc.renameat2(-100, a, -100, b, 2)
"""


@pytest.mark.parametrize("bait", ["/", "/etc", "/root"])
def test_jail_26_a_parent_that_swaps_during_login_fails_closed(host, bait):
    """The parent of the document root belongs to the user, who exchanges it with a link to the host's, all the time."""
    name = sp.unique("swap")
    below = pathlib.Path("/var/www/vhosts") / name
    user = sp.make_user(name, home=f"/home/{name}", docroot=below / "moving" / "site")
    give(below / "moving", user)
    give(below, user)
    os.makedirs(f"{bait}/site", exist_ok=True)
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["base"]}).ok()
    os.symlink(bait, below / "bait")
    give(below / "bait", user)
    seen, before = set(), the_host()
    with sp_site.Outside.python(user, SWAPPER, str(below / "moving"), str(below / "bait")):
        for _ in range(40):
            done = sp.ssh(user, "test -e /boot && echo OUT; test -e /shadow && echo OUT; stat -c %u $(pwd -P) / | sort -u;"
                                f" ls {user.docroot}/.. ; touch {user.docroot}/mine && echo wrote")
            seen.add((done.rc, "OUT" in done.stdout, done.rc != 125 and "shadow" in done.stdout))
            # Root works in it likewise.
            sp_site.apply(user, jail={"profiles": ["base"], "tmp_mib": 8})
    os.rmdir(f"{bait.rstrip('/')}/site")
    assert {bad for _, *bad in ((rc, a, b) for rc, a, b in seen) for bad in bad} == {False}, seen
    assert any(rc == 0 for rc, *_ in seen) or any(rc == 125 for rc, *_ in seen), seen
    assert [line for line in before.diff(the_host()) if "/site" not in line] == []
    shutil.rmtree(below / "moving", ignore_errors=True)


def replace_root(user, kind):
    root = pathlib.Path(user.docroot)
    root.rename(f"{root}.was")
    if kind == "link":
        root.symlink_to("/etc")
    elif kind == "link-to-itself":
        root.symlink_to(f"{root}.was")
    elif kind == "file":
        root.write_text("")
    elif kind == "fifo":
        os.mkfifo(root)
    elif kind == "stranger":
        root.mkdir(0o777)
        os.chmod(root, 0o777)
        os.chown(root, 65534, 65534)
    if kind in ("file", "fifo"):
        give(root, user)


@pytest.mark.parametrize("kind", ["link", "link-to-itself", "file", "fifo", "stranger", "missing"])
def test_jail_27_a_root_that_is_not_an_own_directory_is_refused(host, kind):
    fresh = sp.make_user(home=f"/home/{sp.unique('fresh')}", docroot=f"/var/www/vhosts/{sp.unique('root')}")
    replace_root(fresh, kind)
    before = the_host()
    answer = sp_site.apply(fresh, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["base"]})
    assert answer.reason in ("unsafe_path", "not_found") and answer.error["data"]["hint"], answer
    assert answer.error["data"]["field"] == "params.document_root", answer
    assert sp_site.login_shell(fresh) == "/bin/false" and before.diff(the_host()) == []
    # The same after the build: then it is the login that is refused.
    user = sp.make_user(home=f"/home/{sp.unique('built')}", docroot=f"/var/www/vhosts/{sp.unique('root')}")
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["base"]}).ok()
    replace_root(user, kind)
    done = sp.ssh(user, "ls /")
    assert done.rc == 125 and done.stdout == "" and "chroot-bash" in done.stderr, done


@pytest.mark.parametrize("owner", ["user:user", "root:root", "user:www-data", "root:user"])
def test_jail_27_a_root_in_each_panels_ownership_works(host, owner):
    name = sp.unique("panel")
    owner = owner.replace("user", name)
    user = sp.make_user(name, home=f"/home/{name}", docroot=f"/var/www/vhosts/{name}.example", mode=0o755, owner=owner)
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    works_in(user, "root")
    # A panel repairs its trees at will, and what it does changes nothing.
    for other in (name, f"{name}:{name}", "root:root", f"{name}:www-data"):
        sp.run(["chown", "-R", other, user.docroot], check=True)
        works_in(user, "root")


@pytest.mark.parametrize("kind", ["missing", "link", "file", "fifo", "own-content", "all-gone"])
def test_jail_28_mount_points_that_the_user_replaces_gain_nothing(host, kind):
    user = sp_site.account()
    works_in(user, "root")
    point = pathlib.Path(user.docroot) / "usr"
    sp.as_user(user, ["sh", "-c", {
        "missing": "rmdir usr", "link": "rmdir usr; ln -s / usr", "file": "rmdir usr; echo x > usr",
        "fifo": "rmdir usr; mkfifo usr", "own-content": "rmdir usr; mkdir -p usr/bin; printf '#!/bin/sh\necho EVIL' > usr/bin/git;"
        "chmod +x usr/bin/git", "all-gone": "rmdir " + " ".join(POINTS),
    }[kind].join((f"cd {user.docroot}; ", ""))], check=True)
    if kind == "all-gone":
        assert not point.exists()
    works_in(user, "path")
    assert "EVIL" not in sp.ssh(user, "git --version").stdout
    before = sp.snapshot([point]) if os.path.lexists(point) else None
    answer = sp_site.apply(user, shell="chroot", jail=sp_site.JAIL).ok()
    # What is only gone is made anew; what stands there is the site's.
    works_in(user, "root" if kind in ("missing", "all-gone") else "path")
    assert before is None or before.diff(sp.snapshot([point])) == [], answer


def test_jail_43_a_recursive_chown_of_the_vhost_changes_no_file_of_the_host_or_store(host):
    user = sp_site.account()
    client = sp_site.background(user)
    before = sp.snapshot([STORE, "/usr/bin", "/usr/lib/git-core", "/etc"], exclude=[f"{STORE}/state"])
    for argv in (["chown", "-R", f"{user.name}:{user.name}", user.docroot], ["chmod", "-R", "u+rwX,go+r", user.docroot],
                 ["setfacl", "-R", "-m", f"u:{user.name}:rwx", user.docroot]):
        sp.run(argv, check=True)
    sp.ssh(user, f"chown -R {user.name} / 2>/dev/null; chmod -R 777 /usr /etc /dev 2>/dev/null; echo x >> /usr/bin/git")
    after = sp.snapshot([STORE, "/usr/bin", "/usr/lib/git-core", "/etc"], exclude=[f"{STORE}/state"])
    sp_site.end(client)
    assert before.diff(after) == []
    # No name of the store is a second name of one of the host's files.
    hosts, stored = ({(info.st_dev, info.st_ino) for root in roots for folder, _, names in os.walk(root) for name in names
                      for info in [os.lstat(os.path.join(folder, name))]} for roots in (["/usr", "/etc"], [f"{STORE}/gen"]))
    assert len(stored) > 100 and not stored & hosts
    sp.run(["setfacl", "-R", "-b", user.docroot], check=True)
    assert sp.ssh(user, "git --version").rc == 0


@pytest.mark.parametrize("own", [["bin/console"], ["lib/Magento/a.php", "var/cache/x"], ["etc/app.conf"],
                                 ["bin/console", "lib/b", "var/c", "etc/d", "usr/e", "tmp/f", "run/g", "dev/h"]])
def test_jail_47_a_site_with_its_own_directories_keeps_them_in_the_path_layout(host, own):
    user = sp.make_user()
    for name in own:
        path = pathlib.Path(user.docroot) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the site's {name}")
    sp.run(["chown", "-R", f"{user.name}:{user.name}", user.docroot], check=True)
    tops = sorted({f"{user.docroot}/{name.split('/')[0]}" for name in own})
    before = sp.snapshot(tops, times=True)
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    works_in(user, "path")
    reason = sp.rpc("domain.get", {"domain": user.domain}).ok()["jail"]["layout_reason"]
    assert reason in [f"{name.split('/')[0]} has content of its own" for name in own], reason
    done = sp.ssh(user, " && ".join(f"cat {user.docroot}/{name}" for name in own))
    assert done.stdout == "".join(f"the site's {name}" for name in own), done
    assert sp.ssh(user, f"cd {user.docroot} && echo new > by-the-user && cat by-the-user").stdout == "new\n"
    assert before.diff(sp.snapshot(tops, times=True)) == []
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert before.diff(sp.snapshot(tops, times=True)) == []
    assert sorted(os.listdir(user.docroot)) == sorted({name.split("/")[0] for name in own} | {".ssh", "by-the-user"})
