# SPDX-License-Identifier: GPL-3.0-or-later
"""The RPM package, as far as a Debian can check it: built, compared with the Debian package, installed, upgraded, erased.

Debian's rpm knows no systemd macros and no package of an EL: dependencies are not looked at (--nodeps).
"""

import os
import pathlib
import re

import pytest

import sp
import sp_package
import sp_site

SHELL = pathlib.Path("/usr/libexec/sallyport/chroot-bash")
DROPIN = sp_package.DROPIN
WORK = pathlib.Path("/var/tmp/rpm")
SPEC = sp_package.SOURCE / "templates/sallyport.spec"
DEBIAN = sp_package.SOURCE / "debian"
# What rpmlint says and does not hold here, and why.
EXPECTED = {
    "no-signature", "no-packager-tag", "no-group-tag",  # whoever builds signs; the other two are of long ago
    "statically-linked-binary",  # no loader runs with its capabilities
    "bad-manual-page-folder",  # sallyport.conf(5) is taken for a page of a section "conf"
}


def rpmbuild(*words):
    # Not optimised: what is looked at is the package, and half the time goes into the compiler.
    return sp.run(["rpmbuild", "--nodeps", "--noclean", "--define", f"_topdir {WORK}", "--define", "optflags -O0 -g",
                   "--buildroot", WORK / "root", *words], timeout=500, check=True)


@pytest.fixture(scope="module")
def rpms():
    """Release 1, and .next of it, which is newer."""
    sp_package.sources(WORK / "sallyport-0.1.0")
    sp.run(["tar", "-C", WORK, "-cJf", WORK / "sallyport-0.1.0.tar.xz", "sallyport-0.1.0"], check=True)
    rpmbuild("-ta", WORK / "sallyport-0.1.0.tar.xz")
    rpmbuild("-bb", "--short-circuit", "--define", "dist .next", SPEC)
    sp_package.take_away_what_meson_installed()
    return {release: next(WORK.glob(f"RPMS/*/sallyport-0.1.0-{release}.{os.uname().machine}.rpm")) for release in ("1", "1.next")}


def rpm(*words):
    # Where an EL has it, and where sallyport looks whether rpm is at work.
    return sp.run(["rpm", "--dbpath", "/var/lib/rpm", *words], timeout=120)


def silently(*words):
    """rpm's own warnings are none of ours: of being on a Debian, and of what it does with a changed configuration."""
    done = rpm(*words)
    said = [line for line in done.stderr.splitlines() if not re.match(r"rpm: |warning: .* saved as .*\.rpmsave$", line)]
    assert done.rc == 0 and said == [], done
    return done


@pytest.fixture(scope="module")
def installed(rpms):
    silently("-i", "--nodeps", rpms["1"])
    host = sp.Host()
    host.start()
    yield host
    host.stop()


# What is in it

def test_rpmlint_finds_nothing_but_what_is_meant(rpms):
    done = sp.run(["rpmlint", rpms["1"], *WORK.glob("SRPMS/*.rpm"), SPEC])
    errors = {line.split(": E: ")[1].split()[0] for line in done.stdout.splitlines() if ": E: " in line}
    assert errors <= EXPECTED and "1 specfiles checked" in done.stdout, done.stdout


def test_it_holds_what_meson_installs(rpms):
    """test_package.py says the same of the Debian package: both have the same files."""
    wanted = sp_package.installed_by_meson() - {"/usr/share/sallyport/apt-hook", "/usr/share/sallyport/dpkg-hook",
                                                "/usr/share/pam-configs/sallyport"}
    wanted = {re.sub(r"^/usr/lib/[^/]+-linux-gnu/", "/usr/lib64/", name) for name in wanted}
    wanted |= {"/usr/lib/systemd/system-preset/50-sallyport.preset", "/usr/share/licenses/sallyport-0.1.0/LICENSE",
               "/usr/share/doc/sallyport/CHANGELOG.md", "/usr/share/doc/sallyport/README.md"}
    listed = sp.run(["rpm", "-qp", "--qf", r"[%{FILEMODES:perms} %{FILENAMES}\n]", rpms["1"]], check=True).stdout.splitlines()
    found = {line.split()[1] for line in listed if not line.startswith("d") and "/.build-id/" not in line}
    assert {name.removesuffix(".gz") for name in found} == wanted
    assert sp.run(["rpm", "-qpc", rpms["1"]]).stdout.split() == ["/etc/sallyport/sallyport.conf"]


