# SPDX-License-Identifier: GPL-3.0-or-later
"""sallyport adopt: a panel's accounts are taken up as they are, and given back. Each panel is a replica: the part of
its tree that names domains, users and directories, made here after that panel's documentation and public sources."""

import base64
import fcntl
import json
import os
import pathlib
import pwd
import subprocess
import time

import pytest

import sp
from sp_safety import STORE, nothing_written

CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/adopt.conf")


def adopt(*words, rc=0):
    done = sp.run(["sallyport", "adopt", "--json", *words], timeout=120)
    assert done.rc == rc, (done.rc, done.stdout, done.stderr)
    body = json.loads(done.stdout)
    sp.validate_answer({"jsonrpc": "2.0", "id": "t", "result": body})
    return body


def accounts(body):
    return {one["user"]: one for one in body["accounts"]}


def text(path, content, owner=None):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    if owner:
        os.chown(path, *owner)


def group(name):
    sp.run(["groupadd", "-f", name], check=True)
    return int(sp.run(["getent", "group", name]).stdout.split(":")[2])


def user(name, home, shell="/bin/false", gid=None, uid=None, roots=(), home_owner=None):
    """A system user as the panel makes it, and his directories."""
    more = (["-g", str(gid)] if gid else ["-U"]) + (["-o", "-u", str(uid)] if uid else [])
    sp.run(["useradd", "-M", "-K", "MAIL_DIR=/dev/null", "-d", home, "-s", shell, *more, name], check=True)
    entry = pwd.getpwnam(name)
    os.makedirs(home, exist_ok=True)
    os.chown(home, *(home_owner or (entry.pw_uid, entry.pw_gid)))
    os.chmod(home, 0o755)
    for root in roots:
        os.makedirs(root, exist_ok=True)
        os.chown(root, entry.pw_uid, entry.pw_gid)
        os.chmod(root, 0o750)
    return sp.User(name, entry.pw_uid, entry.pw_gid, home, roots[0] if roots else home, "")


def undo(*words):
    return adopt("--undo", *words)


# Plesk

VHOSTS = "/var/www/vhosts"
FOUND = sp.keypair("found")
LIMITED = 'command="/bin/echo forced",no-agent-forwarding {}\n'.format(sp.keypair("limited").public)


def plesk_vhost(domain, login, root, name="last_httpd.conf"):
    text(f"{VHOSTS}/system/{domain}/conf/{name}", f"""#ATTENTION!
<IfModule mod_ssl.c>
	<VirtualHost 192.0.2.1:7081 >
		ServerName "{domain}:443"
		ServerAlias "www.{domain}"
		UseCanonicalName Off
		<IfModule mod_suexec.c>
			SuexecUserGroup "{login}" "psacln"
		</IfModule>
		DocumentRoot "{root}"
""")


@pytest.fixture(scope="module")
def plesk(host):
    text("/usr/local/psa/version", "18.0.60 Debian 12.0 1800240321.13\n")
    text("/usr/local/psa/bin/chrootsh", "#!/bin/sh\nexec /bin/bash\n")
    os.chmod("/usr/local/psa/bin/chrootsh", 0o755)
    psacln = group("psacln")
    made = {}
    for number, (name, shell) in enumerate((("pl_false", "/bin/false"), ("pl_bash", "/bin/bash"),
                                            ("pl_jail", "/usr/local/psa/bin/chrootsh"), ("pl_tree", "/bin/false"))):
        domain = name.replace("_", "-") + ".example"
        home = f"{VHOSTS}/{domain}"
        one = user(name, home, shell, psacln, 10001 + number, [f"{home}/httpdocs"])
        made[name] = one._replace(domain=domain)
        if name != "pl_tree":
            plesk_vhost(domain, name, one.docroot)
    # An additional domain of the same webspace; one whose document root is another user's; one without a directory.
    bash = made["pl_bash"]
    os.makedirs(f"{bash.home}/addon.example/public")
    os.chown(f"{bash.home}/addon.example/public", bash.uid, bash.gid)
    plesk_vhost("addon.example", "pl_bash", f"{bash.home}/addon.example/public")
    plesk_vhost("stranger.example", "pl_bash", made["pl_jail"].docroot, "httpd.conf")
    plesk_vhost("gone.example", "pl_gone", f"{VHOSTS}/gone.example/httpdocs")
    # Not in psacln, and the panel's own.
    user("pl_other", f"{VHOSTS}/other.example", uid=10090, roots=[f"{VHOSTS}/other.example/httpdocs"])
    folder = pathlib.Path(bash.home, ".ssh")
    folder.mkdir(0o700)
    (folder / "authorized_keys").write_text(f"# mine\n{FOUND.public}\n{LIMITED}")
    (folder / "authorized_keys").chmod(0o600)
    sp.run(["chown", "-R", f"{bash.uid}:{bash.gid}", folder], check=True)
    # What a user makes of his home holds nobody up.
    trap = pathlib.Path(made["pl_tree"].home, ".ssh")
    trap.mkdir(0o700)
    os.mkfifo(trap / "authorized_keys")
    sp.run(["chown", "-R", f"{made['pl_tree'].uid}:{made['pl_tree'].gid}", trap], check=True)
    return made


