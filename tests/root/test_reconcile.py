# SPDX-License-Identifier: GPL-3.0-or-later
"""system.reconcile: what loosened is mended; what somebody tightened is reported and kept."""

import fcntl
import os
import pathlib
import stat
import time

import pytest

import sp
from sp_crash import kill_when
from sp_safety import STORE, get, in_force, managed

DROPIN = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf")


@pytest.fixture
def site(host):
    user = managed("chroot")
    yield user
    sp.rpc("domain.remove", {"domain": user.domain})


def reconcile(**params):
    return sp.rpc("system.reconcile", params).ok()


def about(report, user):
    """What the report says of one account: (mended, kept), as resources."""
    for item in report["details"]:
        if item.get("user") == user.name:
            return ([change["resource"] for change in item.get("changes", [])], [change["resource"] for change in item.get("kept", [])])
    return [], []


def shell_of(user):
    return sp.run(["getent", "passwd", user.name]).stdout.strip().rsplit(":", 1)[1]


def keys_file(user):
    return pathlib.Path(user.home, ".ssh/authorized_keys")


def is_member(user, group):
    return user.name in sp.run(["getent", "group", group]).stdout.strip().split(":")[3].split(",")


def set_shell(user, shell):
    sp.run(["usermod", "-s", shell, user.name], check=True)


def test_reconcile_right_after_an_apply_finds_nothing(site):
    report = reconcile()
    assert about(report, site) == ([], []) and report["failed"] == 0 and report["changed"] is False, report


# What loosened

def loosen_shell(user):
    set_shell(user, "/bin/bash")
    return "shell", lambda: shell_of(user) == sp.CHROOT_BASH


def loosen_mode(mode):
    def loosen(user):
        keys_file(user).chmod(mode)
        return "authorized_keys", lambda: stat.S_IMODE(keys_file(user).stat().st_mode) == 0o600
    return loosen


def loosen_acl(user):
    sp.run(["setfacl", "-m", "u:www-data:rw", keys_file(user)], check=True)
    return "authorized_keys", lambda: os.listxattr(keys_file(user)) == []


def loosen_directory(user):
    keys_file(user).parent.chmod(0o777)
    return "authorized_keys", lambda: stat.S_IMODE(keys_file(user).parent.stat().st_mode) & 0o022 == 0


def loosen_options(user):
    text = keys_file(user).read_text()
    assert 'from="192.0.2.0/24' in text
    keys_file(user).write_text(text.replace('from="192.0.2.0/24"', 'from="*"'))
    return "authorized_keys", lambda: keys_file(user).read_text() == text


def loosen_second_line(user):
    text = keys_file(user).read_text()
    with open(keys_file(user), "a", encoding="ascii") as file:
        file.write(sp.keypair("bound").public + " planted\n")
    return "authorized_keys", lambda: keys_file(user).read_text() == text


def loosen_group(user):
    sp.run(["gpasswd", "-a", user.name, "sallyport-forward"], check=True)
    return "group", lambda: not is_member(user, "sallyport-forward")


def loosen_managed_group(user):
    sp.run(["gpasswd", "-d", user.name, "sallyport"], check=True)
    return "group", lambda: is_member(user, "sallyport")


def loosen_dropin(user):
    good = DROPIN.read_text()
    DROPIN.write_text(good.replace("DenyGroups sallyport-none", "# DenyGroups"))
    return "sshd_policy", lambda: DROPIN.read_text() == good


def loosen_record(user):
    path = pathlib.Path(f"{STORE}/entry/{user.uid}")
    good = path.read_bytes()
    path.write_bytes(good.replace(user.docroot.encode(), b"/".ljust(len(user.docroot), b"x")))
    return "jail", lambda: path.read_bytes() == good


def loosen_record_away(user):
    path = pathlib.Path(f"{STORE}/entry/{user.uid}")
    good = path.read_bytes()
    path.unlink()
    return "jail", lambda: path.exists() and path.read_bytes() == good


@pytest.mark.parametrize("loosen", [loosen_shell, loosen_mode(0o644), loosen_mode(0o666), loosen_mode(0o620), loosen_acl, loosen_directory, loosen_options,
                                    loosen_second_line, loosen_group, loosen_managed_group, loosen_dropin, loosen_record, loosen_record_away],
                         ids=["shell", "mode 0644", "mode 0666", "mode 0620", "acl", "ssh directory", "from option", "second line", "forward group",
                              "managed group", "drop-in", "record edited", "record removed"])
