# SPDX-License-Identifier: GPL-3.0-or-later
"""What every session takes for granted, in a jail: names of people, hosts and files, time zones, whom TLS trusts."""

import contextlib
import grp
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import threading

import pytest

import sp
import sp_site

NAME = "Grüße, 日本 €.txt"
RESOLV = pathlib.Path("/etc/resolv.conf")


class Resolver:
    """A name server of few words: A records, and NXDOMAIN for the rest (RFC 1035)."""

    def __init__(self, address, names):
        self.names, self.asked = names, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                query, sender = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(query), sender)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        name, question = ".".join(labels), query[12:at + 5]
        self.asked.append(name)
        known = name in self.names
        records = [socket.inet_aton(self.names[name])] if known and kind == 1 else []
        head = query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, len(records), 0, 0)
        return head + question + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + data for data in records)

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def resolver():
    first = Resolver("127.0.0.1", {"shop.test": "192.0.2.77", "api.shop.test": "127.0.0.1", "tls.test": "127.0.0.1"})
    RESOLV.write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
    yield first
    first.close()


AUTHORITIES = pathlib.Path("/usr/local/share/ca-certificates")


def authority(folder, name):
    """A certificate authority of our own."""
    folder.mkdir(exist_ok=True)
    sp.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", folder / "ca.key", "-out", folder / "ca.crt"], check=True)
    return folder


def certificate(folder, host):
    """A server's certificate and key in one file, signed by that authority."""
    (folder / "ext").write_text(f"subjectAltName=DNS:{host}\n")
    sp.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={host}",
            "-keyout", folder / "key", "-out", folder / "request"], check=True)
    sp.run(["openssl", "x509", "-req", "-in", folder / "request", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial",
            "-days", "30", "-extfile", folder / "ext", "-out", folder / "crt"], check=True)
    path = folder / f"{host}.pem"
    path.write_text((folder / "key").read_text() + (folder / "crt").read_text())
    return path


SERVER = """
import functools, http.server, ssl, sys
kind = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[2])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[1])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Three servers on loopback: one as it should be, one with a stranger's certificate, one with another host's."""
    base = tmp_path_factory.mktemp("tls")
    (base / "www").mkdir()
    (base / "www" / "hello").write_text("hello over TLS")
    sp.run(["git", "init", "-q", "--bare", base / "www" / "repo.git"], check=True)
    sp.run(["git", "-C", base / "www" / "repo.git", "update-server-info"], check=True)
    ours, stranger = authority(base / "ours", "Local Test CA"), authority(base / "stranger", "Stranger")
    (AUTHORITIES / "local-test.crt").write_text((ours / "ca.crt").read_text())
    sp.run(["update-ca-certificates"], check=True)
    running = {}
    for name, pem in {"good": certificate(ours, "tls.test"), "stranger": certificate(stranger, "tls.test"),
                      "other": certificate(ours, "other.test")}.items():
        process = subprocess.Popen(["/usr/bin/python3", "-c", SERVER, pem, base / "www"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        running[name] = (process, int(process.stdout.readline()))
    yield {name: f"https://tls.test:{port}" for name, (_, port) in running.items()}
    for process, _ in running.values():
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def site(host, resolver, servers):
    return sp_site.account(params={"jail": {"profiles": ["git", "php", "python"]}})


def said(user, command, **more):
    done = sp.ssh(user, command, **more)
    assert done.rc == 0, done.stdout + done.stderr
    return done.stdout


# People and files

def test_ls_l_and_id_show_names(site):
    said(site, "mkdir -p www && touch www/file")
    assert said(site, "ls -l www").splitlines()[1].split()[2:4] == [site.name, site.name]
    assert said(site, "ls -ld /usr /etc/hosts /tmp/.. | awk '{print $3, $4}' | sort -u").splitlines()[-1] in ("root root", f"{site.name} {site.name}")
    assert said(site, "ls -l /etc/hosts | cut -d ' ' -f 3,4") == "root root\n"
    assert said(site, "id -un; id -gn; whoami; stat -c %U:%G www; echo ~; find www -user $USER | wc -l").splitlines() == [
        site.name, site.name, site.name, f"{site.name}:{site.name}", site.home, "2"]
    assert said(site, "touch www/x; chown $USER:$USER www/x; tar -cf - www | tar -tvf - | awk '{print $2}' | sort -u") == f"{site.name}/{site.name}\n"


def test_a_panels_group_that_owns_the_document_root_is_named_and_others_are_not(host):
    """Plesk: user:psaserv, and the user is no member. Another panel's `chown -R` is followed by the next reconcile."""
    for group in ("psaserv", "strangers"):
        sp.run(["groupadd", "-r", group], check=True)
    user = sp.make_user()
    sp.run(["chgrp", "psaserv", user.docroot], check=True)
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["base"]}).ok()
    assert said(user, "ls -ld / ~ | awk '{print $3, $4}'") == f"{user.name} psaserv\n" * 2
    assert "psaserv" not in said(user, "id -Gn") and "strangers" not in said(user, "cat /etc/group")
    assert sp.rpc("system.reconcile").ok()["accounts"] and sp_site.apply(user, shell="chroot").ok()["changed"] is False
    sp.run(["chown", "-R", f"{user.name}:www-data", user.docroot], check=True)
    sp.rpc("system.reconcile").ok()
    assert said(user, "ls -ld ~ | awk '{print $3, $4}'; cat /etc/group | grep -c psaserv; true") == f"{user.name} www-data\n0\n"