def test_its_scripts_do_what_those_of_the_debian_package_do(rpms):
    scripts = sp.run(["rpm", "-qp", "--scripts", rpms["1"]], check=True).stdout
    groups = re.compile(r"for group in ([a-z\s\\-]+?);")
    assert groups.search(scripts)[1].split() == groups.search((DEBIAN / "sallyport.postinst").read_text())[1].split()
    interests = re.findall(r"^interest-noawait (\S+)$", (DEBIAN / "sallyport.triggers").read_text(), re.M)
    triggers = sp.run(["rpm", "-qp", "--filetriggers", rpms["1"]], check=True).stdout
    assert re.findall(r"^(\w+) scriptlet .* -- (.*)$", triggers, re.M) == [
        ("transfiletriggerin", ", ".join(interests)), ("transfiletriggerpostun", "/")]
    units = {path.name for path in (sp_package.SOURCE / "templates").glob("sallyport*.*") if "\n[Install]\n" in path.read_text()}
    preset = (WORK / "root/usr/lib/systemd/system-preset/50-sallyport.preset").read_text()
    assert {line for line in preset.splitlines()} == {f"enable {unit}" for unit in units} and len(units) >= 6


# What it does

def test_an_installation_touches_no_account_and_no_firewall(installed):
    assert sp.run(["nft", "list", "ruleset"]).stdout.strip() == ""
    capabilities = sp.run(["getcap", SHELL], check=True).stdout.split()[1].removesuffix("=ep").split(",")
    assert sorted(capabilities) == ["cap_sys_admin", "cap_sys_chroot"] and DROPIN.exists()
    assert sp.run(["sshd", "-t"]).rc == 0 and "no domain" in sp.run(["sallyport", "list"]).stdout
    # Files, modes, owners, capabilities: as in the package. It asks for packages of an EL, which Debian's rpm does not know.
    assert rpm("-V", "--nodeps", "sallyport").stdout == ""


def test_an_upgrade_and_a_downgrade_shut_nobody_out(installed, rpms):
    user = sp_site.account()
    before = sp.run(["sallyport", "status", user.domain, "--request"], check=True).stdout
    conf = pathlib.Path("/etc/sallyport/sallyport.conf")
    conf.open("a").write("\n# the administrator was here\n")
    for release in ("1.next", "1"):
        inode = SHELL.stat().st_ino
        with sp_package.Logins(user) as logins:
            silently("-U", "--oldpackage", "--nodeps", rpms[release])
            done = logins.done
            sp.wait_for(lambda: logins.done > done + 2, what="logins", timeout=60)
        assert not logins.failed and SHELL.stat().st_ino != inode, logins.failed[:1]
        assert rpm("-q", "sallyport").stdout.startswith(f"sallyport-0.1.0-{release}.")
    assert sp.run(["sallyport", "status", user.domain, "--request"]).stdout == before
    assert "administrator was here" in conf.read_text() and not conf.with_name("sallyport.conf.rpmnew").exists()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()


