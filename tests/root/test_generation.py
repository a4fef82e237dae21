# SPDX-License-Identifier: GPL-3.0-or-later
"""Generations on a whole host: built, proved, shared, never loosened, never the host's own inodes."""

import os
import pathlib
import subprocess
import time

import pytest

import sp

TOOL = pathlib.Path(os.environ["SALLYPORT_BUILD"]) / "tests" / "generation"
PROFILES = pathlib.Path(os.environ["SALLYPORT_SOURCE"]) / "templates" / "profiles"
BASE, GIT = PROFILES / "base.profile", PROFILES / "git.profile"
STORE = pathlib.Path("/var/lib/sallyport")


def tool(verb, *profiles):
    done = sp.run([TOOL, verb, *profiles], timeout=120)
    return done, dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def ensure(*profiles, built):
    done, said = tool("ensure", *profiles)
    assert done.rc == 0, done.stderr
    assert said["built"] == str(int(built)), said
    return STORE / "gen" / said["hash"], said


def profile(tmp_path, text, name="extra"):
    path = tmp_path / f"{name}.profile"
    path.write_text(text)
    return path


def files(tree):
    return [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]


@pytest.fixture(scope="module")
def generation():
    """base and git, made once; later tests add to the store and leave this one alone."""
    done, said = tool("ensure", BASE, GIT)
    assert done.rc == 0, done.stderr
    return STORE / "gen" / said["hash"]


def inside(tree, *argv):
    """Runs a program of the generation as nobody, in namespaces of its own, with nothing but it and an empty /tmp."""
    script = """set -e; mount -t tmpfs none /mnt; cd /mnt; mkdir usr etc dev proc tmp; chmod 1777 tmp
        mount --bind "$1/usr" usr; mount --bind "$1/etc" etc; mount --bind /var/lib/sallyport/dev dev; mount -t proc proc proc
        echo "nobody:x:65534:65534::/tmp:/bin/bash" >names; mount --bind names etc/passwd
        for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done; shift
        exec env -i PATH=/usr/bin HOME=/tmp LANG=C.UTF-8 /usr/sbin/chroot --userspec=65534:65534 --groups= . "$@" """
    return sp.run(["unshare", "-mpf", "--mount-proc", "bash", "-c", script, "bash", tree, *argv])


def test_the_second_time_nothing_is_done(generation):
    again, _ = ensure(BASE, GIT, built=False)
    assert again == generation
    assert os.readlink(STORE / "sets" / "base+git") == f"../gen/{generation.name}"
    _, said = tool("check", BASE, GIT)
    assert said["current"] == "1"


def test_zones_with_leap_seconds_come_only_where_a_profile_names_them(generation, tmp_path):
    zones = generation / "usr/share/zoneinfo"
    assert (zones / "Asia/Tokyo").is_file() and (zones / "UTC").exists()
    assert not (zones / "right").exists() and not (zones / "posix").exists()
    done, _ = tool("closure", profile(tmp_path, "describe all zones\ntree /usr/share/zoneinfo\ntree? /usr/share/zoneinfo/right\n"))
    assert done.rc == 0 and ("f usr/share/zoneinfo/right/Asia/Tokyo" in done.stdout) == pathlib.Path("/usr/share/zoneinfo/right").is_dir()


def test_nothing_in_it_has_a_privilege_or_another_owner(generation):
    assert sp.run(["find", generation, "-perm", "/7000"]).stdout == ""
    assert sp.run(["find", generation, "(", "-not", "-uid", "0", "-o", "-not", "-gid", "0", ")"]).stdout == ""
    assert sp.run(["find", generation, "-not", "-type", "l", "-perm", "/022"]).stdout == ""
    assert sp.run(["find", generation, "-not", "-type", "l", "-not", "-type", "f", "-not", "-type", "d"]).stdout == ""
    assert sp.run(["getcap", "-r", generation]).stdout == ""
    assert [path for path in files(generation) if os.listxattr(path)] == []


def test_it_shares_no_inode_with_the_host(generation):
    host = {(s.st_dev, s.st_ino) for s in (os.stat(p) for p in ("/usr/bin/bash", "/usr/bin/git", "/etc/hosts"))}
    for name in ("usr/bin/bash", "usr/bin/git", "etc/hosts"):
        stat = os.stat(generation / name)
        assert (stat.st_dev, stat.st_ino) not in host
        assert (generation / name).read_bytes() == pathlib.Path("/", name).read_bytes()
        assert stat.st_mtime_ns == os.stat("/" + name).st_mtime_ns


