# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits: processes, memory and /tmp of one account. Here systemd does not run, so processes are counted by uid. Of
systemd's slices it is shown what sallyport asks of them; tests/vm shows that the kernel then holds it."""

import os
import pathlib
import subprocess

import pytest
import sp
import sp_site

NO_SYSTEMD = "since systemd does not run here"
UNITS = pathlib.Path("/etc/systemd/system")


@pytest.fixture(scope="module")
def bomber(host):
    user = sp_site.account(params={"limits": {"processes": 40}, "jail": {"profiles": ["base"], "tmp_mib": 8}})
    sp_site.attacks(user)
    return user


@sp.covers("jail 39")
def test_a_fork_bomb_in_a_jail_is_held(bomber):
    done = sp_site.attack(bomber, "forks", 300)
    assert done["ended"] == "EAGAIN" and 10 < int(done["forks"]) < 40, done
    assert done["raise"] == "EPERM", done


@sp.covers("jail 39")
def test_a_fork_bomb_stops_neither_the_site_nor_others_and_can_be_ended_from_the_next_login(bomber):
    other = sp_site.account()
    # The shell retries at the limit, and so holds it.
    client = sp_site.background(bomber, "echo in; while :; do (sleep 60 & sleep 60) & done 2>/dev/null")
    try:
        # Not all 40: processes that have ended and wait for their parents count too, and bash waits ever longer before it tries again.
        sp.wait_for(lambda: len(sp_site.processes(bomber)) >= 34, 60, "the bomb at its limit")
        assert len(sp_site.processes(bomber)) <= 44, sp_site.processes(bomber)
        assert sp.ssh(other, "true; echo works").stdout == "works\n"
        # The site's own programs are the web server's, and nobody set a limit there.
        assert sp.as_user(bomber, ["/bin/bash", "-c", "(true; echo one); (echo two)"]).stdout == "one\ntwo\n"
        # No process is left for a program; `kill` needs none.
        sp.ssh(bomber, "kill -KILL -1")
        sp.wait_for(lambda: len(sp_site.processes(bomber)) < 10, 60, "the end of the bomb")
        assert sp.ssh(bomber, "true; echo works").stdout == "works\n"
    finally:
        sp_site.end(client)


@sp.covers("jail 39")
def test_a_full_tmp_is_the_accounts_own_and_stays_for_its_next_login(bomber):
    stay = sp_site.background(bomber)
    try:
        done = sp.ssh(bomber, "head -c 20M /dev/zero >/tmp/fill; stat -c %s /tmp/fill; : >/dev/shm/x && echo y >/dev/shm/x")
        assert "No space left on device" in done.stderr and int(done.stdout.split()[0]) <= 8 << 20, done
        # The same jail, so the same /tmp: but login and site work.
        again = sp.ssh(bomber, "stat -c %s /tmp/fill; echo site >~/page; cat ~/page")
        assert int(again.stdout.split()[0]) > 7 << 20 and again.stdout.endswith("site\n"), again
        assert not os.path.exists("/tmp/fill")
    finally:
        sp_site.end(stay)


def test_a_changed_limit_counts_for_the_next_jail(bomber):
    sp_site.apply(bomber, limits={"processes": 60}).ok()
    try:
        done = sp_site.attack(bomber, "forks", 300)
        assert 40 < int(done["forks"]) < 60, done
    finally:
        sp_site.apply(bomber, limits={"processes": 40}).ok()


def test_without_slices_the_answer_says_what_is_not_held(host):
    user = sp.make_user()
    assert sp_site.apply(user, shell="chroot", keys=[sp.keypair()]).ok()["warnings"] == []  # nothing was asked for
    said = sp_site.apply(user, limits={"processes": 100, "memory_mib": 256}).ok()["warnings"]
    assert said == [f"the memory of this account is not limited, {NO_SYSTEMD}",
                    f"the limit of 100 processes counts the site's own too, {NO_SYSTEMD}"], said
    said = sp_site.apply(user, shell="bash").ok()["warnings"]
    assert f"the processes of this account are not limited, {NO_SYSTEMD}" in said, said
    shown = sp.rpc("domain.get", {"domain": user.domain}).ok()["limits"]
    assert shown == {"processes": 100, "memory_mib": 256, "in_slice": False}
    assert sp.rpc("system.info").ok()["limits"] == {"slices": False, "reason": NO_SYSTEMD.removeprefix("since ")}
    # One field alone leaves the other; 0 gives it back to the configuration.
    sp_site.apply(user, limits={"memory_mib": 0}).ok()
    assert sp.rpc("domain.get", {"domain": user.domain}).ok()["limits"]["processes"] == 100
    assert sp.rpc("domain.get", {"domain": user.domain}).ok()["limits"]["memory_mib"] == 0


def test_tmp_is_at_most_half_of_the_memory_so_that_filling_it_kills_nobody(bomber):
    """It is memory of the same slice: filled to the limit, the kernel would kill every process of the account."""
    sp_site.apply(bomber, limits={"memory_mib": 32}, jail={"tmp_mib": 64}).ok()
    try:
        assert sp.ssh(bomber, "df -m --output=size /tmp | tail -1").stdout.split() == ["16"]
    finally:
        sp_site.apply(bomber, limits={"memory_mib": 0}, jail={"tmp_mib": 8}).ok()


@pytest.mark.parametrize("bad, field", [({"processes": 3}, "params.limits.processes"), ({"memory_mib": 1}, "params.limits.memory_mib"),
                                        ({"processes": -1}, "params.limits.processes"), ({"cpu": 1}, "params.limits.cpu"),
                                        ({"processes": 1 << 23}, "params.limits.processes"), (7, "params.limits")])
