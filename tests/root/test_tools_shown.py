# SPDX-License-Identifier: GPL-3.0-or-later
"""What a jail shows of the host beside its generation: trees outside of /usr, and servers' sockets (tests/table, jail 35)."""

import contextlib
import os
import pathlib
import shutil
import subprocess

import pytest

import sp
import sp_site

PROFILES = pathlib.Path("/etc/sallyport/profiles.d")
CONFIG = pathlib.Path("/etc/sallyport/sallyport.conf.d/tools.conf")
TREE = pathlib.Path("/opt/vendor/tool/1.0")
SHOWN = "shown"  # the generation's list

# Answers every connection with one line, as a server of its own user would; a socket of that name is made anew.
SERVER = """
import os, socket, sys
path, text = sys.argv[1:]
if os.path.lexists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
os.chmod(path, 0o777)
server.listen()
print("ready", flush=True)
while True:
    client, _ = server.accept()
    client.sendall(text.encode() + b"\\n")
    client.close()
"""


class Server:
    def __init__(self, path, text="hello"):
        if pathlib.Path(path).parent.parent == pathlib.Path("/run"):
            shutil.chown(pathlib.Path(path).parent, "nobody")  # as RuntimeDirectory= gives it to the server's user
        self.process = subprocess.Popen(["/usr/bin/python3", "-I", "-c", SERVER, str(path), text], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def profile(name, text):
    PROFILES.mkdir(parents=True, exist_ok=True)
    (PROFILES / f"{name}.profile").write_text(text)


def site(*profiles, **more):
    user = sp.make_user(**more)
    answer = sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": list(profiles)}).ok()
    return user, answer["warnings"]


def inside(user, command, **more):
    done = sp.ssh(user, command, **more)
    assert (done.rc, done.stderr) == (0, ""), done
    return done.stdout.rstrip("\n")


def ask(user, path):
    """What the server behind the socket says to somebody in the jail."""
    return sp.ssh(user, f"nc -U -N {path} </dev/null")


@pytest.fixture(scope="module")
def tool(host):
    """A vendor's tree, with a program of its own that is linked with a library of the host's /usr, and a profile that names it."""
    (TREE / "bin").mkdir(parents=True)
    shutil.copy("/usr/bin/sqlite3", TREE / "bin" / "engine")
    (TREE / "version").write_text("one\n")
    os.mknod(TREE / "null", 0o20666, os.makedev(1, 3))
    shutil.copy("/usr/bin/id", TREE / "bin" / "suid-id")
    os.chmod(TREE / "bin" / "suid-id", 0o4755)
    profile("vendor", f"describe A vendor's tree.\nrequires base\nprogram {TREE}/bin/engine\ntree {TREE}\nlink /usr/local/bin/engine {TREE}/bin/engine\n"
            "promise engine is the vendor's\nprove engine -version\n")
    return TREE


def test_a_tree_outside_of_usr_is_there_read_only_with_what_its_programs_need(tool):
    user, warnings = site("vendor")
    assert warnings == []
    assert inside(user, f"{tool}/bin/engine :memory: 'select 6*7'; type -p engine; engine :memory: 'select 7'") == "42\n/usr/local/bin/engine\n7"
    # It is the host's own, as it is now: an upgrade is seen by those who are in already.
    client = sp_site.background(user, f"echo in; read go; cat {tool}/version; cat >/dev/null")
    (tool / "version").write_text("two\n")
    client.stdin.write("go\n")
    client.stdin.flush()
    assert client.stdout.readline() == "two\n"
    sp_site.end(client)
    refused = sp.ssh(user, f"touch {tool}/mine; : >{tool}/version; {tool}/bin/suid-id -u; echo x >{tool}/null")
    assert refused.stdout == f"{user.uid}\n" and refused.stderr.count("Read-only file system") >= 2, refused
    assert "Permission denied" in refused.stderr and (tool / "version").read_text() == "two\n", refused
    # Nothing of /opt but what was named, and the document root is still "/".
    assert inside(user, "find /opt -maxdepth 2; stat -c %i /; grep -c . /proc/self/mountinfo >/dev/null") == \
        f"/opt\n/opt/vendor\n/opt/vendor/tool\n{os.stat(user.docroot).st_ino}"
    assert os.stat(f"{user.docroot}/opt").st_mode & 0o7777 == 0o1555
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert not [name for name in ("opt", "usr", "var") if os.path.lexists(f"{user.docroot}/{name}")]


def test_a_jail_is_whole_or_there_is_none(tool):
    """What it is to show, and which merged directories there are, cannot be looked at for want of memory."""
    user, _ = site("vendor")
    trace = pathlib.Path("/run/strace.out")

    def enter(*inject):
        command = f"cat {tool}/version; test -d /bin -a -d /sbin -a -d /lib -a -d /lib64 && echo merged"
        return sp.run(["strace", "-f", "-q", "-o", trace, "-u", user.name, *inject, sp.CHROOT_BASH, "-c", command], cwd="/", timeout=60)

    whole = enter()
    assert (whole.rc, whole.stdout) == (0, (tool / "version").read_text() + "merged\n"), whole
    lines = [line for line in trace.read_text().splitlines() if " openat(" in line]
    first = next(line for line in lines if f'"{SHOWN}"' in line)
    number = 1 + [line for line in lines if line.split()[0] == first.split()[0]].index(first)
    for call, when in [("openat", number), *(("faccessat2", n) for n in range(1, 5))]:
        done = enter("-e", f"inject={call}:error=ENOMEM:when={when}")
        assert "INJECTED" in trace.read_text() and (done.rc, done.stdout) in {(0, whole.stdout), (125, "")}, (call, when, done)



def libraries(user):
    """Which of the libraries that the upgrades want the jail has."""
    return inside(user, "ls /usr/lib/*/libsqlite3.so.0 /usr/lib/*/libexpat.so.1 2>/dev/null | sed 's,.*/,,'; true").split()


def test_an_upgrade_of_a_shown_tree_brings_the_libraries_that_its_programs_now_need(host):
    tree = pathlib.Path("/opt/vendor/upgraded")
    (tree / "bin").mkdir(parents=True)
    shutil.copy("/usr/bin/true", tree / "bin" / "engine")
    (tree / "notes").write_text("1\n")
    profile("upgraded", f"requires base\ntree {tree}\npromise it runs\nprove {tree}/bin/engine -version\n")
    user, warnings = site("upgraded")
    assert warnings == [] and libraries(user) == []
    current = pathlib.Path("/var/lib/sallyport/sets/base+upgraded")
    before = os.readlink(current)
    (tree / "notes").write_text("2\n")  # nothing is linked with a text
    sp.rpc("system.reconcile", {}, timeout=60).ok()
    assert os.readlink(current) == before
    # Over the file, so that its directory stays as it was.
    (tree / "bin" / "engine").write_bytes(pathlib.Path("/usr/bin/sqlite3").read_bytes())
    stale = sp.run(["sallyport", "jail", "check"])
    assert stale.rc != 0 and f"{tree}/bin/engine" in stale.stdout + stale.stderr, stale
    sp.rpc("system.reconcile", {}, timeout=60).ok()
    assert libraries(user) == ["libsqlite3.so.0"]
    assert inside(user, f"{tree}/bin/engine :memory: 'select 6*7'") == "42"
    # And a program beside it.
    shutil.copy("/usr/bin/python3", tree / "bin" / "another")
    sp.rpc("system.reconcile", {}, timeout=60).ok()
    assert libraries(user) == ["libexpat.so.1", "libsqlite3.so.0"]
    after = os.readlink(current)
    sp.rpc("system.reconcile", {}, timeout=60).ok()
    assert os.readlink(current) == after
    checked = sp.run(["sallyport", "jail", "check"])
    assert checked.rc == 0, checked


def test_a_path_that_leads_through_a_link_is_told_and_not_shown(tool):
    os.symlink(tool, "/opt/vendor/latest")
    os.symlink("/opt/vendor", "/opt/brand")
    profile("linked", "requires base\ntree /opt/vendor/latest\ntree? /opt/brand/tool/1.0\n")
    user, warnings = site("linked")
    assert sorted(warnings) == [f"the jail has no {path}: a link is in the way: name the place that it leads to"
                                for path in ("/opt/brand/tool/1.0", "/opt/vendor/latest")], warnings
    assert sp.ssh(user, "cat /opt/vendor/latest/version").rc != 0
    checked = sp.run(["sallyport", "jail", "check"])
    assert checked.rc != 0 and "/opt/brand/tool/1.0" in checked.stdout + checked.stderr and "link is in the way" in checked.stdout + checked.stderr
    (PROFILES / "linked.profile").unlink()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()


def test_a_single_file_of_a_tree_is_shown_alone(tool):
    (tool / "etc").mkdir()
    (tool / "etc" / "engine.ini").write_text("memory_limit = 1\n")
    (tool / "etc" / "secret").write_text("of other customers\n")
    profile("single", f"requires base\ntree {tool}/etc/engine.ini\npromise it is there\nprove grep -q memory {tool}/etc/engine.ini\n")
    user, warnings = site("single")
    assert warnings == []
    assert inside(user, f"cat {tool}/etc/engine.ini; ls {tool} {tool}/etc") == f"memory_limit = 1\n{tool}:\netc\n\n{tool}/etc:\nengine.ini"
    assert "Read-only" in sp.ssh(user, f"echo x >{tool}/etc/engine.ini").stderr


def test_a_site_with_an_opt_of_its_own_gets_the_path_layout_and_the_tree(tool):
    user = sp.make_user()
    (pathlib.Path(user.docroot) / "opt").mkdir()
    (pathlib.Path(user.docroot) / "opt" / "mine").write_text("mine\n")
    answer = sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["vendor"]}).ok()
    assert any("opt has content of its own" in text for text in answer["warnings"]), answer
    assert inside(user, f"cat {user.docroot}/opt/mine; cat {tool}/version") == "mine\ntwo"


