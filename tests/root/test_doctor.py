# SPDX-License-Identifier: GPL-3.0-or-later
"""doctor: over many broken set-ups its verdict is what a real sshd then does, and it names the layer that is broken."""

import contextlib
import json
import os
import pathlib
import time

import pytest

import sp
import sp_site

SETTINGS = pathlib.Path("/etc/ssh/sshd_config.d/05-test.conf")
FROM = sp.OUTSIDE4


class Case:
    """One broken set-up: `check` is the layer that must be the first stop, None where the login works."""

    def __init__(self, host, user):
        self.host, self.user = host, user
        self.home = pathlib.Path(user.home)
        self.keys = self.home / ".ssh/authorized_keys"
        self.source, self.key, self.password = FROM, sp.keypair(), None

    def run(self, *argv, **more):
        return sp.run(argv, check=True, **more)

    def nft(self, text):
        self.run("nft", "-f", "-", input=text.replace("} }", "}\n}"))

    def line(self, text):
        """authorized_keys by hand: {key} is the key."""
        self.keys.write_text(text.replace("{key}", self.key.public) + "\n")

    def login(self):
        return sp.ssh(self.user, "true", key=self.key, source=self.source, netns="outside", password=self.password).rc == 0

    def ask(self, **more):
        params = {"user": self.user.name, "from": self.source, **more}
        if self.password is None:
            params["key"] = self.key.public
        return sp.rpc("login.diagnose", params, timeout=60).ok()


@contextlib.contextmanager
def sshd_says(case, text):
    SETTINGS.write_text(text.format(user=case.user.name, home=case.user.home, **{"from": FROM}))
    case.host.reload()
    try:
        yield
    finally:
        SETTINGS.unlink()
        case.host.reload()


# name -> (the layer that stops the login or None, the settings)
SSHD = {
    "DenyUsers names the user": ("lists", "DenyUsers {user}\n"),
    "DenyUsers names the user at his address": ("lists", "DenyUsers {user}@{from}\n"),
    "DenyUsers names the user at another address": (None, "DenyUsers {user}@203.0.113.9\n"),
    "DenyUsers is a pattern": ("lists", "DenyUsers s?te*\n"),
    "AllowUsers names somebody else": ("lists", "AllowUsers somebody\n"),
    "AllowUsers names a block the address is in": (None, "AllowUsers {user}@192.0.2.0/24\n"),
    "AllowUsers names a block the address is not in": ("lists", "AllowUsers {user}@203.0.113.0/24\n"),
    "DenyGroups names his group": ("lists", "DenyGroups {user}\n"),
    "AllowGroups names another group": ("lists", "AllowGroups staff\n"),
    "AllowGroups names ours": (None, "AllowGroups sallyport\n"),
    "keys are off": ("key", "PubkeyAuthentication no\n"),
    "keys are elsewhere": ("key", "AuthorizedKeysFile /etc/ssh/keys/%u\n"),
    "no file of keys at all": ("key", "AuthorizedKeysFile none\n"),
    "only RSA keys are accepted": ("key", "PubkeyAcceptedAlgorithms rsa-sha2-512\n"),
    "both a key and a password are asked for": ("methods", "AuthenticationMethods publickey,password\n"),
    "a key is asked for by name": (None, "AuthenticationMethods publickey\n"),
    "only a password is asked for": ("methods", "AuthenticationMethods password\n"),
    "sftp alone": ("session", "Match User {user}\n ForceCommand internal-sftp\nMatch all\n"),
    "a chroot of sshd's own": ("session", "Match User {user}\n ChrootDirectory /srv\nMatch all\n"),
    "a chroot that is not root's": ("session", "Match User {user}\n ChrootDirectory {home}\nMatch all\n"),
    "a block for his address": ("key", "Match Address 192.0.2.0/24\n PubkeyAuthentication no\nMatch all\n"),
    "a block for another address": (None, "Match Address 203.0.113.0/24\n PubkeyAuthentication no\nMatch all\n"),
    "the list of revoked keys is missing": ("key", "RevokedKeys /etc/ssh/nowhere\n"),
}


@contextlib.contextmanager
def nothing(case):
    yield


def home_of_others(case):
    case.home.chmod(0o757)


