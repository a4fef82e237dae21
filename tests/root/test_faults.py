# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a request: mounts, planted files, immutable and full file systems, a child that is stopped, and
others who write the same files."""

import concurrent.futures
import contextlib
import os
import pathlib
import subprocess
import threading

import pytest
import sp
import sp_site
from sp_safety import STORE, apply, get, in_force, leftovers, managed, refused

KEY = "authorized_keys"


@contextlib.contextmanager
def mounted(where, *arguments):
    sp.run(["mount", *arguments, where], check=True)
    try:
        yield
    finally:
        sp.run(["umount", "-l", where], check=True)


# Mounts below the document root and the home

@pytest.fixture
def treasure():
    """Something of root's that a careless removal or chown would reach through a mount."""
    path = pathlib.Path("/srv") / sp.unique("treasure")
    (path / "below").mkdir(parents=True)
    (path / "file").write_text("root's own\n")
    yield path
    sp.run(["rm", "-r", path], check=True)


@sp.covers("safety 22")
@pytest.mark.parametrize("name", ["tmp", "etc", "var"])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_a_mount_upon_a_mount_point_survives_apply_and_removal(host, treasure, name, kind):
    user = sp.make_user()
    point = pathlib.Path(user.docroot) / name
    point.mkdir()
    os.chown(point, user.uid, user.gid)
    arguments = ("--bind", treasure) if kind == "bind" else ("-t", "tmpfs", "none")
    with mounted(point, *arguments):
        (point / "mine").write_text("kept\n")
        before = sp.snapshot([treasure, point])
        apply(user, shell="chroot", jail={"profiles": ["base"]}, authorized_keys=[{"key": sp.keypair().public}]).ok()
        in_force(user)
        assert sp.ssh(user, f"cat {user.docroot}/{name}/mine").stdout == "kept\n"
        sp.rpc("domain.remove", {"domain": user.domain}).ok()
        assert sp.snapshot([treasure, point]).diff(before) == []
    assert point.is_dir()


@sp.covers("safety 22")
def test_keys_are_not_written_into_what_is_mounted_upon_ssh(host, treasure):
    user = managed("bash")
    ssh = pathlib.Path(user.home) / ".ssh"
    with mounted(ssh, "--bind", treasure):
        before = sp.snapshot([treasure])
        refused(apply(user, authorized_keys=[{"key": sp.keypair("other").public}]), "unsafe_path")
        assert sp.snapshot([treasure]).diff(before) == []
    apply(user, authorized_keys=[{"key": sp.keypair("other").public}]).ok()
    in_force(user)


# Planted files

@sp.covers("safety 23")
def test_what_the_user_planted_where_the_jail_has_its_own_is_never_adopted(host):
    user = sp.make_user()
    evil = "#!/bin/sh\necho EVIL\n"
    for name, text in {"bin/bash": evil, "usr/bin/bash": evil, "lib/x86_64-linux-gnu/libc.so.6": "EVIL", "etc/passwd": "root::0:0::/:/bin/sh\n",
                       "etc/profile": "echo EVIL\n", "etc/ld.so.preload": "/lib/evil.so\n", "usr/lib/openssh/sftp-server": evil}.items():
        path = pathlib.Path(user.docroot) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", user.docroot], check=True)
    before = sp.snapshot([user.docroot])
    apply(user, shell="chroot", jail={"profiles": ["base"]}, authorized_keys=[{"key": sp.keypair().public}]).ok()
    assert get(user)["jail"]["layout"] == "path"
    done = sp.ssh(user, "bash -lc 'head -1 /etc/passwd'; ls /etc/ld.so.preload; id -un")
    assert "EVIL" not in done.stdout + done.stderr and done.stdout.split()[0].startswith("root:x:0:0:"), done
    assert done.stdout.split()[-1] == user.name, done
    listing = sp.sftp_batch(user, ["ls -1 /etc/passwd"])
    assert listing.rc == 0 and "EVIL" not in listing.stdout, listing
    after = [line for line in sp.snapshot([user.docroot]).diff(before) if "/.ssh" not in line]
    assert after == []


# Immutable, read-only, full

def old_or_new(user, old, new):
    lines = (pathlib.Path(user.home) / ".ssh" / KEY).read_text()
    assert (old.public.split()[1] in lines) != (new.public.split()[1] in lines), lines