def test_a_systems_group_that_owns_something_at_the_top_of_a_root_is_named(host):
    """A panel gives public_html to www-data and nothing else. Groups of other customers stay numbers, and no tree makes the look long."""
    user, other = sp.make_user(), sp.make_user()
    for name, group in (("public_html", "www-data"), ("logs", "adm"), ("theirs", other.name)):
        os.mkdir(f"{user.docroot}/{name}")
        shutil.chown(f"{user.docroot}/{name}", user.name, group)
    groups = "cd; ls -ld public_html logs theirs | awk '{print $4}'"
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["base"]}).ok()
    assert said(user, groups).split() == ["adm", "www-data", str(grp.getgrnam(other.name).gr_gid)]
    assert other.name not in said(user, "cat /etc/group")
    os.rmdir(f"{user.docroot}/logs")  # who deletes a directory has not changed his account
    assert sp_site.apply(user, shell="chroot").ok()["changed"] is False
    assert user.name not in str(sp.rpc("system.reconcile").ok()["accounts"])
    os.mkdir(f"{user.docroot}/mail")
    shutil.chown(f"{user.docroot}/mail", user.name, "mail")
    assert sp_site.apply(user, shell="chroot").ok()["changed"] is True
    assert said(user, "cd; ls -ld mail | awk '{print $4}'") == "mail\n"
    sp.run(["groupmod", "-n", "post", "mail"], check=True)
    sp.rpc("system.reconcile").ok()
    assert said(user, "cd; ls -ld mail | awk '{print $4}'; grep -c mail: /etc/group; true") == "post\n0\n"