def home_of_a_group(case):
    case.run("groupadd", "-f", "builders")
    case.run("gpasswd", "-M", f"{case.user.name},root", "builders")
    case.run("chgrp", "builders", case.home)
    case.home.chmod(0o770)


def home_of_his_own_group(case):
    case.home.chmod(0o770)


def folder_open(case):
    (case.home / ".ssh").chmod(0o777)


def keys_of_another(case):
    case.run("useradd", "-M", "another")
    os.chown(case.keys, 65533, case.user.gid)


def keys_unreadable(case):
    os.chown(case.keys, 0, 0)
    case.keys.chmod(0o600)


def keys_are_a_fifo(case):
    case.keys.unlink()
    os.mkfifo(case.keys, 0o600)
    os.chown(case.keys, case.user.uid, case.user.gid)


def keys_are_a_directory(case):
    case.keys.unlink()
    case.keys.mkdir()


def keys_are_a_link(case):
    case.keys.rename(case.home / "elsewhere")
    case.keys.symlink_to(case.home / "elsewhere")


def keys_are_a_link_to_the_open(case):
    pathlib.Path("/tmp/keys-of").mkdir(mode=0o777, exist_ok=True)
    pathlib.Path("/tmp/keys-of").chmod(0o777)
    case.run("mv", case.keys, "/tmp/keys-of/keys")
    case.keys.symlink_to("/tmp/keys-of/keys")


def keys_are_gone(case):
    case.keys.unlink()


def home_is_gone(case):
    case.run("mv", case.home, f"{case.home}.away")


def another_key_only(case):
    case.keys.write_text(sp.keypair("stranger").public + "\n")


HOME = {
    "everybody writes to the home": ("key", home_of_others),
    "a group of two writes to the home": ("key", home_of_a_group),
    "his own group writes to the home": (None, home_of_his_own_group),
    "everybody writes to .ssh": ("key", folder_open),
    "the file is another user's": ("key", keys_of_another),
    "the file cannot be read": ("key", keys_unreadable),
    "the file is a FIFO": ("key", keys_are_a_fifo),
    "the file is a directory": ("key", keys_are_a_directory),
    "the file is a link to a safe place": (None, keys_are_a_link),
    "the file is a link to where everybody writes": ("key", keys_are_a_link_to_the_open),
    "the file is gone": ("key", keys_are_gone),
    "the home is gone": ("key", home_is_gone),
    "another key stands there": ("key", another_key_only),
}

LINES = {
    "the key has expired": ("key", 'expiry-time="20200101" {key}'),
    "the key has expired in UTC": ("key", 'expiry-time="20200101000000Z" {key}'),
    "the key expires in a century": (None, 'expiry-time="21200101Z" {key}'),
    "from another address": ("key", 'from="203.0.113.7" {key}'),
    "from this block": (None, 'from="192.0.2.0/24" {key}'),
    "from this block but not this address": ("key", f'from="192.0.2.0/24,!{FROM}" {{key}}'),
    "from a block with host bits": ("key", 'from="192.0.2.9/24" {key}'),
    "from a pattern": (None, 'from="192.0.2.*" {key}'),
    "from a name": ("key", 'from="office.example.com" {key}'),
    "an option that sshd does not know": ("key", "no-such-option {key}"),
    "a certificate authority": ("key", "cert-authority {key}"),
    "several options": (None, 'no-pty,command="true",from="192.0.2.0/24" {key}'),
    "two from= options": ("key", 'from="192.0.2.0/24",from="192.0.2.0/24" {key}'),
}


@contextlib.contextmanager
def pam_denies(case):
    path = pathlib.Path("/etc/pam.d/sshd")
    before = path.read_text()
    path.write_text("account required pam_deny.so\n" + before)
    try:
        yield
    finally:
        path.write_text(before)


@contextlib.contextmanager
def nologin(case):
    pathlib.Path("/etc/nologin").write_text("maintenance\n")
    try:
        yield
    finally:
        pathlib.Path("/etc/nologin").unlink()


@contextlib.contextmanager
def hosts_deny(case):
    path = pathlib.Path("/etc/hosts.deny")
    before = path.read_text() if path.exists() else ""
    path.write_text(before + "sshd: ALL\n")
    try:
        yield
    finally:
        path.write_text(before)