def test_what_is_the_hosts_own_is_not_in_it(generation):
    for name in ("shadow", "gshadow", "machine-id", "sudoers", "ssh/sshd_config", "crontab"):
        assert not (generation / "etc" / name).exists(), name
    assert sp.run(["find", generation, "-name", "ssh_host_*"]).stdout == ""
    assert (generation / "etc/passwd").read_text() == (generation / "etc/group").read_text() == ""
    assert "systemd" not in (generation / "etc/nsswitch.conf").read_text()
    assert not (generation / "etc/ssl/private").exists()


@pytest.mark.parametrize("command", [
    "bash -lc 'echo $BASH_VERSION'", "ls -la /", "ldd --version", "ldd /usr/bin/git", "git --version",
    "git init -q /tmp/x && cd /tmp/x && git -c user.name=a -c user.email=b commit -q --allow-empty -m x && git log",
    "perl -MPOSIX -MFile::Find -e 'print 1'", "git http-fetch 2>&1 | grep -q usage", "curl --version", "ssh -V",
    "rsync --version", "tar -cJf /tmp/a.tar.xz /etc/hosts && tar -tf /tmp/a.tar.xz", "ps aux", "locale -a | grep -qi utf",
    "date +%Z", "TZ=Europe/Berlin date +%Z | grep -q CE", "file /usr/bin/bash | grep -q ELF", "getent services ssh",
    "getent hosts localhost", "printf x | iconv -f UTF-8 -t ISO-8859-1", "TERM=xterm tput cols", "awk 'BEGIN{exit}'",
    "openssl version", "test -s /etc/ssl/certs/ca-certificates.crt", "ls /etc/ssl/certs | head -1", "getconf LONG_BIT",
    "test -s /etc/resolv.conf", "cat /etc/os-release", "flock /tmp/l true", "echo x > /dev/null", "which git",
    "test -x /usr/lib/openssh/sftp-server -o -x /usr/libexec/openssh/sftp-server",
])
def test_it_works_inside(generation, command):
    done = inside(generation, "bash", "-c", command)
    assert done.rc == 0, done.stdout + done.stderr


def test_no_program_in_it_lacks_a_library(generation):
    programs = [f"/{p.relative_to(generation)}" for p in files(generation / "usr/bin") + files(generation / "usr/lib/git-core")
                if p.read_bytes()[:4] == b"\x7fELF"]
    done = inside(generation, "bash", "-c", 'for p; do ldd "$p" 2>/dev/null | sed "s|^|$p:|"; done', "bash", *programs)
    assert len(programs) > 100 and done.stdout.count("libc.so.6") > 100, done.stderr
    assert [line for line in done.stdout.splitlines() if "not found" in line] == []


def test_no_link_in_its_bin_is_dangling(generation):
    done = inside(generation, "bash", "-c", "find -L /usr/bin /usr/sbin /etc -type l")
    assert done.stdout == "" or done.stdout.split() == ["/etc/mtab"], done.stdout


def test_another_set_shares_the_files(generation):
    base, said = ensure(BASE, built=True)
    assert os.stat(base / "usr/bin/bash").st_ino == os.stat(generation / "usr/bin/bash").st_ino
    assert int(said["files"]) < len(files(generation))


def test_a_changed_source_makes_a_generation_that_shares_the_rest(tmp_path):
    folder = pathlib.Path("/usr/share/extra-test")
    folder.mkdir()
    for name in ("one", "two"):
        (folder / name).write_text(name)
    text = f"describe x\nprogram bash\ntree {folder}\nprove bash -c true\n"
    first, _ = ensure(profile(tmp_path, text), built=True)
    (folder / "one").write_text("changed")
    second, _ = ensure(profile(tmp_path, text), built=True)
    assert second != first and (second / "usr/share/extra-test/one").read_text() == "changed"
    assert (first / "usr/share/extra-test/one").read_text() == "one"
    assert os.stat(first / "usr/share/extra-test/two").st_ino == os.stat(second / "usr/share/extra-test/two").st_ino
    (folder / "three").write_text("3")
    third, _ = ensure(profile(tmp_path, text), built=True)
    assert (third / "usr/share/extra-test/three").exists()


def test_a_privilege_on_the_host_does_not_come_along(tmp_path):
    folder = pathlib.Path("/usr/share/privileged-test")
    folder.mkdir()
    shell = folder / "sh"
    shell.write_bytes(pathlib.Path("/bin/true").read_bytes())
    shell.chmod(0o6755)
    caps = folder / "caps"
    caps.write_bytes(pathlib.Path("/bin/true").read_bytes())
    caps.chmod(0o755)
    sp.run(["setcap", "cap_net_raw+ep", caps], check=True)
    (folder / "secret").write_text("x")
    (folder / "secret").chmod(0o640)
    made, _ = ensure(profile(tmp_path, f"describe x\nprogram bash\ntree {folder}\n", "privileged"), built=True)
    inner = made / "usr/share/privileged-test"
    assert sorted(path.name for path in inner.iterdir()) == ["caps", "sh"]
    assert os.stat(inner / "sh").st_mode & 0o7777 == 0o755
    assert sp.run(["getcap", "-r", made]).stdout == ""


