# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian package: built from these sources, installed, upgraded, downgraded, removed and purged while people log in."""

import os
import pathlib

import pytest

import sp
import sp_package
import sp_site

SHELL = pathlib.Path("/usr/libexec/sallyport/chroot-bash")
DROPIN = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf")
WORK = pathlib.Path("/var/tmp/package")


def another_version(deb, version):
    """The same package under another number."""
    tree = WORK / f"tree-{version}"
    sp.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("Version: 0.1.0\n", f"Version: {version}\n"))
    made = WORK / f"sallyport_{version}.deb"
    sp.run(["dpkg-deb", "-b", "--root-owner-group", tree, made], check=True)
    return made


@pytest.fixture(scope="module")
def debs():
    tree = sp_package.sources(WORK / "sallyport")
    sp.run(["dpkg-buildpackage", "-b", "-uc", "-us", "-d"], cwd=tree, timeout=500, check=True,
           env={**os.environ, "DEB_BUILD_OPTIONS": "parallel=2 nocheck noautodbgsym"})
    deb = next(WORK.glob("sallyport_0.1.0_*.deb"))
    sp_package.take_away_what_meson_installed()
    return {"0.1.0": deb, "0.1.1": another_version(deb, "0.1.1")}


def dpkg(*argv):
    return sp.run(["dpkg", *map(str, argv)], timeout=120, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


@pytest.fixture(scope="module")
def installed(debs):
    done = dpkg("-i", debs["0.1.0"])
    assert done.rc == 0, done
    host = sp.Host()
    host.start()
    yield host
    host.stop()


def test_lintian_finds_nothing(debs):
    done = sp.run(["lintian", "--fail-on", "error,warning", "--allow-root", debs["0.1.0"]], timeout=120)
    assert done.rc == 0 and not [l for l in done.stdout.splitlines() if l[:2] in ("E:", "W:")], done.stdout


def test_the_package_holds_what_meson_installs(debs):
    wanted = sp_package.installed_by_meson()
    # The postinst puts these there; and hooks of apt and dpkg are a trigger.
    wanted -= {str(DROPIN), "/usr/share/sallyport/apt-hook", "/usr/share/sallyport/dpkg-hook", str(SHELL)}
    wanted |= {f"{SHELL}.dist", "/usr/share/lintian/overrides/sallyport"}
    wanted |= {f"/usr/share/doc/sallyport/{name}" for name in ("changelog", "changelog.Debian", "copyright")}
    listed = sp.run(["dpkg-deb", "-c", debs["0.1.0"]], check=True).stdout.splitlines()
    found = {line.split(None, 5)[5].lstrip(".").removesuffix(".gz") for line in listed if not line.startswith("d")}
    assert found == {name.removeprefix("/usr") if name.startswith("/usr/lib/systemd") else name for name in wanted}


def test_an_installation_touches_no_account_and_no_firewall(installed):
    assert sp.run(["nft", "list", "ruleset"]).stdout.strip() == ""
    assert "cap_sys_chroot" in sp.run(["getcap", SHELL]).stdout and DROPIN.exists()
    assert sp.run(["sshd", "-t"]).rc == 0
    assert "no domain" in sp.run(["sallyport", "list"]).stdout
    assert sp.run(["dpkg", "-V", "sallyport"]).stdout == ""
    assert pathlib.Path("/lib/systemd/system/sallyport-firewall.service").exists()


def test_an_upgrade_and_a_downgrade_shut_nobody_out(installed, debs):
    user = sp_site.account()
    before = sp.run(["sallyport", "status", user.domain, "--request"], check=True).stdout
    pathlib.Path("/etc/sallyport/sallyport.conf").open("a").write("\n# the administrator was here\n")
    for version in ("0.1.1", "0.1.0"):
        inode = SHELL.stat().st_ino
        with sp_package.Logins(user) as logins:
            done = dpkg("-i", "--force-confdef", debs[version])
            assert done.rc == 0, done
            sp.wait_for(lambda: logins.done > 3, what="logins", timeout=60)
        assert not logins.failed and SHELL.stat().st_ino != inode, logins.failed[:1]
        assert version in sp.run(["dpkg-query", "-W", "sallyport"]).stdout
    assert sp.run(["sallyport", "status", user.domain, "--request"]).stdout == before
    assert "administrator was here" in pathlib.Path("/etc/sallyport/sallyport.conf").read_text()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()


def test_removal_gives_back_and_a_new_installation_can_bring_back(installed, debs):
    user = sp_site.account()
    plain = sp_site.account(shell="bash")
    (pathlib.Path(user.docroot) / "index.html").write_text("content")
    sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.0/24"}]}).ok()
    done = dpkg("-r", "sallyport")
    assert done.rc == 0, done
    assert sp_site.login_shell(user) == "/bin/false" and sp_site.login_shell(plain) == "/bin/false"
    assert not SHELL.exists() and not DROPIN.exists() and sp.run(["sshd", "-t"]).rc == 0
    assert "sallyport" not in sp.run(["nft", "list", "ruleset"]).stdout
    assert sorted(os.listdir(user.docroot)) in ([".ssh", "index.html"], ["index.html"])
    done = dpkg("-i", debs["0.1.0"])
    assert done.rc == 0 and "sallyport apply /var/lib/sallyport/removed" in done.stderr, done
    installed.restart()
    assert sp.run(["sallyport", "apply", "/var/lib/sallyport/removed"], timeout=60).rc == 0
    assert sp.ssh(user, "cat /proc/1/comm").rc == 0 and sp.ssh(plain, "true").rc == 0
    assert sp_site.login_shell(user) == str(SHELL)


def test_a_removal_that_would_lock_somebody_out_is_refused(installed):
    user = sp_site.account()
    sp.run(["chattr", "+i", "/etc/passwd"])
    try:
        done = dpkg("-r", "sallyport")
        if sp_site.login_shell(user) != str(SHELL):
            pytest.skip("this file system knows no chattr +i")
        assert done.rc != 0 and "not removed" in done.stderr, done
        assert SHELL.exists()
    finally:
        sp.run(["chattr", "-i", "/etc/passwd"])
    # What was begun is finished, or taken back by those who changed their mind.
    assert sp.run(["sallyport", "apply", "/var/lib/sallyport/removed"], timeout=60).rc == 0
    assert sp_site.login_shell(user) == str(SHELL) and sp.ssh(user, "true").rc == 0


def test_purge_leaves_no_trace_and_harms_no_content(installed):
    roots = [sp_site.account().docroot, sp_site.account(shell="bash").docroot]
    for root in roots:
        (pathlib.Path(root) / "kept").write_text("content")
    done = dpkg("-P", "sallyport")
    assert done.rc == 0, done
    for path in ("/var/lib/sallyport", "/etc/sallyport", "/usr/libexec/sallyport", "/usr/share/sallyport", DROPIN):
        assert not pathlib.Path(path).exists(), path
    assert "sallyport" not in pathlib.Path("/etc/group").read_text() + pathlib.Path("/etc/gshadow").read_text()
    assert all((pathlib.Path(root) / "kept").read_text() == "content" for root in roots)
    left = sp.run(["sh", "-c", "ls -d /etc/*sallyport* /usr/*/*sallyport* /lib/systemd/system/*sallyport* 2>/dev/null"])
    assert left.stdout == ""
