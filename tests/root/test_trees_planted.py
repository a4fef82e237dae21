# SPDX-License-Identifier: GPL-3.0-or-later
"""Things planted at every name that sallyport touches, and a web server over the document root that must find nothing."""

import http.client
import os
import pathlib
import socket
import stat
import subprocess
import urllib.parse

import pytest

import sp
import sp_site

STORE = pathlib.Path("/var/lib/sallyport")
NAMES = "bin lib lib64 sbin usr etc dev proc tmp run var".split()


# At each mount point's name

def plant(kind, path, user):
    """Makes something of that kind; what undoes it, or None."""
    if kind == "hard-link":
        target = pathlib.Path(user.home, "linked-content")
        target.write_text("mine\n")
        os.link(target, path)
        target.unlink()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    elif kind == "loop":
        os.symlink(path.name, path)
    elif kind in ("bind", "tmpfs"):
        path.mkdir()
        argv = ["--bind", "/etc"] if kind == "bind" else ["-t", "tmpfs", "none"]
        sp.run(["mount", *argv, path], check=True)
        return lambda: sp.run(["umount", path], check=True)
    os.chown(path, user.uid, user.gid, follow_symlinks=False) if kind not in ("bind", "tmpfs", "device") else None
    return None


KINDS = ["hard-link", "fifo", "socket", "device", "loop", "bind", "tmpfs"]


@pytest.mark.parametrize("kind", KINDS)
@sp.covers("jail 25", "jail 28", "tree planted", "panels symlink")
def test_what_is_planted_at_every_mount_points_name_is_left_and_gains_nothing(host, kind):
    user = sp.make_user()
    undo = [plant(kind, pathlib.Path(user.docroot, name), user) for name in NAMES]
    paths = [f"{user.docroot}/{name}" for name in NAMES]

    def facts():
        # Not the times: /etc, which is bound there, is the host's to change.
        return {path: (info.st_dev, info.st_ino, info.st_mode, info.st_uid, info.st_gid) for path in paths for info in [os.lstat(path)]}

    before = facts()
    host_before = sp.snapshot(["/etc/ssh", "/etc/cron.d", "/etc/hostname"], times=True)
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    done = sp.ssh(user, f"cd {user.docroot} && git --version && test ! -e /boot && test ! -e /etc/shadow && stat -fc %T /")
    assert done.rc == 0 and done.stdout.split()[-1] == "tmpfs", done
    sp.run(["sallyport", "reconcile"], timeout=60)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert facts() == before
    assert host_before.diff(sp.snapshot(["/etc/ssh", "/etc/cron.d", "/etc/hostname"], times=True)) == []
    for one in undo:
        if one:
            one()


@pytest.mark.parametrize("name", NAMES)
@sp.covers("jail 28", "tree planted", "panels symlink")
def test_one_planted_name_is_enough_for_the_path_layout_and_a_removal_goes_around_it(host, name):
    """Each name by itself, after the build: the user's own FIFO, link or file, and a mount of the host's."""
    user = sp_site.account()
    path = pathlib.Path(user.docroot, name)

    def layout():
        return sp.rpc("domain.get", {"domain": user.domain}).ok()["jail"]["layout"]

    assert layout() == "root"
    for kind in ("fifo", "hard-link", "loop", "socket"):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        plant(kind, path, user)
        assert layout() == "path", kind
    assert sp.ssh(user, "git --version && test ! -e /boot && echo jailed").stdout.endswith("jailed\n")
    path.unlink()
    path.mkdir(0o1555)
    os.chmod(path, 0o1555)
    sp.run(["mount", "--bind", "/etc", path], check=True)
    assert layout() == "path"
    before = sp.snapshot(["/etc/ssh", "/etc/hostname"], times=True)
    sp.rpc("domain.remove", {"domain": user.domain})
    assert before.diff(sp.snapshot(["/etc/ssh", "/etc/hostname"], times=True)) == [] and (path / "hostname").exists()
    sp.run(["umount", path], check=True)
    assert not [other for other in NAMES if other != name and os.path.lexists(f"{user.docroot}/{other}")]


