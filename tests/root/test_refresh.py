# SPDX-License-Identifier: GPL-3.0-or-later
"""Jails follow the host's packages (issue 3, Refresh): real dpkg, real logins, one build for all who ask at once."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import sp
import sp_site

STORE = pathlib.Path("/var/lib/sallyport")
SETS, GENERATIONS = STORE / "sets", STORE / "gen"
SET = "base+greeter"
DEBIAN = pathlib.Path(__file__).parents[2] / "debian"
DPKG_HOOK, APT_HOOK = pathlib.Path("/etc/dpkg/dpkg.cfg.d/sallyport"), pathlib.Path("/etc/apt/apt.conf.d/80sallyport")
TRIGGER = "/usr/libexec/sallyport/refresh-jails"
BUILT, KEPT = f"jails of {SET} get new programs", f"jails of {SET} keep the programs they have"


def package(name, version, files, control=()):
    """A .deb with these files (path: text), each executable, and these further control files."""
    tree = sp.WORK / f"{name}-{version}"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: A <a@example.com>\n"
                                         "Description: of a test\n")
    for member in control:
        shutil.copy(member, tree / "DEBIAN" / member.suffix[1:])
    for path, text in files.items():
        target = tree / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755)
    deb = sp.WORK / f"{name}_{version}.deb"
    sp.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, deb], check=True)
    return deb


def greeter(version, body=None):
    return package("greeter", version, {"/usr/bin/greeter": f"#!/bin/sh\n{body or f'echo {version}'}\n"})


def upgrade(version, body=None, tool=("dpkg", "-i")):
    return sp.run([*tool, greeter(version, body)], check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def current():
    return os.readlink(SETS / SET)


def said(text):
    return len(sp.syslog_lines(text))


def shows(user, version):
    return sp.ssh(user, "greeter").stdout == f"{version}\n"


def tidy():
    return [path.name for path in [*GENERATIONS.iterdir(), *SETS.iterdir()] if path.name.startswith(".tmp")] == []


def refresh(*options):
    return sp.run(["sallyport", "jail", "refresh", *options])


def quiet():
    """All that was asked for is done: nobody waits or works, and nothing is noted."""
    def idle():
        with open(STORE / "refresh.lock", "a", encoding="ascii") as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return not (STORE / "refresh.wanted").exists()
    sp.wait_for(idle, 60, "quiet")


def check(rc):
    done = sp.run(["sallyport", "jail", "check", "--json"])
    assert done.rc == rc, done.stdout + done.stderr
    return next(one for one in json.loads(done.stdout)["sets"] if one["set"] == SET)


@contextlib.contextmanager
def session(user):
    """A running session that greets each time it is asked."""
    with subprocess.Popen(sp.client("ssh") + [f"{user.name}@{sp.HOST4}", "while read -r line; do greeter; done"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as client:
        def greet():
            client.stdin.write("\n")
            return client.stdout.readline().strip()
        yield greet
        client.stdin.close()
        assert client.wait(20) == 0


@pytest.fixture(scope="module")
def site(host):
    sp.WORK.mkdir(exist_ok=True)
    upgrade("1")
    pathlib.Path("/etc/sallyport/profiles.d/greeter.profile").write_text(
        "describe A greeting\nrequires base\nprogram greeter\nprove greeter\n")
    done = sp.run(["sallyport", "jail", "build", "greeter"])
    assert done.rc == 0 and done.stdout.startswith(f"{SET}: new"), done
    user = sp_site.account(keys=(sp.keypair(),), params=(("jail", {"profiles": ["greeter"]}),))
    assert shows(user, "1")
    quiet()
    return user


@pytest.fixture
def settled(site):
    """The account, with the host's greeter in its jail."""
    sp.run(["dpkg", "-i", greeter("1")], check=True)
    quiet()
    assert shows(site, "1")
    return site


def test_new_logins_get_the_upgrade_within_seconds_and_running_sessions_keep_theirs(settled):
    old, built = GENERATIONS / pathlib.Path(current()).name, said(BUILT)
    with session(settled) as greet:
        assert greet() == "1"
        upgrade("2")
        started = time.monotonic()
        sp.wait_for(lambda: shows(settled, "2"), 20, "the upgrade")
        took = time.monotonic() - started
        assert greet() == "1" and shows(settled, "2")
        quiet()
        long_ago = time.time() - 3600
        os.utime(old, (long_ago, long_ago))
        assert refresh().rc == 0 and old.exists() and greet() == "1", "somebody is in it"
    sp.wait_for(lambda: refresh().rc == 0 and not old.exists(), 20, "the collection of the old generation")
    assert said(BUILT) == built + 1 and tidy()
    assert took < 15 * sp.PATIENCE, took