def test_every_account_of_plesk_is_told_with_what_was_found_and_what_not_and_why(plesk):
    with nothing_written(*[one.home for one in plesk.values()]):
        body = adopt("--dry-run", rc=20)
    told = accounts(body)
    assert body["panel"] == "plesk" and body["taken"] == 4, body
    bash = told["pl_bash"]
    assert bash["shell"] == "/bin/bash" and bash["keys"] == 2 and bash["home"] == plesk["pl_bash"].home
    assert {d["domain"]: d["document_root"] for d in bash["domains"]} == {
        "pl-bash.example": plesk["pl_bash"].docroot, "addon.example": f"{plesk['pl_bash'].home}/addon.example/public"}
    assert [(d["domain"], d["reason"]) for d in bash["left_out"]] == [("stranger.example", "unsafe_path")]
    assert told["pl_jail"]["shell_of"] == "Plesk chrootsh" and "chroot" in told["pl_jail"]["notes"][0]
    assert told["pl_tree"]["result"] == "taken"  # by its directory alone
    assert told["pl_tree"]["keys"] == 0 and "could not be looked at" in told["pl_tree"]["notes"][0]
    assert told["pl_gone"]["result"] == "failed" and told["pl_gone"]["reason"] == "not_found"
    assert told["pl_other"]["result"] == "passed_over" and "groups" in told["pl_other"]["error"]
    assert "system" not in {d["domain"] for one in told.values() for d in one.get("left_out", [])}
    table = sp.run(["sallyport", "adopt", "--dry-run"])
    assert table.rc == 20 and "4 taken" in table.stdout and "stranger.example" in table.stdout


def test_adopting_changes_nothing_on_the_host_and_reconcile_neither(plesk):
    homes = [one.home for one in plesk.values()]
    with nothing_written(*homes, watched=("/etc", "/root/.ssh")):
        assert adopt(rc=20)["taken"] == 4
        report = sp.rpc("system.reconcile", {}).ok()
        assert report["accounts"] == 4 and report["mended"] == 0 and report["failed"] == 0, report
        again = adopt(rc=20)
        assert again["taken"] == 0 and again["known"] == 4
    got = sp.rpc("domain.get", {"domain": "addon.example"}).ok()
    assert got["user"] == "pl_bash" and got["login_shell"] == "/bin/bash" and got["desired_shell"] == "unset"
    assert got["adopted"]["held"] and got["adopted"]["panel"] == "plesk" and got["drift"] == []
    assert {k["fingerprint"] for k in got["adopted"]["keys"]} == {FOUND.fingerprint, sp.keypair("limited").fingerprint}
    listed = {d["domain"]: d for d in sp.rpc("domain.list", {}).ok()["domains"]}
    assert listed["pl-jail.example"]["adopted"] is True and listed["pl-jail.example"]["user"] == "pl_jail"
    shown = sp.run(["sallyport", "status", "pl-false.example"])
    assert shown.rc == 0 and "plesk" in shown.stdout, shown
    assert {k["fingerprint"] for k in sp.rpc("keys.list", {"domain": "addon.example"}).ok()["foreign_keys"]} == {
        FOUND.fingerprint, sp.keypair("limited").fingerprint}


