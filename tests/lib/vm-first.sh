# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# The first boot: installed, the main job under SELinux, the units. Sourced by vm-job.sh.
said "SELinux enforces Debian's policy" "$(getenforce) $(cat /sys/fs/selinux/enforce)" "Enforcing 1"
said "the package is installed" "$(dpkg -i /opt/sallyport.deb 2>&1 | cat >/run/dpkg.log; dpkg-query -W -f '${Status}' sallyport)" 'install ok installed'
said "its labels are in the policy" "$(semodule -l | grep -x sallyport) $(matchpathcon -n /var/www/vhosts/one/.ssh | cut -d: -f3)" 'sallyport ssh_home_t'
said "they are not built into it once more" "$(touch /run/mark; /usr/libexec/sallyport/selinux-labels add 2>&1; find /etc/selinux/default/policy -newer /run/mark -name 'policy.*')" ''
said "the units are there" "$(systemctl is-active sallyport.socket sallyport-reconcile.timer sallyport-refresh.timer | tr '\n' ' ')" 'active active active '

# Accounts as panels make them: homes that are document roots, and one below /home.
mkdir -p /var/www/vhosts
for name in one two; do
    useradd -U -M -d "/var/www/vhosts/$name" -s /bin/false "$name"
    install -d -o "$name" -g "$name" -m 750 "/var/www/vhosts/$name"
    install -m 755 /opt/attack "/var/www/vhosts/$name/attack"
done
useradd -U -m -s /bin/false three
restorecon -R /var/www
install -d -m 700 /root/.ssh
cp /opt/key.pub /root/.ssh/authorized_keys
restorecon -R /root/.ssh
useradd -r -U -M -d /nonexistent -s /usr/sbin/nologin panel
usermod -a -G sallyport-panel panel
cp /usr/share/doc/sallyport/examples/sudoers /etc/sudoers.d/sallyport
restorecon /etc/sudoers.d/sallyport
key="\"authorized_keys\":[{\"key\":\"$(cat /opt/key.pub)\"}]"

said "an admin logs in unconfined" "$(admin 'cat /proc/self/attr/current' | tr -d '\0')" 'unconfined_u:unconfined_r:unconfined_t.*'
call domain.apply "$(params one "\"shell\":\"chroot\",\"jail\":{\"profiles\":[\"base\"]},\"limits\":{\"processes\":60,\"memory_mib\":96},$key")" >/run/request
said "an admin's request makes a jail" "$(timeout 900 ssh "${client[@]}" root@127.0.0.1 "$helper" </run/request 2>&1 | grep -o '"changed":true\|"error".*')" '"changed":true'
call domain.apply "$(params two "\"shell\":\"bash\",$key")" >/run/request
chmod 644 /run/request
said "a panel's by sudo makes a plain shell" "$(setpriv --reuid=panel --regid=panel --init-groups sudo -n "$helper" </run/request 2>&1 | grep -o '"changed":true\|"error".*')" '"changed":true'
said "a panel's by the socket, too" "$(by_socket panel domain.apply "$(params three "\"shell\":\"bash\",$key")" | grep -o '"changed": true\|^[A-Za-z]*Error: .*')" '"changed": true'
said "others do not get in" "$(by_socket one domain.list '{}' | grep -o PermissionError)" PermissionError

said "a login with the key is in the jail" "$(login one 'test -e /boot || echo jailed')" jailed
said "in the user's own domain" "$(login one 'cat /proc/self/attr/current' | tr -d '\0')" 'unconfined_u:unconfined_r:unconfined_t.*'
said "so is one with a plain shell" "$(login two 'test -e /boot && id -Z') $(login three 'echo in')" 'unconfined_u:unconfined_r:unconfined_t\S* in'
said "sftp is in the jail" "$(echo 'ls -1 /' | timeout 900 sftp -q -b - "${client[@]}" one@127.0.0.1 2>&1 | grep -cx '/usr\|/boot')" 1
login one 'readlink /proc/self/ns/pid; exec sleep 900' >/run/first.ns &
first=$!
wait_for 300 test -s /run/first.ns
said "a second login joins the first one's" "$(login one 'readlink /proc/self/ns/pid' | grep -cxF "$(head -1 /run/first.ns)")" 1
pkill -u one sleep
wait "$first"
said "a password is set by PAM in the sandbox" "$(by_socket panel password.set '{"domain":"two.example","password":"Sandboxed-Word-49"}' |
    grep -o '"domain": "two.example"')" '"domain": "two.example"'
