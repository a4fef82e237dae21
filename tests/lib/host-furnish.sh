#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Third stage of tests/host, pid 1 of the private host: cuts the machine off, furnishes the host, runs COMMAND.
set -Eeuo pipefail
umask 022

die() {
    echo "tests/host: $*" >&2
    exit 125
}
trap 'die "could not furnish the private host ($BASH_COMMAND)"' ERR

: "${SP_FORBIDDEN:?run tests/host, not me}" "${SP_SOURCE:?}" "${SP_BUILD:?}"
source "$SP_SOURCE/tests/lib/inside.sh"
sp_require_throwaway
for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    # 255 is this script, opened inside the copy.
    [ "$fd" -le 2 ] || [ "$fd" = 255 ] || eval "exec $fd>&-"
done
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umount -l /.machine
rmdir /.machine

make_network() {
    local family
    for family in all default; do
        echo 0 >/proc/sys/net/ipv6/conf/$family/disable_ipv6
    done
    ip netns add outside
    ip -batch - <<-'END'
	link set lo up
	link add host0 type veth peer name outside0 netns outside
	addr add 192.0.2.1/24 dev host0
	addr add 2001:db8::1/64 dev host0 nodad
	link set host0 up
	END
    ip -n outside -batch - <<-'END'
	link set lo up
	addr add 192.0.2.2/24 dev outside0
	addr add 192.0.2.3/24 dev outside0
	addr add 2001:db8::2/64 dev outside0 nodad
	addr add 2001:db8::3/64 dev outside0 nodad
	link set outside0 up
	END
}

# The machine may carry a real sallyport, or what is left of one: the copy starts without.
forget_sallyport() {
    local list
    rm -rf /etc/sallyport /var/lib/sallyport /usr/share/sallyport /usr/lib/sallyport /usr/libexec/sallyport \
        /usr/bin/sallyport /usr/share/ansible/collections/ansible_collections/sallyport /etc/ssh/sshd_config.d/*sallyport*
    for list in group gshadow; do
        ! grep -q '^sallyport' "/etc/$list" || sed -i '/^sallyport/d' "/etc/$list"
    done
}

start_syslog() {
    /usr/bin/python3 -I -S "$SP_SOURCE/tests/lib/host-syslog.py" </dev/null >/dev/null &
}

syslog_answers() {
    local round
    for ((round = 0; round < 200; round++)); do
        [ ! -S /dev/log ] || return 0
        sleep 0.02
    done
    return 1
}

start_syslog
make_network
grep -q '[[:space:]]localhost' /etc/hosts 2>/dev/null || echo '127.0.0.1 localhost' >>/etc/hosts # a machine made by hand may have none
echo '127.0.1.1 sallyport-test' >>/etc/hosts # sudo complains where a host does not know its own name
mkdir -p /run/sshd /run/lock /run/user
: >/run/utmp
forget_sallyport
# meson takes a set DESTDIR for where to install.
env -u DESTDIR meson install -C "$SP_BUILD" --no-rebuild --quiet >/run/install.log 2>&1 || {
    cat /run/install.log >&2
    die "meson install failed"
}
syslog_answers

# Who called tests/host, and from where, is not the private host's business.
export SALLYPORT_THROWAWAY=1 SALLYPORT_BUILD=$SP_BUILD SALLYPORT_SOURCE=$SP_SOURCE
export HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
unset SP_FORBIDDEN SP_SOURCE SP_BUILD SP_UPPER TMPDIR OLDPWD SUDO_USER SUDO_UID SUDO_GID SUDO_COMMAND
unset SSH_CONNECTION SSH_CLIENT SSH_TTY SSH_AUTH_SOCK SSH_ORIGINAL_COMMAND XDG_RUNTIME_DIR XDG_SESSION_ID
cd "$SALLYPORT_SOURCE"
trap - ERR
set +e
# COMMAND runs as a child: a pid 1 that is not ready for it would never reap what is left behind.
"$@"
exit $?
