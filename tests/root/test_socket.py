# SPDX-License-Identifier: GPL-3.0-or-later
"""How panels reach the helper without being root: by sallyport.socket and by sudo, and who is told that he may not."""

import grp
import json
import os
import pathlib
import pwd
import re
import socket
import stat
import subprocess

import pytest

import sp
import sp_safety
import sp_socket

EXAMPLES = pathlib.Path("/usr/share/doc/sallyport/examples")
INFO = {"jsonrpc": "2.0", "id": "info", "method": "system.info"}
CLIENT = f"""
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({sp_socket.PATH!r})
server.sendall(sys.stdin.buffer.read())
server.shutdown(socket.SHUT_WR)
while piece := server.recv(65536):
    sys.stdout.buffer.write(piece)
"""


@pytest.fixture(scope="module")
def panel():
    """The socket, and the panel's user, who may connect to it."""
    sp.run(["useradd", "-r", "-U", "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", "-G", "sallyport-panel", "panel"], check=True)
    # The socket's environment is root's; nothing in it may say who asks.
    with sp_socket.listening(environment=("SUDO_UID=0", "LD_BIND_NOW=1")):
        yield pwd.getpwnam("panel")


def ask_as(uid, request=None, gid=None, groups="sallyport-panel"):
    """Answers by the socket to a process of that uid."""
    gid = grp.getgrnam("sallyport-panel").gr_gid if gid is None else gid
    done = sp.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", *(["--groups", groups] if groups else ["--clear-groups"]), "--inh-caps=-all",
                   "/usr/bin/python3", "-I", "-S", "-c", CLIENT], input=json.dumps(request or INFO))
    body = sp.strict_json(done.stdout) if done.stdout else None
    if body is not None:
        sp.validate_answer(body)
    return sp.Answer(body, done.rc, done.stderr, done.raw)


def logged_caller(id):
    """The uid that the log has for the one request with that id."""
    line, = sp.wait_for(lambda: sp.syslog_lines(f'REQUEST="{id}"'), what="the log entry")
    return int(re.search(r' CALLER="(\d+)"', line)[1])


def test_the_socket_is_for_root_and_one_group(panel):
    info = os.stat(sp_socket.PATH)
    assert (stat.S_IMODE(info.st_mode), info.st_uid, grp.getgrgid(info.st_gid).gr_name) == (0o660, 0, "sallyport-panel")
    assert grp.getgrnam("sallyport-panel").gr_mem == ["panel"]
    assert "Permission denied" in ask_as(panel.pw_uid, gid=panel.pw_gid, groups="").stderr
    assert ask_as(panel.pw_uid).ok()["version"]


@sp.covers("safety 46")
def test_safety_46_the_peer_of_the_socket_is_the_caller_whatever_the_environment_says(panel):
    assert ask_as(panel.pw_uid, {**INFO, "id": "whose"}).ok()
    assert logged_caller("whose") == panel.pw_uid


@pytest.mark.parametrize("who", ["www-data", "nobody", 1 << 31, (1 << 32) - 2])
def test_safety_46_a_wrong_peer_is_refused_even_in_the_group(panel, who):
    uid = who if isinstance(who, int) else pwd.getpwnam(who).pw_uid
    with sp_safety.nothing_written():
        answer = ask_as(uid)
    assert answer.reason == "forbidden" and answer.body["id"] is None and answer.error["data"]["hint"], answer


def test_safety_46_a_caller_who_is_denied_stays_so_where_passwd_names_him_twice(panel):
    passwd = pathlib.Path("/etc/passwd")
    before = passwd.read_text()
    passwd.write_text(before + next(line for line in before.splitlines(True) if line.startswith("www-data:")))
    try:
        answer = ask_as(pwd.getpwnam("www-data").pw_uid)
    finally:
        passwd.write_text(before)
    assert answer.reason == "broken_state" and "www-data" in answer.error["message"] and answer.error["data"]["hint"], answer