@contextlib.contextmanager
def hosts_allow(case):
    with hosts_deny(case):
        path = pathlib.Path("/etc/hosts.allow")
        before = path.read_text() if path.exists() else ""
        path.write_text(before + "sshd: 192.0.2.\n")
        yield
        path.write_text(before)


@contextlib.contextmanager
def without_capabilities(case):
    case.run("setcap", "-r", "/usr/libexec/sallyport/chroot-bash")
    try:
        yield
    finally:
        case.run("setcap", "cap_sys_admin,cap_sys_chroot=ep", "/usr/libexec/sallyport/chroot-bash")


@contextlib.contextmanager
def nft_rules(case, text):
    case.nft(text)
    try:
        yield
    finally:
        case.nft("flush ruleset\n")


@contextlib.contextmanager
def firewall(case, mode, *sources):
    sp.rpc("firewall.set", {"mode": mode, "sources": [{"source": s} for s in sources], "force": True,
                            **({"acknowledge_closed": True} if mode == "closed" else {})}).ok()
    try:
        yield
    finally:
        sp.rpc("firewall.set", {"mode": "open", "sources": []}).ok()
        case.nft("flush ruleset\n")


@contextlib.contextmanager
def stopped(case):
    case.host.stop()
    try:
        yield
    finally:
        case.host.start()


@contextlib.contextmanager
def open_host_keys(case):
    keys = [str(p) for p in pathlib.Path("/etc/ssh").glob("ssh_host_*_key")]
    case.run("chmod", "644", *keys)
    try:
        yield
    finally:
        case.run("chmod", "600", *keys)


def shell(case, path):
    case.run("usermod", "-s", path, case.user.name)


def not_a_program(case):
    pathlib.Path("/usr/local/bin/shell-of-nobody").write_text("#!/bin/sh\n")
    shell(case, "/usr/local/bin/shell-of-nobody")


def no_entry(case):
    pathlib.Path(f"/var/lib/sallyport/entry/{case.user.uid}").unlink()


def switched_off(case):
    sp_site.apply(case.user, shell="none").ok()


def password(case):
    """A password alone."""
    keys_are_gone(case)
    case.run("chpasswd", input=f"{case.user.name}:Secret-1\n")
    case.password = "Secret-1"


def locked_password(case):
    password(case)
    case.run("usermod", "-L", case.user.name)


DROP = "table inet other {{ chain in {{ type filter hook input priority 0; {policy} {rules}\n}} }}\n"


def ruleset(rules, policy="policy accept;"):
    return lambda case: nft_rules(case, DROP.format(policy=policy, rules=rules))