def test_an_upgrade_by_apt_is_followed(settled):
    DPKG_HOOK.rename("/etc/sallyport/dpkg-hook")
    try:
        assert "refresh-jails" in APT_HOOK.read_text()
        upgrade("2", tool=("apt-get", "-qq", "-y", "install"))
        sp.wait_for(lambda: shows(settled, "2"), 20, "the upgrade")
    finally:
        pathlib.Path("/etc/sallyport/dpkg-hook").rename(DPKG_HOOK)


def test_an_upgrade_by_dpkg_is_followed_by_the_trigger_of_a_package(settled):
    DPKG_HOOK.rename("/etc/sallyport/dpkg-hook")
    try:
        # The answer to the trigger, without what the package does when it is installed: its programs stand here already.
        answer = sp.WORK / "sallyport.postinst"
        answer.write_text((DEBIAN / "sallyport.postinst").read_text().partition("\n# In one step")[0])
        answer.chmod(0o755)
        sp.run(["dpkg", "-i", package("sallyport", "0.1", {}, [DEBIAN / "sallyport.triggers", answer])], check=True)
        upgrade("2")
        sp.wait_for(lambda: shows(settled, "2"), 20, "the upgrade")
        # Nobody calls any more: nothing is followed. That is what shows that it was the trigger.
        sp.run(["dpkg", "-r", "sallyport"], check=True)
        quiet()
        upgrade("3")
        time.sleep(2.5)
        assert shows(settled, "2")
    finally:
        pathlib.Path("/etc/sallyport/dpkg-hook").rename(DPKG_HOOK)


def test_what_fails_its_proof_is_never_made_current_and_is_reported(settled):
    before, kept = current(), said(KEPT)
    upgrade("2", "echo no such day; exit 3")
    sp.wait_for(lambda: said(KEPT) > kept, 20, "the report")
    assert current() == before and shows(settled, "1") and tidy()
    done = refresh()
    assert done.rc == 20 and "ended with 3 in the jail: no such day" in done.stdout, done
    answer = sp.rpc("system.reconcile").ok()
    assert answer["jails"]["failed"] == 1 and answer["failed"] == 0, "the account itself is well"
    assert check(21)["problems"] == [{"trouble": "stale", "path": "/usr/bin/greeter", "text": "is another on the host now"}]
    assert current() == before and shows(settled, "1")
    upgrade("4")
    sp.wait_for(lambda: shows(settled, "4"), 20, "the mended program")


def test_a_refresh_that_is_killed_leaves_the_old_one_and_the_next_converges(settled):
    before, stage = current(), GENERATIONS / ".tmp-build"
    with contextlib.ExitStack() as stack:
        stack.enter_context(package_manager())  # its own trigger waits
        pathlib.Path("/usr/bin/greeter").write_text("#!/bin/sh\nsleep 1\necho 2\n")
        killed = stack.enter_context(subprocess.Popen(["sallyport", "jail", "refresh"], stdout=subprocess.DEVNULL))
        sp.wait_for(lambda: (stage / "manifest").exists(), 20, "the build")
        killed.kill()
    assert current() == before and stage.exists() and shows(settled, "1")
    assert refresh().rc == 0
    assert current() != before and tidy() and shows(settled, "2")
    assert check(0)["state"] == "good"


@contextlib.contextmanager
def package_manager():
    """Holds apt's lock, as apt does from its first file to its last."""
    with open("/var/lib/dpkg/lock-frontend", "w", encoding="ascii") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        yield


def test_nothing_is_built_while_a_package_manager_works_and_all_who_asked_get_one_build(settled):
    before, built = current(), said(BUILT)
    with package_manager():
        pathlib.Path("/usr/bin/greeter").write_text("#!/bin/sh\necho 2\n")
        for _ in range(5):
            sp.run([TRIGGER], check=True)
        joined = refresh("--when-quiet")
        assert joined.rc == 0 and joined.stdout.startswith("another refresh is waiting"), joined
        answer = sp.rpc("system.reconcile").ok()["jails"]
        assert answer["changed"] is False and "lock-frontend is held" in answer["warnings"][0], answer
        time.sleep(1.5)
        assert current() == before and said(BUILT) == built
    sp.wait_for(lambda: shows(settled, "2"), 20, "the build")
    quiet()
    assert said(BUILT) == built + 1