def test_safety_46_a_peer_that_has_no_uid_here_is_refused(panel):
    """The kernel calls whoever a user namespace does not map 65534, whatever passwd calls that."""
    config = pathlib.Path("/etc/sallyport/sallyport.conf.d/callers.conf")
    config.write_text("denied_callers = www-data\n")
    try:
        answer = ask_as(65534)
    finally:
        config.unlink()
    assert answer.reason == "forbidden" and "65534" in answer.error["message"], answer


def test_safety_46_what_is_no_connection_has_no_peer():
    for stdin in (subprocess.DEVNULL, subprocess.PIPE):
        done = subprocess.run([sp.HELPER, "--socket"], stdin=stdin, stdout=subprocess.PIPE, timeout=30)
        assert done.returncode == 6 and sp.strict_json(done.stdout.decode())["error"]["data"]["reason"] == "forbidden", done
    with socket.socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            served, _ = listener.accept()
            with served:
                done = subprocess.run([sp.HELPER, "--socket"], stdin=served, stdout=subprocess.PIPE, timeout=30)
            client.close()
    assert done.returncode == 6, done


def test_safety_46_the_uid_is_that_of_connect_not_of_whoever_holds_the_connection_later(panel):
    """polkit's CVE-2021-3560 asked about a peer that was gone."""
    site = sp.make_user()
    request = {"jsonrpc": "2.0", "id": "late", "method": "domain.apply", "params": {
        "domain": site.domain, "user": site.name, "document_root": site.docroot, "shell": "bash", "authorized_keys": []}}
    with socket.socket(socket.AF_UNIX) as server:  # root's connection, which then another one uses, and goes
        server.connect(sp_socket.PATH)
        sp.run(["setpriv", f"--reuid={panel.pw_uid}", "--clear-groups", "/usr/bin/python3", "-I", "-S", "-c",
                f"import socket; s = socket.socket(fileno={server.fileno()}); s.sendall({json.dumps(request).encode()!r}); s.shutdown(1)"],
               pass_fds=(server.fileno(),), check=True)
    assert logged_caller("late") == 0
    assert pwd.getpwnam(site.name).pw_shell == "/bin/bash"


def test_what_the_callers_process_is_like_never_reaches_the_helper(panel):
    """Limits, umask, directory, environment and descriptors stay on the other side of the socket."""
    site = sp.make_user()
    request = {"jsonrpc": "2.0", "id": "x", "method": "domain.apply", "params": {
        "domain": site.domain, "user": site.name, "document_root": site.docroot, "shell": "chroot",
        "authorized_keys": [{"key": sp.keypair().public}]}}
    answer = sp.run(["prlimit", "--fsize=200", "--nofile=20", "--nproc=64", "env", "LD_PRELOAD=/nonexistent.so", "setpriv",
                     f"--reuid={panel.pw_uid}", "--regid=sallyport-panel", "--clear-groups", "/usr/bin/python3", "-I", "-S", "-c", CLIENT],
                    input=json.dumps(request), preexec_fn=lambda: os.umask(0))
    body = sp.strict_json(answer.stdout)
    sp.validate_answer(body)
    assert body["result"]["changed"] is True
    assert oct(os.stat(f"{site.home}/.ssh/authorized_keys").st_mode) == "0o100600"


def test_the_answer_arrives_though_the_caller_still_sends(panel):
    """A refused caller is not read from; its last bytes must not reset the connection."""
    def padded(size):
        return json.dumps(INFO).encode() + b" " * size

    for size in (300_000, 2 << 20):
        done = sp.run(["setpriv", "--reuid=www-data", "--regid=sallyport-panel", "--clear-groups", "/usr/bin/python3", "-I", "-S", "-c", CLIENT],
                      input=padded(size), check=True)
        assert sp.strict_json(done.stdout)["error"]["data"]["reason"] == "forbidden", done
    assert sp.strict_json(sp_socket.ask(padded(2 << 20)).decode())["error"]["data"]["reason"] == "parse_error"