def test_the_first_request_takes_an_account_over_and_loses_no_key(plesk):
    bash = plesk["pl_bash"]
    file = pathlib.Path(bash.home, ".ssh/authorized_keys")
    before = file.read_text()
    # What was adopted before is still this account's: the shell it had last is the one that it gets back.
    sp.run(["usermod", "-s", "/bin/sh", "pl_bash"], check=True)
    new = sp.keypair("panel")
    sp.rpc("domain.apply", {"domain": "pl-bash.example", "shell": "chroot", "authorized_keys": [{"key": new.public}]}).ok()
    assert file.read_text() == before + new.public + "\n"
    for key in (FOUND, new):
        done = sp.ssh(bash, "pwd", key=key)
        assert done.rc == 0, done
    assert "forced" in sp.ssh(bash, "true", key=sp.keypair("limited")).stdout
    got = sp.rpc("domain.get", {"domain": "pl-bash.example"}).ok()
    assert got["adopted"]["held"] is False and got["in_force"] is True
    # A key that was found goes by its fingerprint.
    sp.rpc("keys.remove", {"domain": "pl-bash.example", "fingerprint": sp.keypair("limited").fingerprint}).ok()
    assert LIMITED not in file.read_text() and FOUND.public in file.read_text()
    # Named by the panel, it is the panel's too; and it was there before us.
    sp.rpc("keys.add", {"domain": "pl-bash.example", "key": FOUND.public}).ok()
    sp.rpc("domain.remove", {"domain": "pl-bash.example"}).ok()
    sp.rpc("domain.remove", {"domain": "addon.example"}).ok()
    assert FOUND.public in file.read_text() and new.public not in file.read_text()
    assert pwd.getpwnam("pl_bash").pw_shell == "/bin/sh"


def test_what_takes_access_away_takes_an_account_over_and_what_finds_nothing_does_not(plesk):
    with nothing_written(plesk["pl_false"].home, watched=("/etc",)):
        sp.rpc("keys.remove", {"domain": "pl-false.example", "fingerprint": FOUND.fingerprint}).ok()
        assert sp.rpc("domain.get", {"domain": "pl-false.example"}).ok()["adopted"]["held"] is True
    sp.rpc("account.suspend", {"domain": "pl-jail.example"}).ok()
    assert "pl_jail" in sp.run(["getent", "group", "sallyport-none"]).stdout
    assert pwd.getpwnam("pl_jail").pw_shell == "/usr/local/psa/bin/chrootsh"


def test_undo_forgets_what_nobody_changed_since(plesk):
    with nothing_written(*[one.home for one in plesk.values()], watched=("/etc",)):
        assert {"pl_false", "pl_tree"} == {one["user"] for one in undo("--dry-run")["forgotten"]}
        body = undo()
    assert {one["user"] for one in body["forgotten"]} == {"pl_false", "pl_tree"}
    assert [one["user"] for one in body["kept"]] == ["pl_jail"]
    assert sp.rpc("domain.get", {"domain": "pl-false.example"}).reason == "not_found"
    assert sorted(os.listdir(f"{STORE}/domains")) == ["pl-jail.example"]
    assert undo() ["forgotten"] == []
    sp.rpc("domain.remove", {"domain": "pl-jail.example"}).ok()


def test_the_configuration_that_a_preset_prints_lets_its_accounts_in(plesk):
    printed = sp.run(["sallyport", "adopt", "--from", "plesk", "--print-config"], check=True).stdout
    CONF.write_text(printed)
    try:
        assert "required_groups = psacln" in printed and "psaadm" in printed
        sp.rpc("domain.apply", {"domain": "pl-false.example", "user": "pl_false", "document_root":
                                plesk["pl_false"].docroot, "shell": "bash"}).ok()
        sp.rpc("domain.remove", {"domain": "pl-false.example"}).ok()
        other = sp.rpc("domain.apply", {"domain": "other.example", "user": "pl_other", "shell": "bash",
                                        "document_root": f"{VHOSTS}/other.example/httpdocs"})
        assert other.reason == "forbidden"
    finally:
        CONF.unlink()


# The other panels