HOST = {
    "all is well": (None, nothing),
    "the account has expired": ("account", lambda c: c.run("chage", "-E", "1", c.user.name)),
    "the password has to be changed": ("account", lambda c: (
        c.run("chpasswd", input=f"{c.user.name}:Secret-1\n"), c.run("chage", "-d", "0", c.user.name))),
    "PAM denies": ("account", pam_denies),
    "/etc/nologin": ("account", nologin),
    "hosts.deny": ("tcp_wrappers", hosts_deny),
    "hosts.allow after hosts.deny": (None, hosts_allow),
    "the shell is missing": ("shell", lambda c: shell(c, "/bin/no-such-shell")),
    "the shell is no program": ("shell", not_a_program),
    "the shell is /bin/false": ("shell", lambda c: shell(c, "/bin/false")),
    "the shell lost its capabilities": ("jail", without_capabilities),
    "the jail's record is gone": ("jail", no_entry),
    "SSH was switched off": ("lists", switched_off),
    "the account is suspended": ("lists", lambda c: sp.rpc("account.suspend", {"domain": c.user.domain}).ok()),
    "sshd does not run": ("port", stopped),
    "a password logs in": (None, password),
    "a locked password": ("methods", locked_password),
    "sallyport's firewall lets another in": ("firewall", lambda c: firewall(c, "restricted", "203.0.113.0/24")),
    "sallyport's firewall lets this one in": (None, lambda c: firewall(c, "restricted", "192.0.2.0/24")),
    "sallyport's firewall is closed": ("firewall", lambda c: firewall(c, "closed")),
    "a foreign table drops the port": ("other_firewalls", ruleset("tcp dport 22 drop;")),
    "a foreign table drops a range of ports": ("other_firewalls", ruleset("tcp dport 20-25 reject;")),
    "a foreign table drops another port": (None, ruleset("tcp dport { 23, 25 } drop;")),
    "a foreign table drops the address": ("other_firewalls", ruleset(f"ip saddr {FROM} drop;")),
    "a foreign table drops all others": (None, ruleset("ip saddr != 192.0.2.0/24 drop;")),
    "a foreign policy drops": ("other_firewalls", ruleset("ct state established accept;", "policy drop;")),
    "a foreign policy drops what is not SSH": (None, ruleset("ct state vmap { established : accept, invalid : drop }; "
                                                             "iifname lo accept; tcp dport ssh ct state new accept;",
                                                             "policy drop;")),
    "a chain of bans": ("other_firewalls", lambda c: nft_rules(
        c, f"table inet f2b-table {{ set addr-set-sshd {{ type ipv4_addr; elements = {{ {FROM} }}; }}\n"
           "chain f2b-chain { type filter hook input priority -1; policy accept; tcp dport 22 ip saddr @addr-set-sshd "
           "reject;\n} }\n")),
    "SYN with FIN is dropped, and no flag at all": (None, ruleset("tcp flags & (fin|syn) == (fin|syn) drop; tcp flags & (fin|syn|rst|ack) == 0x0 drop;")),
    "a limit for each source": (None, ruleset("tcp dport 22 ct state new meter m { ip saddr limit rate over 5/minute burst 9 packets } drop;")),
    "a map that returns to the policy": ("other_firewalls", lambda c: nft_rules(
        c, "table inet other { chain sub { tcp dport vmap { 22 : return }; accept;\n}\n"
           "chain in { type filter hook input priority 0; policy drop; ct state established accept; tcp dport 22 goto sub; accept;\n} }\n")),
    "a jump that returns": (None, lambda c: nft_rules(
        c, "table inet other { chain sub { tcp dport 22 return; drop;\n}\n"
           "chain in { type filter hook input priority 0; policy accept; tcp dport 22 jump sub;\n} }\n")),
    "a jump that drops": ("other_firewalls", lambda c: nft_rules(
        c, "table inet other { chain sub { meta l4proto tcp drop;\n}\n"
           "chain in { type filter hook input priority 0; policy accept; tcp dport 22 goto sub;\n} }\n")),
}


def agree(case, expected):
    """The verdict is what a login shows, and the layer is the one that was broken."""
    works = case.login()
    told = case.ask()
    shown = [f"{c['check']} {c['state']}: {c['text']}" for c in told["checks"]]
    assert works == (expected is None), (works, shown)
    assert told["verdict"] == ("lets_in" if works else "refused"), shown
    if not works:
        assert told["stop"]["check"] == expected, shown
        assert told["stop"]["text"] and (told["stop"]["mend"] or expected in ("key", "methods")), told["stop"]
    return told


@pytest.fixture
def case(host):
    made = Case(host, sp_site.account())
    return made


@pytest.mark.parametrize("name", SSHD)
def test_the_verdict_on_sshds_settings_is_sshds(case, name):
    expected, text = SSHD[name]
    with sshd_says(case, text):
        agree(case, expected)


@pytest.mark.parametrize("name", HOME)
def test_the_verdict_on_a_home_is_sshds(case, name):
    expected, spoil = HOME[name]
    spoil(case)
    agree(case, expected)


@pytest.mark.parametrize("name", LINES)
def test_the_verdict_on_a_line_of_keys_is_sshds(case, name):
    expected, text = LINES[name]
    case.line(text)
    agree(case, expected)


@pytest.mark.parametrize("name", HOST)
def test_the_verdict_on_a_host_is_what_a_login_shows(case, name):
    expected, spoil = HOST[name]
    how = spoil(case)
    with how if hasattr(how, "__enter__") else contextlib.nullcontext():
        agree(case, expected)


def test_strictmodes_off_is_honoured(case):
    home_of_others(case)
    with sshd_says(case, "StrictModes no\n"):
        agree(case, None)


def test_without_pam_a_locked_password_and_an_expiry_count(case):
    with sshd_says(case, "UsePAM no\n"):
        agree(case, "account")
        case.run("chpasswd", input=f"{case.user.name}:Secret-1\n")
        agree(case, None)
        case.run("chage", "-E", "1", case.user.name)
        agree(case, "account")


