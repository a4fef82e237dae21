# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 32: state files as crashes, disks and editors leave them."""

import hashlib
import json
import os
import pathlib

import pytest

import sp
from sp_safety import STORE, get, in_force, managed, refused


def seal(text):
    return f"{text}\nsha256 {hashlib.sha256(text.encode()).hexdigest()}\n".encode()


def edited(content, **changes):
    state = json.loads(content.split(b"\n")[0])
    state.update(changes)
    return json.dumps(state)


BREAKS = {
    "cut to half": lambda old: old[:len(old) // 2],
    "cut by one byte": lambda old: old[:-1],
    "without its second line": lambda old: old.split(b"\n")[0] + b"\n",
    "empty": lambda old: b"",
    "zeroed": lambda old: b"\0" * len(old),
    "one bit": lambda old: bytes([old[0] ^ 1]) + old[1:],
    "edited by hand": lambda old: old.replace(b'"none"', b'"bash"').replace(b'"chroot"', b'"bash"'),
    "more behind it": lambda old: old + b"\n",
    "twice": lambda old: old + old,
    "no json": lambda old: seal("hello"),
    "an array": lambda old: seal("[]"),
    "a duplicate key": lambda old: seal('{"format":1,' + old.split(b"\n")[0].decode()[1:]),
    "a newer format": lambda old: seal(edited(old, format=99)),
    "an unknown field": lambda old: seal(edited(old, surprise=1)),
    "another user inside": lambda old: seal(old.split(b"\n")[0].decode().replace('"uid"', '"uidx"')),
    "random bytes": lambda old: os.urandom(3000),
    "too large": lambda old: b" " * (80 << 20),
    "deep": lambda old: seal("[" * 100 + "]" * 100),
}


def everything_of(user):
    """What is in force for this account, whatever our state says."""
    names = [f"{STORE}/entry/{user.uid}", f"{STORE}/names/{user.uid}"]
    lines = {path: [line for line in pathlib.Path("/etc", path).read_text().splitlines() if user.name in line] for path in ("passwd", "group", "gshadow")}
    return lines, sp.snapshot([user.home, *names])


@pytest.mark.parametrize("how", BREAKS)
def test_safety_32_nothing_is_granted_from_a_broken_state_and_what_is_in_force_stays(host, how):
    user, other = managed("chroot"), managed("chroot")
    path = pathlib.Path(f"{STORE}/state/{user.name}.json")
    good = path.read_bytes()
    path.write_bytes(BREAKS[how](good))
    before = everything_of(user)
    for method, params in (("domain.apply", {"domain": user.domain, "shell": "bash"}), ("domain.remove", {"domain": user.domain}),
                           ("domain.get", {"domain": user.domain}), ("keys.list", {"domain": user.domain}),
                           ("keys.add", {"domain": user.domain, "key": sp.keypair("state").public}),
                           ("password.set", {"domain": user.domain, "password": "Not-From-Here-1"})):
        error = refused(sp.rpc(method, params), "broken_state")
        assert user.name in error["message"] and str(path) in error["data"]["hint"], error
    report = sp.rpc("system.reconcile").ok()
    assert report["failed"] >= 1 and any(item.get("user") == user.name and item.get("reason") == "broken_state" for item in report["details"]), report
    listed = sp.rpc("domain.list").ok()
    assert [item["user"] for item in listed["broken"]] == [user.name], listed["broken"]
    assert other.domain in [item["domain"] for item in listed["domains"]]
    assert everything_of(user) == before
    assert sp.ssh(user, "echo in").stdout == "in\n"
    sp.rpc("domain.apply", {"domain": other.domain, "shell": "bash"}).ok()
    in_force(other)
    path.write_bytes(good)
    in_force(user)
    for one in (user, other):
        sp.rpc("domain.remove", {"domain": one.domain}).ok()


def test_safety_32_a_broken_state_that_was_set_aside_is_applied_anew(host):
    user = managed("chroot")
    path = pathlib.Path(f"{STORE}/state/{user.name}.json")
    path.write_bytes(b"")
    path.rename(path.with_suffix(".broken"))
    params = {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot", "authorized_keys": [{"key": sp.keypair().public}]}
    sp.rpc("domain.apply", params).ok()
    in_force(user)
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert sp.run(["getent", "passwd", user.name]).stdout.strip().endswith(":/bin/false")
    assert sp.ssh(user, "true").rc != 0


@pytest.mark.parametrize("kind", ["directory", "fifo", "link"])
def test_safety_32_a_state_that_is_no_file_is_refused(host, kind):
    user = managed("bash")
    path = pathlib.Path(f"{STORE}/state/{user.name}.json")
    good = path.read_bytes()
    path.unlink()
    {"directory": path.mkdir, "fifo": lambda: os.mkfifo(path), "link": lambda: path.symlink_to("/etc/passwd")}[kind]()
    refused(sp.rpc("domain.apply", {"domain": user.domain, "shell": "chroot"}), "broken_state")
    listed = sp.rpc("domain.list").ok()
    assert user.name in [item["user"] for item in listed["broken"]]
    path.rmdir() if kind == "directory" else path.unlink()
    path.write_bytes(good)
    in_force(user)


def test_safety_32_an_index_that_points_elsewhere_gives_nobody_another_account(host):
    user, other = managed("bash"), managed("bash")
    link = pathlib.Path(f"{STORE}/domains/{user.domain}")
    for target in (other.name, "../state/x", "root", "nosuchuser", "x" * 300):
        link.unlink()
        link.symlink_to(target)
        answer = sp.rpc("domain.apply", {"domain": user.domain, "shell": "none"})
        assert answer.error, (target, answer.body)
        assert get(other)["shell"] == "bash"
    link.unlink()
    link.symlink_to(user.name)
    in_force(user)


def test_safety_28_a_name_that_a_killed_removal_left_in_the_index_goes_at_the_next(host):
    user = managed("bash")
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    link = pathlib.Path(f"{STORE}/domains/{user.domain}")
    link.symlink_to(user.name)
    assert sp.rpc("domain.remove", {"domain": user.domain, "dry_run": True}).ok()["changed"] is False
    assert link.is_symlink()
    assert sp.rpc("domain.remove", {"domain": user.domain}).ok()["changed"] is False
    assert not link.is_symlink()


def test_safety_28_a_directory_that_a_killed_removal_left_goes_at_the_next(host):
    user = managed("chroot")
    sp.rpc("domain.apply", {"domain": user.domain, "shell": "chroot"}).ok()
    for name in ("passwd", "group"):
        pathlib.Path(f"{STORE}/names/{user.uid}/{name}").unlink()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert not os.path.exists(f"{STORE}/names/{user.uid}")


def test_safety_28_what_a_request_killed_while_writing_left_goes_with_the_removal(host):
    user = managed("bash")
    left = [pathlib.Path(f"{STORE}/{name}") for name in (
        f"entry/{user.uid}.sallyport", f"names/{user.uid}/passwd.sallyport", f"state/{user.name}.json.sallyport")]
    left[1].parent.mkdir(exist_ok=True)
    for path in left:
        path.write_text("half")
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert [str(path) for path in left if path.exists()] == []
    assert not left[1].parent.exists()