@pytest.mark.parametrize("proof, said", [
    ("false", '"false" ended with 1'), ("bash -c echo${IFS}no;exit${IFS}3", "ended with 3 in the jail: no"),
    ("nosuchprogram", "does not start"), ("test -w /etc/hosts", "ended with 1"), ("test -e /root", "ended with 1")])
def test_a_broken_promise_never_becomes_current(tmp_path, proof, said):
    text = "describe x\nprogram bash\nprogram false\nprogram test\nprogram id\n"
    good, _ = tool("ensure", profile(tmp_path, text + "prove id -u\n", "broken"))
    assert good.rc == 0, good.stderr
    current = os.readlink(STORE / "sets" / "broken")
    before = sorted(path.name for path in (STORE / "gen").iterdir())
    bad, _ = tool("ensure", profile(tmp_path, text + f"prove {proof}\n", "broken"))
    assert bad.rc == 12 and bad.stderr.startswith("not_in_force"), bad
    assert said in bad.stderr
    assert os.readlink(STORE / "sets" / "broken") == current
    assert sorted(path.name for path in (STORE / "gen").iterdir()) == before


def test_a_promise_the_host_cannot_keep_is_named(tmp_path):
    done, _ = tool("ensure", profile(tmp_path, "describe x\nprogram nosuch\n", "lacking"))
    assert done.rc == 7 and "nosuch" in done.stderr
    assert not (STORE / "sets" / "lacking").exists()


def test_chown_of_the_document_roots_leaves_it_alone(host, generation):
    user = sp.make_user()
    before = sp.run(["find", generation, "/usr/bin", "-printf", "%p %U %G %m\n"]).stdout
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", "/var/www/vhosts"], check=True)
    assert sp.run(["find", generation, "/usr/bin", "-printf", "%p %U %G %m\n"]).stdout == before


def test_a_crash_leaves_nothing_behind(tmp_path):
    text = "describe x\nprogram bash\nprove bash -c true\n"
    (STORE / "gen/.tmp-build/usr").mkdir(parents=True)
    (STORE / "sets/.tmp-crashed").symlink_to("../gen/nothing")
    ensure(profile(tmp_path, text, "crashed"), built=True)
    assert not [path for path in (STORE / "gen").iterdir() if path.name.startswith(".tmp-")]
    assert not (STORE / "sets/.tmp-crashed").is_symlink()


def test_who_is_in_a_generation_keeps_it_and_it_goes_when_he_does(tmp_path):
    text = "describe x\nprogram bash\nprove bash -c true\n"
    old, _ = ensure(profile(tmp_path, text, "kept"), built=True)
    jail = subprocess.Popen(["unshare", "-m", "bash", "-c", f"mount --bind {old}/usr /mnt; echo in; exec sleep 60"],
                            stdout=subprocess.PIPE)
    assert jail.stdout.readline() == b"in\n"
    try:
        new, _ = ensure(profile(tmp_path, text + "program? env\n", "kept"), built=True)
        long_ago = time.time() - 3600
        os.utime(old, (long_ago, long_ago))
        assert tool("collect")[0].rc == 0
        assert old.exists() and new.exists()
    finally:
        jail.kill()
        jail.wait()
    assert tool("collect")[0].rc == 0
    assert new.exists() and not old.exists()


def test_the_devices_are_real_and_mended(generation):
    dev = STORE / "dev"
    assert generation.exists()
    (dev / "null").unlink()
    (dev / "null").write_text("a trap")
    assert tool("dev")[0].rc == 0
    listing = sp.run(["stat", "-c", "%n %F %t:%T %a %u", *(dev / n for n in ("null", "urandom", "tty", "ptmx"))]).stdout
    assert listing.split("\n")[0] == f"{dev}/null character special file 1:3 666 0"
    assert f"{dev}/ptmx character special file 5:2 666 0" in listing
    assert os.readlink(dev / "fd") == "/proc/self/fd"


def test_many_at_once_build_it_once(tmp_path):
    text = profile(tmp_path, "describe x\nprogram bash\nprove bash -c true\n", "crowd")
    crowd = [subprocess.Popen([TOOL, "ensure", text], stdout=subprocess.PIPE, text=True) for _ in range(6)]
    said = [one.communicate(timeout=60)[0] for one in crowd]
    assert sum("built=1" in text for text in said) == 1
    assert len({line for text in said for line in text.splitlines() if line.startswith("hash=")}) == 1
