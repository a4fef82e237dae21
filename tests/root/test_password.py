# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 9: passwords. They work, they are refused readably, and they stand in no log and no command line."""

import json
import pathlib

import pytest

import sp
from sp_safety import managed, nothing_written, refused, request

SHADOW = pathlib.Path("/etc/shadow")


@pytest.fixture(scope="module")
def user(host):
    return managed("bash")


def set_password(user, password, **more):
    return sp.rpc("password.set", {"domain": user.domain, "password": password, **more})


@pytest.mark.parametrize("password", ["two\nlines", "\n", "end\n", "carriage\rreturn", "tab\there", "a\x00b", "bell\x07", "del\x7f", "", "x" * 512, "x" * 100000, "x" * 511 + "\n",
                                      "root:new\nx"], ids=range(13))
def test_safety_09_a_password_with_a_newline_or_another_control_byte_is_refused(user, password):
    with nothing_written(user.home):
        error = refused(sp.rpc_raw(json.dumps(request("password.set", {"domain": user.domain, "password": password}))), {"invalid", "parse_error"})
    assert not password or password not in error["message"] + error["data"]["hint"]


def test_safety_09_a_password_logs_in_and_a_wrong_one_does_not(user):
    assert set_password(user, "Correct-Horse-9 with ünï: \"'$\\").ok()["changed"] is True
    assert sp.ssh(user, "echo in", password="Correct-Horse-9 with ünï: \"'$\\").stdout == "in\n"
    for wrong in ("correct-horse-9", "", "Correct-Horse-9"):
        assert sp.ssh(user, "echo in", password=wrong).rc != 0


def test_safety_09_the_same_password_again_changes_nothing(user):
    set_password(user, "Twice-The-Same-9").ok()
    before = SHADOW.read_bytes()
    again = set_password(user, "Twice-The-Same-9").ok()
    assert again["changed"] is False and again["changes"] == []
    assert SHADOW.read_bytes() == before


def test_safety_09_a_dry_run_sets_nothing(user):
    set_password(user, "Before-Dry-Run-9").ok()
    before = SHADOW.read_bytes()
    assert set_password(user, "After-Dry-Run-9", dry_run=True).ok()["changed"] is True
    assert SHADOW.read_bytes() == before


def test_safety_09_the_line_of_this_user_alone_differs(user):
    set_password(user, "Only-One-Line-1").ok()
    before = SHADOW.read_text().splitlines()
    set_password(user, "Only-One-Line-2").ok()
    after = SHADOW.read_text().splitlines()
    assert [line.split(":")[0] for old, line in zip(before, after) if old != line] == [user.name]
    assert len(before) == len(after)


def test_safety_09_pams_refusal_is_readable_and_the_old_password_stays(user):
    service = pathlib.Path("/etc/pam.d/common-password")
    old = service.read_text()
    service.write_text("password requisite pam_pwhistory.so remember=5 enforce_for_root\n" + old)
    try:
        set_password(user, "The-First-One-98").ok()
        set_password(user, "The-Second-One-99").ok()
        error = refused(set_password(user, "The-First-One-98"), "rejected", "params.password")
    finally:
        service.write_text(old)
    assert "already used" in error["message"] and "The-First" not in str(error)
    assert sp.ssh(user, "echo in", password="The-Second-One-99").stdout == "in\n"
    assert sp.ssh(user, "echo in", password="The-First-One-98").rc != 0


def test_safety_09_a_password_stands_in_no_log_no_answer_and_no_command_line(user):
    secret = "Never-Seen-Anywhere-31"
    trace = pathlib.Path("/tmp/password.trace")
    helper = ("strace", "-f", "-qq", "-v", "-s", "4096", "-e", "trace=execve,prctl,memfd_create,open,openat,openat2,rename,renameat,renameat2,sendto,sendmsg",
              "-o", str(trace), sp.HELPER)
    answer = sp.rpc("password.set", {"domain": user.domain, "password": secret}, argv=helper, timeout=60)
    answer.ok()
    refused(sp.rpc("password.set", {"domain": user.domain, "password": secret + "\n"}), "invalid")
    assert secret not in trace.read_text() and "execve(" in trace.read_text()
    assert secret.encode() not in answer.raw and secret not in answer.stderr
    assert not sp.syslog_lines(secret)
    for path in (*pathlib.Path("/var/lib/sallyport").rglob("*.json"), *pathlib.Path("/etc").glob("*shadow*")):
        assert secret.encode() not in path.read_bytes(), path
    assert sp.run(["grep", "-rlF", secret, "/var/log", "/etc", "/var/lib/sallyport/state", "/run/sallyport"]).stdout == ""


def test_safety_09_a_password_in_a_wrong_place_is_not_logged_either(user):
    secret = "Misplaced-Secret-44"
    for params in ({"domain": user.domain, "Password": secret}, {"domain": user.domain, "password": [secret]}, {"domain": secret, "password": secret},
                   {"domain": user.domain, "password": secret, "passwd": secret}):
        refused(sp.rpc("password.set", params), {"invalid", "parse_error"})
    assert not sp.syslog_lines(secret)


def test_safety_09_another_users_password_and_roots_are_out_of_reach(user):
    before = SHADOW.read_bytes()
    refused(sp.rpc("password.set", {"domain": "unknown.example", "password": "Whatever-1"}), "not_found", "params.domain")
    refused(sp.rpc("password.set", {"domain": user.domain, "user": "root", "password": "Whatever-1"}), "conflict", "params.user")
    refused(sp.rpc("password.set", {"user": "root", "password": "Whatever-1"}), "invalid", "params.domain")
    assert SHADOW.read_bytes() == before
