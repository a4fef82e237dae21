# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor names as the mend is typed as it stands, and then the login works: at three in the morning nobody thinks it over."""

import os
import pathlib
import shlex
import time

import pytest

import sp
import sp_site

SETTINGS = pathlib.Path("/etc/ssh/sshd_config.d/05-test.conf")
FROM = sp.OUTSIDE4


def login(user):
    return sp.ssh(user, "true", netns="outside", source=FROM).rc == 0


def ask(user):
    return sp.rpc("login.diagnose", {"user": user.name, "from": FROM, "key": sp.keypair().public}, timeout=60).ok()


def spoil(user, command):
    return sp.run(["bash", "-ec", command.format(user=user.name, home=user.home, root=user.docroot)], check=True)


@pytest.fixture
def site(host):
    """Home and document root are two places, each below a directory of its own."""
    name = sp.unique()
    return sp_site.account(params={"jail": {"profiles": ["base"]}}, name=name, home=f"/srv/homes-{name}/{name}", docroot=f"/srv/sites-{name}/site")


# name -> (what breaks it, what the first stop's text holds)
BROKEN = {
    "a directory above the home is closed": ("chmod 700 $(dirname {home})", "it ends at /srv/homes-"),
    "the home is root's": ("chown root:root {home}; chmod 700 {home}", "it ends at {home}"),
    "the home is closed to himself": ("chmod 600 {home}", "it ends at {home}"),
    ".ssh is root's": ("chown -R root:root {home}/.ssh; chmod 700 {home}/.ssh", "it ends at {home}/.ssh"),
    "the file of keys is root's": ("chown root:root {home}/.ssh/authorized_keys", "it ends at {home}/.ssh/authorized_keys"),
    "the file of keys is root's in a directory of root's": ("chmod 711 {home}/.ssh; chown root:root {home}/.ssh {home}/.ssh/authorized_keys", "it ends at {home}/.ssh/authorized_keys"),
    "others write to .ssh": ("chmod 777 {home}/.ssh", "everybody may write to {home}/.ssh"),
    "others write to the home": ("chmod 777 {home}", "everybody may write to {home}"),
    "others write to a file of root's": ("chown root {home}/.ssh/authorized_keys; chmod 666 {home}/.ssh/authorized_keys", "everybody may write to {home}/.ssh/authorized_keys"),
    ".ssh is another's": ("chown daemon {home}/.ssh; chmod 755 {home}/.ssh", "belongs to uid 1, who is neither"),
    "the keys are a directory": ("mv {home}/.ssh/authorized_keys {home}/.ssh/old; mkdir {home}/.ssh/authorized_keys", "is not a regular file"),
    "a pattern of DenyGroups means a group of his": ("groupadd -f webworkers; gpasswd -a {user} webworkers; echo 'DenyGroups web*' >/etc/ssh/sshd_config.d/05-test.conf; kill -HUP $(cat /run/sshd.pid)", "is in webworkers"),
    "the keys were emptied": (": > {home}/.ssh/authorized_keys", "is in no authorized_keys"),
    "somebody let the key expire by hand": ("sed -i 's/^/expiry-time=\"20200101\" /' {home}/.ssh/authorized_keys", "has expired"),
    "the home is gone": ("mv {home} {home}.gone", "the home {home} is missing"),
    "the document root is gone": ("rm -rf {root}", "{root}: No such file"),
    "the document root is another's": ("chown daemon {root}", "belongs to neither"),
    "a directory above the document root is closed": ("chmod 700 $(dirname {root})", "{root}: Permission denied"),
    "the password was not changed in time": ("echo {user}:Secret-1 | chpasswd; chage -d 2001-01-01 -M 10 -I 5 {user}", "expired"),
    "a reboot is announced": ("echo a reboot is near > /run/nologin", "/run/nologin keeps everybody out: a reboot is near"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_mend_works_as_it_is_typed(request, site, name):
    command, text = BROKEN[name]
    request.addfinalizer(lambda: SETTINGS.unlink(missing_ok=True))
    spoil(site, command)
    sp.wait_for(lambda: not login(site), what="what keeps him out")  # sshd may have to read it
    told = ask(site)
    stop = told["stop"]
    assert stop and text.format(home=site.home, root=site.docroot) in stop["text"] and not stop["text"].endswith("?"), told
    done = sp.run(["bash", "-c", stop["mend"]], timeout=60)
    assert done.rc == 0, (stop, done)
    assert login(site), (stop, done, ask(site)["stop"])


def test_hosts_deny_is_mended_as_it_is_typed(site):
    allow = pathlib.Path("/etc/hosts.allow").read_text()
    try:
        spoil(site, "echo sshd: ALL >> /etc/hosts.deny")
        stop = ask(site)["stop"]
        assert sp.run(["bash", "-c", stop["mend"]]).rc == 0
        assert login(site), stop
    finally:
        pathlib.Path("/etc/hosts.allow").write_text(allow)
        spoil(site, "sed -i '/^sshd: ALL/d' /etc/hosts.deny")


# name -> (the settings, what the text holds, what the mend holds)
ELSEWHERE = {
    "AuthorizedKeysFile": ("AuthorizedKeysFile /etc/ssh/keys/%u\n", "AuthorizedKeysFile is /etc/ssh/keys/%u", "add .ssh/authorized_keys"),
    "AllowUsers": ("AllowUsers admin\n", "AllowUsers", "add {user} to AllowUsers"),
    "DenyUsers": ("DenyUsers s?te*\n", "DenyUsers", "take s?te* out of DenyUsers"),
    "DenyGroups": ("DenyGroups {user}\n", "DenyGroups", "take {user} out of DenyGroups"),  # his own: no gpasswd takes him out
    "PubkeyAuthentication": ("PubkeyAuthentication no\n", "takes no keys", "set PubkeyAuthentication yes"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_set_in_a_file_of_sshds_is_mended_there(host, site, name):
    settings, text, mend = (part.format(user=site.name) for part in ELSEWHERE[name])
    SETTINGS.write_text("# set by somebody\n" + settings)
    host.reload()
    try:
        stop = ask(site)["stop"]
        assert text in stop["text"] and mend in stop["mend"] and f"{SETTINGS}:2" in stop["mend"], stop
    finally:
        SETTINGS.unlink()
        host.reload()


def test_pams_module_that_turns_away_is_among_those_that_are_named(site):
    path, rules = pathlib.Path("/etc/pam.d/sshd"), pathlib.Path("/etc/security/access.conf")
    before = path.read_text(), rules.read_text()
    try:
        path.write_text("account required pam_access.so\n" + before[0])
        rules.write_text(before[1] + f"-:{site.name}:ALL\n")
        stop = ask(site)["stop"]
        assert stop["check"] == "account" and "pam_access.so (/etc/security/access.conf)" in stop["mend"], stop
    finally:
        path.write_text(before[0])
        rules.write_text(before[1])


def test_a_uid_that_is_another_is_said_with_the_way_back(site):
    spoil(site, "usermod -u 54321 {user}; chown -R {user} {home} {root}")
    stop = ask(site)["stop"]
    assert f"sallyport remove {site.domain}" in stop["mend"] and f"sallyport enable {site.domain}" in stop["mend"], stop
    spoil(site, "userdel {user}")
    stop = ask(site)["stop"]
    assert f"sallyport remove {site.domain}" in stop["mend"], stop


def test_no_mend_goes_through_what_the_user_may_exchange(site):
    """A `chown` of root's below his home could be led elsewhere by a link that he puts there meanwhile."""
    for command in (
        "chmod 777 {home}/.ssh", "chmod 666 {home}/.ssh/authorized_keys",  # his own, that others may write to
        "chown root {home}/.ssh/authorized_keys", "chown daemon {home}/.ssh/authorized_keys", "chmod 755 {home}/.ssh; chown root {home}/.ssh",
        "chown root:root {home}/.ssh/authorized_keys; chmod 600 {home}/.ssh/authorized_keys", "chown -R root:root {home}/.ssh; chmod 700 {home}/.ssh"):
        spoil(site, "chmod 700 {home}/.ssh; " + command)
        assert ask(site)["stop"]["mend"].startswith(f"runuser -u {site.name} -- "), command
    os.rename(f"{site.home}/.ssh", f"{site.home}/mine")
    os.symlink("/root/.ssh", f"{site.home}/.ssh")
    os.chmod("/root", 0o700)
    stop = ask(site)["stop"]
    assert stop["mend"].startswith(("namei -l", "sallyport reconcile")), stop


def test_where_others_may_exchange_the_home_the_way_is_shown_and_no_more(site):
    above = os.path.dirname(site.home)
    spoil(site, "chmod 777 {home}; chown root {home}")
    for command in ("chown daemon {above}", "chown root {above}; chmod 777 {above}"):
        spoil(site, command.format(above=above))
        stop = ask(site)["stop"]
        assert "everybody may write to " in stop["text"] and stop["mend"] == f"namei -l {site.home}/.ssh/authorized_keys", (command, stop)
    os.chmod(above, 0o1777)  # sticky: nobody but root moves what is root's
    assert ask(site)["stop"]["mend"] == f"chmod go-w {site.home}"


def nowhere(site):
    """What is told where nobody said where the login comes from."""
    return sp.rpc("login.diagnose", {"user": site.name}, timeout=60).ok()


def test_without_an_address_one_of_the_accounts_own_is_taken(site):
    stack = pathlib.Path("/etc/pam.d/sshd")
    before = stack.read_text()
    try:
        stack.write_text("account required pam_sallyport.so\n" + before)
        sp_site.apply(site, sources=[FROM + "/32", "203.0.113.0/24"]).ok()
        assert login(site)
        assert nowhere(site)["verdict"] == "lets_in", nowhere(site)
    finally:
        stack.write_text(before)


def firewall(*words):
    return sp.run(["sallyport", "firewall", *words], check=True)


def test_an_account_that_nobody_can_reach_is_told_without_an_address(site):
    sp_site.apply(site, sources=[FROM + "/32", "203.0.113.0/24"]).ok()
    conf = pathlib.Path("/etc/sallyport/sallyport.conf.d/always.conf")
    try:
        conf.write_text("always_allow = 198.51.100.0/24\n")
        firewall("restrict", "198.51.100.0/24", "--force")
        assert not any(c["check"] == "firewall" and c["state"] != "ok" for c in nowhere(site)["checks"]), nowhere(site)
        firewall("close", "--yes", "--force")  # always_allow still comes in
        stop = nowhere(site)["stop"]
        assert stop["check"] == "firewall" and "nobody can come in" in stop["text"] and "192.0.2.2" in stop["text"], stop
    finally:
        conf.unlink()
        firewall("unmanage")


def test_a_key_that_is_left_out_for_its_addresses_is_told_as_that(site):
    sp_site.apply(site, sources=[FROM + "/32"]).ok()
    answer = sp_site.apply(site, authorized_keys=[{"key": sp.keypair().public, "from": ["198.51.100.0/24"]}]).ok()
    assert answer["warnings"] and not login(site)
    stop = ask(site)["stop"]
    assert stop["check"] == "key" and "none of its sources lies within" in stop["text"], stop
    assert sp.run(["bash", "-c", stop["mend"].replace("FILE", sp.keypair().path + ".pub")]).rc == 0, stop
    assert login(site)


def test_a_stored_policy_that_is_gone_is_told_by_reconcile_and_doctor_with_the_mend(site):
    state = pathlib.Path("/var/lib/sallyport/firewall.json")
    firewall("restrict", "192.0.2.0/24", "--force")
    try:
        state.unlink()
        done = sp.run(["sallyport", "reconcile"], timeout=60)
        assert done.rc != 0 and "firewall: failed: " in done.stdout and f"try: cp -p {state}- {state}" in done.stdout, done
        told = next(check for check in nowhere(site)["checks"] if check["check"] == "firewall")
        assert told["state"] == "warning" and str(state) in told["text"], told
        assert sp.run(["bash", "-c", told["mend"]]).rc == 0, told
        assert "firewall: failed" not in sp.run(["sallyport", "reconcile"], timeout=60).stdout and login(site)
    finally:
        firewall("unmanage")


def running(site):
    return next(check for check in ask(site)["checks"] if check["check"] == "sshd")


def backdated(seconds=60):
    """sshd read its files a minute ago, as far as anybody can tell."""
    then = time.time() - seconds
    os.utime("/run/sshd.pid", (then, then))


def test_an_sshd_that_has_not_read_what_somebody_changed_is_told_of_with_the_mend(host, site):
    config, aside = pathlib.Path("/etc/ssh/sshd_config"), pathlib.Path("/etc/ssh/sshd_config.test")
    before = config.read_text()
    host.reload()
    assert running(site)["state"] == "ok" and "has read it" in running(site)["text"]
    try:
        SETTINGS.write_text("DenyUsers nobody-at-all\n")  # forgotten: no reload
        sp.wait_for(lambda: running(site)["state"] == "warning", what="a warning")
        told = running(site)
        assert str(SETTINGS) in told["text"], told
        assert sp.run(["bash", "-c", told["mend"]]).rc == 0, told
        sp.wait_for(lambda: running(site)["state"] == "ok", what="sshd reading its files")
        backdated()
        SETTINGS.chmod(0o640)  # neither a chmod nor a file that sshd does not read is a change
        then = time.time() - 120
        for path in (config, SETTINGS, *SETTINGS.parent.glob("*.conf")):
            os.utime(path, (then, then))
        (SETTINGS.parent / "05-test.conf.bak").write_text("DenyUsers *\n")
        os.utime(SETTINGS.parent, (then, then))
        os.utime(config.parent, (then, then))
        time.sleep(2.1)
        assert running(site)["state"] == "ok", running(site)
        aside.write_text(before)  # an old copy that is moved back is one
        os.utime(aside, (then, then))
        aside.rename(config)
        sp.wait_for(lambda: running(site)["state"] == "warning", what="a warning")
        told = running(site)
        assert f"{config} was changed" in told["text"], told
    finally:
        (SETTINGS.parent / "05-test.conf.bak").unlink(missing_ok=True)
        SETTINGS.unlink()
        config.write_text(before)
        host.reload()


ODD = "it's $(touch PWNED) `touch PWNED`; touch PWNED #"


def test_a_mend_is_safe_to_paste_whatever_a_path_holds(host, tmp_path):
    name = sp.unique()
    site = sp_site.account(params={"jail": {"profiles": ["base"]}}, name=name, home=f"/srv/homes-{name}/{ODD}", docroot=f"/srv/{ODD}-{name}/site")
    assert login(site)
    for command in ("chmod 600 {home}", "chown daemon {home}", "mv {home} {home}.gone", "chmod 700 {home}/..", "rm -rf {root}", "chmod 700 {root}/.."):
        sp.run(["bash", "-ec", command.format(home=shlex.quote(site.home), root=shlex.quote(site.docroot))], check=True)
        assert not login(site), command
        stop = ask(site)["stop"]
        sp.run(["bash", "-c", stop["mend"]], timeout=60, cwd=tmp_path)
        assert not list(tmp_path.iterdir()), stop
        assert login(site), (stop, ask(site)["stop"])


def test_who_names_the_user_where_a_domain_belongs_is_told_so(site):
    done = sp.run(["sallyport", "doctor", site.name])
    assert done.rc == 5 and "a user is named by --user" in done.stderr, done