def test_many_accounts_share_one_build_and_a_reconcile_looks_once(settled):
    others = [sp_site.account(keys=(sp.keypair(),), params=(("jail", {"profiles": ["greeter"]}),)) for _ in range(3)]
    built = said(BUILT)
    pathlib.Path("/usr/bin/greeter").write_text("#!/bin/sh\necho 2\n")
    answer = sp.rpc("system.reconcile").ok()
    assert [one["changed"] for one in answer["jails"]["sets"] if one["set"] == SET] == [True]
    assert answer["details"] == [] and answer["changed"] is True and said(BUILT) == built + 1
    assert all(shows(user, "2") for user in [settled, *others])
    trace = sp.WORK / "reconcile.trace"
    sp.run(["strace", "-f", "-e", "trace=openat2", "-o", trace, "sallyport", "reconcile"], check=True)
    assert trace.read_text().count('"manifest"') == len(list(SETS.iterdir())) < len(others) + 1
    for user in others:
        sp.rpc("domain.remove", {"domain": user.domain}).ok()


def test_check_names_the_file_that_is_missing_and_the_proof_that_fails(settled):
    assert check(0)["state"] == "good"
    inside = GENERATIONS / pathlib.Path(current()).name
    library = next(inside.glob("usr/lib*/**/libtinfo.so.6*"))
    library = library.parent / os.path.basename(os.path.realpath(library))
    library.unlink()
    (inside / "usr/bin/greeter").write_text("#!/bin/sh\nexit 4\n")
    one = check(12)
    assert one["state"] == "broken"
    troubles = {(problem["trouble"], problem["path"]) for problem in one["problems"]}
    assert {("damaged", f"/{library.relative_to(inside)}"), ("damaged", "/usr/bin/greeter")} <= troubles
    broken = [problem["text"] for problem in one["problems"] if problem["trouble"] == "broken"]
    assert any('"greeter" ended with 4' in text for text in broken), one
    assert "is missing in the generation" in sp.run(["sallyport", "jail", "check"]).stdout
    assert refresh().rc == 0 and check(0)["state"] == "good" and shows(settled, "1")


@pytest.mark.parametrize("change", [
    "printf '#!/bin/sh\\necho 2\\n' >/usr/bin/greeter", "chmod 700 /usr/bin/greeter", "touch /usr/bin/greeter",
    "rm /usr/bin/greeter", "cp -a /usr/bin/greeter /usr/bin/g && mv /usr/bin/g /usr/bin/greeter",
    "printf x >>/usr/share/zoneinfo/UTC; printf x >>/usr/share/zoneinfo/Etc/UTC",
    "ln -sfn /nowhere /usr/share/zoneinfo/Singapore"])
def test_a_change_by_hand_is_seen(settled, change):
    keep = {path: (os.lstat(path), os.readlink(path) if os.path.islink(path) else pathlib.Path(path).read_bytes())
            for path in ("/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/Etc/UTC", "/usr/share/zoneinfo/Singapore")}
    sp.run(["sh", "-c", change], check=True)
    try:
        planned = json.loads(sp.run(["sallyport", "jail", "refresh", "--dry-run", "--json"]).stdout)
        mine = [one for one in planned["sets"] if one["set"] == SET]
        assert [one.get("changed") for one in mine] == [True], planned
        assert check(21)["state"] == "stale"
    finally:
        for path, (_, was) in keep.items():
            if isinstance(was, str):
                os.unlink(path)
                os.symlink(was, path)
            else:
                pathlib.Path(path).write_bytes(was)


@sp.covers("jail 44")
def test_jail_44_logins_during_refreshes_see_no_mixed_generation(settled):
    pair = [pathlib.Path(f"/usr/share/pair/{name}") for name in "ab"]
    pair[0].parent.mkdir()
    profile = pathlib.Path("/etc/sallyport/profiles.d/greeter.profile")
    text = profile.read_text()

    def write(number):
        for path in pair:
            path.write_text(f"{number}\n")

    def login(_):
        return sp.as_user(settled, [sp.CHROOT_BASH, "-c", "cat /usr/share/pair/a; greeter; cat /usr/share/pair/b"]).stdout.split()

    write(0)
    profile.write_text(text + "tree /usr/share/pair\n")
    try:
        assert refresh().rc == 0 and login(0) == ["0", "1", "0"]
        seen, number = [], 0
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            while number < 6 or len(seen) < 100:
                number += 1
                write(number)
                logins = pool.map(login, range(17))
                assert refresh().rc == 0
                seen += logins
        assert len(seen) >= 100 and all(len(one) == 3 and one[0] == one[2] for one in seen), seen
        assert {one[0] for one in seen} >= {"1", "5"} and login(0)[0] == str(number)
    finally:
        profile.write_text(text)
        shutil.rmtree(pair[0].parent)


def test_the_units_are_well_formed(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    done = sp.run(["systemd-analyze", "verify", *(f"/usr/lib/systemd/system/sallyport-{unit}"
                                              for unit in ("refresh.path", "refresh.service", "refresh.timer", "reconcile.service",
                                                           "reconcile.timer", "logins.service"))])
    assert done.rc == 0 and "sallyport" not in done.stderr, done
