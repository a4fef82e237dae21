# SPDX-License-Identifier: GPL-3.0-or-later
"""Extra logins: further users on a domain's files, by real logins through sshd."""

import datetime
import grp
import json
import os
import pathlib
import re
import stat
import subprocess
import time

import pytest

import sp
import sp_site
from sp_users import add, ground, login, site  # noqa: F401

FILES = [pathlib.Path("/etc") / name for name in ("passwd", "shadow", "group", "gshadow")]
MAPS = pathlib.Path("/run/sallyport/idmap")
STORE = pathlib.Path("/var/lib/sallyport")


def listed(site):
    return sp.rpc("user.list", {"domain": site.domain}).ok()


def remove(site, name):
    return sp.rpc("user.remove", {"domain": site.domain, "user": name}).ok()


def tech(user, command, **more):
    return sp.ssh(user, command, key=sp.keypair("tech"), **more)


def stays(user, key):
    """A login that lives on meanwhile."""
    session = subprocess.Popen([*sp.client("ssh", key=sp.keypair(key)), f"{user.name}@127.0.0.1", "echo in; exec sleep 1000"],
                               stdout=subprocess.PIPE, text=True)
    assert session.stdout.readline() == "in\n"
    return session


def owner(path):
    st = os.lstat(path)
    return st.st_uid, st.st_gid


def traces(name, uid):
    """Whatever the host still has of a login."""
    found = [f"{path}: {line}" for path in FILES for line in path.read_text().splitlines() if name in line.replace(":", ",").split(",")]
    places = [*STORE.glob(f"logins/*/{name}"), *STORE.glob(f"*/{uid}"), *STORE.glob(f"state/{name}.json"), *MAPS.glob(f"*-{uid}.*")]
    return found + [str(path) for path in places if path.exists()] + sp.run(["pgrep", "-U", str(uid)]).stdout.split()


def test_an_extra_login_works_on_the_files_as_its_own_and_they_stay_the_sites(site):
    user = add(site, label="Anna, agency")
    root = pathlib.Path(site.docroot)
    (root / "index.php").write_text("<?php\n")
    os.chown(root / "index.php", site.uid, site.gid)
    done = tech(user, f"id -u; pwd; stat -c %U {root}/index.php; echo '// more' >> index.php; mkdir new; touch new/a; "
                      "git init -q . && git add index.php && git -c user.name=A -c user.email=a@b commit -qm one && git log --format=%s; ls -ln new")
    assert done.rc == 0, done
    assert done.stdout.split()[:5] == [str(user.uid), str(root), user.name, "one", "total"] and f" {user.uid} {user.gid} " in done.stdout
    assert user.uid != site.uid and 70000 <= user.uid <= 99999
    made = [root / "new", root / "new/a", root / ".git/HEAD", root / "index.php"]
    assert {owner(path) for path in made} == {(site.uid, site.gid)}
    assert sp.as_user(site, ["sh", "-c", f"cat {root}/index.php && echo b >> {root}/new/a"]).rc == 0
    upload = sp.WORK / "upload"
    upload.write_text("sent\n")
    assert sp.sftp_batch(user, [f"put {upload} sent"], key=sp.keypair("tech")).rc == 0
    assert owner(root / "sent") == (site.uid, site.gid)
    # The site's own login sees them as its own, and its repository as safe.
    assert sp.ssh(site, "git status --short && stat -c %U sent").stdout.endswith(f"{site.name}\n")
    entry = listed(site)["users"][0]
    assert (entry["user"], entry["uid"], entry["label"], entry["read_only"], entry["pending"]) == (user.name, user.uid, "Anna, agency", False, False)


def test_a_document_root_of_the_web_servers_group_is_written_to_as_well(ground):
    """user:www-data 750, as panels have it: a map of one uid and one gid alone would let nobody write there."""
    name = sp.unique("plesk")
    site = sp_site.account(name=name, home=ground / f"{name}.example", owner=f"{name}:www-data", mode=0o710)
    user = add(site)
    done = tech(user, "stat -c %g . && touch page && stat -c %U:%G page")
    assert done.stdout == f"{grp.getgrnam('www-data').gr_gid}\n{user.name}:{user.name}\n", done
    assert owner(f"{site.docroot}/page") == (site.uid, site.gid)


