# SPDX-License-Identifier: GPL-3.0-or-later
"""Document roots with 100,000 entries and 4,000 levels: nothing is walked, so nothing takes longer and no descriptor more."""

import os
import pathlib
import re
import time

import pytest

import sp
import sp_site

ENTRIES, LEVELS = 100_000, 4_000


def many(folder):
    """100,000 names in one directory, quickly: they are all one file."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    last = None
    for number in range(ENTRIES):
        if number % 30_000 == 0:  # some file systems count links in 16 bits
            last = f"entry-{number}"
            os.close(os.open(last, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=handle))
            continue
        os.link(last, f"entry-{number}", src_dir_fd=handle, dst_dir_fd=handle)
    os.close(handle)


def deep(folder):
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(LEVELS):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


@pytest.fixture(scope="module")
def large(host):
    """In the document root itself, at the names of mount points, and where the keys are."""
    user = sp.make_user()
    root = pathlib.Path(user.docroot)
    many(root)
    for name, make in (("etc", many), ("var", deep), ("deep", deep), (".ssh", many)):
        (root / name).mkdir(mode=0o700)
        make(root / name)
        os.chown(root / name, user.uid, user.gid)
    (root / "deep").chmod(0o755)
    return user


def traced(method, params):
    """The answer, its seconds, the highest descriptor, and how many times a directory was read."""
    import json

    log = pathlib.Path("/run/large.strace")
    request = json.dumps({"jsonrpc": "2.0", "id": "test", "method": method, "params": params})
    argv = ["strace", "-f", "-q", "-o", str(log), "-e", "trace=openat,openat2,dup3,fcntl,socket,getdents64,unlinkat,newfstatat", sp.HELPER]
    answer = sp.rpc_raw(request, argv=argv, timeout=60)
    calls = log.read_text()
    highest = max(int(number) for number in re.findall(r"(?:open\w+|dup3|socket)\(.*\) += (\d+)$", calls, re.M))
    start = time.monotonic()
    if params.get("dry_run") or method.endswith(("get", "list")):
        sp.rpc(method, params).ok()
    return answer.ok(), time.monotonic() - start, highest, calls.count("getdents64("), len(calls.splitlines())


@sp.covers("safety 24", "tree large")
def test_apply_status_reconcile_login_and_removal_do_not_notice_a_large_tree(host, large):
    user = large
    small = sp.make_user()
    wanted = {"shell": "chroot", "jail": sp_site.JAIL, "authorized_keys": [{"key": sp.keypair().public}]}
    sp_site.apply(small, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()  # the generation is there
    start = time.monotonic()
    answer, _, highest, reads, calls = traced("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, **wanted})
    assert any("path layout" in text for text in answer["warnings"]) and time.monotonic() - start < 10 * sp.PATIENCE
    assert highest < 40 and reads < 60 and calls < 3000, (highest, reads, calls)
    for method, params in (("domain.get", {"domain": user.domain}), ("keys.list", {"domain": user.domain})):
        _, seconds, highest, reads, calls = traced(method, params)
        assert seconds < 5 * sp.PATIENCE and highest < 40 and reads < 30, (method, seconds, highest, reads)
    start = time.monotonic()
    sp.rpc("system.reconcile", {}, timeout=60).ok()
    assert time.monotonic() - start < 10 * sp.PATIENCE
    start = time.monotonic()
    done = sp.ssh(user, f"pwd; test ! -e /boot && echo jailed; ls -f {user.docroot} | wc -l; cd {user.docroot}/deep/{'d/' * 500} && echo deep")
    assert done.stdout.split()[:2] == [user.home, "jailed"] and int(done.stdout.split()[2]) > ENTRIES and done.stdout.endswith("deep\n"), done
    assert time.monotonic() - start < 10 * sp.PATIENCE
    start = time.monotonic()
    _, _, highest, reads, calls = traced("domain.remove", {"domain": user.domain})
    assert time.monotonic() - start < 10 * sp.PATIENCE and highest < 40 and reads < 60 and calls < 3000, (highest, reads, calls)
    assert len(os.listdir(f"{user.docroot}/etc")) == ENTRIES and os.path.isdir(f"{user.docroot}/var/d/d/d")


@sp.covers("safety 24", "tree large")
def test_in_the_root_layout_a_large_tree_is_slash_and_stays(host, large):
    """The same with nothing in the way: "/" has 100,000 entries and 4,000 levels."""
    user = large
    root = pathlib.Path(user.docroot)
    for name in ("etc", "var", ".ssh"):
        os.rename(root / name, root / f"{name.strip('.')}-aside")
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail=sp_site.JAIL).ok()
    assert sp.rpc("domain.get", {"domain": user.domain}).ok()["jail"]["layout"] == "root"
    start = time.monotonic()
    done = sp.ssh(user, "ls -f / | wc -l; cd /deep/d/d/d && pwd")
    assert int(done.stdout.split()[0]) > ENTRIES and done.stdout.split()[1] == "/deep/d/d/d", done
    assert time.monotonic() - start < 10 * sp.PATIENCE
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert not {"usr", "proc", "etc"} & set(os.listdir(root)) and len(os.listdir(root / "etc-aside")) == ENTRIES