def test_limits_that_nobody_could_live_with_are_refused(bomber, bad, field):
    answer = sp_site.apply(bomber, limits=bad)
    assert answer.reason == "invalid" and answer.error["data"]["field"] == field, answer.body


@pytest.fixture
def slices(tmp_path):
    """This host as if systemd ran it: what sallyport looks at, and a systemctl that writes down what it is told."""
    said = sp.WORK / "systemctl"
    pathlib.Path("/run/systemd/system").mkdir(parents=True)
    sp.run(["mount", "-t", "tmpfs", "none", "/sys/fs/cgroup"], check=True)
    pathlib.Path("/sys/fs/cgroup/cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    real = pathlib.Path("/usr/bin/systemctl").read_bytes() if os.path.exists("/usr/bin/systemctl") else None
    pathlib.Path("/usr/bin/systemctl").unlink(missing_ok=True)
    pathlib.Path("/usr/bin/systemctl").write_text(f"""#!/bin/bash
echo "$@" >>{said}
for word; do
    case $word in
    user-*) slice=/sys/fs/cgroup/user.slice/$word ;;
    TasksMax=*) echo ${{word#*=}} >$slice/pids.max ;;
    MemoryMax=infinity) echo max >$slice/memory.max ;;
    MemoryMax=*M) word=${{word#*=}}; echo $((${{word%M}} << 20)) >$slice/memory.max ;;
    esac
done
""")
    os.chmod("/usr/bin/systemctl", 0o755)
    stack = pathlib.Path("/etc/pam.d/sshd").read_text()
    if "pam_systemd" not in pathlib.Path("/etc/pam.d/common-session").read_text():
        pathlib.Path("/etc/pam.d/sshd").write_text(stack + "-session optional pam_systemd.so\n")
    yield said
    pathlib.Path("/etc/pam.d/sshd").write_text(stack)
    sp.run(["umount", "/sys/fs/cgroup"], check=True)
    sp.run(["rm", "-r", "/run/systemd/system"], check=True)
    pathlib.Path("/usr/bin/systemctl").unlink()
    if real:
        pathlib.Path("/usr/bin/systemctl").write_bytes(real)


def test_with_slices_a_drop_in_holds_them_and_goes_with_the_account(slices):
    user = sp.make_user()
    file = UNITS / f"user-{user.uid}.slice.d" / "50-sallyport.conf"
    answer = sp_site.apply(user, shell="bash", keys=[sp.keypair()], limits={"memory_mib": 64}).ok()
    change = [one for one in answer["changes"] if one["resource"] == "limits"]
    assert change == [{"resource": "limits", "target": str(file), "from": None, "to": "512 processes, 64 MiB",
                       "read_back": "512 processes, 64 MiB"}], answer
    assert answer["warnings"] == []
    assert file.read_text().splitlines()[1:] == ["[Slice]", "TasksMax=512", "MemoryMax=64M", "MemorySwapMax=0"]
    assert not slices.exists(), "systemctl was asked though no session lives"
    assert sp_site.apply(user, limits={"memory_mib": 64}).ok()["changed"] is False
    # Somebody took it away: mended.
    file.unlink()
    assert any(f"limits {file}" in line for line in sp.run(["sallyport", "reconcile"]).stdout.splitlines())
    assert file.exists()
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert not file.parent.exists()


@sp.outside_the_sandbox("the systemctl of this file writes to cgroups itself, which the sandbox shuts")
def test_living_sessions_get_the_new_limit_at_once(slices):
    user = sp.make_user()
    live = pathlib.Path(f"/sys/fs/cgroup/user.slice/user-{user.uid}.slice")
    sp_site.apply(user, shell="bash", keys=[sp.keypair()]).ok()
    live.mkdir(parents=True)
    (live / "pids.max").write_text("512\n")
    (live / "memory.max").write_text("max\n")
    answer = sp_site.apply(user, limits={"processes": 100}).ok()
    assert slices.read_text().splitlines() == [
        f"--runtime set-property user-{user.uid}.slice TasksMax=100 MemoryMax=infinity MemorySwapMax=infinity"]
    assert [one["read_back"] for one in answer["changes"]] == ["100 processes"], answer
    # What the kernel holds counts, not the file: somebody raised it for these sessions.
    (live / "pids.max").write_text("max\n")
    assert sp_site.apply(user, limits={"processes": 100}).ok()["changed"] is True
    assert (live / "pids.max").read_text() == "100\n"
    slices.unlink()


def test_a_drop_in_of_another_user_with_that_uid_stays(slices):
    user = sp.make_user()
    file = UNITS / f"user-{user.uid}.slice.d" / "50-sallyport.conf"
    sp_site.apply(user, shell="bash", keys=[sp.keypair()]).ok()
    file.write_text(file.read_text().replace(f" {user.name}.", " newcomer."))
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    assert file.exists()


@pytest.mark.parametrize("breaking, why", [
    ("echo cpu >/sys/fs/cgroup/cgroup.controllers", "there is no cgroup v2 with pids and memory at /sys/fs/cgroup"),
    ("mount -t tmpfs none /etc/pam.d && echo '@include sshd' >/etc/pam.d/sshd", "pam_systemd.so is not in /etc/pam.d/sshd"),
])
def test_a_host_that_lacks_a_part_is_named(slices, breaking, why):
    sp.run(["bash", "-c", breaking], check=True)
    try:
        assert sp.rpc("system.info").ok()["limits"] == {"slices": False, "reason": why}
    finally:
        subprocess.run(["umount", "/etc/pam.d"], stderr=subprocess.DEVNULL, check=False)