def test_ext4_takes_it_too(host, tmp_path):
    image, where = tmp_path / "disk", pathlib.Path("/home/ext4")
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    sp.run(["mkfs.ext4", "-q", image], check=True)
    where.mkdir()
    os.mknod("/dev/loop-control", 0o600 | stat.S_IFCHR, os.makedev(10, 237))
    device = sp.run(["losetup", "-f"], check=True).stdout.strip()
    os.mknod(device, 0o600 | stat.S_IFBLK, os.makedev(7, int(device.removeprefix("/dev/loop"))))
    sp.run(["mount", "-o", "loop", image, where], check=True)
    try:
        name = sp.unique("disk")
        site = sp_site.account(name=name, home=where / f"{name}.example")
        user = add(site)
        assert tech(user, "touch on-disk && stat -c %u on-disk").stdout == f"{user.uid}\n"
        assert owner(f"{site.docroot}/on-disk") == (site.uid, site.gid)
        sp.rpc("domain.remove", {"domain": site.domain}).ok()
    finally:
        sp.wait_for(lambda: sp.run(["umount", where]).rc == 0, what="umount")


def test_the_sites_own_keys_are_out_of_reach_in_every_view(site):
    root = pathlib.Path(site.docroot)
    before = (root / ".ssh/authorized_keys").read_bytes()
    user = add(site)
    for view in ("/", f"{root}/"):
        done = tech(user, f"cd {view}; ls -A .ssh; cat .ssh/authorized_keys; echo x >> .ssh/authorized_keys; mv .ssh y; rmdir .ssh; rm -rf .ssh; ln -sfn /tmp .ssh; true")
        assert done.stdout == "" and "Read-only" in done.stderr and "busy" in done.stderr, done
    assert (root / ".ssh/authorized_keys").read_bytes() == before and not (root / "y").exists()


def test_a_home_below_the_document_root_is_hidden_with_the_way_to_it(ground):
    """Renaming a directory on the way would bring a bare .ssh into its place."""
    name = sp.unique("deep")
    root = ground / f"{name}.example"
    root.mkdir(mode=0o755)
    (root / "a").mkdir()
    site = sp_site.account(name=name, home=root / "a/home", docroot=root)
    os.chown(root / "a", site.uid, site.gid)
    user = add(site)
    done = tech(user, "mv a b; mv a/home a/c; cat a/home/.ssh/authorized_keys; touch a/ok a/home/ok; echo end")
    assert done.stdout == "end\n" and done.stderr.count("busy") == 2, done
    assert owner(root / "a/home/ok") == (site.uid, site.gid)


def test_read_only_is_read_only(site):
    user = add(site, read_only=True)
    (pathlib.Path(site.docroot) / "page").write_text("text\n")
    os.chown(f"{site.docroot}/page", site.uid, site.gid)
    done = tech(user, f"cat page {site.docroot}/page; touch page; rm page; touch {site.docroot}/x; touch /tmp/mine && echo tmp; ls -A .ssh")
    assert done.stdout == "text\ntext\ntmp\n" and done.stderr.count("Read-only file system") == 3, done
    sp.rpc("user.add", {"domain": site.domain, "user": user.name, "read_only": False}).ok()
    assert tech(user, "touch x && echo wrote").stdout == "wrote\n"


def test_a_password_of_its_own(site):
    user = add(site, key=None)
    sp.rpc("password.set", {"domain": site.domain, "user": user.name, "password": "Tech-and-Nobody-9"}).ok()
    assert sp.ssh(user, "id -un", password="Tech-and-Nobody-9").stdout == f"{user.name}\n"
    assert sp.ssh(site, "true", password="Tech-and-Nobody-9").rc != 0


@pytest.mark.parametrize("more, reason, field", [({"shell": "bash"}, "unsupported", "params.shell"), ({"user": "www-data"}, "forbidden", "params.user"),
                                                 ({"user": "games"}, "conflict", "params.user"), ({"user": "a:b"}, "invalid", "params.user"),
                                                 ({"expires_at": "2020-01-01T00:00:00Z"}, "invalid", "params.expires_at")])