said "a jail is built and proved in the sandbox" "$(by_socket panel domain.apply "$(params three '"shell":"chroot","jail":{"profiles":["git"]}')" |
    grep -o 'built and proved\|^[A-Za-z]*Error: .*' | head -1)" 'built and proved'
said "in the unit that is for that, which root alone can ask" "$(stat -c '%a %U %G' /run/sallyport/jail.socket)" '600 root root'
said "the doctor tries a shell from the sandbox" "$(by_socket panel login.diagnose '{"user":"three"}' | grep -o 'was started as three and ran a command')" \
    'was started as three and ran a command'
said "and is logged in to" "$(login three 'test -e /boot || git --version' | cut -d' ' -f1)" git
said "an authority is made, and its list of revoked certificates" "$(admin 'sallyport certificates ca create >/dev/null; echo $?; ls /var/lib/sallyport/ca' | tr '\n' ' ')" '0 .*revoked.*'
said "logins go on with it" "$(login two 'echo in')" in
said "no unit of a request has failed" "$(systemctl list-units --failed --no-legend 'sallyport*' | wc -l)" 0

said "the keys' labels" "$(type_of /var/www/vhosts/{one,two}/.ssh{,/authorized_keys} /home/three/.ssh{,/authorized_keys})" 'ssh_home_t '
said "the labels of passwd and group" "$(type_of /etc/passwd /etc/group /etc/passwd- /etc/group-)" "$(matchpathcon -n /etc/passwd | cut -d: -f3) "
said "the labels of shadow and gshadow" "$(type_of /etc/shadow /etc/gshadow /etc/shadow- /etc/gshadow-)" 'shadow_t '
said "the labels of the store, the entry record and a generation" "$(type_of /var/lib/sallyport/{,state,ca,entry/*,gen/*,gen/*/usr/bin/bash})" 'var_lib_t '
said "the label of the shell" "$(type_of /usr/libexec/sallyport/chroot-bash)" 'bin_t '
said "restorecon finds nothing else to do" "$(restorecon -nRv /etc /home /root/.ssh /var/www /var/lib/sallyport /usr/libexec/sallyport 2>&1 | grep -v '/etc/mtab' | head -5)" ''

# shellcheck source=/dev/null
. /opt/limits.sh
# shellcheck source=/dev/null
. /opt/units.sh
# shellcheck source=/dev/null
. /opt/sessions.sh

said "SELinux has forbidden sallyport nothing" "$(denials "$others")" ''
# What the labels are for; and what is forbidden is seen by the check before this.
chcon -R -t httpd_sys_content_t /var/www/vhosts/one/.ssh
said "a key that is labelled as web content opens nothing" "$(login one 'echo in')" '.*Permission denied.*'
said "that is what SELinux has forbidden" "$(denials "$others")" '.*"sshd" \(sshd_t\) .* httpd_sys_content_t [a-z]+'
restorecon -R /var/www/vhosts/one/.ssh
said "with the label that the package gave it, it opens" "$(login one 'test -e /boot || echo jailed')" jailed
# The next boot comes up with this in force.
make_outside
said "before a restriction every source gets in" "$(from 192.0.2.2) $(from 192.0.2.3)" 'in in'
said "the port is restricted" "$(ask firewall.set '{"mode":"restricted","sources":[{"source":"192.0.2.2"}],"force":true}' | grep -o '"mode":"restricted"\|"error".*' | head -1)" '"mode":"restricted"'
said "now one" "$(from 192.0.2.2) $(from 192.0.2.3)" 'in timed out'
mkdir -p /etc/systemd/system/ssh.service.d
printf '[Service]\nExecStartPre=-/bin/sh -c "nft list table inet sallyport | cat >/run/table-before-sshd"\n' >/etc/systemd/system/ssh.service.d/look.conf
systemctl enable -q nftables
echo second >/var/lib/vm-boot
sync
sleep 1
systemctl reboot --force
sleep infinity