def test_a_revoked_key_is_named(case):
    pathlib.Path("/etc/ssh/revoked").write_text(case.key.public + "\n")
    with sshd_says(case, "RevokedKeys /etc/ssh/revoked\n"):
        agree(case, "key")


def test_host_keys_that_others_can_read_stop_every_login(case):
    with open_host_keys(case):  # sshd reads them for each connection
        told = agree(case, "sshd")
    assert "chmod 600" in told["stop"]["mend"]


def test_one_host_key_that_others_can_read_is_a_warning(case):
    pathlib.Path("/etc/ssh/ssh_host_rsa_key").chmod(0o644)
    told = agree(case, None)
    pathlib.Path("/etc/ssh/ssh_host_rsa_key").chmod(0o600)
    assert [c for c in told["checks"] if c["check"] == "host_keys" and c["state"] == "warning"], told


def test_a_broken_configuration_is_unknown_while_sshd_runs_and_a_stop_when_it_does_not(case):
    SETTINGS.write_text("NoSuchSetting yes\n")
    try:
        assert case.login()
        assert case.ask()["verdict"] == "unknown"
    finally:
        SETTINGS.unlink()


def test_a_rule_that_asks_for_more_than_is_known_is_no_stop(case):
    with nft_rules(case, DROP.format(policy="policy accept;", rules="meta mark 7 tcp dport 22 drop;")):
        assert case.login()
        told = case.ask()
    assert told["verdict"] == "unknown" and not told["stop"]
    assert any(c["check"] == "other_firewalls" and "handle" in c["text"] for c in told["checks"])


@pytest.mark.parametrize("rules", ["nft add table ip6 x; nft add chain ip6 x in '{ type filter hook input priority 0; policy drop; }'",
                                   "ip6tables-nft -P INPUT DROP", "ip6tables-legacy -P INPUT DROP"])
def test_what_drops_one_family_is_no_stop_while_the_address_is_not_known(case, rules):
    case.run("bash", "-c", rules)
    try:
        told = sp.rpc("login.diagnose", {"user": case.user.name, "key": case.key.public}, timeout=60).ok()
    finally:
        case.nft("flush ruleset\n")
        case.run("ip6tables-legacy", "-P", "INPUT", "ACCEPT")
    assert told["verdict"] == "unknown" and not told["stop"], told
    assert any(c["check"] == "other_firewalls" and c["state"] == "unknown" for c in told["checks"]), told


def test_tables_that_nobody_can_look_for_may_hold_the_port_back(case):
    names, trace = "proc/net/ip_tables_names", sp.WORK / "names"
    request = {"jsonrpc": "2.0", "id": "names", "method": "login.diagnose", "params": {"user": case.user.name, "from": FROM, "key": case.key.public}}
    done = sp.run(["strace", "-f", "-qq", "-o", trace, "-P", names, "-e", "inject=openat2:error=EIO", sp.HELPER], input=json.dumps(request), timeout=60)
    assert "INJECTED" in trace.read_text(), done
    told = json.loads(done.stdout)["result"]
    assert told["verdict"] == "unknown" and not told["stop"], told
    assert [c["state"] for c in told["checks"] if c["check"] == "other_firewalls"] == ["unknown"], told


def test_a_user_that_is_gone_and_one_that_is_not_ours(host, case):
    sp.run(["userdel", case.user.name], check=True)
    told = case.ask()
    assert told["verdict"] == "refused" and told["stop"]["check"] == "user"
    stranger = sp.make_user(shell="/bin/bash")
    sp.put_key(stranger)
    other = Case(host, stranger)
    agree(other, None)


def test_fix_mends_what_is_safe_and_the_login_works(case):
    case.home.chmod(0o757)
    (case.home / ".ssh").chmod(0o777)
    sp.run(["usermod", "-s", "/bin/bash", case.user.name], check=True)
    assert not case.login()
    told = case.ask(fix=True)
    assert told["verdict"] == "lets_in" and told["fixed"], told
    assert case.login() and sp_site.login_shell(case.user).endswith("chroot-bash")
    assert not case.ask(fix=True)["fixed"]


def test_fix_keeps_what_somebody_tightened(case):
    shell(case, "/bin/false")
    told = case.ask(fix=True)
    assert told["verdict"] == "refused" and "--restore-access" in told["stop"]["mend"]
    assert sp_site.login_shell(case.user) == "/bin/false"