def test_what_is_refused_leaves_nothing(site, more, reason, field):
    before = [path.read_bytes() for path in FILES], sorted(MAPS.glob("*")), sorted(STORE.glob("logins/*/*"))
    answer = sp.rpc("user.add", {"domain": site.domain, "user": "newname", **more})
    assert (answer.reason, answer.error["data"]["field"]) == (reason, field), answer.body
    assert before == ([path.read_bytes() for path in FILES], sorted(MAPS.glob("*")), sorted(STORE.glob("logins/*/*")))


def test_a_filesystem_without_idmapped_mounts_is_named_and_nothing_is_half_done(host):
    site = sp_site.account()
    before = [path.read_bytes() for path in FILES]
    answer = sp.rpc("user.add", {"domain": site.domain, "user": "nobodyyet"})
    assert answer.reason == "unsupported" and "overlay" in answer.error["message"] and os.uname().release in answer.error["message"], answer.body
    assert [path.read_bytes() for path in FILES] == before and not list(STORE.glob("*/*/nobodyyet")) and not list(STORE.glob("state/nobodyyet*"))
    assert not list(MAPS.glob(f"{site.uid}.*")) and listed(site)["users"] == []


def test_a_way_that_others_may_not_go_is_named(ground):
    name = sp.unique("shut")
    home = ground / name
    site = sp_site.account(name=name, home=home, docroot=home / "web", mode=0o700)
    answer = sp.rpc("user.add", {"domain": site.domain, "user": "walker"})
    assert answer.reason == "unsupported" and str(home) in answer.error["data"]["hint"], answer.body


def test_a_way_that_could_not_be_looked_at_is_not_taken_for_open(ground):
    """Each stat(2) of the request fails once; the login that would come of it could not go to its files."""
    name = sp.unique("unseen")
    home = ground / name
    site = sp_site.account(name=name, home=home, docroot=home / "web", mode=0o700)
    request = json.dumps({"jsonrpc": "2.0", "id": "way", "method": "user.add", "params": {"domain": site.domain, "user": "stranger"}})
    log = sp.WORK / "stats"
    strace = ["strace", "-f", "-qq", "-o", log, "-e", "trace=newfstatat", "-e"]
    number = 0
    while True:
        number += 1
        done = sp.run([*strace, f"inject=newfstatat:error=EIO:when={number}", sp.HELPER], input=request)
        assert '"result"' not in done.stdout, (number, done)
        if "INJECTED" not in log.read_text():
            break
    assert '"unsupported"' in done.stdout and str(home) in done.stdout, done


def test_the_two_are_strangers_to_each_other(site):
    """Other uids, so neither joins the other's namespaces, sees, signals or traces the other's processes."""
    user = add(site)
    with sp_site.Outside(site, ["sleep", "1000"]) as mine, sp_site.Outside(user, ["sleep", "1000"]) as theirs:
        for who, pid in ((user, mine.pid), (site, theirs.pid)):
            done = sp.as_user(who, ["sh", "-c", f"kill -0 {pid}; readlink /proc/{pid}/ns/mnt; cat /proc/{pid}/environ"])
            assert done.stdout == "" and done.rc != 0, done
    session = stays(site, "default")
    spaces = [sp.ssh(site, "readlink /proc/self/ns/mnt; ls /proc | grep -c '^[0-9]'").stdout.split(), tech(user, "readlink /proc/self/ns/mnt; ls /proc | grep -c '^[0-9]'").stdout.split()]
    session.kill()
    session.wait()
    assert spaces[0][0] != spaces[1][0]
    assert sp.as_user(site, ["cat", f"{STORE}/entry/{user.uid}"]).rc != 0 and sp.as_user(user, ["cat", f"{STORE}/entry/{site.uid}"]).rc != 0
    # The id map is root's: whoever opens it gets nothing by it.
    kept = next(MAPS.glob(f"*-{user.uid}.*"))
    assert "Operation not permitted" in sp.as_user(user, ["nsenter", f"--user={kept}", "true"]).stderr


