# SPDX-License-Identifier: GPL-3.0-or-later
"""What the crash sweeps brought to light, each by itself: a request that was cut off at one place, and the same request again."""

import errno
import json
import os
import pathlib

import pytest
import sp
from sp_crash import KILLAT, held, kill_when, message
from sp_crash_operations import OPERATIONS, world  # noqa: F401
from sp_safety import STORE

CA, GLOBAL = pathlib.Path(STORE, "ca"), pathlib.Path(STORE, "global")


def begin(world, shell="bash"):  # noqa: F811
    world.reset()
    user = world.user
    sp.rpc("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": shell,
                            "authorized_keys": [{"key": sp.keypair("panel").public}]}).ok()
    return user


def cut_off(files, request):
    """The request whose writing of these files did not come about."""
    before = {path: path.read_bytes() if path.exists() else None for path in files}
    sp.rpc(*request).ok()
    for path, content in before.items():
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)


def revoked(line):
    certificate = sp.WORK / "found-cert.pub"
    certificate.write_text(line + "\n")
    return "REVOKED" in sp.run(["ssh-keygen", "-Q", "-f", CA / "revoked", certificate]).stdout


LISTS = [CA / name for name in ("revoked", "revoked.sum", "revoked.spec")]


def test_a_revocation_that_was_noted_and_no_more_is_put_in_force_by_the_next_request(world):  # noqa: F811
    for method in ("certificate.revoke", "keys.remove"):
        user = begin(world)
        fingerprint = sp.keypair("panel").fingerprint
        sp.rpc("certificate.ca.create", {}).ok()
        issued = sp.rpc("certificate.issue", {"domain": user.domain, "fingerprint": fingerprint}).ok()
        params = {"serial": issued["serial"]} if method == "certificate.revoke" else {"domain": user.domain, "fingerprint": fingerprint}
        cut_off(LISTS, (method, params))
        assert not revoked(issued["certificate"])
        if method == "keys.remove":
            assert not sp.rpc("domain.get", {"domain": user.domain}).ok()["in_force"]
        again = sp.rpc(method, params).ok()
        assert again["changed"] and revoked(issued["certificate"]), (method, again)
        assert not sp.rpc(method, params).ok()["changed"]


def test_a_global_key_that_left_the_record_alone_is_taken_away_by_the_next_request(world):  # noqa: F811
    user, key = begin(world), sp.keypair("global")
    sp.rpc("global_keys.add", {"key": key.public}).ok()
    request = ("global_keys.remove", {"fingerprint": key.fingerprint})
    mode, group = (GLOBAL / "all").stat().st_mode, (GLOBAL / "all").stat().st_gid
    dropin = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf")
    cut_off([GLOBAL / "all", dropin], request)
    os.chown(GLOBAL / "all", 0, group)
    os.chmod(GLOBAL / "all", mode)
    assert sp.rpc(*request).ok()["changed"] is True
    assert not (GLOBAL / "all").exists() and "global" not in dropin.read_text() and sp.ssh(user, "echo in", key=key).rc != 0
    assert sp.rpc(*request).ok()["changed"] is False


def test_a_dropin_that_was_half_written_is_nobodys_configuration(world):  # noqa: F811
    begin(world)
    key, dropin = sp.keypair("global"), pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf")
    sp.rpc("global_keys.add", {"key": key.public}).ok()
    half, text = dropin.with_name(dropin.name + ".sallyport"), dropin.read_bytes()
    sp.rpc("global_keys.remove", {"fingerprint": key.fingerprint}).ok()
    half.write_bytes(text)
    sp.rpc("global_keys.add", {"key": key.public}).ok()
    assert not half.exists() and dropin.read_bytes() == text


