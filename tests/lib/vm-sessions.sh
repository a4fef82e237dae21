# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154,SC2016
# What a user can do to have something of his login outlive it. Sourced by vm-first.sh.
request two '"shell":"bash"' >/dev/null
uid2=$(id -u two)
manager=user@$uid2.service
inside=/sys/fs/cgroup/user.slice/user-$uid2.slice/$manager
# Without it logind would end the manager ten seconds after the login, and all that is in it.
login two 'sleep 3600' &
other=$!
wait_for 300 pgrep -u two -fx 'sleep 3600'
login two 'bg() { setsid "$@" >/dev/null 2>&1 </dev/null & }
    export -f bg
    systemd-run --user --scope -q bash -c "bg sleep 7771"
    systemd-run --user --scope -q bash -c "echo \$\$ >'"$inside"'/init.scope/cgroup.procs && bg sleep 7772"
    busctl --user call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit "ssa(sv)a(sa(sv))" mine.scope fail 1 PIDs au 1 $$ 0 >/dev/null
    for try in {1..900}; do grep -q mine.scope /proc/$$/cgroup && break; sleep 0.2; done
    bg sleep 7773
    systemd-run --user -q -p Restart=always -p RestartSec=100ms sleep 7774' >/run/moved.log
place() { tr -d '\n' <"/proc/$(pgrep -u two -f "^(/usr/bin/)?sleep $1\$")/cgroup" | sed 's/.*user@[0-9]*.service//'; }
left() { pgrep -u two -f '^(/usr/bin/)?sleep 777[1-4]$' | wc -l; }
said "a user moves a login's process into a scope of his own" "$(place 7771)" '/app.slice/.*\.scope'
said "and into his manager's" "$(place 7772)" '/init.scope'
said "by the bus, too" "$(place 7773)$(cat /run/moved.log)" '/app.slice/mine.scope'
said "and has a service that starts again" "$(place 7774)" '/app.slice/.*\.service'
said "each of them goes with his access" "$(request two '"shell":"none"' | grep -o '"error".*'; left)" 0
over() { [[ $(systemctl is-active "$manager") =~ ^(inactive|failed)$ ]]; }
wait_for 300 over
sleep 5
wait "$other"
said "and comes not back" "$(left) $(systemctl is-active "$manager")" '0 (inactive|failed)'
request two '"shell":"bash"' >/dev/null
said "the next login has a manager again" "$(login two 'systemctl --user is-active default.target 2>&1')" active