def test_reconcile_mends_what_loosened(site, loosen):
    sp.rpc("keys.add", {"domain": site.domain, "key": sp.keypair("bound").public, "from": ["192.0.2.0/24"]}).ok()
    resource, is_mended = loosen(site)
    planned = reconcile(dry_run=True)
    assert resource in about(planned, site)[0], planned
    assert not is_mended(), "a dry run mends nothing"
    report = reconcile()
    assert resource in about(report, site)[0] and report["mended"] >= 1, report
    assert is_mended()
    assert about(reconcile(), site) == ([], [])
    in_force(site)
    assert sp.ssh(site, "echo in").stdout == "in\n"


def test_reconcile_shuts_an_account_again_that_somebody_opened(site):
    sp.rpc("domain.apply", {"domain": site.domain, "shell": "none"}).ok()
    sp.run(["gpasswd", "-d", site.name, "sallyport-none"], check=True)
    set_shell(site, "/bin/bash")
    assert sp.ssh(site, "echo in").stdout == "in\n"
    mended, kept = about(reconcile(), site)
    assert "gate" in mended and "shell" in mended and kept == []
    assert is_member(site, "sallyport-none") and sp.ssh(site, "true").rc != 0
    assert in_force(site)["shell"] == "none"


# What somebody tightened

def tighten_shell(user):
    set_shell(user, "/bin/false")
    return "shell", lambda: shell_of(user) == "/bin/false"


def tighten_keys(user):
    keys_file(user).write_text("")
    return "authorized_keys", lambda: keys_file(user).read_text() == ""


def tighten_keys_away(user):
    keys_file(user).unlink()
    return "authorized_keys", lambda: not keys_file(user).exists()


def tighten_gate(user):
    sp.run(["gpasswd", "-a", user.name, "sallyport-none"], check=True)
    return "gate", lambda: is_member(user, "sallyport-none")


def tighten_forwarding(user):
    sp.run(["gpasswd", "-a", user.name, "sallyport-noforward"], check=True)
    return "group", lambda: is_member(user, "sallyport-noforward")


@pytest.mark.parametrize("tighten", [tighten_shell, tighten_keys, tighten_keys_away, tighten_gate, tighten_forwarding])
def test_reconcile_reports_and_keeps_what_somebody_tightened(site, tighten):
    resource, is_kept = tighten(site)
    for dry_run in (True, False, False):
        report = reconcile(dry_run=dry_run)
        mended, kept = about(report, site)
        assert resource in kept and resource not in mended and report["kept"] >= 1, report
        assert is_kept()
    assert get(site)["in_force"] is False
    report = reconcile(restore_access=True)
    assert resource in about(report, site)[0], report
    assert not is_kept()
    in_force(site)
    assert sp.ssh(site, "echo in").stdout == "in\n"
    assert about(reconcile(), site) == ([], [])


def test_reconcile_does_not_unlock_a_password_or_renew_an_expired_account(site):
    sp.rpc("password.set", {"domain": site.domain, "password": "Locked-Later-12"}).ok()
    sp.run(["usermod", "-L", "-e", "1", site.name], check=True)
    before = pathlib.Path("/etc/shadow").read_bytes()
    reconcile(restore_access=True)
    assert pathlib.Path("/etc/shadow").read_bytes() == before


def test_reconcile_tightens_and_keeps_in_one_account(site):
    set_shell(site, "/bin/false")
    keys_file(site).chmod(0o644)
    mended, kept = about(reconcile(), site)
    assert "authorized_keys" in mended and "shell" in kept
    assert shell_of(site) == "/bin/false" and stat.S_IMODE(keys_file(site).stat().st_mode) == 0o600


def test_reconcile_keeps_the_users_own_keys(site):
    own = sp.keypair("own")
    with open(keys_file(site), "a", encoding="ascii") as file:
        file.write(own.public + "\n")
    assert about(reconcile(), site) == ([], [])
    assert sp.ssh(site, "echo in", key=own).stdout == "in\n"


# Accounts that are gone or broken