@sp.covers("safety 27")
@pytest.mark.parametrize("what", [f".ssh/{KEY}", ".ssh"])
def test_an_immutable_file_is_a_clear_error_and_the_account_is_pending(host, what):
    user, other = managed("bash"), sp.keypair("other")
    path = f"{user.home}/{what}"
    assert sp.run(["chattr", "+i", path]).rc == 0, "this file system knows no chattr +i"
    try:
        error = refused(apply(user, authorized_keys=[{"key": other.public}]), {"io", "unsafe_path"})
        assert KEY in error["message"] or ".ssh" in error["message"], error
        assert get(user)["pending"] is True
        old_or_new(user, sp.keypair(), other)
    finally:
        sp.run(["chattr", "-i", path], check=True)
    apply(user, authorized_keys=[{"key": other.public}]).ok()
    in_force(user)
    assert leftovers("/etc", STORE, user.home) == []


@sp.covers("safety 27")
def test_a_read_only_home_is_a_clear_error_and_the_account_is_pending(host):
    user, other = managed("bash"), sp.keypair("other")
    sp.run(["mount", "--bind", user.home, user.home], check=True)
    sp.run(["mount", "-o", "remount,bind,ro", user.home], check=True)
    try:
        error = refused(apply(user, authorized_keys=[{"key": other.public}]), {"io", "unsafe_path"})
        assert KEY in error["message"] and "read-only" in error["data"]["hint"], error
        assert get(user)["pending"] is True
        assert sp.ssh(user, "echo in").stdout == "in\n"
    finally:
        sp.run(["umount", "-l", user.home], check=True)
    apply(user, authorized_keys=[{"key": other.public}]).ok()
    in_force(user)


@sp.covers("safety 27", "safety 43")
def test_a_read_only_store_is_a_clear_error_and_changes_nothing(host):
    user = managed("bash")
    sp.run(["mount", "--bind", STORE, STORE], check=True)
    sp.run(["mount", "-o", "remount,bind,ro", STORE], check=True)
    try:
        refused(apply(user, shell="chroot"), "io")
        assert sp_site.login_shell(user) == "/bin/bash"
        assert sp.ssh(user, "echo in").stdout == "in\n"
    finally:
        sp.run(["umount", "-l", STORE], check=True)
    apply(user, shell="chroot").ok()
    in_force(user)


