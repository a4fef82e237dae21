# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# The units: the socket, the timers, ssh.socket; the doctor. Sourced by vm-first.sh.
said "the socket is root's and the panels'" "$(stat -c '%a %U %G' /run/sallyport/panel.socket)" '660 root sallyport-panel'
exposure=$(systemd-analyze security --no-pager sallyport@1.service 2>/dev/null | grep -o 'level for .*' | grep -oE '[0-9]+\.[0-9]')
said "its unit is a sandbox ($exposure)" "$(systemd-analyze security --threshold=30 --no-pager sallyport@1.service >/dev/null 2>&1; echo $?)" 0

# Timers are brought forward; what they start is theirs.
fire() { # UNIT
    mkdir -p "/run/systemd/system/$1.timer.d"
    printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\nAccuracySec=1s\n' >"/run/systemd/system/$1.timer.d/now.conf"
    systemctl daemon-reload
    systemctl restart "$1.timer"
    wait_for 300 started "$1"
    rm -r "/run/systemd/system/$1.timer.d"
    systemctl daemon-reload
    systemctl restart "$1.timer"
    wait_for 900 ended "$1"
    systemctl show -P Result "$1.service"
}
started() { [ "$(systemctl show -P ExecMainStartTimestampMonotonic "$1.service")" != 0 ]; }
ended() { [ "$(systemctl show -P ActiveState "$1.service")" != activating ]; }
usermod -s /bin/bash one
said "the timer of reconcile fires and mends" "$(fire sallyport-reconcile) $(getent passwd one | cut -d: -f7)" 'success /usr/libexec/sallyport/chroot-bash'
said "the timer of refresh fires" "$(fire sallyport-refresh)" success
said "passwd has its label after usermod and us" "$(restorecon -nv /etc/passwd /etc/shadow /etc/group /etc/gshadow)" ''
said "the doctor agrees" "$(admin 'sallyport doctor one.example; echo "status $?"' | tail -1)" 'status 0'

# Process 1 listens on 2222, sshd_config speaks of 22: tests/table, firewall 18.
systemctl stop ssh
mkdir -p /run/systemd/system/ssh.socket.d
printf '[Socket]\nListenStream=\nListenStream=2222\n' >/run/systemd/system/ssh.socket.d/port.conf
systemctl daemon-reload
systemctl start ssh.socket
said "process 1 alone listens, on 2222" "$(ss -Hltnp | grep -c '"systemd",pid=1,') $(pgrep -xc sshd)" '1 0'
disagreement='sshd is configured for port 22, but port 2222 is what listens'
said "doctor finds the port that process 1 holds, and says that sshd_config names another" \
    "$(sallyport doctor two.example 2>&1 | grep -o "port 2222; $disagreement")" "port 2222; $disagreement"
said "the firewall guards both ports, and says so" \
    "$(ask firewall.set '{"mode":"open"}' | grep -o '"ports":\[[^]]*\]\|'"$disagreement: all of them are guarded" | tr '\n' ' ')" \
    '.*"ports":\[22,2222\].*'
said "it restricts nobody while sshd_config and the socket disagree" \
    "$(ask firewall.set '{"mode":"restricted","sources":[{"source":"192.0.2.7"}],"force":true}' | grep -o "$disagreement")" "$disagreement"
ask firewall.set '{"mode":"unmanaged"}' >/dev/null
port=2222
said "the main job works over ssh.socket" \
    "$(request two '"shell":"chroot","forwarding":"none"' | grep -o '"error".*') $(login two 'test -e /boot || echo jailed')" ' jailed'
request two '"shell":"none"' >/dev/null
said "and takes away without a reload" "$(login two 'echo in' | grep -c '^in$')" 0
port=22
# Its service holds the socket that it was given.
systemctl stop ssh.socket ssh.service
rm -r /run/systemd/system/ssh.socket.d
systemctl daemon-reload
systemctl start ssh