def test_reconcile_reports_a_deleted_user_and_gives_its_name_nothing(host):
    gone, other = managed("chroot"), managed("chroot")
    sp.run(["userdel", gone.name], check=True)
    set_shell(other, "/bin/bash")
    report = reconcile()
    entry = next(item for item in report["details"] if item["user"] == gone.name)
    assert entry["user_missing"] is True, report
    assert shell_of(other) == sp.CHROOT_BASH
    sp.run(["useradd", "-M", "-u", "4321", "-d", gone.home, "-s", "/bin/false", gone.name], check=True)
    before = sp.snapshot([gone.home, "/etc/passwd", "/etc/group", "/etc/gshadow"])
    reconcile(restore_access=True)
    assert before.diff(sp.snapshot([gone.home, "/etc/passwd", "/etc/group", "/etc/gshadow"])) == []
    assert sp.ssh(gone, "true").rc != 0
    sp.rpc("domain.remove", {"domain": gone.domain}).ok()
    assert not os.path.exists(f"{STORE}/state/{gone.name}.json")
    assert shell_of(gone) == "/bin/false"
    sp.rpc("domain.remove", {"domain": other.domain}).ok()


def test_reconcile_goes_on_where_one_account_fails(host):
    first, bad, last = (managed("chroot") for _ in range(3))
    keys_file(bad).unlink()
    os.mkfifo(keys_file(bad))
    for user in (first, bad, last):
        set_shell(user, "/bin/bash")
    report = reconcile()
    assert report["failed"] == 1 and report["accounts"] >= 3, report
    entry = next(item for item in report["details"] if item["user"] == bad.name)
    assert entry["reason"] == "unsafe_path" and entry["error"] and entry["hint"], entry
    assert shell_of(first) == shell_of(last) == sp.CHROOT_BASH
    keys_file(bad).unlink()
    reconcile(restore_access=True)
    for user in (first, bad, last):
        in_force(user)
        sp.rpc("domain.remove", {"domain": user.domain}).ok()


def test_reconcile_finishes_what_a_crash_left_half_done(site):
    """Pending is ours: it is rolled forward though it widens."""
    sp.rpc("domain.apply", {"domain": site.domain, "shell": "none"}).ok()
    state = pathlib.Path(STORE, f"state/{site.name}.json")
    before = state.read_bytes()
    kill_when(("domain.apply", {"domain": site.domain, "shell": "bash"}), lambda: state.read_bytes() != before)
    assert get(site)["pending"]
    reconcile()
    assert in_force(site)["shell"] == "bash"
    assert sp.ssh(site, "echo in").stdout == "in\n"


# What node_exporter reads

METRICS = pathlib.Path("/var/lib/prometheus/node-exporter/sallyport.prom")


def metrics():
    """The file as Prometheus' own parser reads it: {(name, label): value}. Each family has its HELP and TYPE, before its samples."""
    from prometheus_client.parser import text_string_to_metric_families

    text = METRICS.read_text()
    families = list(text_string_to_metric_families(text))
    found = {}
    for family in families:
        assert family.type == "gauge" and family.documentation, family
        assert text.index(f"# HELP {family.name} ") < text.index(f"# TYPE {family.name} ") < text.index(f"\n{family.name}")
        for sample in family.samples:
            key = (sample.name, *sample.labels.values())
            assert key not in found and len(sample.labels) <= 1, sample
            found[key] = sample.value
    return found


@pytest.fixture
def collector(host):
    METRICS.parent.mkdir(parents=True, exist_ok=True)
    yield METRICS
    METRICS.unlink(missing_ok=True)


def test_what_a_replayed_log_brought_back_goes_and_what_is_being_written_stays(host):
    """btrfs: after a power cut the temporary name may be there again, of a file that is in place or removed."""
    states, here, gone = pathlib.Path(STORE, "state"), managed("bash"), managed("bash")
    sp.rpc("domain.remove", {"domain": gone.domain}).ok()
    left = [states / f"{user.name}.json.sallyport" for user in (here, gone)]
    left += [pathlib.Path("/etc", f"{name}.sallyport") for name in ("passwd", "passwd-", "group", "group-", "shadow", "gshadow", "gshadow-")]
    alike = [states / "no state.sallyport", pathlib.Path("/etc/hosts.sallyport")]
    for path in left + alike:
        path.write_text("half")
    sp.rpc("system.reconcile", {"dry_run": True}).ok()
    assert all(path.exists() for path in left)
    with open(states / f"{gone.name}.lock", "ab") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert "problems" not in sp.rpc("system.reconcile").ok()
        assert [path for path in left if path.exists()] == [left[1]]
    assert "problems" not in sp.rpc("system.reconcile").ok()
    assert not left[1].exists() and all(path.exists() for path in alike)
    assert pathlib.Path("/etc/passwd").exists() and (states / f"{here.name}.json").exists()
    for path in alike:
        path.unlink()