def test_removal_ends_its_sessions_and_leaves_only_a_record(site):
    user = add(site, label="Bob")
    session = stays(user, "tech")
    mine = stays(site, "default")
    try:
        assert remove(site, user.name)["changed"] is True
        assert session.wait(timeout=10) != 0 and mine.poll() is None
    finally:
        mine.kill()
    assert traces(user.name, user.uid) == []
    assert tech(user, "true").rc == 255
    past = listed(site)["past"][0]
    assert (past["user"], past["uid"], past["label"], past["reason"]) == (user.name, user.uid, "Bob", "removed") and past["removed_at"]
    assert remove(site, user.name)["changed"] is False
    # Its number comes back as late as can be, and not while anything runs under it.
    assert add(site, user.name).uid > user.uid


def test_a_number_with_a_process_is_given_to_nobody(site):
    first = add(site)
    process = subprocess.Popen(["setpriv", f"--reuid={first.uid + 1}", f"--regid={first.uid + 1}", "--clear-groups", "sleep", "1000"], cwd="/")
    try:
        sp.wait_for(lambda: os.stat(f"/proc/{process.pid}").st_uid == first.uid + 1)
        assert add(site).uid == first.uid + 2
    finally:
        process.kill()
        process.wait()


def test_time_boxed_access_ends_by_itself_and_leaves_a_record(site):
    user = add(site, label="Technician")
    sp.rpc("password.set", {"domain": site.domain, "user": user.name, "password": "Tech-and-Nobody-9"}).ok()
    for seconds in (4, 16, 64):  # as long as a login takes here
        end = int(time.time()) + seconds
        text = datetime.datetime.fromtimestamp(end, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        sp.rpc("user.add", {"domain": site.domain, "user": user.name, "expires_at": text}).ok()
        session = subprocess.Popen([*sp.client("ssh", key=sp.keypair("tech")), f"{user.name}@127.0.0.1", "echo in; exec sleep 1000"],
                                   stdout=subprocess.PIPE, text=True)
        if session.stdout.readline() == "in\n" or time.time() < end:
            break
    assert session.poll() is None, "refused in its time"
    assert "expiry-time=" in pathlib.Path(user.home, ".ssh/authorized_keys").read_text()
    time.sleep(max(0.0, end + 1 - time.time()))
    assert tech(user, "true").rc == 255  # sshd, to the second
    late = sp.ssh(user, "true", password="Tech-and-Nobody-9")
    assert late.rc == 125 and "the time of this login is over" in late.stderr, late
    session.wait(timeout=20)  # its jail ends at most five seconds late
    assert listed(site)["users"]
    result = sp.rpc("system.reconcile").ok()
    assert any(item["user"] == user.name for item in result["details"]), result
    assert traces(user.name, user.uid) == [] and listed(site)["users"] == []
    past = listed(site)["past"][0]
    assert (past["user"], past["label"], past["expires_at"], past["reason"]) == (user.name, "Technician", text, "expired")
    assert sp.syslog_lines(f"the extra login {user.name} of {site.domain}: expired")


def test_what_shuts_the_domain_shuts_its_logins(site):
    user = add(site)
    apply = lambda shell: sp_site.apply(site, shell=shell).ok()
    assert any(user.name in text for text in apply("none")["warnings"])
    assert tech(user, "true").rc == 255 and listed(site)["users"][0]["shell"] == "none"
    apply("bash")
    assert tech(user, "touch back && stat -c %U back").stdout == f"{user.name}\n"  # the jail, whatever the site has
    sp.rpc("account.suspend", {"domain": site.domain}).ok()
    assert tech(user, "true").rc == 255
    sp.rpc("account.resume", {"domain": site.domain}).ok()
    assert tech(user, "true").rc == 0
    sp.rpc("domain.remove", {"domain": site.domain}).ok()
    assert traces(user.name, user.uid) == [] and tech(user, "true").rc == 255
    assert listed(site)["past"][0]["reason"] == "the owner of the files is gone"


def test_a_login_follows_its_domain_to_another_name_and_root(site, ground):
    user = add(site)
    to, root = f"new-{site.domain}", f"{site.docroot}-moved"
    os.rename(site.docroot, root)
    sp.run(["usermod", "-d", root, site.name], check=True)
    sp.rpc("domain.rebind", {"domain": site.domain, "new_domain": to, "document_root": root}).ok()
    done = tech(user, "pwd; ls -A .ssh")
    assert done.stdout == f"{root}\n", done
    assert sp.rpc("user.list", {"domain": to}).ok()["users"][0]["user"] == user.name


def test_after_a_boot_reconcile_brings_the_map_back(site):
    user = add(site)
    kept = next(MAPS.glob(f"*-{user.uid}.*"))
    sp.run(["pkill", "-KILL", "-U", str(user.uid)])
    sp.run(["umount", kept], check=True)
    done = tech(user, "true")
    assert done.rc == 125 and "sallyport reconcile" in done.stderr, done
    sp.rpc("system.reconcile").ok()
    assert tech(user, "touch again").rc == 0


def test_an_owner_who_is_gone_takes_his_logins_with_him(site):
    user = add(site)
    sp.run(["userdel", "-f", site.name])
    sp.rpc("system.reconcile").ok()
    assert traces(user.name, user.uid) == []


def test_an_owner_whom_passwd_names_twice_is_not_gone(site):
    user, passwd = add(site, sp.unique("tech")), pathlib.Path("/etc/passwd")
    before = passwd.read_text()
    passwd.write_text(before + next(line for line in before.splitlines(True) if line.startswith(site.name + ":")))
    try:
        told = [one for one in sp.rpc("system.reconcile").ok()["details"] if one["user"] == user.name]
        assert [one.get("reason") for one in told] == ["broken_state"] and user.name in passwd.read_text(), told
    finally:
        passwd.write_text(before)
    assert sp.ssh(user, "echo in", key=sp.keypair("tech")).stdout == "in\n"


def test_a_crash_before_the_system_user_leaves_nothing_for_long(site):
    """The state stands before the user: reconcile finds it, and takes it away."""
    user = add(site)
    sp.run(["userdel", "-f", user.name])
    sp.rpc("system.reconcile").ok()
    assert traces(user.name, user.uid) == [] and listed(site)["users"] == []


def test_an_extra_login_is_no_account_for_domains(site):
    user = add(site)
    answer = sp.rpc("domain.apply", {"domain": "other.example", "user": user.name, "document_root": site.docroot, "shell": "bash"})
    assert answer.reason == "conflict" and answer.error["data"]["field"] == "params.user", answer.body
    assert [one["domain"] for one in sp.rpc("domain.list").ok()["domains"]].count(site.domain) == 1
    # Nor is anybody else who has one of their numbers.
    other = sp.make_user()
    sp.run(["usermod", "-u", "99998", other.name], check=True)
    answer = sp_site.apply(other, shell="bash")
    assert (answer.reason, answer.error["data"]["field"]) == ("forbidden", "params.user") and "extra logins" in answer.error["message"], answer.body


def test_the_verbs(site):
    key = pathlib.Path(sp.keypair("tech").path + ".pub")
    name = sp.unique("cli")
    dry = sp.run(["sallyport", "users", "add", site.domain, name, key, "--dry-run"])
    assert dry.rc == 0 and "dry run" in dry.stdout and name not in pathlib.Path("/etc/passwd").read_text(), dry
    assert sp.run(["sallyport", "users", "add", site.domain, name, key, "--label", "By hand", "--read-only"]).rc == 0
    shown = sp.run(["sallyport", "users", "list", site.domain]).stdout
    assert re.search(rf"^USER +LABEL +FILES KEYS UNTIL SHUT\n(.*\n)*{name} +By hand reads +1 +- +no$", shown, re.M), shown
    assert tech(login(name), "id -un").stdout == f"{name}\n"
    assert sp.run(["sallyport", "users", "remove", site.domain, name, "--yes"]).rc == 0
    assert re.search(rf"^FORMER USER(.*\n)*{name} +By hand ", sp.run(["sallyport", "users", "list", site.domain]).stdout, re.M)
