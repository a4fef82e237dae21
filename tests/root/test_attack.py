# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks that once fell, each with a real sshd: what a user makes to stay in, and who goes with him that should not."""

import sp
import sp_site
from sp_safety import managed


def login(user, command):
    return sp_site.session(user, command=f"echo ready; {command}")


def runs(user, program):
    return program in sp.run(["ps", "-o", "args=", "-U", user]).stdout


def test_a_first_process_of_his_own_making_is_no_jails_and_ends_with_its_login(host):
    user = managed("bash")
    own = "cp /bin/sleep ~/chroot-bash; unshare -Urpf ~/chroot-bash 500 </dev/null >/dev/null 2>&1 & exec sleep 400"
    with login(user, own):
        sp.wait_for(lambda: sp.run(["pgrep", "-U", user.name, "-x", "chroot-bash"]).stdout, what="his own first process")
        sp.rpc("sessions.end", {"domain": user.domain}).ok()
        assert not sp.run(["pgrep", "-U", user.name]).stdout


def test_a_directorys_user_whose_name_begins_alike_is_not_put_out(host):
    """sssd and winbind name people NAME@REALM; sshd's title of such a login begins as that of NAME does."""
    user = managed("bash")
    admin = f"{user.name}@corp"
    sp.run(["useradd", "--badname", "-m", "-s", "/bin/bash", admin], check=True)
    sp.run(["install", "-d", "-m", "700", "-o", admin, f"/home/{admin}/.ssh"], check=True)
    sp.run(["install", "-m", "600", "-o", admin, f"{user.home}/.ssh/authorized_keys", f"/home/{admin}/.ssh/"], check=True)
    with login(admin, "exec sleep 400") as child:
        assert sp.rpc("sessions.end", {"domain": user.domain}).ok()["sessions"] == []
        sp.rpc("account.suspend", {"domain": user.domain}).ok()
        sp.rpc("domain.remove", {"domain": user.domain}).ok()
        assert runs(admin, "sleep 400") and child.poll() is None
