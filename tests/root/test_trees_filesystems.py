# SPDX-License-Identifier: GPL-3.0-or-later
"""Document roots and homes on the file systems that hosts have, and a key taken away where there is no room for it."""

import gzip
import os
import pathlib

import pytest

import sp
import sp_site

SIZES = {"ext4": "64M", "xfs": "320M", "btrfs": "160M", "tmpfs": None}
MAKE = {"ext4": ["mke2fs", "-q", "-t", "ext4", "-F"], "xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q", "-m", "single"]}


@pytest.fixture(scope="module", autouse=True)
def loops(host):
    """The host of the tests has no loop devices of its own. The kernel gives each back when it is unmounted."""
    if not os.path.exists("/dev/loop-control"):
        os.mknod("/dev/loop-control", 0o20660, os.makedev(10, 237))
        for number in range(64):
            os.mknod(f"/dev/loop{number}", 0o60660, os.makedev(7, number))


def mounted(kind, options="", extra=()):
    """A fresh file system of that kind below the document roots; the test is skipped where the kernel lacks it."""
    where = pathlib.Path("/var/www/vhosts") / sp.unique(f"fs-{kind}-")
    where.mkdir(parents=True)
    known = {line.split()[-1] for line in pathlib.Path("/proc/filesystems").read_text().splitlines()}
    if kind not in known:
        pytest.skip(f"this kernel has no {kind} (/proc/filesystems)")
    if kind == "tmpfs":
        sp.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "none", where], check=True)
        return where
    image = pathlib.Path(f"/run/{where.name}.img")
    sp.run(["truncate", "-s", SIZES[kind], image], check=True)
    sp.run([*MAKE[kind], *extra, image], check=True)
    done = sp.run(["mount", "-t", kind, "-o", f"loop{options}", image, where])
    if done.rc != 0:
        pytest.skip(f"{kind} does not mount here{options and ' with ' + options[1:]}: {done.stderr.strip()}")
    return where


def account_on(where, home=None):
    name = sp.unique("fs")
    return sp_site.account(name=name, home=home or where / name, docroot=where / name)


@pytest.mark.parametrize("kind", SIZES)
@sp.covers("tree filesystems")
def test_a_jail_is_built_used_and_removed_on_every_file_system(host, kind):
    where = mounted(kind)
    user = account_on(where)
    done = sp.ssh(user, f"stat -fc %T {user.docroot} / && cd ~ && git init -q r && cd r && echo x > f && git add f &&"
                        " git -c user.name=a -c user.email=a@b commit -qm x && git log --format=%s && test ! -e /boot && echo jailed")
    words = done.stdout.split()
    assert done.rc == 0 and words[0] == words[1] and words[2:] == ["x", "jailed"], done
    assert sp.rpc("domain.get", {"domain": user.domain}).ok()["jail"]["layout"] == "root"
    sp.run(["chown", "-R", f"{user.name}:www-data", user.docroot], check=True)
    assert sp.ssh(user, "cat ~/r/f").stdout == "x\n"
    client = sp_site.background(user)
    # A mount of the host's below the document root is seen, and stays.
    share = pathlib.Path(user.docroot, "share")
    share.mkdir()
    sp.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "none", share], check=True)
    (share / "note").write_text("shared\n")
    sp_site.end(client)
    sp.wait_for(lambda: not sp_site.jails(user), 20, "the end of the jail")
    assert sp.ssh(user, f"cat {share}/note /share/note").stdout == "shared\nshared\n"
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert (share / "note").read_text() == "shared\n" and "usr" not in os.listdir(user.docroot)
    sp.wait_for(lambda: not sp_site.jails(user), 20, "the end of the jail")
    sp.run(["umount", share], check=True)
    sp.run(["umount", where], check=True)  # nothing of ours holds it


def fill(user, folder):
    """Writes as the user until nothing more goes in; the errno's name."""
    code = ("import errno, os, sys\n"
            f"fd = os.open('{folder}/fill', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)\n"
            "size = 1 << 20\n"
            "why = 0\n"
            "while size:\n"
            "    try:\n"
            "        os.write(fd, os.urandom(size)); os.fsync(fd)\n"
            "    except OSError as no:\n"
            "        why = no.errno; size //= 2\n"
            "n = 0\n"
            "try:\n"
            "    while n < 200000:\n"
            f"        os.close(os.open('{folder}/fill-%d' % n, os.O_WRONLY | os.O_CREAT, 0o600)); n += 1\n"
            "except OSError as no:\n"
            "    why = no.errno\n"
            "print(errno.errorcode[why])\n")
    return sp.as_user(user, ["python3", "-I", "-c", code], timeout=60).stdout.strip()