def test_a_request_that_is_not_json_is_answered_by_the_socket(panel):
    for bytes_ in (b"", b"{", b'{"a":1,"A":2}', b"\xff"):
        body = sp.strict_json(sp_socket.ask(bytes_).decode())
        sp.validate_answer(body)
        assert body["error"]["data"]["reason"] == "parse_error", body


@pytest.mark.parametrize("program", ["php", "python3"])
def test_the_examples_of_a_panel_ask_by_the_socket(panel, program):
    script = EXAMPLES / {"php": "panel-socket.php", "python3": "panel-socket.py"}[program]
    argv = ["setpriv", f"--reuid={panel.pw_uid}", "--regid=sallyport-panel", "--clear-groups", program, script]
    done = sp.run([*argv, "domain.list"], check=True)
    assert "domains" in sp.strict_json(done.stdout)
    done = sp.run([*argv, "domain.get", '{"domain": "nowhere.example"}'])
    assert done.rc != 0 and "not_found" in done.stdout + done.stderr, done


# sudo

@pytest.fixture(scope="module")
def sudo(panel):
    """The example for sudo as an admin installs it, and www-data let in as well, which he never should."""
    text = (EXAMPLES / "sudoers").read_text()
    target = pathlib.Path("/etc/sudoers.d/sallyport")
    target.write_text(text + text.splitlines()[-1].replace("panel", "www-data", 1) + "\n")
    target.chmod(0o440)
    yield target
    target.unlink()


def sudo_as(name, *arguments, request=None):
    return sp.run(["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups", "sudo", "-n", sp.HELPER, *arguments],
                  input=json.dumps(request or INFO), cwd="/")


def test_the_example_for_sudo_is_valid_and_lets_the_panel_ask(panel, sudo):
    assert sp.run(["visudo", "-c", "-f", EXAMPLES / "sudoers"]).rc == 0
    done = sudo_as("panel", request={**INFO, "id": "by-sudo"})
    assert done.rc == 0 and "result" in sp.strict_json(done.stdout), done
    assert logged_caller("by-sudo") == panel.pw_uid
    assert sudo_as("panel", "--socket").rc == 1 and sudo_as("panel", "--version").rc == 1


def test_safety_46_www_data_is_refused_even_where_sudo_lets_it_through(sudo):
    done = sudo_as("www-data")
    assert done.rc == 6 and sp.strict_json(done.stdout)["error"]["data"]["reason"] == "forbidden", done


@pytest.mark.parametrize("uid", [1 << 31, (1 << 32) - 1])
def test_safety_46_a_uid_that_is_none_is_refused_from_sudo_too(host, uid):
    """It was taken for no uid at all, and so for root's own call."""
    answer = sp.rpc_raw(json.dumps(INFO), env={"SUDO_UID": str(uid)})
    assert answer.reason == "forbidden" and str(uid) in answer.error["message"], answer


def test_the_example_for_cron_does_what_it_says(host):
    site = sp.make_user()
    sp.rpc("domain.apply", {"domain": site.domain, "user": site.name, "document_root": site.docroot, "shell": "none"}).ok()
    sp.run(["usermod", "-s", "/bin/bash", site.name], check=True)
    lines = (EXAMPLES / "cron.d").read_text().splitlines()
    jobs = [line for line in lines if line[:1] in "*0123456789@" and line]
    assert len(jobs) == 3
    path = next(line for line in lines if line.startswith("PATH="))
    for job in jobs:
        user, command = job.split(None, 2 if job[0] == "@" else 6)[-2:]
        assert user == "root"
        done = sp.run(["/bin/sh", "-c", command], env={"PATH": path.removeprefix("PATH="), "HOME": "/root", "SHELL": "/bin/sh"})
        assert done.rc in (0, 20), done
    assert pwd.getpwnam(site.name).pw_shell == "/bin/false"