def test_a_hostile_tree_makes_the_look_at_groups_neither_long_nor_wide(host):
    user = sp.make_user()
    for i in range(3000):
        os.mkdir(f"{user.docroot}/{i}")
        os.chown(f"{user.docroot}/{i}", user.uid, 100 + i % 800)
    os.symlink("/etc/shadow", f"{user.docroot}/link")
    sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["base"]}).ok()
    request = json.dumps({"jsonrpc": "2.0", "id": "x", "method": "domain.apply",
                          "params": {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot"}})
    traced = sp.run(["strace", "-f", "-e", "trace=statx", "-o", "/tmp/looked", sp.HELPER], input=request, check=True)
    assert '"changed":false' in traced.stdout
    assert pathlib.Path("/tmp/looked").read_text().count(", STATX_GID, {") in range(200, 257)
    lines = pathlib.Path(f"/var/lib/sallyport/names/{user.uid}/group").read_text().splitlines()
    assert len(lines) <= 3 + 8 + 8 + 1 and not any(line.startswith("shadow:") for line in lines), lines


def test_a_terminal_program_and_a_script_know_who_it_is(site):
    assert said(site, "python3 -c 'import pwd, os; print(pwd.getpwuid(os.getuid()).pw_dir)'") == site.home + "\n"
    assert said(site, "php -r 'echo posix_getpwuid(posix_getuid())[\"name\"], posix_getpwuid(0)[\"name\"];'") == site.name + "root"
    assert said(site, "echo $((1+1)) $USER $LOGNAME $HOME $SHELL") == f"2 {site.name} {site.name} {site.home} /bin/bash\n"


@pytest.mark.parametrize("locale", ["C.UTF-8", None])
def test_utf_8_names_go_through_every_tool(site, tmp_path, locale):
    lang = f"export LANG={locale};" if locale else ""
    said(site, f"{lang} rm -rf utf8; mkdir utf8; cd utf8; echo x >'{NAME}'")
    assert said(site, f"{lang} ls utf8") == NAME + "\n"
    assert said(site, f"{lang} cd utf8; find . -name 'Grü*'; printf '%s\\n' Gr*").splitlines() == [f"./{NAME}", NAME]
    assert (pathlib.Path(site.docroot) / "utf8" / NAME).read_text() == "x\n"
    assert sp.sftp_batch(site, [f'get "utf8/{NAME}" "{tmp_path}/back"', f'put "{tmp_path}/back" "utf8/Zürich"', "ls -1 utf8"]).stdout.count(NAME) >= 1
    assert sp.rsync(site, f"{site.docroot}/utf8/", f"{tmp_path}/mirror/", to_host=False).rc == 0
    assert {path.name for path in (tmp_path / "mirror").iterdir()} == {NAME, "Zürich"}
    assert said(site, f"{lang} tar -czf - utf8 | tar -tzf - --quoting-style=literal | sort | tail -1") == "utf8/Zürich\n"


def test_characters_are_counted_as_such(site):
    options = ["SetEnv LANG=C.UTF-8"]
    assert said(site, "echo $LANG; x=Grüße; echo ${#x}; echo -n Grüße | wc -m; echo ÄÖ | sed 's/./x/g'", options=options).split() == \
        ["C.UTF-8", "5", "5", "xx"]
    assert said(site, "echo Grüße | iconv -t ISO-8859-15 | od -An -tx1", options=options).split() == ["47", "72", "fc", "df", "65", "0a"]
    assert "C.utf8" in said(site, "locale -a")


# Time

@pytest.mark.parametrize("zone, shown", [("Europe/Berlin", "14:00 CEST"), ("Asia/Tokyo", "21:00 JST"), ("America/St_Johns", "09:30 NDT"), ("UTC", "12:00 UTC")])
def test_time_zones_are_known(site, zone, shown):
    assert said(site, f"TZ={zone} date -d @1719835200 '+%H:%M %Z'") == shown + "\n"


# Hosts

def test_host_names_are_resolved_by_the_hosts_resolver(site, resolver):
    assert said(site, "getent ahostsv4 shop.test | awk '{print $1}' | sort -u") == "192.0.2.77\n"
    assert said(site, "php -r 'echo gethostbyname(\"shop.test\");'") == "192.0.2.77"
    assert said(site, "python3 -c 'import socket; print(socket.gethostbyname(\"api.shop.test\"))'") == "127.0.0.1\n"
    assert {"shop.test", "api.shop.test"} <= set(resolver.asked)
    assert said(site, "getent hosts localhost | grep -c localhost") == "1\n"
    none = sp.ssh(site, "getent hosts no-such.test")
    assert none.rc == 2 and "no-such.test" in resolver.asked, none
    assert sp.ssh(site, "curl -s http://no-such.test/").rc == 6


# Whom TLS trusts

FETCH = {
    "curl": "curl -sSf {url}/hello",
    "php": "php -r 'echo @file_get_contents(\"{url}/hello\") ?: exit(1);'",
    "php-curl": "php -r '$c = curl_init(\"{url}/hello\"); exit(curl_exec($c) ? 0 : 1);'",
    "python": "python3 -c 'import urllib.request as u; print(u.urlopen(\"{url}/hello\").read().decode())'",
    "openssl": "openssl s_client -verify_return_error -verify_hostname tls.test -connect {host} </dev/null 2>/dev/null | grep '^hello\\|Verify return code: 0'",
    "git": "git ls-remote {url}/repo.git && echo hello",
}


@pytest.mark.parametrize("program", FETCH)
def test_tls_trusts_whom_the_host_trusts_and_nobody_else(site, servers, program):
    def fetch(name):
        return sp.ssh(site, FETCH[program].format(url=servers[name], host=servers[name].removeprefix("https://")))

    good = fetch("good")
    assert good.rc == 0 and ("hello" in good.stdout or "Verify return code: 0" in good.stdout), good
    for name in ("stranger", "other"):
        bad = fetch(name)
        assert bad.rc != 0 and "hello" not in bad.stdout, (name, bad)
    if program == "curl":
        assert "certificate" in fetch("stranger").stderr and fetch("stranger").rc == fetch("other").rc == 60


def test_what_the_host_changes_the_next_login_has(site, servers):
    """Its time zone, its resolver, whom it trusts. The last test here: they stay so."""
    question = ("date -d @1719835200 +%Z; getent ahostsv4 shop.test | awk '{print $1}' | sort -u; "
                + FETCH["curl"].format(url=servers["good"]) + " 2>/dev/null; echo \" $?\"")
    zone = pathlib.Path("/etc/localtime")
    assert said(site, question).endswith("\n192.0.2.77\nhello over TLS 0\n")
    second = Resolver("127.0.0.2", {"shop.test": "192.0.2.78", "tls.test": "127.0.0.1"})
    RESOLV.write_text("nameserver 127.0.0.2\n")
    zone.unlink(missing_ok=True)
    zone.symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    (AUTHORITIES / "local-test.crt").unlink()
    sp.run(["update-ca-certificates"], check=True)
    assert sp.run(["sallyport", "reconcile"]).rc == 0
    assert said(site, question) == "JST\n192.0.2.78\n 60\n"
    second.close()