@pytest.mark.parametrize("rerun", ["domain.apply", "system.reconcile", "global_keys.add"])
def test_an_sshd_that_was_not_told_of_its_dropin_is_told_by_the_next_request(world, rerun):  # noqa: F811
    user, key = begin(world), sp.keypair("global")
    dropin, pid = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf"), pathlib.Path("/run/sshd.pid")
    request = ("global_keys.add", {"key": key.public})
    ask = {"domain.apply": ("domain.apply", {"domain": user.domain, "shell": "bash"}), "global_keys.add": request}.get(rerun, (rerun, {}))
    for method, params in (request, ("global_keys.remove", {"fingerprint": key.fingerprint})):  # sshd goes by this host's files
        sp.rpc(method, params).ok()
    before, told = dropin.read_bytes(), pid.stat().st_mtime_ns
    kill_when(request, lambda: dropin.read_bytes() != before)
    assert dropin.read_bytes() != before and pid.stat().st_mtime_ns == told and sp.ssh(user, "echo in", key=key).rc != 0
    sp.rpc(*ask).ok()
    sp.wait_for(lambda: pid.exists() and pid.stat().st_mtime_ns != told, what="sshd reading its files")
    assert sp.ssh(user, "echo in", key=key).stdout == "in\n"
    told = pid.stat().st_mtime_ns
    assert sp.rpc(*ask).ok()["changed"] is False and pid.stat().st_mtime_ns == told, "it hears no more of it"


def test_a_record_that_was_half_written_goes_with_the_same_request_again(world):  # noqa: F811
    user = begin(world)
    left = pathlib.Path(STORE, "state", f"{user.name}.json.sallyport")
    left.write_bytes(b"")
    assert sp.rpc("domain.apply", {"domain": user.domain, "shell": "bash"}).ok()["changed"] is False
    assert not left.exists()


def test_the_doctor_says_that_it_could_not_mend_what_it_could_not_read(world):  # noqa: F811
    user = begin(world)
    state = pathlib.Path(STORE, "state", f"{user.name}.json")
    whole = state.read_bytes()
    state.write_bytes(b"cut")
    assert "cut short" in sp.rpc("login.diagnose", {"user": user.name, "fix": True}).ok()["fix_failed"]
    state.write_bytes(whole)


def test_the_last_logins_directory_goes_with_the_next_request(world):  # noqa: F811
    user = begin(world)
    left = pathlib.Path(STORE, "logins", str(user.uid))
    left.mkdir(0o711, parents=True)
    assert sp.rpc("user.remove", {"domain": user.domain, "user": "nobodyhere"}).ok()["changed"] is False
    assert not left.exists()


def test_the_last_logins_directory_goes_with_a_removal_whose_record_alone_was_left(world):  # noqa: F811
    user = begin(world, "chroot")
    sp.rpc("user.add", {"domain": user.domain, "user": "tech", "authorized_keys": [{"key": sp.keypair("tech").public}]}).ok()
    state = pathlib.Path(STORE, "state", "tech.json").read_bytes()
    request = ("user.remove", {"domain": user.domain, "user": "tech"})
    sp.rpc(*request).ok()
    left = pathlib.Path(STORE, "logins", str(user.uid))
    assert not left.exists()
    left.mkdir(0o711, parents=True)
    pathlib.Path(STORE, "state", "tech.json").write_bytes(state)
    os.chmod(pathlib.Path(STORE, "state", "tech.json"), 0o600)
    sp.rpc(*request).ok()
    assert not left.exists() and not pathlib.Path(STORE, "state", "tech.json").exists()


def test_an_authority_that_was_made_and_no_more_is_trusted_by_the_next_request(world):  # noqa: F811
    begin(world)
    cut_off([CA / "trusted"], ("certificate.ca.create", {}))
    (CA / "7").write_text("ssh-keygen was ended here\n")
    assert sp.rpc("certificate.ca.create", {}).ok()["cas"][0]["number"] == 1
    assert (CA / "trusted").read_text().split()[1] == (CA / "1.pub").read_text().split()[1]
    assert sp.rpc("certificate.ca.create", {}).reason == "conflict"
    assert sp.rpc("certificate.ca.rotate", {}).ok()["cas"][1]["number"] == 2 and not (CA / "7").exists()


def test_an_authority_whose_removal_was_cut_off_can_be_dropped_again(world):  # noqa: F811
    """The public half goes last: what is there can be dropped."""
    begin(world)
    sp.rpc("certificate.ca.create", {}).ok()
    sp.rpc("certificate.ca.rotate", {}).ok()
    halves = {path.name: path.read_text().split()[1] for path in CA.glob("*.pub")}
    cut_off([CA / "1.pub"], ("certificate.ca.drop", {"number": 1}))
    assert halves["1.pub"] not in (CA / "trusted").read_text()
    assert [one["number"] for one in sp.rpc("certificate.ca.drop", {"number": 1}).ok()["cas"]] == [2]
    assert sorted(path.name for path in CA.glob("[0-9]*")) == ["2", "2.pub"]


