# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sshd: the host's own sshd_config as people have it, edited in place, and real logins through it. Each either
works, or the answer names the setting, where it stands and the mend."""

import contextlib
import pathlib
import re
import socket
import subprocess
import threading

import pytest

import sp
import sp_site
from sp_sshd import CONFIG, DROPINS, INTERNAL, OURS, SUBSYSTEM, configured, refused, works

# Match blocks of panels

@pytest.mark.parametrize("block, named", [
    ("ForceCommand internal-sftp", "forcecommand"), ("ChrootDirectory /var/www", "chrootdirectory"),
    ("ChrootDirectory %h\n\tForceCommand internal-sftp", "chrootdirectory")])
@pytest.mark.parametrize("shell", ["chroot", "bash"])
def test_a_panels_match_block_for_sftp_customers_is_named(host, block, named, shell):
    sp.run(["groupadd", "-f", "sftpusers"], check=True)
    user = sp.make_user(groups=["sftpusers"])
    line = len(CONFIG.read_text().splitlines()) + 2
    with configured(host, end=f"Match Group sftpusers\n\t{block}\n"):
        refused(user, named, f"sshd_config:{line}", "Match block", shell=shell)
        works(sp.make_user())
        sp.run(["gpasswd", "-d", user.name, "sftpusers"], check=True)
        works(user)


def test_a_chroot_directory_is_named_where_sftp_is_internal_too(host):
    sp.run(["groupadd", "-f", "sftpusers"], check=True)
    user = sp.make_user(groups=["sftpusers"])
    block = "Match Group sftpusers\n\tChrootDirectory %h\n\tForceCommand internal-sftp\n"
    with configured(host, [(SUBSYSTEM, INTERNAL)], end=block):
        refused(user, "chrootdirectory")
        works(sp.make_user())
    with configured(host, [(SUBSYSTEM, INTERNAL)], end=block.replace("ChrootDirectory", "# ")):
        refused(user, "forcecommand internal-sftp", "Match block")  # ours came first, and does not count
        works(sp.make_user())


@pytest.mark.parametrize("setting", ["AllowTcpForwarding yes", "AllowStreamLocalForwarding yes", "X11Forwarding yes",
                                     "PermitTunnel yes", "PubkeyAuthentication no", "PermitUserEnvironment yes"])
def test_a_match_block_that_wins_over_ours_is_named_with_its_place(host, setting):
    user = sp.make_user()
    keyword, value = setting.lower().split()
    if keyword == "permituserenvironment":  # not allowed in Match
        with configured(host, [(r"^Include .*$", f"{setting}\n\\g<0>")]):
            refused(user, keyword, value, f"{CONFIG}:12")
        works(user)
        return
    with configured(host, dropins={"05-panel.conf": f"Match User {user.name}\n\t{setting}\n"}):
        refused(user, keyword, value, f"{DROPINS}/05-panel.conf:2")
        works(sp.make_user())
    works(user)


# Who may come in at all

@pytest.mark.parametrize("line, words", [
    ("AllowUsers root admin*", ["AllowUsers", "does not name"]), ("AllowGroups sudo staff", ["AllowGroups", "add sallyport"]),
    ("DenyUsers other {user}", ["DenyUsers", "names {user}"]), ("DenyGroups {user}", ["DenyGroups", "a group of {user}"])])
def test_a_list_that_keeps_the_account_out_is_named_with_its_place(host, line, words):
    user = sp.make_user()
    with configured(host, [(r"^Include .*$", "\\g<0>\n" + line.format(user=user.name))]):
        refused(user, f"{CONFIG}:13", *(word.format(user=user.name) for word in words))
    works(user)


@pytest.mark.parametrize("line", ["AllowUsers root {start}*", "AllowUsers {user}@127.0.0.1", "AllowGroups sudo sallyport",
                                  "AllowGroups {user}", "DenyUsers other {user}@192.0.2.9", "DenyGroups strangers"])
def test_a_list_that_lets_the_account_in_is_no_obstacle(host, line):
    user = sp.make_user()
    with configured(host, [(r"^Include .*$", "\\g<0>\n" + line.format(user=user.name, start=user.name[:4]))]):
        works(user)


def test_authentication_without_keys_is_named(host):
    user = sp.make_user()
    with configured(host, dropins={"05-panel.conf": f"Match User {user.name}\n\tAuthenticationMethods password\n"}):
        refused(user, "authenticationmethods password", "05-panel.conf:2")
    works(user)


# Where keys are

def test_keys_that_are_read_elsewhere_are_named_with_both_mends(host):
    user = sp.make_user()
    with configured(host, end="\nAuthorizedKeysFile /etc/ssh/keys/%u\n"):
        refused(user, '"/etc/ssh/keys/%u"', "key_store", ".ssh/authorized_keys")
    works(user)


@pytest.mark.parametrize("where", ["%h/.ssh/authorized_keys", "/etc/ssh/keys/%u .ssh/authorized_keys"])
def test_other_words_for_the_same_file_work(host, where):
    with configured(host, end=f"\nAuthorizedKeysFile {where}\n"):
        works(sp.make_user())


def test_with_keys_in_roots_store_it_does_not_matter_what_sshd_config_says(host):
    conf = pathlib.Path("/etc/sallyport/sallyport.conf.d/50-test.conf")
    conf.write_text("key_store = root\n")
    try:
        with configured(host, end="\nAuthorizedKeysFile /etc/ssh/keys/%u\n"):
            works(sp.make_user())
    finally:
        conf.unlink()
    works(sp.make_user())


# The file itself

def test_without_an_include_line_the_answer_says_so_and_how_to_mend_it(host):
    user = sp.make_user()
    with configured(host, [(r"^Include .*$", "# no include")]):
        told = refused(user, str(OURS), f"at the top of {CONFIG}", "Include /etc/ssh/sshd_config.d/*.conf")
        with configured(host, [(r"^# no include$", re.search("Include .*", told).group(0))]):
            works(user)


def test_a_configuration_that_sshd_refuses_gives_nothing_and_still_takes_away(host):
    user = sp_site.account()
    before = CONFIG.read_text()
    try:
        CONFIG.write_text(before + "\nNoSuchThing yes\n")
        answer = sp_site.apply(sp.make_user(), shell="chroot", keys=[sp.keypair()])
        assert answer.error and "NoSuchThing" in answer.error["message"], answer.body
        sp_site.apply(user, shell="none")
        assert sp.ssh(user, "echo in").rc != 0
    finally:
        CONFIG.write_text(before)


@sp.covers("jail 3")
def test_an_sshrc_of_the_host_is_named_since_sshd_runs_it_outside(host):
    user = sp.make_user()
    rc = pathlib.Path("/etc/ssh/sshrc")
    rc.write_text("true\n")
    try:
        refused(user, str(rc), "outside the jail")
        plain = sp_site.account("bash")
        assert sp.ssh(plain, "echo in").stdout == "in\n"
    finally:
        rc.unlink()
    works(user)


def test_without_pam_a_locked_password_is_named_and_any_other_works(host):
    user = sp.make_user()  # useradd leaves a "!"
    with configured(host, [(r"^UsePAM yes", "UsePAM no")]):
        refused(user, "usepam no", "locked", f"{CONFIG}:85")
        sp.run(["usermod", "-p", "*", user.name], check=True)
        works(user)
        sp_site.apply(user, shell="none").ok()
        assert sp.ssh(user, "echo in").rc != 0


# Ports, and who listens

def test_every_port_of_sshd_lets_in_and_is_restricted(host):
    with configured(host, [(r"^Include .*$", "\\g<0>\nPort 22\nPort 2222")]):
        user = sp.make_user()
        works(user)
        for port in (22, 2222):
            done = sp.ssh(user, "echo $SSH_CONNECTION", options=[f"Port={port}"])
            assert done.stdout.split()[-1] == str(port), done
        assert sp.rpc("system.info").ok()["sshd"]["ports"] == [22, 2222]
        sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": sp.OUTSIDE4}]}).ok()
        try:
            for port in (22, 2222):
                assert (sp.probe(sp.OUTSIDE4, port), sp.probe(sp.OUTSIDE4_B, port)) == ("open", "dropped")
        finally:
            sp.rpc("firewall.set", {"mode": "unmanaged"}).ok()


def test_an_sshd_whose_pid_file_is_elsewhere_is_told_too(host):
    other = pathlib.Path("/run/sshd-of-the-hosts.pid")
    works(sp.make_user())
    with configured(host, [(r"^Include .*$", f"\\g<0>\nPidFile {other}")]):
        told = other.stat().st_mtime_ns
        OURS.write_bytes(OURS.read_bytes() + b"# somebody was here\n")
        works(sp.make_user())
        assert b"somebody" not in OURS.read_bytes() and other.stat().st_mtime_ns != told


@contextlib.contextmanager
def socket_activated(port):
    """What ssh.socket with Accept=yes does: somebody else listens, and an `sshd -i` is started for each connection."""
    running = []
    with socket.create_server(("127.0.0.1", port)) as listener:
        def serve():
            while True:
                try:
                    peer = listener.accept()[0]
                except OSError:
                    return
                with peer:
                    running.append(subprocess.Popen(["/usr/sbin/sshd", "-i", "-E", str(sp.SSHD_LOG)], stdin=peer, stdout=peer,
                                                    stderr=subprocess.DEVNULL, cwd="/", start_new_session=True))

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for one in running:
                one.terminate()
                one.wait(10)


@pytest.mark.parametrize("subsystem", [None, INTERNAL])
@sp.covers("firewall 18")
def test_a_socket_activated_sshd_obeys_without_a_reload(host, subsystem):
    host.stop()
    before = CONFIG.read_text()
    if subsystem:
        CONFIG.write_text(re.sub(SUBSYSTEM, subsystem, before, flags=re.M))
    try:
        with socket_activated(22):
            user = sp.make_user()
            works(user)
            done = sp.sftp_batch(user, ["ls -1 /"])
            assert done.rc == 0 and "/boot" not in done.stdout, done
            assert sp.run(sp.client("ssh") + ["-W", "127.0.0.1:22", "-l", user.name, "127.0.0.1"], input="").stdout.startswith("SSH-2.0")
            sp_site.apply(user, shell="none").ok()
            assert sp.ssh(user, "echo in").rc != 0
    finally:
        CONFIG.write_text(before)
        host.start()
    works(sp.make_user())


def test_while_ssh_socket_alone_listens_sshd_is_asked_all_the_same(host):
    """systemd takes /run/sshd away with ssh.service, and sshd -T says nothing without it."""
    user = sp_site.account()
    host.stop()
    folder = pathlib.Path("/run/sshd")
    try:
        for params in ({"shell": "chroot", "authentication": "key"}, {"shell": "none"}):
            if folder.exists():
                folder.rmdir()
            CONFIG.write_text(CONFIG.read_text() + "\n")  # what was asked before counts no more
            assert sp_site.apply(user, **params).ok()["changed"]
        folder.rmdir()
        verdict = sp.run(["sallyport", "doctor", user.domain])
        assert "privilege separation" not in verdict.stdout + verdict.stderr, verdict
        assert (folder.stat().st_mode & 0o7777, folder.stat().st_uid) == (0o755, 0)
    finally:
        host.start()