def hestia():
    one = user("hs_user", "/home/hs_user", "/bin/bash", roots=["/home/hs_user/web/hs.example/public_html",
                                                               "/home/hs_user/web/hs2.example/public_html/app"])
    text("/usr/local/hestia/data/users/hs_user/web.conf",
         "DOMAIN='hs.example' IP='192.0.2.1' IP6='' ALIAS='www.hs.example' TPL='default' SSL='no' SUSPENDED='no'\n"
         "DOMAIN='hs2.example' IP='192.0.2.1' CUSTOM_DOCROOT='/home/hs_user/web/hs2.example/public_html/app/' SSL='no'\n"
         "DOMAIN='bad;name.example' IP='192.0.2.1'\n")
    text("/usr/local/hestia/data/users/admin/web.conf", "DOMAIN='panel.example' IP='192.0.2.1'\n")
    sp.run(["useradd", "-M", "admin"], check=False)
    return {"hs_user": {"hs.example": "/home/hs_user/web/hs.example/public_html",
                        "hs2.example": "/home/hs_user/web/hs2.example/public_html/app"}}, {"admin": "passed_over"}, one


def virtualmin():
    one = user("vm_user", "/home/vm_user", "/bin/sh", roots=["/home/vm_user/public_html",
                                                             "/home/vm_user/domains/sub.vm.example/public_html"])
    base = "/etc/webmin/virtual-server/domains"
    text(f"{base}/161", "dom=vm.example\nuser=vm_user\nhome=/home/vm_user\nunix=1\nweb=1\npass=a b'c\n"
         "public_html_dir=public_html\npublic_html_path=/home/vm_user/public_html\n")
    text(f"{base}/162", "dom=sub.vm.example\nuser=vm_user\nparent=161\nhome=/home/vm_user/domains/sub.vm.example\nweb=1\n"
         "public_html_dir=public_html\n")
    text(f"{base}/163", "dom=alias.vm.example\nuser=vm_user\nalias=161\nhome=/home/vm_user\n")
    return {"vm_user": {"vm.example": "/home/vm_user/public_html",
                        "sub.vm.example": "/home/vm_user/domains/sub.vm.example/public_html"}}, {}, one


def ispconfig():
    client = group("client1")
    web = "/var/www/clients/client1/web1"
    one = user("web1", web, "/bin/false", client, roots=[f"{web}/web"], home_owner=(0, 0))
    text("/usr/sbin/jk_chrootsh", "#!/bin/sh\n")
    user("c1shell", f"{web}/./home/c1shell", "/usr/sbin/jk_chrootsh", client, one.uid)
    os.symlink(f"{web}/", "/var/www/isp.example")
    os.makedirs("/var/www/html", exist_ok=True)
    os.symlink("/var/www/html", "/var/www/elsewhere.example")
    return {"web1": {"isp.example": f"{web}/web"}}, {}, one


def cpanel():
    one = user("cp_user", "/home/cp_user", "/usr/local/cpanel/bin/jailshell",
               roots=["/home/cp_user/public_html", "/home/cp_user/addon.cp.example"])
    two = user("cp_two", "/home/cp_two", "/usr/local/cpanel/bin/noshell", roots=["/home/cp_two/public_html"])
    text("/etc/userdatadomains",
         "cp.example: cp_user==root==main==cp.example==/home/cp_user/public_html==192.0.2.1:80======0==\n"
         "addon.cp.example: cp_user==root==addon==cp.example==/home/cp_user/addon.cp.example==192.0.2.1:80\n")
    text("/etc/trueuserdomains", "cp.example: cp_user\ncp-two.example: cp_two\n*: nobody\n")
    return {"cp_user": {"cp.example": "/home/cp_user/public_html", "addon.cp.example": "/home/cp_user/addon.cp.example"},
            "cp_two": {"cp-two.example": "/home/cp_two/public_html"}}, {"nobody": "passed_over"}, one._replace(name=two.name)


def generic():
    one = user("gn_user", "/srv/www/gn.example", "/usr/sbin/jk_chrootsh", roots=["/srv/www/gn.example/htdocs"])
    return {"gn_user": {"gn.example": "/srv/www/gn.example/htdocs"}}, {}, one