def test_nothing_is_changed_by_a_look(case):
    before = sp.snapshot(["/etc", "/var/lib/sallyport", case.user.home], times=True)
    case.ask()
    assert sp.snapshot(["/etc", "/var/lib/sallyport", case.user.home], times=True) == before


def test_leaks_beside_the_jail_are_warned_of(case):
    crontab = pathlib.Path("/var/spool/cron/crontabs") / case.user.name
    crontab.parent.mkdir(parents=True, exist_ok=True)
    crontab.write_text("* * * * * true\n")
    pathlib.Path("/etc/ssh/sshrc").write_text("true\n")
    with sp_site.Outside(case.user, ["sleep", "60"]):
        told = case.ask()
    pathlib.Path("/etc/ssh/sshrc").unlink()
    crontab.unlink()
    leaks = "\n".join(c["text"] for c in told["checks"] if c["check"] == "leaks" and c["state"] == "warning")
    for word in ("crontab", "sshrc", "processes"):
        assert word in leaks, leaks


def test_what_sshd_logged_of_a_refused_key_is_told(case):
    conf = pathlib.Path("/etc/sallyport/sallyport.conf.d/doctor.conf")
    conf.write_text(f"auth_log = {sp.SYSLOG}\n")
    case.line('from="203.0.113.7" {key}')
    try:
        assert not case.login()
        sp.run(["logger", "-p", "auth.info", "-t", "sshd[4711]", "--",
                f"Authentication tried for {case.user.name} with correct key but not from a permitted host (host={FROM}, ip={FROM})."],
               check=True)
        sp.run(["logger", "-p", "auth.info", "-t", "sshd[4711]", "--",
                f"Connection closed by authenticating user {case.user.name} {FROM} port 50000 [preauth]"], check=True)
        sp.wait_for(lambda: case.ask()["refusals"], what="the log")
        told = case.ask()["refusals"][0]
        assert told["address"] == FROM and "address" in told["why"], told
        shown = sp.run(["sallyport", "doctor", "--user", case.user.name]).stdout
        assert "sshd's log:" in shown and told["why"] in shown
    finally:
        conf.unlink()


def test_a_session_that_pam_refuses_is_told_from_sshds_log(host, case):
    conf, stack = pathlib.Path("/etc/sallyport/sallyport.conf.d/doctor.conf"), pathlib.Path("/etc/pam.d/sshd")
    conf.write_text(f"auth_log = {sp.SYSLOG}\n")
    before, other = stack.read_text(), sp_site.account("bash")
    try:
        with host.logging_to_syslog():
            assert sp.ssh(other, "true").rc == 0
            stack.write_text(before + "session required pam_exec.so /bin/false\n")
            assert not case.login()
            stack.write_text(before)
            sp.wait_for(lambda: case.ask()["refusals"], what="the log")
            told = case.ask()["refusals"][0]
            assert told["address"] == FROM and "session module" in told["why"] and "/etc/pam.d/sshd" in told["mend"] and not told["let_in"], told
            assert "session module" in sp.run(["sallyport", "doctor", "--user", case.user.name]).stdout
            assert not sp.rpc("login.diagnose", {"user": other.name}, timeout=60).ok()["refusals"]
    finally:
        stack.write_text(before)
        conf.unlink()


def test_the_command_says_it_in_words_and_by_its_exit_status(case):
    done = sp.run(["sallyport", "doctor", case.user.domain, "--from", FROM, "--key", case.key.path + ".pub"])
    assert done.rc == 0 and f"{case.user.name} can log in from {FROM}" in done.stdout, done
    keys_are_gone(case)
    done = sp.run(["sallyport", "doctor", case.user.domain, "--from", FROM, "--key", case.key.path + ".pub"])
    assert done.rc == 22 and f"{case.user.name} cannot log in from {FROM}: the key" in done.stdout, done
    assert "try: sallyport reconcile --restore-access" in done.stdout  # the key is on record
    done = sp.run(["sallyport", "doctor", "--user", case.user.name, "--json"])
    assert sp.strict_json(done.stdout)["verdict"] == "refused"


def test_it_ends_in_a_moment_where_a_file_never_answers(case):
    keys_are_a_fifo(case)
    start = time.monotonic()
    case.ask()
    assert time.monotonic() - start < 15 * sp.PATIENCE