@sp.covers("tree planted")
def test_an_empty_directory_of_the_sites_own_stays_when_the_jail_goes(host):
    user = sp.make_user()
    own = {name: pathlib.Path(user.docroot, name) for name in ("bin", "tmp", "var")}
    for (name, path), mode in zip(own.items(), (0o755, 0o1777, 0o700)):
        path.mkdir()
        os.chmod(path, mode)
        os.chown(path, user.uid, user.gid)
    before = {name: (path.stat().st_ino, path.stat().st_mode) for name, path in own.items()}
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert {name: (path.stat().st_ino, path.stat().st_mode) for name, path in own.items()} == before
    assert not [name for name in NAMES if name not in own and os.path.lexists(f"{user.docroot}/{name}")]


def test_somebody_elses_directory_that_was_renamed_to_the_document_root_is_left_alone(host):
    """In a directory that both may write to, which no server should have: what root makes and takes away is this user's."""
    shared = pathlib.Path("/srv/shared")
    shared.mkdir()
    shared.chmod(0o777)
    one, other = (sp.make_user(docroot=shared / sp.unique("root")) for _ in range(2))
    for user in (one, other):
        sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    mine, theirs = pathlib.Path(one.docroot), pathlib.Path(other.docroot)
    mine.rename(f"{mine}.was")
    theirs.rename(mine)
    before = sp.snapshot([mine])
    assert "bin" in os.listdir(mine)
    (mine / "bin").rmdir()
    told = sp_site.apply(one, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    assert any("belongs to another" in text for text in told["warnings"]) and not (mine / "bin").exists(), told
    (mine / "bin").mkdir()
    (mine / "bin").chmod(0o1555)
    sp.rpc("domain.remove", {"domain": one.domain}).ok()
    assert before.diff(sp.snapshot([mine])) == []
    mine.rename(theirs)
    assert sp.ssh(other, "echo in").stdout == "in\n"


@pytest.mark.parametrize("what", ["ssh-bind", "ssh-tmpfs", "file-bind", "file-fifo", "file-hard-link"])
@sp.covers("safety 22", "tree planted", "panels symlink")
def test_a_mount_at_the_keys_is_refused_and_not_written_through(host, what):
    user, root_key = sp.make_user(), pathlib.Path("/root/.ssh/authorized_keys")
    root_key.parent.mkdir(mode=0o700, exist_ok=True)
    root_key.write_text("# root's\n")
    folder = pathlib.Path(user.home, ".ssh")
    folder.mkdir(mode=0o700)
    os.chown(folder, user.uid, user.gid)
    keys = folder / "authorized_keys"
    if what.startswith("file"):
        keys.touch(0o600)
        os.chown(keys, user.uid, user.gid)
    at = None
    if what == "ssh-bind":
        at = folder
        sp.run(["mount", "--bind", "/root/.ssh", at], check=True)
    elif what == "ssh-tmpfs":
        at = folder
        sp.run(["mount", "-t", "tmpfs", "-o", f"uid={user.uid},mode=700", "none", at], check=True)
    elif what == "file-bind":
        at = keys
        sp.run(["mount", "--bind", root_key, at], check=True)
    elif what == "file-fifo":
        keys.unlink()
        os.mkfifo(keys)
    else:
        keys.unlink()
        os.link(root_key, keys)
    answer = sp_site.apply(user, shell="chroot", keys=[sp.keypair()])
    assert root_key.read_text() == "# root's\n" and root_key.stat().st_uid == 0
    # A second name of a file that he may read is replaced, not written to: a new file takes its place.
    if what != "file-hard-link":
        assert answer.reason in ("unsafe_path", "io") and answer.error["data"]["hint"], answer
        assert sp_site.login_shell(user) == "/bin/false"
        sp.run(["umount", at], check=True) if at else keys.unlink()
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()]).ok()
    assert sp.ssh(user, "echo in").stdout == "in\n" and root_key.read_text() == "# root's\n"


