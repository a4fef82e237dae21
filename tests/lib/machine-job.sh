#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs inside the machine of tests/machine, under systemd: limits of accounts, by the kernel's own word; ssh.socket.
exec >/dev/ttyS1 2>&1
here=$(dirname "$0")
# shellcheck source=/dev/null
. "$here/where"

# said NAME TEXT PATTERN: the text must match the whole pattern.
said() {
    if [[ $2 =~ ^($3)$ ]]; then
        echo "ok $1"
    else
        printf 'FAILED %s\n   wanted %s\n   got %q\n' "$1" "$3" "$2"
    fi
}

meson install -C "$SALLYPORT_BUILD" --no-rebuild >/dev/null 2>&1 || echo "FAILED the installation"
ip link set lo up
ssh-keygen -A >/dev/null
mkdir -p /run/sshd /var/www/vhosts
rm -f /usr/sbin/policy-rc.d
systemctl start systemd-logind ssh
for name in one two; do
    useradd -U -m -K MAIL_DIR=/dev/null -d "/var/www/vhosts/$name" -s /bin/false "$name"
    chmod 750 "/var/www/vhosts/$name"
    install -m 755 "$here/attack" "/var/www/vhosts/$name/attack"
done
ssh-keygen -q -t ed25519 -N '' -f /run/key
uid=$(id -u one)
slice=/sys/fs/cgroup/user.slice/user-$uid.slice

request() { # USER, then what the request says beside
    printf '{"jsonrpc":"2.0","id":1,"method":"domain.apply","params":{"domain":"%s.example","user":"%s","document_root":"/var/www/vhosts/%s",%s}}' \
        "$1" "$1" "$1" "$2" | /usr/libexec/sallyport/sallyport-helper
}
login() {
    local user=$1
    shift
    ssh -n -p "${port:-22}" -i /run/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$user@127.0.0.1" "$@" 2>&1
}
word() { sed -n "s/^$1 //p" <<<"$2"; }

said "the host has slices" "$(echo '{"jsonrpc":"2.0","id":1,"method":"system.info"}' | /usr/libexec/sallyport/sallyport-helper |
    grep -o '"limits":{[^}]*}')" '"limits":\{"slices":true.*'
key="\"authorized_keys\":[{\"key\":\"$(cat /run/key.pub)\"}]"
answer=$(request one "\"shell\":\"chroot\",\"jail\":{\"profiles\":[\"base\"]},\"limits\":{\"processes\":60,\"memory_mib\":96},$key")
said "an account with limits is made, without a warning of them" "$(grep -c 'not limited' <<<"$answer") $(grep -o '"to":"60 processes, 96 MiB"' <<<"$answer")" \
    '0 "to":"60 processes, 96 MiB"'
request two "\"shell\":\"chroot\",\"jail\":{\"profiles\":[\"base\"]},$key" >/dev/null

forks=$(login one './attack forks 300')
said "a fork bomb in a jail is held by the slice" "$(word ended "$forks") $(($(word forks "$forks") < 60))" 'EAGAIN 1'
said "memory is held: the hog is killed, the login stays" "$(login one 'exec 2>/dev/null; ./attack hog 400 >/dev/null; echo "$?"; echo stays' | tr '\n' ' ')" '137 stays '
said "/tmp is full before the memory is, and the login stays" \
    "$(login one 'head -c 200M /dev/zero >/tmp/x; echo "$?"; rm -f /tmp/x; echo stays' | tr '\n' ' ')" '.*No space left on device 1 stays '

login one 'sleep 60' &
for _ in {1..300}; do
    [ ! -e "$slice/pids.max" ] || break
    sleep 0.1
done
said "the kernel holds these numbers" "$(cat "$slice"/{pids.max,memory.max,memory.swap.max} | tr '\n' ' ')" "60 $((96 << 20)) 0 "
request one '"limits":{"processes":80}' >/dev/null
said "a new limit counts for living sessions" "$(cat "$slice/pids.max")" 80
outside=$(setpriv --reuid="$uid" --regid="$uid" --clear-groups /var/www/vhosts/one/attack forks 300)
said "the site's own processes are not counted" "$(word forks "$outside")" 300
said "another account has its own" "$(login two 'true; echo in')" in
pkill -u one sleep
wait

