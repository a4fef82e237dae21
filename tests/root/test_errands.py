# SPDX-License-Identifier: GPL-3.0-or-later
"""What a panel's request may not do in its sandbox is done by sallyport-jail@.service, which root alone can ask."""

import json
import os
import pathlib
import pwd
import stat
import struct
import subprocess

import pytest

import sp
import sp_sandbox
import sp_site
import sp_socket

NULL = pathlib.Path("/var/lib/sallyport/dev/null")
MAPS = pathlib.Path("/run/sallyport/idmap")
OWN = pathlib.Path("/etc/sallyport/profiles.d")
PROVE, KEEP, DROP, TRY, DEV, SHELL = range(6)
FORMAT = b"sp-errand 1"

pytestmark = pytest.mark.usefixtures("sandbox", "host")


def errand(kind, maps=(0, 0, 0, 0), name=b"", profiles=b"", path=b"", format=FORMAT):
    return struct.pack("16sI4I80s256s1024sIi304s", format, kind, *maps, name, profiles, path, 1000, 0, b"")


def ask(bytes_):
    """What the unit says: (code, field, text, hint), code 0 where it did it."""
    answer = sp_socket.ask(bytes_, path=str(sp_sandbox.JAIL_SOCKET))
    format, code, _, *texts = struct.unpack("16sIi128s384s256s312x", answer)
    assert format.rstrip(b"\0") == FORMAT
    return (code, *(text.partition(b"\0")[0].decode() for text in texts))


def run_with(words):
    """Processes that were started as a line that ends so, but for who listens."""
    return sp.run(["pgrep", "-f", f"^[^ ]*{words}$"]).stdout.split()


@pytest.fixture
def own():
    """Writes a profile of the administrator's; it goes with the test."""
    written = []

    def write(text):
        name = sp.unique("own").lower().replace("_", "")
        OWN.mkdir(parents=True, exist_ok=True)
        written.append(OWN / f"{name}.profile")
        written[-1].write_text(f"describe one for a test\nrequires base\n{text}\n")
        return name

    yield write
    for path in written:
        path.unlink()


def jailed(user, *profiles, **more):
    return sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["base", *profiles]}, **more)


@sp.covers("privilege errands")
def test_without_the_unit_the_request_is_refused_with_the_mend_and_nothing_is_changed(own):
    profile, user = own("promise it is new\nprove true"), sp.make_user()
    sp_sandbox.stop_jail()
    try:
        answer = jailed(user, profile)
        assert answer.reason == "unsupported" and "/run/sallyport/jail.socket" in answer.error["message"], answer
        assert "systemctl start sallyport-jail.socket" in answer.error["data"]["hint"], answer
        assert pwd.getpwnam(user.name).pw_shell == "/bin/false"
        sp_site.apply(user, shell="bash", keys=[sp.keypair()]).ok()  # which needs none of it
        assert sp.ssh(user, "echo in").stdout == "in\n"
    finally:
        sp_sandbox.start_jail()
    jailed(user, profile).ok()
    assert sp.ssh(user, "echo $SHELL; ls -d /usr").stdout.split()[-1] == "/usr"


def test_a_proof_that_fails_there_is_refused_in_the_words_of_the_proof(own):
    profile, user = own("promise two and two\nprove-sh echo five; exit 3"), sp.make_user()
    answer = jailed(user, profile)
    assert answer.reason == "not_in_force" and answer.error["data"]["field"].endswith(f"profiles.{profile}"), answer
    assert "two and two" in answer.error["message"] and "ended with 3 in the jail: five" in answer.error["message"], answer
    assert "stays in force" in answer.error["data"]["hint"], answer


def test_what_the_jails_lack_of_dev_is_made_there(own):
    jailed(sp.make_user()).ok()
    NULL.unlink()
    user = sp.make_user()
    jailed(user).ok()
    assert stat.S_ISCHR(NULL.stat().st_mode) and NULL.stat().st_rdev == os.makedev(1, 3)
    assert sp.ssh(user, "echo gone >/dev/null && echo in").stdout == "in\n"


