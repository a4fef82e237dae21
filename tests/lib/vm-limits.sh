# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Limits of accounts, by the kernel's own word. Sourced by vm-first.sh: the account "one" has 60 processes and 96 MiB.
uid=$(id -u one)
slice=/sys/fs/cgroup/user.slice/user-$uid.slice
said "the host has slices" "$(ask system.info '{}' | grep -o '"limits":{[^}]*}')" '"limits":\{"slices":true.*'
forks=$(login one './attack forks 300')
said "a fork bomb in a jail is held by the slice" "$(word ended "$forks") $(($(word forks "$forks") < 60))" 'EAGAIN 1'
said "memory is held: the hog is killed, the login stays" "$(login one 'exec 2>/dev/null; ./attack hog 400 >/dev/null; echo "$?"; echo stays' | tr '\n' ' ')" '137 stays '
said "/tmp is full before the memory is, and the login stays" \
    "$(login one 'head -c 200M /dev/zero >/tmp/x; echo "$?"; rm -f /tmp/x; echo stays' | tr '\n' ' ')" '.*No space left on device 1 stays '
login one 'sleep 900' &
sleeper=$!
wait_for 300 test -e "$slice/pids.max"
said "the kernel holds these numbers" "$(cat "$slice"/{pids.max,memory.max,memory.swap.max} | tr '\n' ' ')" "60 $((96 << 20)) 0 "
request one '"limits":{"processes":80}' >/dev/null
said "a new limit counts for living sessions" "$(cat "$slice/pids.max")" 80
outside_forks=$(setpriv --reuid="$uid" --regid="$uid" --clear-groups /var/www/vhosts/one/attack forks 300)
said "the site's own processes are not counted" "$(word forks "$outside_forks")" 300
said "another account has its own" "$(login two 'echo in')" in
pkill -u one sleep
wait "$sleeper"
request one '"shell":"bash"' >/dev/null
forks=$(login one './attack forks 300')
said "plain bash is held, too" "$(word ended "$forks") $(($(word forks "$forks") < 80))" 'EAGAIN 1'
ask domain.remove '{"domain":"one.example"}' >/dev/null
said "the limits go with the account" "$(find /etc/systemd/system -name "user-$uid.slice*")" ''
request one "\"shell\":\"chroot\",$key" >/dev/null