@pytest.mark.parametrize("panel, more, rc", [(hestia, (), 0), (virtualmin, (), 0), (ispconfig, (), 0), (cpanel, (), 0),
                                             (generic, ("--document-root", "/srv/www/*/htdocs"), 0)],
                         ids=lambda x: getattr(x, "__name__", None))
def test_a_replica_of_each_panel_is_taken_up_and_given_back(host, panel, more, rc):
    wanted, others, one = panel()
    with nothing_written(one.home, watched=("/etc",)):
        body = adopt("--from", panel.__name__, *more, rc=rc)
        told = accounts(body)
        for name, domains in wanted.items():
            assert told[name]["result"] == "taken", told[name]
            assert {d["domain"]: d["document_root"] for d in told[name]["domains"]} == domains
            for domain, root in domains.items():
                got = sp.rpc("domain.get", {"domain": domain}).ok()
                assert (got["user"], got["document_root"], got["adopted"]["panel"]) == (name, root, panel.__name__)
        assert {name: told[name]["result"] for name in others} == others
        assert set(told) == set(wanted) | set(others), told
        if panel is hestia:
            assert [d["domain"] for d in told["hs_user"]["left_out"]] == ["bad;name.example"]
        if panel is ispconfig:
            assert "c1shell" in told["web1"]["notes"][0] and "jailkit" in told["web1"]["notes"][0]
        if panel is cpanel:
            assert told["cp_user"]["shell_of"] == "cPanel jailshell"
        if panel is virtualmin:  # one domain less of an account that is only held
            sp.rpc("domain.remove", {"domain": "sub.vm.example"}).ok()
            assert sp.rpc("domain.get", {"domain": "vm.example"}).ok()["adopted"]["held"] is True
        assert {o["user"] for o in undo("--from", panel.__name__)["forgotten"]} == set(wanted)


def test_an_account_in_a_jail_of_jailkit_moves_into_one_of_ours(host):
    home = "/srv/jails/jk.example/./home/jk_user"
    one = user("jk_user", home, "/usr/sbin/jk_chrootsh", roots=["/srv/jails/jk.example/home/jk_user/web"])
    assert adopt("--from", "generic", "--document-root", "/srv/jails/*/home/jk_user/web")["taken"] == 1
    got = sp.rpc("domain.get", {"domain": "jk.example"}).ok()
    assert got["adopted"]["home"] == home and got["adopted"]["shell"] == "/usr/sbin/jk_chrootsh"
    sp.put_key(one)
    sp.rpc("domain.apply", {"domain": "jk.example", "shell": "chroot"}).ok()
    done = sp.ssh(one, "ls -d /usr/bin")
    assert done.rc == 0 and done.stdout.strip() == "/usr/bin", done
    sp.rpc("domain.remove", {"domain": "jk.example"}).ok()
    assert pwd.getpwnam("jk_user").pw_shell == "/usr/sbin/jk_chrootsh" and pwd.getpwnam("jk_user").pw_dir == home


# The whole of it

def test_names_choose_and_a_request_in_flight_is_left_alone(host):
    for number in (1, 2, 3):
        user(f"nm{number}", f"/srv/many/nm{number}.example", roots=[f"/srv/many/nm{number}.example/web"])
    where = ("--from", "generic", "--document-root", "/srv/many/*/web")
    assert set(accounts(adopt(*where, "nm1.example"))) == {"nm1"}
    with open(f"{STORE}/state/nm2.lock", "w", encoding="ascii") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        body = adopt(*where, rc=20)
    told = accounts(body)
    assert told["nm1"]["result"] == "known" and told["nm3"]["result"] == "taken"
    assert told["nm2"]["result"] == "failed" and told["nm2"]["reason"] == "busy"
    assert set(accounts(adopt(*where, "nm2"))) == {"nm2"}
    assert [one["user"] for one in undo("nm3.example")["forgotten"]] == ["nm3"]
    assert len(undo()["forgotten"]) == 2


