# SPDX-License-Identifier: GPL-3.0-or-later
"""pam_sallyport: suspension, dates and sources hold for passwords and for every service that asks it."""

import datetime
import os
import pathlib
import sys
import time

import pytest

import sp
import sp_site
import sp_sshd

RECORDS = pathlib.Path("/var/lib/sallyport/access")
PAM = pathlib.Path("/etc/pam.d")
LINE = "account required pam_sallyport.so\n"
SECRET = "Pam-Says-What-55"


@pytest.fixture(scope="module")
def asked(host):
    """sshd, and a service of another kind, are told to ask it."""
    sshd = PAM / "sshd"
    sshd.write_text(sshd.read_text() + LINE)
    (PAM / "ftpish").write_text("auth required pam_unix.so\naccount required pam_unix.so\n" + LINE)
    return host


@pytest.fixture(scope="module")
def user(asked):
    one = sp_site.account("bash")
    sp.rpc("password.set", {"domain": one.domain, "password": SECRET}).ok()
    return one


def apply(user, **params):
    return sp.rpc("domain.apply", {"domain": user.domain, **params}, timeout=60).ok()


def login(user, password=None, **how):
    done = sp.ssh(user, "echo in", password=password, **how)
    return done.stdout == "in\n", done.stderr


def other(user, rhost=None, service="ftpish", env=None):
    """The other service: whether it lets in, and what it tells."""
    item = ["-I", f"rhost={rhost}"] if rhost else []
    done = sp.run(["pamtester", *item, service, getattr(user, "name", user), "authenticate", "acct_mgmt"], input=SECRET + "\n", env=env)
    return done.rc == 0, done.stdout + done.stderr


def logged(text):
    """It is in syslog, where it arrives by itself."""
    sp.wait_for(lambda: sp.syslog_lines(text), what=text)