@sp.covers("tree planted", "safety 23")
def test_every_name_of_the_store_is_roots(host):
    user = sp_site.account()
    sp.ssh(user, "true")
    wrong = []
    for folder, folders, files in os.walk(STORE):
        for name in [*folders, *files]:
            info = os.lstat(os.path.join(folder, name))
            if info.st_uid != 0 or (not stat.S_ISLNK(info.st_mode) and info.st_mode & 0o022 and not stat.S_ISCHR(info.st_mode)):
                wrong.append(os.path.join(folder, name))
    assert wrong == []
    code = ("import os\n"
            f"for folder, folders, files in os.walk('{STORE}'):\n"
            "    if os.access(folder, os.W_OK): print(folder)\n"
            f"for name in ('state', 'domains'):\n"
            f"    try: print(os.listdir('{STORE}/' + name))\n"
            "    except PermissionError: pass\n")
    assert sp.as_user(user, ["python3", "-I", "-c", code]).stdout == ""
    other = sp_site.account()
    assert sp.as_user(user, ["cat", f"{STORE}/entry/{other.uid}"]).rc != 0


# A web server over the document root

PORT = 8099


@pytest.fixture(scope="module")
def server(host):
    """Serves all document roots as www-data would."""
    drop = ["setpriv", "--reuid=33", "--regid=33", "--clear-groups", "--inh-caps=-all", "--"]
    one = subprocess.Popen([*drop, "python3", "-m", "http.server", "-d", "/var/www/vhosts", "-b", "127.0.0.1", str(PORT)],
                           cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", PORT)) == 0

    sp.wait_for(listens, what="the web server")
    yield one
    one.terminate()
    one.wait(10)


def fetch(path):
    """The status and the body; a directory's is its listing."""
    link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    link.request("GET", urllib.parse.quote(path))
    answer = link.getresponse()
    return answer.status, answer.read().decode("utf-8", "replace")


def everything(root):
    return {os.path.join(folder, name) for folder, folders, files in os.walk(root) for name in [*folders, *files]}


ASKED = ["etc/passwd", "etc/group", "etc/shadow", "etc/ssl/certs/ca-certificates.crt", "usr/bin/git", "usr/bin/bash", "bin/bash", "lib/x",
         "proc/self/environ", "proc/1/environ", "dev/null", "dev/pts/0", "tmp/secret", "run/secret", "var/lib/sallyport/state",
         "var/www/vhosts", "home", ".ssh/authorized_keys", ".sallyport", "sallyport-entry", "../../../../etc/passwd", "usr/../../etc/passwd"]


@pytest.mark.parametrize("place", ["equal", "outside", "path-layout", "bash"])
@sp.covers("tree http")
def test_a_web_server_over_the_document_root_finds_nothing_of_ours(host, server, place):
    name = sp.unique("web")
    root = pathlib.Path("/var/www/vhosts", f"{name}.example")
    user = sp.make_user(name, home=root if place == "equal" else f"/home/{name}", docroot=root, mode=0o755)
    (root / "index.htm").write_text("the site")
    if place == "path-layout":
        (root / "lib").mkdir()
        (root / "lib" / "own.txt").write_text("the site's lib")
    before = everything(root)
    jail = {} if place == "bash" else {"jail": sp_site.JAIL}
    sp_site.apply(user, shell="bash" if place == "bash" else "chroot", keys=[sp.keypair()], **jail).ok()
    # Somebody works in it meanwhile, with a secret in his /tmp and /run.
    client = sp_site.background(user, "echo s3cret > /tmp/secret; echo s3cret > /dev/shm/secret; echo in; exec cat >/dev/null")
    made = everything(root) - before
    assert made or place in ("bash", "path-layout")
    for path in sorted(made):
        info, asked = os.lstat(path), os.path.relpath(path, "/var/www/vhosts")
        hidden = os.path.relpath(path, root).startswith(".ssh")
        assert hidden or (stat.S_ISDIR(info.st_mode) and os.listdir(path) == []), path
        for end in ("", "/", "/index.html", "/passwd"):
            status, body = fetch(f"/{asked}{end}")
            assert status in (301, 403, 404) or (status == 200 and not hidden and "<li>" not in body), (path, end, status, body)
    for asked in ASKED:
        status, body = fetch(f"/{root.name}/{asked}")
        assert status in (301, 403, 404) or "<li>" not in body, (asked, status, body)
        assert not any(word in body for word in ("root:", "ssh-ed25519", "s3cret", user.name + ":", "sallyport-entry", "ELF")), (asked, body)
    assert fetch(f"/{root.name}/index.htm") == (200, "the site")
    sp_site.end(client)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert {path for path in everything(root) - before if not os.path.relpath(path, root).startswith(".ssh")} == set()