def key_goes_at_full(user, folder, wanted):
    gone, stays = sp.keypair("gone"), sp.keypair()
    sp_site.apply(user, keys=[gone, stays]).ok()
    assert sp.ssh(user, "true", key=gone).rc == 0
    assert fill(user, folder) == wanted
    assert sp.as_user(user, ["sh", "-c", f"echo a line of text > {user.home}/.ssh/new"]).rc != 0
    result = sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": gone.fingerprint}).ok()
    assert result["changes"][0]["read_back"] is None, result
    text = pathlib.Path(user.home, ".ssh/authorized_keys").read_text()
    assert text == stays.public + "\n" and sp.ssh(user, "true", key=gone).rc == 255
    assert sp.ssh(user, "echo in").stdout == "in\n"
    # A key more has no room, and nothing is lost by the try.
    more = sp.rpc("keys.add", {"domain": user.domain, "key": sp.keypair("more").public})
    assert more.error is None or (more.reason == "io" and pathlib.Path(user.home, ".ssh/authorized_keys").read_text() == text)
    # Nor does the key for which there is no room hold up what takes access away.
    result = sp.rpc("domain.apply", {"domain": user.domain, "shell": "none"}).ok()
    assert more.error is None or any("could not be written" in text for text in result["warnings"]), result
    assert sp.ssh(user, "true").rc == 255 and not sp.rpc("domain.get", {"domain": user.domain}).ok()["pending"]
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert pathlib.Path(user.home, ".ssh/authorized_keys").read_text() == ""


@sp.covers("tree quota")
def test_a_key_can_be_taken_away_at_full_quota_of_ext4(host):
    """usrquota in ext4's own hidden files, as distributions set it up today; limits by quotactl(2)."""
    import ctypes
    import struct

    config = pathlib.Path("/proc/config.gz")
    if config.exists() and b"CONFIG_QFMT_V2=" not in gzip.decompress(config.read_bytes()):
        pytest.skip("this kernel was built without CONFIG_QFMT_V2, so that it mounts no ext4 with user quotas")
    where = mounted("ext4", ",usrquota", ("-O", "quota"))
    user = account_on(where)
    image = sp.run(["findmnt", "-no", "SOURCE", where], check=True).stdout.strip()
    used = sum(entry.stat().st_blocks for entry in where.rglob("*")) // 2 + 64
    block = struct.pack("<QQQQQQQQI", used, used, 0, 0, 0, 0, 0, 0, 1)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.quotactl(0x800008 << 8, image.encode(), user.uid, block + b"\0" * 4) != 0:
        pytest.skip(f"this kernel sets no user quota on ext4: {os.strerror(ctypes.get_errno())}")
    key_goes_at_full(user, user.home, "EDQUOT")


@sp.covers("tree quota")
def test_a_key_can_be_taken_away_at_full_quota_of_btrfs(host):
    """A quota group on a subvolume for each customer, which needs nothing of the kernel's VFS quotas."""
    where = mounted("btrfs")
    name = sp.unique("fs")
    sp.run(["btrfs", "quota", "enable", where], check=True)
    sp.run(["btrfs", "subvolume", "create", where / name], check=True)
    user = account_on(where / name)
    sp.run(["btrfs", "qgroup", "limit", "24M", where / name], check=True)
    gone = sp.keypair("gone")
    sp_site.apply(user, keys=[gone, sp.keypair()]).ok()
    assert sp.ssh(user, "true", key=gone).rc == 0
    assert fill(user, user.home) == "EDQUOT"
    # There btrfs overwrites no byte: the file is shut whole, which is said, and mended when there is room.
    answer = sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": gone.fingerprint})
    assert answer.reason == "io" and "quota" in answer.error["message"] and "room" in answer.error["data"]["hint"], answer
    assert sp.ssh(user, "true", key=gone).rc == 255 and sp.ssh(user, "true").rc == 255
    pathlib.Path(user.home, "fill").unlink()
    os.sync()
    sp.rpc("keys.remove", {"domain": user.domain, "fingerprint": gone.fingerprint}).ok()
    assert sp.ssh(user, "echo in").stdout == "in\n" and sp.ssh(user, "true", key=gone).rc == 255
    assert pathlib.Path(user.home, ".ssh/authorized_keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs"])
@sp.covers("tree quota", "safety 43")
def test_a_key_can_be_taken_away_from_a_full_file_system(host, kind):
    where = mounted(kind)
    user = account_on(where)
    key_goes_at_full(user, user.home, "ENOSPC")


@sp.covers("safety 43")
def test_a_first_request_on_a_full_file_system_says_so_and_opens_nothing(host):
    where = mounted("ext4")
    user = sp.make_user(home=where / "a", docroot=where / "a")
    os.chmod(where, 0o755)
    assert fill(user, user.home) == "ENOSPC"
    answer = sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL)
    assert answer.reason == "io" and "space" in answer.error["message"].lower(), answer
    assert sp_site.login_shell(user) == "/bin/false" and sp.ssh(user, "true").rc == 255
    for path in pathlib.Path(user.home).glob("fill*"):
        path.unlink()
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    assert sp.ssh(user, "echo in").stdout == "in\n"