def test_a_name_that_a_rebind_left_in_the_index_goes_with_the_same_request_again(world):  # noqa: F811
    user = begin(world)
    request = ("domain.rebind", {"domain": user.domain, "new_domain": "moved.example"})
    sp.rpc(*request).ok()
    old = pathlib.Path(STORE, "domains", user.domain)
    old.symlink_to(user.name)
    assert sp.rpc(*request).ok()["changed"] is False and not os.path.lexists(old)


def test_names_that_an_undone_adoption_left_go_with_the_next(world):  # noqa: F811
    world.reset()
    left = pathlib.Path(STORE, "domains", "left.example")
    left.symlink_to("nobody-we-know")
    sp.rpc("account.adopt", {"panel": "generic", "document_root": "/srv/*-other", "undo": True}).ok()
    assert not os.path.lexists(left) and os.path.lexists(pathlib.Path(STORE, "domains", world.neighbour.domain))


def test_a_name_whose_account_cannot_be_looked_at_is_not_taken_for_nobodys(world):  # noqa: F811
    """Each descriptor that is asked for is refused once; the neighbour's domain stays attached."""
    world.reset()
    request = message("account.adopt", {"panel": "generic", "undo": True})
    letters = sp.WORK / "letters"
    sp.run([KILLAT, "-l", letters, "0", sp.HELPER], input=request, check=True)
    opened = [number for number, letter in enumerate(letters.read_text(), 1) if letter == "f"]
    for number in opened[len(opened) // 2:]:
        sp.run([KILLAT, "-e", str(errno.EIO), str(number), sp.HELPER], input=request)
        assert os.path.islink(pathlib.Path(STORE, "domains", world.neighbour.domain)), (number, len(letters.read_text()))


def test_mount_points_that_could_not_be_looked_at_are_not_left_out_of_a_plan(world):  # noqa: F811
    """A dry run changes nothing, so every fifth of its calls fails in turn: the plan is whole, or there is none."""
    user = begin(world, "chroot")
    request = message("domain.rebind", {"domain": user.domain, "document_root": f"{user.home}-other", "dry_run": True})
    letters = sp.WORK / "letters"
    whole = json.loads(sp.run([KILLAT, "-l", letters, "0", sp.HELPER], input=request, check=True).stdout)["result"]["changes"]
    assert [change["from"] for change in whole if change["resource"] == "mount_points"].count(None) == 1 and len(whole) > 2, whole
    for number in [number for number, letter in enumerate(letters.read_text(), 1) if letter in "f."][::5]:
        answer = json.loads(sp.run([KILLAT, "-e", str(errno.EINTR), str(number), sp.HELPER], input=request).stdout or "{}")
        points = [change for change in answer.get("result", {}).get("changes", whole) if change["resource"] == "mount_points"]
        assert points == [change for change in whole if change["resource"] == "mount_points"], (number, answer)


@sp.outside_the_sandbox("the jail's unit makes the namespace there")
def test_a_helpers_child_that_dies_without_a_word_is_not_waited_for(world):  # noqa: F811
    """The one that holds a user namespace: its one write fails, and the helper waited at a pipe of which it had the other end itself."""
    user, ours = begin(world, "chroot"), os.readlink("/proc/self/ns/user")
    add = message("user.add", {"domain": user.domain, "user": "tech", "authorized_keys": [{"key": sp.keypair("tech").public}]})
    done = held([sp.HELPER], add, lambda number, pid: os.readlink(f"/proc/{pid}/ns/user") != ours, "-e", str(errno.EIO))
    assert b"the process that makes a user namespace died" in done.stdout, done


def test_an_account_whose_state_cannot_be_looked_at_is_not_taken_for_one_that_is_known(world):  # noqa: F811
    adopt = next(one for one in OPERATIONS if one.name == "account.adopt")
    adopt.prepare(world)
    opens = [number for number, letter in enumerate(adopt.letters, 1) if letter == "f"]
    for number in opens:
        answer = json.loads(adopt.attempt(number, "-e", str(errno.EIO))[2].stdout or "{}")
        assert answer.get("result", {}).get("known", 0) == 0, answer
        adopt.back()


def test_the_last_good_copy_of_the_firewalls_policy_follows(world):  # noqa: F811
    world.reset()
    state, copy = pathlib.Path(STORE, "firewall.json"), pathlib.Path(STORE, "firewall.json-")
    sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.2"}]}).ok()
    request = ("firewall.set", {"mode": "open"})
    cut_off([copy, pathlib.Path(STORE, "firewall.seen")], request)
    assert state.read_bytes() != copy.read_bytes()
    sp.rpc(*request).ok()
    assert state.read_bytes() == copy.read_bytes()
    copy.write_bytes(state.read_bytes()[:40])
    sp.rpc(*request).ok()
    assert state.read_bytes() == copy.read_bytes()
    copy.write_bytes(state.read_bytes() * 2)
    sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.2"}]}).ok()
    assert state.read_bytes() == copy.read_bytes()
    copy.unlink()
    copy.mkdir()
    assert sp.rpc(*request).body["error"]["data"]["reason"] == "io"
    copy.rmdir()
    sp.rpc(*request).ok()
    assert state.read_bytes() == copy.read_bytes()


def test_a_domains_sources_that_were_stored_and_no_more_are_told_to_the_kernel_by_the_same_request(world):  # noqa: F811
    begin(world)
    sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.2"}]}).ok()
    request = ("domain.apply", {"domain": world.user.domain, "sources": ["192.0.2.3"]})
    before = sp.run(["nft", "list", "ruleset"]).stdout
    sp.rpc(*request).ok()
    after = sp.run(["nft", "list", "ruleset"]).stdout
    sp.run(["nft", "-f", "-"], input="flush ruleset\n" + before, check=True)
    sp.rpc(*request).ok()
    assert sp.run(["nft", "list", "ruleset"]).stdout == after != before
    sp.run(["nft", "flush", "ruleset"], check=True)


def test_a_password_costs_nobody_else_his_line_of_shadow(world):  # noqa: F811
    """pam_unix takes a failed read, or an allocation that fails, for the end of the file, and writes what it has: one line."""
    user, shadow, service = begin(world), pathlib.Path("/etc/shadow"), pathlib.Path("/etc/pam.d/passwd")
    lose = sp.WORK / "lose"
    lose.write_text(f"#!/bin/sh\nsed -n 's/^\\({user.name}:[^:]*:[^:]*:\\).*/\\1:::::/p' /etc/shadow >{sp.WORK}/one && cat {sp.WORK}/one >/etc/shadow\n")
    lose.chmod(0o755)
    service.write_text(service.read_text() + f"password optional pam_exec.so {lose}\n")
    before = [line.split(":") for line in shadow.read_text().splitlines()]
    assert sp.rpc("password.set", {"domain": user.domain, "password": "Correct-horse-42-battery"}).ok()["changed"]
    after = [line.split(":") for line in shadow.read_text().splitlines()]
    assert (sp.WORK / "one").read_text().count("\n") == 1 and len(after) > 5
    assert [line[:1] + line[3:] for line in after] == [line[:1] + line[3:] for line in before]
    assert [line for line in after if line[0] != user.name] == [line for line in before if line[0] != user.name]


def test_what_visudo_was_shown_goes_where_a_directory_cannot_be_synced(world):  # noqa: F811
    """It was taken away only after what had been put off was durable, and a failure of that was nobody's: the answer was success."""
    sudo = next(one for one in OPERATIONS if one.name == "domain.apply sudo")
    sudo.prepare(world)
    last = max(number for number, letter in enumerate(sudo.letters, 1) if letter == "u")
    met = 0
    for number in [number for number, letter in enumerate(sudo.letters[:last], 1) if letter not in "xpf"][-40:]:
        answer = json.loads(sudo.attempt(number, "-e", str(errno.EDQUOT))[2].stdout or "{}")
        met += "error" in answer
        assert "error" in answer or not pathlib.Path(STORE, "state/sudoers.check").exists(), (number, answer)
        sudo.back()
    assert met > 5, met