# The socket, and the helper in the sandbox of its unit, as systemd makes it.
getent group sallyport-panel >/dev/null || groupadd --system sallyport-panel
useradd -r -U -M -d /nonexistent -s /usr/sbin/nologin -G sallyport-panel panel
systemctl daemon-reload
systemctl start sallyport.socket
said "the socket is root's and the panels'" "$(stat -c '%a %U %G' /run/sallyport/panel.socket)" '660 root sallyport-panel'
by_socket() { # USER, METHOD, PARAMS
    setpriv --reuid="$1" --regid="$1" --init-groups /usr/bin/python3 -I /usr/share/doc/sallyport/examples/panel-socket.py "$2" "$3" 2>&1
}
said "a member of the group asks by it" "$(by_socket panel domain.list '{}' | grep -o '"domains"')" '"domains"'
said "others do not get in" "$(by_socket one domain.list '{}' | grep -o PermissionError)" PermissionError
change() {
    by_socket panel domain.apply "{\"domain\":\"two.example\",\"user\":\"two\",\"document_root\":\"/var/www/vhosts/two\",$1}"
}
said "the shell, the key and the limits of an account change in the sandbox" \
    "$(change "\"shell\":\"bash\",\"limits\":{\"processes\":70},$key" | grep -o '"resource": "[a-z_]*"' | sort -u | cut -d'"' -f4 | tr '\n' ' ')" \
    '.*(limits|slice).*shell .*'
said "a jail is built and proved in the sandbox" "$(change '"shell":"chroot","jail":{"profiles":["git"]}' | grep -o 'built and proved' | head -1)" 'built and proved'
said "in the unit that is for that, which root alone can ask" "$(stat -c '%a %U %G' /run/sallyport/jail.socket)" '600 root root'
said "and is logged in to" "$(login two 'git --version' | cut -d' ' -f1)" git
said "the doctor tries a shell from the sandbox" "$(by_socket panel login.diagnose '{"user":"two"}' | grep -o 'was started as two and ran a command')" \
    'was started as two and ran a command'
said "a password is set by PAM in the sandbox" "$(by_socket panel password.set '{"domain":"two.example","password":"Sandboxed-Word-49"}' |
    grep -o '"domain": "two.example"')" '"domain": "two.example"'
said "no unit of a request has failed" "$(systemctl list-units --failed --no-legend 'sallyport@*' 'sallyport-jail@*' | wc -l)" 0

request one '"shell":"bash"' >/dev/null
forks=$(login one './attack forks 300')
said "plain bash is held, too" "$(word ended "$forks") $(($(word forks "$forks") < 80))" 'EAGAIN 1'
echo '{"jsonrpc":"2.0","id":1,"method":"domain.remove","params":{"domain":"one.example"}}' | /usr/libexec/sallyport/sallyport-helper >/dev/null
said "the limits go with the account" "$(find /etc/systemd/system -name "user-$uid.slice*")" ''
# Process 1 listens on 2222, sshd_config speaks of 22: firewall.md, test 18.
systemctl stop ssh
mkdir -p /etc/systemd/system/ssh.socket.d
printf '[Socket]\nListenStream=\nListenStream=2222\n' >/etc/systemd/system/ssh.socket.d/port.conf
systemctl daemon-reload
systemctl start ssh.socket
said "process 1 alone listens, on 2222" "$(ss -Hltnp | grep -c '"systemd",pid=1,') $(pgrep -xc sshd)" '1 0'
helper() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' "$1" "$2" | /usr/libexec/sallyport/sallyport-helper; }
disagreement='sshd is configured for port 22, but port 2222 is what listens'
said "doctor finds the port that process 1 holds, and says that sshd_config names another" \
    "$(sallyport doctor two.example 2>&1 | grep -o "port 2222; $disagreement")" "port 2222; $disagreement"
said "the firewall guards both ports, and says so" \
    "$(helper firewall.set '{"mode":"open"}' | grep -o '"ports":\[[^]]*\]\|'"$disagreement: all of them are guarded" | tr '\n' ' ')" \
    '.*"ports":\[22,2222\].*'
said "it restricts nobody while sshd_config and the socket disagree" \
    "$(helper firewall.set '{"mode":"restricted","sources":[{"source":"192.0.2.7"}],"force":true}' | grep -o "$disagreement")" "$disagreement"
helper firewall.set '{"mode":"unmanaged"}' >/dev/null
# shellcheck disable=SC2034 # login() reads it
port=2222
said "the main job works over ssh.socket" \
    "$(request two '"shell":"chroot","forwarding":"none"' | grep -o '"error".*') $(login two 'test -e /boot || echo jailed')" ' jailed'
request two '"shell":"none"' >/dev/null
said "and takes away without a reload" "$(login two 'echo in' | grep -c '^in$')" 0
echo END
sync
systemctl poweroff --force --force