def test_a_reconcile_leaves_its_figures_for_node_exporter(site, collector):
    kept, bad = managed("chroot"), managed("chroot")
    set_shell(site, "/bin/bash")
    set_shell(kept, "/bin/false")
    keys_file(bad).unlink()
    os.mkfifo(keys_file(bad))
    begun = int(time.time())
    done = sp.run(["sallyport", "reconcile", "--metrics", collector])
    assert done.rc == 20, done
    got = metrics()
    accounts = int(done.stdout.splitlines()[-1].split()[0])
    assert [got["sallyport_reconcile_accounts", name] for name in ("clean", "mended", "kept", "missing", "failed")] == [accounts - 3, 1, 1, 0, 1], got
    assert got["sallyport_reconcile_mended", "shell"] == 1 and got["sallyport_reconcile_mended", "gate"] == 2, got
    assert got["sallyport_reconcile_kept", "shell"] == 1 and got["sallyport_reconcile_mended", "sudo"] == 0, got
    assert begun <= got["sallyport_reconcile_last_run_timestamp_seconds",] <= time.time()
    assert 0 < got["sallyport_reconcile_duration_seconds",] < 60 and got["sallyport_reconcile_completed",] == 1
    assert got["sallyport_jail_sets", "current"] >= 1 and got["sallyport_jail_sets", "failed"] == 0 and got["sallyport_firewall_in_force",] == 1
    info = collector.stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode), info.st_nlink) == (0, 0o644, 1)
    assert sorted(path.name for path in collector.parent.iterdir()) == [collector.name], "nothing else is left there"
    for user in (kept, bad):
        sp.run(["rm", "-f", keys_file(user)])
        sp.rpc("domain.remove", {"domain": user.domain}).ok()


def test_figures_come_by_the_configuration_too_and_not_from_a_dry_run(site, collector):
    config = pathlib.Path("/etc/sallyport/sallyport.conf.d/metrics.conf")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"metrics_file = {collector}\n")
    try:
        reconcile(dry_run=True)
        assert not collector.exists()
        reconcile()
        assert metrics()["sallyport_reconcile_completed",] == 1
        broken = pathlib.Path(f"{STORE}/global/state")
        broken.parent.mkdir(mode=0o711, exist_ok=True)
        broken.write_text("no list")
        set_shell(site, "/bin/bash")
        report = reconcile()
        assert [(item["part"], item["reason"]) for item in report["problems"]] == [("global_keys", "broken_state")]
        assert "shell" in about(report, site)[0], "what is the host's stops no account"
        assert metrics()["sallyport_reconcile_problems",] == 1 and sp.run(["sallyport", "reconcile"]).rc == 20
        broken.unlink()
    finally:
        config.unlink()


def test_figures_that_cannot_be_written_are_told_and_everything_else_is_done(site, collector):
    set_shell(site, "/bin/bash")
    done = sp.run(["sallyport", "reconcile", "--json", "--metrics", "/nowhere/sallyport.prom"])
    report = sp.strict_json(done.stdout)
    assert done.rc == 20 and "/nowhere" in report["metrics_error"] and "shell" in about(report, site)[0], done
    assert shell_of(site) == sp.CHROOT_BASH
    done = sp.run(["sallyport", "reconcile", "--metrics", "/tmp/figures.txt"])
    assert done.rc == 20 and ".prom" in done.stderr and not os.path.exists("/tmp/figures.txt")
    os.symlink("/etc/shadow", collector)
    before = pathlib.Path("/etc/shadow").read_bytes()
    assert sp.run(["sallyport", "reconcile", "--metrics", collector]).rc in (0, 20)
    assert pathlib.Path("/etc/shadow").read_bytes() == before
