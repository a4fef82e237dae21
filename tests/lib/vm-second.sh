# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# The second boot: what was in force is in force before sshd answers; then the package goes. Sourced by vm-job.sh.
ended() { systemctl show -P ExecMainExitTimestampMonotonic "$1"; }
began_at() { systemctl show -P ExecMainStartTimestampMonotonic "$1"; }
said "after the boot SELinux enforces" "$(getenforce)" Enforcing
said "the firewall's unit was through before sshd began" \
    "$(systemctl show -P Result sallyport-firewall) $(($(ended sallyport-firewall.service) < $(began_at ssh.service) && $(ended sallyport-firewall.service) > 0))" 'success 1'
said "its table stood when sshd started" "$(grep -c '192.0.2.2' /run/table-before-sshd)" 1
make_outside
said "the named source gets in, no other does" "$(from 192.0.2.2) $(from 192.0.2.3)" 'in timed out'
systemctl reload nftables
said "a reload of nftables.service brings it back at the next reconcile at the latest" \
    "$(nft list tables | grep -c sallyport || true; sallyport reconcile >/dev/null 2>&1; nft list table inet sallyport 2>/dev/null | grep -c 192.0.2.2) $(from 192.0.2.3)" $'[01]\n1 timed out'
said "logins go on as they were" "$(login one 'test -e /boot || echo jailed')" jailed
said "the doctor agrees after the boot" "$(admin 'sallyport doctor one.example; echo "status $?"' | tail -1)" 'status 0'
said "SELinux has forbidden sallyport nothing since" "$(denials "$others")" ''

said "the package is removed" "$(dpkg -r sallyport 2>&1 | cat >/run/dpkg.log; dpkg-query -W -f '${Status}' sallyport)" 'deinstall ok config-files'
said "accounts have their shells of before, the port is open" "$(getent passwd one three | cut -d: -f7 | tr '\n' ' ')$(nft list tables | grep -c sallyport || true)" '/bin/false /bin/false 0'
said "its labels are in the policy no more" "$(semodule -l | grep -cx sallyport || true)" 0
said "a purge leaves nothing" "$(dpkg -P sallyport 2>&1 | cat >/run/dpkg.log; ls -d /etc/*sallyport* /usr/*/*sallyport* /var/lib/*sallyport* /lib/systemd/system/*sallyport* 2>/dev/null; grep sallyport /etc/group)" ''
said "passwd and shadow have their labels" "$(restorecon -nv /etc/passwd /etc/shadow /etc/group /etc/gshadow)" ''
said "sshd works without it" "$(admin 'echo in')" in