def test_the_id_map_of_an_extra_login_is_kept_and_let_go_there():
    sp.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/srv"], check=True)  # an overlay takes no map
    name, tech = sp.unique("shop"), sp.unique("tech")
    site = sp_site.account(name=name, home=pathlib.Path("/srv") / f"{name}.example")
    sp.rpc("user.add", {"domain": site.domain, "user": tech, "authorized_keys": [{"key": sp.keypair("tech").public}]}).ok()
    kept = list(MAPS.iterdir())
    assert len(kept) == 1 and str(site.uid) in kept[0].name
    who = pwd.getpwnam(tech)
    assert sp.ssh(sp.User(tech, who.pw_uid, who.pw_gid, who.pw_dir, None, None), "echo in", key=sp.keypair("tech")).stdout == "in\n"
    sp.rpc("user.remove", {"domain": site.domain, "user": tech}).ok()
    assert list(MAPS.iterdir()) == []


@sp.covers("privilege errands")
def test_only_roots_processes_are_heard():
    client = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(sp_sandbox.JAIL_SOCKET)!r}); " \
             f"s.sendall({errand(DEV)!r}); s.shutdown(1); print(s.makefile('rb').read())"
    as_www = ["setpriv", "--reuid=www-data", "--regid=sallyport-panel", "--clear-groups", "/usr/bin/python3", "-I", "-S", "-c", client]
    assert "PermissionError" in sp.run(as_www).stderr
    sp_sandbox.JAIL_SOCKET.chmod(0o666)
    try:
        done = sp.run(as_www, check=True)
    finally:
        sp_sandbox.JAIL_SOCKET.chmod(0o600)
    assert f"uid {pwd.getpwnam('www-data').pw_uid} may not ask" in done.stdout
    assert sp_socket.setting("sallyport-jail.socket", "SocketMode") == "0600"
    assert sp_socket.setting("sallyport-jail.socket", "ListenStream") == str(sp_sandbox.JAIL_SOCKET)
    assert sp_socket.setting("sallyport-jail.socket", "SocketUser") == sp_socket.setting("sallyport-jail.socket", "SocketGroup") == "root"
    assert sp_socket.setting(sp_sandbox.PANEL, "Wants") == sp_socket.setting(sp_sandbox.PANEL, "After") == "sallyport-jail.socket"


FORBIDDEN = {
    "no errand": (b"{}", 1, "no errand"),
    "another version": (errand(DEV, format=b"sp-errand 0"), 1, "version"),
    "an unknown kind": (errand(99), 1, "no errand"),
    "a name without an end": (errand(PROVE, name=b"a" * 80), 1, "no errand"),
    "a way out of the store": (errand(PROVE, name=b"../../../etc", profiles=b"base"), 4, "not the name of a generation"),
    "a directory beside the generations": (errand(PROVE, name=b".tmp-other", profiles=b"base"), 4, "not the name of a generation"),
    "a profile that is none": (errand(PROVE, name=b"a" * 64, profiles=b"../../tmp/x"), 4, ""),
    "root as the owner": (errand(KEEP, (0, 0, 60000, 60000)), 17, "no id map"),
    "root as the login": (errand(KEEP, (1000, 1000, 0, 0)), 17, "no id map"),
    "root's shell": (errand(SHELL, name=b"root"), 4, "no shell of root"),
    "another user's shell": (errand(SHELL, (0, 0, 4711, 0), name=b"daemon"), 4, "no shell of daemon"),
    "a path that climbs": (errand(TRY, (1000, 1000, 60000, 60000), path=b"/srv/../etc"), 8, ""),
}


@sp.covers("privilege errands")
@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_is_no_errand_is_not_done(what):
    bytes_, code, text = FORBIDDEN[what]
    answer = ask(bytes_)
    assert answer[0] == code and text in answer[2], answer


def test_an_errand_that_nobody_waits_for_any_more_ends(own):
    profile, user = own("prove sleep 17"), sp.make_user()
    wanted = {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot", "jail": {"profiles": ["base", profile]}}
    with subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as helper:
        helper.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "domain.apply", "params": wanted}).encode())
        helper.stdin.close()
        sp.wait_for(lambda: run_with("sleep 17"), what="the proof")
        assert run_with("sallyport-helper.sandboxed --jail")
        helper.kill()
    sp.wait_for(lambda: not run_with("sleep 17") and not run_with("sallyport-helper.sandboxed --jail"), timeout=10, what="the end of the errand")