def other_package(version):
    """A package that brings a program, which a profile takes into jails."""
    spec = WORK / "greeter.spec"
    spec.write_text(f"Name: greeter\nVersion: {version}\nRelease: 1\nSummary: Of a test\nLicense: None\nBuildArch: noarch\n"
                    "%description\n%install\ninstall -d %{buildroot}/usr/bin\n"
                    f"printf '#!/bin/sh\\necho {version}\\n' >%{{buildroot}}/usr/bin/greeter\n"
                    "%files\n%attr(755,root,root) /usr/bin/greeter\n")
    sp.run(["rpmbuild", "-bb", "--define", f"_topdir {WORK}/other", spec], check=True)
    return next((WORK / "other").glob(f"RPMS/*/greeter-{version}-*.rpm"))


def test_jails_follow_what_rpm_brings(installed):
    silently("-i", "--nodeps", other_package("1"))
    pathlib.Path("/etc/sallyport/profiles.d/greeter.profile").write_text("describe of a test\nprogram greeter\n")
    user = sp_site.account(params={"jail": {"profiles": ["greeter"]}})
    assert sp.ssh(user, "greeter").stdout == "1\n"
    silently("-U", "--nodeps", other_package("2"))
    sp.wait_for(lambda: sp.ssh(user, "greeter").stdout == "2\n", what="a new program in the jail", timeout=60)
    # What is taken away is noticed too: a jail keeps what it has, and that is said.
    silently("-e", "--nodeps", "greeter")
    sp.wait_for(lambda: sp.syslog_lines("jails of base+greeter keep the programs they have"), what="a refresh", timeout=60)
    assert sp.ssh(user, "greeter").stdout == "2\n"
    sp.rpc("domain.remove", {"domain": user.domain}).ok()


def test_an_erase_gives_back_and_a_new_installation_can_bring_back(installed, rpms):
    user, plain = sp_site.account(), sp_site.account(shell="bash")
    (pathlib.Path(user.docroot) / "index.html").write_text("content")
    sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.0/24"}]}).ok()
    silently("-e", "--nodeps", "sallyport")
    assert sp_site.login_shell(user) == sp_site.login_shell(plain) == "/bin/false"
    assert not SHELL.parent.exists() and not DROPIN.exists() and sp.run(["sshd", "-t"]).rc == 0
    assert "sallyport" not in sp.run(["nft", "list", "ruleset"]).stdout
    assert (pathlib.Path(user.docroot) / "index.html").read_text() == "content"
    done = rpm("-i", "--nodeps", rpms["1"])
    assert done.rc == 0 and "sallyport apply /var/lib/sallyport/removed" in done.stderr, done
    installed.restart()
    assert sp.run(["sallyport", "apply", "/var/lib/sallyport/removed"], timeout=60).rc == 0
    assert sp.ssh(user, "test -e /boot || echo jailed").stdout == "jailed\n" and sp.ssh(plain, "true").rc == 0


def test_an_erase_that_would_lock_somebody_out_is_refused(installed):
    user = sp_site.account()
    record = pathlib.Path(f"/var/lib/sallyport/state/{user.name}.json")
    good = record.read_bytes()
    record.write_bytes(b"{")
    done = rpm("-e", "--nodeps", "sallyport")
    assert done.rc != 0 and "not removed" in done.stderr, done
    assert SHELL.exists() and sp_site.login_shell(user) == str(SHELL) and sp.ssh(user, "true").rc == 0
    record.write_bytes(good)
    silently("-e", "--nodeps", "sallyport")
    assert sp_site.login_shell(user) == "/bin/false"


def test_an_erase_leaves_nothing_but_what_was_asked_for(installed):
    left = sp.run(["sh", "-c", "ls -d /etc/*sallyport* /usr/*/*sallyport* /usr/lib/systemd/*/*sallyport* 2>/dev/null"]).stdout.split()
    # What the administrator changed is kept under rpm's own name.
    assert left == ["/etc/sallyport"] and os.listdir("/etc/sallyport") in (["sallyport.conf.rpmsave", "profiles.d"],
                                                                           ["profiles.d", "sallyport.conf.rpmsave"]), left
    assert rpm("-q", "sallyport").rc != 0