def test_what_is_missing_or_not_allowed_is_said_and_fails_no_login(tool):
    profile("absent", "requires base\ntree /opt/none\nsocket /run/mysqld/none.sock\ntree? /opt/never\nsocket? /run/redis/never.sock\n")
    user, warnings = site("absent")
    assert sorted(text.split(":")[0] for text in warnings) == ["the jail has no /opt/none", "the jail has no /run/mysqld/none.sock"]
    assert inside(user, "echo in") == "in"
    # The configuration has the last word, and says so.
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    CONFIG.write_text("jail_trees = /opt/other\njail_sockets =\n")
    try:
        profile("denied", f"requires base\nprogram nc\ntree {tool}\nsocket /run/mysqld/s.sock\n")
        pathlib.Path("/run/mysqld").mkdir(exist_ok=True)
        server = Server("/run/mysqld/s.sock")
        user, warnings = site("denied")
        assert len(warnings) == 2 and all("sallyport.conf do not allow it" in text for text in warnings), warnings
        assert inside(user, "ls -d /opt/* /run/* 2>/dev/null; true") == ""
    finally:
        CONFIG.unlink()
    # Allowed again, and after a reconcile there.
    sp.rpc("system.reconcile", {}, timeout=60).ok()
    assert inside(user, f"cat {tool}/version; ls /run /opt") == "two\n/opt:\nvendor\n\n/run:\nmysqld"
    assert ask(user, "/run/mysqld/s.sock").stdout == "hello\n"
    server.stop()
    os.unlink("/run/mysqld/s.sock")