def fill(folder, what):
    """Takes the last byte, or the last inode, of the file system."""
    with contextlib.suppress(OSError):
        if what == "bytes":
            with open(folder / "filler", "wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        else:
            for number in range(100000):
                (folder / f"filler{number}").touch()


@sp.covers("safety 43")
@pytest.mark.parametrize("what", ["bytes", "inodes"])
def test_a_full_home_refuses_a_new_key_and_lets_one_be_taken_away(host, what):
    user = sp.make_user()
    home = pathlib.Path(user.home)
    keys = [sp.keypair(), sp.keypair("other")]
    with mounted(home, "-t", "tmpfs", "-o", "size=256k,nr_inodes=64", "none"):
        os.chown(home, user.uid, user.gid)
        home.chmod(0o750)
        apply(user, shell="bash", authorized_keys=[{"key": key.public} for key in keys]).ok()
        fill(home, what)
        refused(sp.rpc("keys.add", {"domain": user.domain, "key": sp.keypair("third").public}), "io")
        assert sp.keypair("third").public.split()[1] not in (home / ".ssh" / KEY).read_text()
        # What could not be added stays asked for. Withdrawing needs no room.
        for fingerprint in (sp.keypair("third").fingerprint, keys[1].fingerprint):
            sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": fingerprint}).ok()
        text = (home / ".ssh" / KEY).read_text()
        assert keys[0].public.split()[1] in text and keys[1].public.split()[1] not in text
        in_force(user)
        assert sp.ssh(user, "echo in").stdout == "in\n"


@sp.covers("safety 43")
@pytest.mark.parametrize("what", ["bytes", "inodes"])
def test_a_full_store_changes_nothing_and_says_so(host, what):
    user = managed("bash")
    state = pathlib.Path(STORE) / "state"
    kept = {path.name: path.read_bytes() for path in state.iterdir()}
    with mounted(state, "-t", "tmpfs", "-o", "size=256k,nr_inodes=64,mode=700", "none"):
        for name, data in kept.items():
            if name.startswith(user.name):
                (state / name).write_bytes(data)
        fill(state, what)
        refused(apply(user, shell="chroot"), "io")
        assert sp_site.login_shell(user) == "/bin/bash"
        assert sp.ssh(user, "echo in").stdout == "in\n"
        for path in state.glob("filler*"):
            path.unlink()
        apply(user, shell="chroot").ok()
        in_force(user)
        data = (state / f"{user.name}.json").read_bytes()
    (state / f"{user.name}.json").write_bytes(data)
    in_force(user)


# The child that works as the user

@sp.covers("safety 36")
def test_the_user_can_neither_stop_nor_kill_what_works_in_his_home(host):
    user, other = managed("bash"), managed("bash")
    hunt = """
import os, signal
print("ready", flush=True)
while True:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            for which in (signal.SIGSTOP, signal.SIGKILL):
                try:
                    os.kill(int(name), which)
                except OSError:
                    pass
"""
    with sp_site.Outside.python(user, hunt):
        for number in range(12):
            key = sp.keypair("other") if number % 2 else sp.keypair()
            apply(user, authorized_keys=[{"key": key.public}]).ok()
            apply(other, authorized_keys=[{"key": key.public}]).ok()
        in_force(user)


@sp.outside_the_sandbox("strace would stop the shell that starts it")
@sp.covers("safety 36")
@pytest.mark.parametrize("signal", ["STOP", "KILL"])
def test_a_child_that_is_stopped_or_killed_holds_up_nobody_else(host, signal):
    """As an oom killer or a hanging NFS server would; strace sends it when the child first looks for the home."""
    user, other = managed("bash"), managed("bash")
    argv = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject=getppid:signal=SIG{signal}:when=1", sp.HELPER)
    stuck = threading.Thread(target=lambda: answers.append(sp.rpc(
        "domain.apply", {"domain": user.domain, "authorized_keys": [{"key": sp.keypair("other").public}]}, argv=argv, timeout=60)))
    answers = []
    stuck.start()
    for number in range(4):
        key = sp.keypair("other") if number % 2 else sp.keypair()
        apply(other, authorized_keys=[{"key": key.public}]).ok()
    stuck.join(60 * sp.PATIENCE)
    assert answers and answers[0].reason in ("busy", "io", "internal"), answers
    apply(user, authorized_keys=[{"key": sp.keypair("other").public}]).ok()
    in_force(user)
    assert sp.ssh(user, "echo in", key=sp.keypair("other")).stdout == "in\n"


# Others who write the same files

@sp.covers("safety 34")
def test_sixty_four_operations_beside_usermod_chpasswd_and_vipw_lose_no_update(host):
    users = [managed("bash") for _ in range(4)]
    foreign = [sp.make_user() for _ in range(4)]
    extra = [sp.keypair(f"extra{number}") for number in range(4)]

    def ours(index):
        user = users[index]
        for number in range(4):
            apply(user, shell="chroot" if number % 2 == 0 else "bash").ok()
            sp.rpc("keys.add", {"domain": user.domain, "key": extra[number].public}).ok()
            sp.rpc("password.set", {"domain": user.domain, "password": f"Storm-{number}-horse-staple"}).ok()

    # vipw holds the lock while somebody thinks: here, for a moment. It looks at the second of the change, not at the text.
    editor = "/usr/local/bin/editor-of-the-storm"
    pathlib.Path(editor).write_text("#!/bin/sh\nsleep 0.05\necho storm$$:x:60000:60000::/nonexistent:/usr/sbin/nologin >>\"$1\"\ntouch -d $$seconds \"$1\"\n")
    os.chmod(editor, 0o755)
    passwd = pathlib.Path("/etc/passwd").read_text()

    def others(index):
        user = foreign[index]
        for number in range(4):
            sp.run(["usermod", "-c", f"storm {number}", user.name], check=True)
            sp.run(["chpasswd"], input=f"{user.name}:Other-{number}-battery\n", check=True)
            sp.run(["vipw"], env={"EDITOR": editor, "PATH": "/usr/sbin:/usr/bin:/bin"}, check=True)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [*(pool.submit(ours, i) for i in range(4)), *(pool.submit(others, i) for i in range(4))]:
            done.result()
    for user in users:
        shown = in_force(user)
        assert shown["shell"] == "bash" and len(shown["authorized_keys"]) == 5, shown
        assert sp.ssh(user, "echo in", password="Storm-3-horse-staple").stdout == "in\n"
    for user in foreign:
        entry = sp.run(["getent", "passwd", user.name]).stdout.split(":")
        assert entry[4] == "storm 3", entry
        assert sp.run(["getent", "shadow", user.name]).stdout.split(":")[1].startswith("$")
    after = pathlib.Path("/etc/passwd").read_text().splitlines()
    assert sum(line.startswith("storm") for line in after) == 16 and len(after) == len(passwd.splitlines()) + 16, after
    assert leftovers() == []


@sp.covers("safety 34")
def test_of_panels_that_write_at_once_with_the_same_generation_one_wins(host):
    user = managed("bash")
    generation = get(user)["generation"]
    keys = [sp.keypair(f"panel{number}") for number in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda key: apply(user, authorized_keys=[{"key": key.public}], if_generation=generation), keys))
    won = [number for number, answer in enumerate(answers) if answer.error is None]
    assert len(won) == 1, answers
    for number, answer in enumerate(answers):
        if number not in won:
            refused(answer, "conflict", "params.if_generation")
    shown = in_force(user)
    assert shown["generation"] == generation + 1
    assert [key["fingerprint"] for key in shown["authorized_keys"]] == [keys[won[0]].fingerprint]


