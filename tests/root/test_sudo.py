# SPDX-License-Identifier: GPL-3.0-or-later
"""Limited sudo: exact commands from the administrator's templates, by real sudo in real logins."""

import datetime
import os
import pathlib

import pytest

import sp
import sp_site

TEMPLATES = pathlib.Path("/etc/sallyport/sudo.d")
RELOAD = """# the site's PHP
command /usr/local/sbin/reload-php 8.2 a,b=c:d
command /usr/local/sbin/no-arguments
"""


@pytest.fixture(scope="module", autouse=True)
def templates(host):
    TEMPLATES.mkdir(parents=True, exist_ok=True)
    for name in ("reload-php", "no-arguments"):
        program = pathlib.Path("/usr/local/sbin") / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\nid -u; echo \"$@\"\n")
        program.chmod(0o755)
    put("php", RELOAD)
    return TEMPLATES


def put(name, text, mode=0o644):
    (TEMPLATES / name).write_text(text)
    (TEMPLATES / name).chmod(mode)


@pytest.fixture
def site(host):
    return sp_site.account("bash", mode=0o755)


def drop_in(site):
    return pathlib.Path(f"/etc/sudoers.d/sallyport-{site.uid}")


def test_exactly_the_templates_commands_run_as_root_and_no_others(site):
    result = sp_site.apply(site, sudo=["php"]).ok()
    change, = [one for one in result["changes"] if one["resource"] == "sudo"]
    assert (change["to"], change["read_back"]) == ("php", "php")
    assert sp.ssh(site, "sudo -n reload-php 8.2 a,b=c:d; sudo -n no-arguments").stdout == "0\n8.2 a,b=c:d\n0\n\n"
    for other in ("reload-php", "reload-php 8.2", "reload-php 8.2 a,b=c:d more", "no-arguments x", "id", "-u nobody no-arguments", "-s", "sh -c id"):
        done = sp.ssh(site, f"sudo -n {other}")
        assert done.rc != 0 and not done.stdout.startswith("0"), (other, done)
    assert (drop_in(site).stat().st_mode & 0o7777, drop_in(site).stat().st_uid) == (0o440, 0)
    assert sp.run(["visudo", "-c"]).rc == 0
    assert sp_site.apply(site, sudo=["php"]).ok()["changed"] is False
    assert sp.rpc("domain.get", {"domain": site.domain}).ok()["sudo"] == ["php"]


def test_in_the_jail_it_is_refused_with_the_reason_and_a_move_there_takes_it_first(site):
    sp_site.apply(site, sudo=["php"]).ok()
    answer = sp_site.apply(site, shell="chroot", sudo=["php"])
    assert answer.reason == "unsupported" and "no_new_privs" in answer.error["message"] and answer.error["data"]["field"] == "params.sudo"
    assert drop_in(site).exists()
    result = sp_site.apply(site, shell="chroot").ok()
    order = [one["resource"] for one in result["changes"]]
    assert order.index("sudo") < order.index("shell") and any("no_new_privs" in text for text in result["warnings"])
    assert not drop_in(site).exists()
    assert sp_site.apply(site, shell="bash").ok()["changed"] is True
    assert sp.ssh(site, "sudo -n no-arguments").stdout == "0\n\n"
    sp_site.apply(site, sudo=[]).ok()
    assert not drop_in(site).exists() and sp.ssh(site, "sudo -n no-arguments").rc != 0


@pytest.mark.parametrize("shell", ["none", None])
def test_without_the_shell_there_is_no_sudo(site, shell):
    sp_site.apply(site, sudo=["php"]).ok()
    (sp_site.apply(site, shell=shell) if shell else sp.rpc("domain.remove", {"domain": site.domain})).ok()
    assert not drop_in(site).exists()


@pytest.mark.parametrize("text", ["command /bin/ls *", "command /bin/ls [a]", "command ls", "command /bin/ls \\x", "command ALL", "command /bin/../bin/sh", "command !/bin/sh",
                                  "/bin/sh", "command /bin/ls ^a$", 'command /bin/ls ""', "runas a,b\ncommand /bin/ls", "command /usr/bin/sudoedit /etc/x", "command /bin/ls a\\,b"])
def test_a_template_that_is_no_exact_command_is_refused(site, text):
    put("bad", text + "\n")
    answer = sp_site.apply(site, sudo=["bad"])
    assert answer.reason == "invalid" and answer.error["data"]["field"] == "params.sudo", answer.body
    assert not drop_in(site).exists()


@pytest.mark.parametrize("name, reason", [("missing", "not_found"), ("../sudo.d/php", "invalid"), ("/bin/sh", "invalid"), ("php php", "invalid"), ("wide", "unsafe_path"), ("loose", "unsafe_path")])
def test_a_request_names_templates_that_are_roots_alone(site, name, reason):
    put("wide", RELOAD, 0o666)
    program = pathlib.Path("/usr/local/sbin/loose")
    program.write_text("#!/bin/sh\n")
    os.chmod(program, 0o775)
    put("loose", "command /usr/local/sbin/loose\n")
    answer = sp_site.apply(site, sudo=[name])
    assert answer.reason == reason, answer.body
    assert not drop_in(site).exists()


def test_a_name_that_sudoers_would_read_as_an_alias(host):
    site = sp.make_user(name="WEB1", mode=0o755)
    sp_site.apply(site, "web1.example", shell="bash", keys=[sp.keypair()], sudo=["php"]).ok()
    assert sp.ssh(site, "sudo -n no-arguments").stdout == "0\n\n"


def test_what_somebody_wrote_into_the_drop_in_is_mended(site):
    sp_site.apply(site, sudo=["php"]).ok()
    text = drop_in(site).read_text()
    drop_in(site).write_text(f"{site.name} ALL = NOPASSWD: ALL\n")
    sp.rpc("system.reconcile").ok()
    assert drop_in(site).read_text() == text
    drop_in(site).unlink()  # tightened: kept
    sp.rpc("system.reconcile").ok()
    assert not drop_in(site).exists()


def test_a_program_in_a_directory_that_is_not_roots_is_refused(site):
    theirs, link = pathlib.Path(site.home) / "tools", pathlib.Path("/usr/local/sbin/linked")
    theirs.mkdir()
    os.chown(theirs, site.uid, site.gid)
    (theirs / "run").write_text("#!/bin/sh\nid -u\n")
    (theirs / "run").chmod(0o755)
    link.symlink_to(theirs / "run")
    for program in (theirs / "run", link):
        put("theirs", f"command {program}\n")
        answer = sp_site.apply(site, sudo=["theirs"])
        assert answer.reason == "unsafe_path" and "root's alone" in answer.error["message"], answer
        assert not drop_in(site).exists()
    link.unlink()


def test_an_account_whose_time_is_over_has_no_sudo(site):
    sp_site.apply(site, sudo=["php"]).ok()
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    sp_site.apply(site, valid_until=soon.strftime("%Y-%m-%dT%H:%M:%SZ")).ok()
    assert drop_in(site).exists()
    sp.wait_for(lambda: datetime.datetime.now(datetime.timezone.utc) > soon + datetime.timedelta(seconds=1))
    sp.rpc("system.reconcile", {}, timeout=60).ok()
    assert not drop_in(site).exists()
