#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs inside the machine that tests/vm boots, as root under systemd, once for each boot: says what holds and what does not.
# Its output is a pipe: SELinux lets no program that runs in a domain of its own write to the serial line.
[ -n "${VM_PIPE:-}" ] || {
    VM_PIPE=1 bash "$0" 2>&1 | cat >/dev/ttyS1
    exit
}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
helper=/usr/libexec/sallyport/sallyport-helper

# said NAME TEXT PATTERN: the text must match the whole pattern.
said() {
    if [[ $2 =~ ^($3)$ ]]; then
        echo "ok $1"
    else
        printf 'FAILED %s\n   wanted %s\n   got %q\n' "$1" "$3" "$2"
    fi
}
# wait_for SECONDS COMMAND...
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.5
    done
}
client=(-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i /opt/key)
login() { # USER COMMAND...
    local user=$1
    shift
    timeout 900 ssh -n -p "${port:-22}" "${client[@]}" "$user@127.0.0.1" "$@" 2>&1
}
# An admin is root with a login of his own, in the domain that the policy gives him.
admin() { login root "$@"; }
params() { # USER, then what the request says beside
    printf '{"domain":"%s.example","user":"%s","document_root":"%s",%s}' "$1" "$1" "$(getent passwd "$1" | cut -d: -f6)" "$2"
}
call() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' "$1" "$2"; }
ask() { call "$1" "$2" | $helper; }
request() { ask domain.apply "$(params "$@")"; }
by_socket() { # USER, METHOD, PARAMS
    timeout 900 setpriv --reuid="$1" --regid="$1" --init-groups /usr/bin/python3 -I /usr/share/doc/sallyport/examples/panel-socket.py "$2" "$3" 2>&1
}
type_of() { stat -c %C "$@" 2>&1 | cut -d: -f3 | sort -u | tr '\n' ' '; }
word() { sed -n "s/^$1 //p" <<<"$2"; }

# Not sallyport's: what Debian's own programs stumble over at a boot; a panel's useradd that looks at a home below /var/www.
# What the helper starts stays in its domain, since it never gains privileges: that is what nnp_transition says each time.
# And the pipe by which this job reads what dpkg says is inherited by the programs that build the policy.
# shellcheck disable=SC2034
others='comm="(systemd-udevd|systemd-tmpfile|useradd|usermod|userdel)"|\{ (nnp|nosuid)_transition \}|comm="(load_policy|setfiles)".* tclass=fifo_file'
# What SELinux has forbidden since the machine started, in a line each; $1 is what is known not to be sallyport's.
denials() {
    journalctl -b _TRANSPORT=audit + _TRANSPORT=kernel -o cat --no-pager | grep 'avc:  denied' | grep -vE "$1" |
        sed -E 's/.*denied +(\{[^}]*\}).* comm=("[^"]*").* scontext=[^:]*:[^:]*:([^: ]*).* tcontext=[^:]*:[^:]*:([^: ]*).*tclass=([a-z_]*).*/\2 (\3) \1 \4 \5/' |
        sort | uniq -c | head -20
}
elsewhere() { [ "$(readlink "/proc/$outside/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
# A second host behind a wire, for sources that are not the loopback's.
make_outside() {
    unshare -n sleep infinity &
    outside=$!
    wait_for 60 elsewhere
    ip link set lo up
    ip link add host0 type veth peer name outside0
    ip link set outside0 netns "$outside"
    ip addr add 192.0.2.1/24 dev host0
    ip link set host0 up
    nsenter -t "$outside" -n sh -c 'ip addr add 192.0.2.2/24 dev outside0; ip addr add 192.0.2.3/24 dev outside0; ip link set outside0 up'
}
from() { # ADDRESS: does the port answer to it?
    nsenter -t "$outside" -n python3 -c 'import socket, sys; socket.create_connection(("192.0.2.1", 22), 20, (sys.argv[1], 0))' "$1" 2>&1 | grep -o 'timed out' ||
        nsenter -t "$outside" -n timeout 900 ssh -n "${client[@]}" -b "$1" root@192.0.2.1 echo in 2>&1 | tail -1
}

# shellcheck source=/dev/null
. "/opt/$(cat /var/lib/vm-boot 2>/dev/null || echo first).sh"
echo END
sync
sleep 1
systemctl poweroff --force --force