# Keys

@sp.covers("panels key-regex")
@pytest.mark.parametrize("pattern", [".", ".*", "", "SHA256:", "SHA256:.*", "ssh-ed25519", "default", "^"])
def test_a_pattern_deletes_no_key(host, pattern):
    user = managed("bash", keys=[sp.keypair(), sp.keypair("other")])
    before = (pathlib.Path(user.home) / ".ssh" / KEY).read_bytes()
    refused(sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": pattern}), "invalid", "params.fingerprint")
    assert (pathlib.Path(user.home) / ".ssh" / KEY).read_bytes() == before


@sp.covers("panels key-regex", "panels key-name")
def test_keys_without_a_comment_are_taken_away_one_by_one(host):
    bare = [" ".join(sp.keypair(label).public.split()[:2]) for label in ("bare1", "bare2")]
    user = sp.make_user()
    apply(user, shell="bash", authorized_keys=[{"key": key} for key in bare]).ok()
    sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": sp.keypair("bare1").fingerprint}).ok()
    text = (pathlib.Path(user.home) / ".ssh" / KEY).read_text()
    assert bare[0] not in text and bare[1] in text


@sp.covers("panels root-keys")
def test_roots_own_keys_get_into_no_account_and_no_jail(host):
    root = pathlib.Path("/root/.ssh")
    root.mkdir(mode=0o700, exist_ok=True)
    secret = sp.keypair("root-only").public
    (root / KEY).write_text(secret + "\n")
    try:
        users = [sp_site.account(), sp_site.account("bash")]
        sp.rpc("system.reconcile").ok()
        for user in users:
            assert secret.split()[1] not in (pathlib.Path(user.home) / ".ssh" / KEY).read_text()
            assert sp.ssh(user, "echo in", key=sp.keypair("root-only")).rc == 255
        found = sp.run(["grep", "-rlsF", "--devices=skip", secret.split()[1], STORE, "/var/www", "/etc"])
        assert found.stdout == "", found
    finally:
        (root / KEY).unlink()


# What runs the user's own programs runs them inside

@sp.covers("jail 40")
def test_programs_that_rsync_and_git_start_run_inside(host, tmp_path):
    user = sp_site.account()
    place = f"{user.home}/said"
    script = pathlib.Path(user.home) / "program"
    script.write_text(f"#!/bin/sh\nif test -e /var/lib/sallyport -o -e /boot; then echo OUTSIDE; else echo inside; fi >>{place}\n")
    script.chmod(0o755)
    os.chown(script, user.uid, user.gid)
    # rsync -e and GIT_SSH_COMMAND of the jailed user himself, the server's rsync path, and a hook.
    sp.ssh(user, f"cd {user.home}; rsync -e ./program nowhere:/x y; GIT_SSH_COMMAND=./program git ls-remote ssh://nowhere/x; true")
    sp.run(["rsync", "-a", "-e", sp.rsh(), f"--rsync-path={user.home}/program; rsync", "/etc/hostname", f"{user.name}@127.0.0.1:{user.home}/got"])
    sp.ssh(user, f"cd {user.home} && git init -q --bare r.git && cp program r.git/hooks/post-receive")
    work = tmp_path / "work"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_SSH_COMMAND": sp.rsh(), "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    sp.run(["git", "init", "-q", work], env=env, check=True)
    sp.run(["git", "-C", work, "commit", "-q", "--allow-empty", "-m", "x"], env=env, check=True)
    sp.run(["git", "-C", work, "push", "-q", f"ssh://{user.name}@127.0.0.1{user.home}/r.git", "HEAD:refs/heads/x"], env=env, check=True)
    said = pathlib.Path(place).read_text().split()
    assert len(said) >= 4 and set(said) == {"inside"}, said