def stamp(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def record(user):
    return RECORDS / user.name


def test_who_is_not_managed_is_none_of_its_business(asked):
    free = sp.make_user(shell="/bin/bash")
    sp.put_key(free)
    assert login(free)[0]
    assert sp.run(["pamtester", "ftpish", "root", "acct_mgmt"]).rc == 0


def test_an_account_as_it_should_be_comes_in_with_a_key_and_with_a_password(user):
    assert record(user).read_text() == f"sallyport-access 1\nuser {user.name}\nuid {user.uid}\n"
    assert record(user).stat().st_mode & 0o7777 == 0o600
    assert login(user)[0] and login(user, SECRET)[0] and other(user)[0]


def test_a_suspended_account_is_told_so_where_sshds_own_gate_is_open(user):
    sp.rpc("account.suspend", {"domain": user.domain}).ok()
    sp.run(["gpasswd", "-d", user.name, "sallyport-none"], check=True)
    for password in (None, SECRET):
        let, told = login(user, password, options=["LogLevel=INFO"])
        assert not let and "No access: this account is suspended." in told, told
    let, told = other(user, "192.0.2.9")
    assert not let and "suspended" in told
    logged(f"{user.name} refused from 127.0.0.1: this account is suspended")
    logged(f"{user.name} refused from 192.0.2.9: this account is suspended")
    sp.rpc("account.resume", {"domain": user.domain}).ok()
    assert login(user)[0] and login(user, SECRET)[0] and other(user)[0]


def test_a_password_ends_with_the_accounts_last_second(user):
    end = time.time() + 4
    apply(user, valid_until=stamp(4))
    assert login(user, SECRET)[0] or time.time() > end, "refused in its time"
    sp.wait_for(lambda: not login(user, SECRET)[0], 20, "the end")  # nobody reconciles
    let, told = login(user, SECRET, options=["LogLevel=INFO"])
    assert not let and "No access: this account ended at 20" in told, told
    assert "ended at" in other(user)[1]
    apply(user, valid_until=None)
    assert login(user, SECRET)[0] and other(user)[0]


def test_an_account_that_has_not_begun_is_told_when_it_will(user):
    apply(user, valid_from=stamp(3600))
    sp.run(["gpasswd", "-d", user.name, "sallyport-none"], check=True)
    let, told = login(user, options=["LogLevel=INFO"])
    assert not let and "begins at 20" in told, told
    apply(user, valid_from=None)
    assert login(user)[0]


def test_the_accounts_sources_hold_for_passwords_and_other_services(user):
    apply(user, sources=[sp.OUTSIDE4, "2001:db8::2"])
    assert login(user, SECRET, netns="outside", source=sp.OUTSIDE4)[0]
    assert login(user, SECRET, netns="outside", source=sp.OUTSIDE6)[0]
    for elsewhere in (sp.OUTSIDE4_B, sp.OUTSIDE6_B):
        let, told = login(user, SECRET, netns="outside", source=elsewhere, options=["LogLevel=INFO"])
        assert not let and "No access: not from this address." in told, told
        logged(f"{user.name} refused from {elsewhere}: not from this address")
    assert other(user, sp.OUTSIDE4)[0] and other(user, "::ffff:192.0.2.2")[0] and not other(user, sp.OUTSIDE4_B)[0]
    assert not other(user, "trusted.example")[0] and not other(user, "192.0.2.2.evil.example")[0]
    assert other(user)[0], "a service of this host names no address"


def test_a_second_domain_that_may_come_from_anywhere_lifts_the_accounts_sources(user):
    sp_site.apply(user, domain="second.example").ok()
    assert other(user, sp.OUTSIDE4_B)[0]
    sp.rpc("domain.remove", {"domain": "second.example"}).ok()
    assert not other(user, sp.OUTSIDE4_B)[0]
    apply(user, sources=[])
    assert other(user, sp.OUTSIDE4_B)[0]


def test_a_host_name_instead_of_an_address_lets_nobody_in(asked, user):
    apply(user, sources=[sp.OUTSIDE4])
    pathlib.Path("/etc/hosts").write_text(pathlib.Path("/etc/hosts").read_text() + f"{sp.OUTSIDE4} named.example\n")
    with sp_sshd.configured(asked, end="\nUseDNS yes\n"):
        assert not login(user, SECRET, netns="outside", source=sp.OUTSIDE4)[0]
        logged("instead of its address")
    apply(user, sources=[])


def test_a_host_name_that_a_client_chose_forges_no_line_of_the_log(asked, user):
    apply(user, sources=[sp.OUTSIDE4])
    assert not other(user, "evil\nsshd[1]: Accepted password for root from 192.0.2.66 port 1 ssh2\x1b[2J")[0]
    logged("192.0.2.66")
    for line in sp.syslog_lines("192.0.2.66"):
        assert "sallyport" in line.split("192.0.2.66")[0] and line.isprintable(), line
    apply(user, sources=[])


def broken_records(user):
    text = record(user).read_text()
    yield "missing", lambda path: path.unlink()
    yield "empty", lambda path: path.write_text("")
    yield "cut", lambda path: path.write_text(text[:-1])
    yield "newer", lambda path: path.write_text(text.replace("access 1", "access 2"))
    yield "unknown", lambda path: path.write_text(text + "until tomorrow\n")
    yield "nul", lambda path: path.write_text(text + "\0\n")
    yield "source", lambda path: path.write_text(text + "source 0.0.0.0/0\n")
    yield "uid", lambda path: path.write_text(text.replace(f"uid {user.uid}", f"uid {user.uid + 1}"))
    yield "name", lambda path: path.write_text(text.replace(user.name, "somebody"))
    yield "loose", lambda path: path.chmod(0o622)
    yield "his", lambda path: os.chown(path, user.uid, user.gid)
    yield "large", lambda path: path.write_text(text + "source 192.0.2.1\n" * 100000)

    def link(path):
        path.rename("/root/record")
        path.symlink_to("/root/record")

    yield "link", link


def test_a_record_that_cannot_be_trusted_shuts_out_the_account_and_nobody_else(asked, user):
    free = sp.make_user(shell="/bin/bash")
    sp.put_key(free)
    for name, damage in broken_records(user):
        damage(record(user))
        let, told = login(user, options=["LogLevel=INFO"])
        assert not let and "the account's record cannot be read" in told, (name, told)
        assert not other(user)[0] and login(free)[0], name
        logged(f"{user.name} refused: no record to judge by")
        if name == "link":  # root's own making, in a directory of root's: named, not overwritten
            assert sp.rpc("system.reconcile", {}).ok()["failed"] == 1
            record(user).unlink()
        sp.rpc("system.reconcile", {}).ok()
        assert login(user)[0], f"{name}: reconcile writes it anew"


# A service that asks it alone, and in which one file, or every one, cannot be opened any more.
ALONE = """
import ctypes, errno, os, struct, sys
user, way = sys.argv[1:]
pam = ctypes.CDLL("libpam.so.0")
handle = ctypes.c_void_p()
conversation = (ctypes.c_void_p * 2)(ctypes.cast(pam.pam_end, ctypes.c_void_p).value, None)
assert pam.pam_start(b"alone", user.encode(), conversation, ctypes.byref(handle)) == 0
pam_silent = 0x8000


def shut_openat():  # seccomp(2): it answers EMFILE
    openat = {"x86_64": 257, "aarch64": 56}[os.uname().machine]
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, openat), (0x06, 0, 0, 0x50000 | errno.EMFILE), (0x06, 0, 0, 0x7fff0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in code))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, struct.pack("@HP", len(code), ctypes.addressof(program)), 0, 0) == 0  # PR_SET_SECCOMP


if way == "everything":
    shut_openat()
elif way != "nothing":
    os.rename(way, way + ".away")
answer = pam.pam_acct_mgmt(handle, pam_silent)
if way.startswith("/"):
    os.rename(way + ".away", way)
print(answer)
"""


def lets_in(name, unseen="nothing"):
    (PAM / "alone").write_text(LINE + "account required pam_permit.so\n")
    answer = int(sp.run([sys.executable, "-c", ALONE, name, unseen], check=True).stdout)
    assert answer in (0, 6), answer  # PAM_SUCCESS, PAM_PERM_DENIED
    return answer == 0


def test_an_account_is_not_let_in_because_nobody_could_look_who_it_is(asked, user):
    free = sp.make_user(shell="/bin/bash")
    assert lets_in(user.name) and lets_in(user.name, "/etc/group") and lets_in(free.name)
    assert not lets_in(user.name, "/etc/passwd")
    assert not lets_in(user.name, "everything")
    record(user).rename(RECORDS / "kept")
    assert not lets_in(user.name) and not lets_in(user.name, "/etc/passwd") and not lets_in(user.name, "everything")
    (RECORDS / "kept").rename(record(user))
    assert lets_in(free.name, "/etc/passwd"), "somebody whom the service alone knows"
    assert lets_in("root", "everything") and lets_in("root", "/etc/passwd"), "the admin"


def test_a_record_of_who_is_not_managed_any_more_goes_with_his_access(asked):
    gone = sp_site.account("bash")
    assert record(gone).exists()
    sp.rpc("domain.remove", {"domain": gone.domain}).ok()
    assert not record(gone).exists() and other(gone)[0] is False  # no password: pam_unix
    assert sp.run(["pamtester", "ftpish", gone.name, "acct_mgmt"]).rc == 0


def test_a_renamed_user_has_a_record_by_his_new_name(asked):
    old = sp_site.account("bash")
    new = old._replace(name=old.name + "x")
    sp.run(["usermod", "-l", new.name, old.name], check=True)
    assert not login(new)[0], "until sallyport is told"
    sp.rpc("domain.rebind", {"domain": old.domain, "user": new.name}).ok()
    assert record(new).exists() and not record(old).exists() and login(new)[0]


def test_sources_that_move_never_widen_on_the_way(user):
    apply(user, sources=[sp.OUTSIDE4, sp.OUTSIDE4_B])
    answer = apply(user, sources=[sp.OUTSIDE4_B, "198.51.100.0/24"])
    steps = [(change["to"], change["read_back"]) for change in answer["changes"] if change["resource"] == "access"]
    assert steps == [("only what both let in", "only what both let in"), ("written", "written")]
    assert other(user, sp.OUTSIDE4_B)[0] and not other(user, sp.OUTSIDE4)[0]
    apply(user, sources=[])


def test_it_answers_the_same_under_pam_wrapper(user, tmp_path):
    module = next(pathlib.Path("/usr/lib").glob("**/security/pam_sallyport.so"))
    (tmp_path / "wrapped").write_text(f"auth required pam_permit.so\naccount required pam_permit.so\naccount required {module}\n")
    env = {"PATH": "/usr/sbin:/usr/bin", "LD_PRELOAD": "libpam_wrapper.so", "PAM_WRAPPER": "1", "PAM_WRAPPER_SERVICE_DIR": str(tmp_path)}
    apply(user, sources=[sp.OUTSIDE4])
    assert other(user, sp.OUTSIDE4, "wrapped", env)[0] and not other(user, sp.OUTSIDE4_B, "wrapped", env)[0]
    assert other("root", sp.OUTSIDE4_B, "wrapped", env)[0]
    sp.rpc("account.suspend", {"domain": user.domain}).ok()
    let, told = other(user, sp.OUTSIDE4, "wrapped", env)
    assert not let and "suspended" in told
    sp.rpc("account.resume", {"domain": user.domain}).ok()
    apply(user, sources=[])


def test_debians_profile_puts_it_into_every_service_and_takes_it_out_again(user):
    common = PAM / "common-account"
    before = common.read_text()
    sp.run(["pam-auth-update", "--enable", "sallyport"], check=True)
    assert "pam_sallyport.so" in common.read_text()
    assert sp.run(["pamtester", "su", user.name, "acct_mgmt"]).rc == 0 and sp.run(["pamtester", "su", "root", "acct_mgmt"]).rc == 0
    sp.run(["pam-auth-update", "--disable", "sallyport"], check=True)
    assert "pam_sallyport.so" not in common.read_text() and [line for line in before.splitlines() if line and line[0] != "#"] == \
        [line for line in common.read_text().splitlines() if line and line[0] != "#"]


def test_it_shows_nothing_but_pams_entry_points():
    module = next(pathlib.Path("/usr/lib").glob("**/security/pam_sallyport.so"))
    names = {line.split()[-1] for line in sp.run(["nm", "-D", "--defined-only", module], check=True).stdout.splitlines()}
    assert names == {"pam_sm_acct_mgmt", "pam_sm_authenticate", "pam_sm_setcred"}