@pytest.mark.parametrize("line, said", [
    ("tree /home/other", "this cannot be shown in a jail"), ("tree /opt", "this cannot be shown in a jail"),
    ("tree /run/systemd", "this cannot be shown in a jail"), ("tree /root/x", "this cannot be shown in a jail"),
    ("tree /opt/../etc", "path"), ("socket /run/docker.sock", "not in a directory of its own server"),
    ("socket /var/run/mysqld/x.sock", "/var/run is a link"), ("socket /run/dbus/system_bus_socket", "no longer in a jail"),
    ("socket /run/php/php8.2-fpm.sock", "no longer in a jail"), ("socket /tmp/mysql/mysql.sock", "not in a directory of its own server"),
    ("socket /var/lib/incus/unix.socket", "no longer in a jail"), ("socket /var/snap/lxd/common/lxd/unix.socket", "no longer in a jail"),
    ("socket /run/crio/crio.sock", "no longer in a jail"), ("socket /run/podman/podman.sock", "no longer in a jail"),
    ("socket? relative/x.sock", "path")])
def test_what_a_profile_may_not_name_is_refused_with_its_line(host, line, said):
    profile("wrong", f"requires base\n{line}\n")
    user = sp.make_user()
    answer = sp_site.apply(user, shell="chroot", jail={"profiles": ["wrong"]})
    assert answer.error and "wrong.profile:2" in answer.error["message"] and said in answer.error["message"], answer
    (PROFILES / "wrong.profile").unlink()


def test_a_server_of_roots_is_not_shown_whatever_its_name(host):
    """No list knows every manager of containers there will be: root's is the directory that root owns."""
    folder = pathlib.Path("/run/manager")
    folder.mkdir()
    CONFIG.write_text("jail_sockets = /run/manager\n")
    try:
        profile("manager", "requires base\nprogram nc\nsocket /run/manager/x.sock\n")
        server = Server(folder / "x.sock")
        user, warnings = site("manager")
        assert warnings == [] and ask(user, folder / "x.sock").stdout == "hello\n"
        shutil.chown(folder, "root")
        assert ask(user, folder / "x.sock").rc != 0, "a jail that begins now"
        _, warnings = site("manager")
        assert len(warnings) == 1 and "root" in warnings[0], warnings
        server.stop()
    finally:
        CONFIG.unlink()


