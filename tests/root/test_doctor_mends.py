# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor names as the mend is typed as it stands, and then the login works: at three in the morning nobody thinks it over."""

import os
import pathlib

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
def test_the_mend_works_as_it_is_typed(site, name):
    command, text = BROKEN[name]
    spoil(site, command)
    assert not login(site)
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
    for command in ("chown root:root {home}/.ssh/authorized_keys", "chown -R root:root {home}/.ssh; chmod 700 {home}/.ssh"):
        spoil(site, command)
        assert ask(site)["stop"]["mend"].startswith(f"runuser -u {site.name} -- "), command
    os.rename(f"{site.home}/.ssh", f"{site.home}/mine")
    os.symlink("/root/.ssh", f"{site.home}/.ssh")
    os.chmod("/root", 0o700)
    stop = ask(site)["stop"]
    assert stop["mend"].startswith(("namei -l", "sallyport reconcile")), stop


def test_who_names_the_user_where_a_domain_belongs_is_told_so(site):
    done = sp.run(["sallyport", "doctor", site.name])
    assert done.rc == 5 and "a user is named by --user" in done.stderr, done