def test_what_is_too_much_to_be_told_or_kept_is_counted(host):
    one = user("lg0", "/srv/large/lg.example", roots=["/srv/large/lg.example/web"])
    for number in range(1, 11):
        sp.run(["useradd", "-M", "-o", "-u", str(one.uid), "-g", str(one.gid), "-d", one.home, "-s", "/bin/bash", f"lg{number}"], check=True)
    head = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
    sp.put_key(one)
    path = pathlib.Path(one.home, ".ssh/authorized_keys")
    path.write_text("".join(f"ssh-ed25519 {base64.b64encode(head + os.urandom(32)).decode()}\n" for _ in range(1002)))
    told = accounts(adopt("--from", "generic", "--document-root", "/srv/large/*/web", "--dry-run"))["lg0"]
    assert told["result"] == "taken" and told["keys"] == 1000, told
    assert "2 more keys" in told["notes"][0] and len(told["notes"]) == 10 and told["notes"][-1].startswith("2 logins more"), told


def test_completion_offers_the_panels(host):
    script = "source /usr/share/bash-completion/completions/sallyport; COMP_WORDS=(sallyport adopt --from 'p'); COMP_CWORD=3"
    assert sp.run(["bash", "-c", script + "; _sallyport; echo ${COMPREPLY[@]}"], check=True).stdout.split() == ["plesk"]


def test_mistakes_are_told_with_their_exit_code(host):
    for words, rc in ((("--from", "nope"), 7), (("--from", "../x"), 5), (("--from", "plesk", "--document-root", "/x/*"), 5),
                      (("--from", "plesk", "a;b"), 5)):
        done = sp.run(["sallyport", "adopt", *words])
        assert done.rc == rc and "try:" in done.stderr, done
    for path in ("/usr/local/psa/version", "/usr/local/hestia/conf/hestia.conf"):
        text(path, "x\n")
    done = sp.run(["sallyport", "adopt"])
    assert done.rc == 8 and "--from" in done.stderr, done
    assert sp.rpc("account.adopt", {"panel": "plesk"}).reason == "forbidden"  # an admin's


COUNT = 1000
LOAD = ("--from", "generic", "--document-root", "/srv/load/*/web")


@pytest.fixture(scope="module")
def load(host):
    """A thousand accounts, one of which nobody can take: its document root can be written by all."""
    with open("/etc/passwd", "a", encoding="ascii") as passwd:
        for number in range(COUNT):
            root = f"/srv/load/l{number}.example/web"
            os.makedirs(root)
            os.chown(root, 30000 + number, 30000)
            passwd.write(f"ld{number}:x:{30000 + number}:30000::/srv/load/l{number}.example:/bin/false\n")
    os.chmod("/srv/load/l7.example/web", 0o777)


def test_a_thousand_accounts_are_taken_up_in_seconds_and_one_bad_one_stops_none(load):
    began = time.monotonic()
    done = subprocess.run(["script", "-qec", "sallyport adopt --from generic --document-root '/srv/load/*/web'", "/dev/null"],
                          capture_output=True, check=False, timeout=60)
    took = time.monotonic() - began
    assert done.returncode == 20 and f"{COUNT - 1} taken".encode() in done.stdout and took < 10 * sp.PATIENCE, (took, done.stdout[-500:])
    assert b"/1000" in done.stdout  # progress, on a terminal
    report = sp.rpc("system.reconcile", {}).ok()
    assert report["accounts"] == COUNT - 1 and report["mended"] == 0
    assert len(undo()["forgotten"]) == COUNT - 1


def test_an_adoption_that_is_killed_leaves_whole_records_and_is_finished_by_the_next(load):
    recorded = 0
    for delay in (0.005, 0.02, 0.04, 0.08, 0.15, 0.3):
        one = subprocess.Popen(["sallyport", "adopt", *LOAD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        one.kill()
        one.wait()
        body = sp.rpc("domain.list", {}).ok()
        assert body["broken"] == [] and len(body["domains"]) >= recorded
        recorded = len(body["domains"])
    rest = adopt(*LOAD, rc=20)
    assert rest["known"] == recorded and rest["taken"] + rest["known"] == COUNT - 1
    assert not [name for name in os.listdir(f"{STORE}/state") if name.endswith(".sallyport")]
    assert {os.readlink(f"{STORE}/domains/l{n}.example") for n in range(COUNT) if n != 7} == {
        f"ld{n}" for n in range(COUNT) if n != 7}
    assert len(undo()["forgotten"]) == COUNT - 1 and os.listdir(f"{STORE}/domains") == []