def test_no_request_can_name_a_path(host):
    user = sp.make_user()
    for jail in ({"profiles": ["base"], "trees": ["/opt/x"]}, {"profiles": ["../../opt/x"]}, {"profiles": ["base"], "sockets": ["/run/x/y"]}):
        assert sp_site.apply(user, shell="chroot", jail=jail).error["code"], jail


@pytest.fixture(scope="module")
def reached(host):
    """An account whose jail shows two servers' sockets."""
    for name in ("mysqld", "redis"):
        pathlib.Path(f"/run/{name}").mkdir(exist_ok=True)
        shutil.chown(f"/run/{name}", "nobody")
    profile("servers", "requires base\nprogram nc\nsocket /run/mysqld/mysqld.sock\nsocket? /run/redis/redis-server.sock\n")
    with contextlib.ExitStack() as stack:
        server = Server("/run/mysqld/mysqld.sock")
        stack.callback(server.stop)
        user, warnings = site("servers")
        assert warnings == []
        yield user, server


def test_a_socket_is_reached_by_either_name_and_a_server_that_starts_again_too(reached):
    user, server = reached
    client = sp_site.background(user, "echo in; while read go; do nc -U -N /run/mysqld/mysqld.sock </dev/null; done")
    for text in ("first", "second"):
        server.stop()
        server.__init__("/run/mysqld/mysqld.sock", text)
        client.stdin.write("go\n")
        client.stdin.flush()
        assert client.stdout.readline() == text + "\n"
    assert ask(user, "/var/run/mysqld/mysqld.sock").stdout == "second\n"
    sp_site.end(client)
    refused = sp.ssh(user, "rm -f /run/mysqld/mysqld.sock; touch /run/mysqld/x; mv /run/mysqld /run/other; rmdir /run/mysqld")
    assert refused.rc != 0 and os.listdir("/run/mysqld") == ["mysqld.sock"], refused


def test_a_directory_that_is_made_anew_is_brought_into_the_living_jail_by_the_next_login(reached):
    """systemd takes a RuntimeDirectory= away when it stops a server: redis, for one."""
    user, _ = reached
    before = Server("/run/redis/redis-server.sock", "before")
    client = sp_site.background(user, "echo in; while read go; do nc -U -N /run/redis/redis-server.sock </dev/null 2>&1; done")
    before.stop()
    shutil.rmtree("/run/redis")
    assert ask(user, "/run/redis/redis-server.sock").rc != 0
    os.mkdir("/run/redis")
    after = Server("/run/redis/redis-server.sock", "after")
    try:
        mark = len(sp.syslog_lines(f"{user.name} (uid"))
        assert ask(user, "/run/redis/redis-server.sock").stdout == "after\n"
        assert "living" in sp.wait_for(lambda: sp.syslog_lines(f"{user.name} (uid")[mark:], what="the line")[0]
        client.stdin.write("go\n")
        client.stdin.flush()
        assert client.stdout.readline() == "after\n" # the first login, too
        for _ in range(3):
            assert ask(user, "/run/redis/redis-server.sock").stdout == "after\n"
        assert inside(user, "grep -c ' /run/redis ' /proc/self/mountinfo") == "1"
    finally:
        after.stop()
        sp_site.end(client)


def test_what_the_user_puts_in_the_way_is_his_own_harm(reached):
    user, server = reached
    client = sp_site.background(user)
    assert sp.ssh(user, "umount /run/mysqld; rmdir /run/redis /run/mysqld; mkdir -p ~/x; ln -s /tmp /run/fake").rc == 0
    shutil.rmtree("/run/redis", ignore_errors=True)
    assert inside(user, "echo still") == "still"
    assert ask(user, "/run/mysqld/mysqld.sock").rc == 0
    sp_site.end(client)


def test_jail_35_no_other_socket_of_the_host_is_there(reached):
    user, _ = reached
    others = ["/run/dbus/system_bus_socket", "/run/docker.sock", "/run/php/php8.2-fpm.sock", "/run/systemd/private", "/run/user/0/bus"]
    servers = []
    for path in others:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        servers.append(Server(path))
    try:
        for path in others:
            for view in (path, "/var" + path):
                assert sp.ssh(user, f"test -e {view}").rc == 1, view
        assert inside(user, "find /run -type s -o -type f") == "/run/mysqld/mysqld.sock"
        assert inside(user, "find / -xdev -type s 2>/dev/null; find /var -type s 2>/dev/null; true") == ""
    finally:
        for server in servers:
            server.stop()
