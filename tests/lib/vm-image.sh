#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# vm-image.sh DIRECTORY: a Debian with systemd and SELinux's policy, labelled, as DIRECTORY/image; its kernel and an initrd beside
# it. What tests/vm boots. Nothing of it is installed on this machine; debootstrap's mounts stay in a namespace of their own.
set -euo pipefail

work=$1
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
mirror=${SALLYPORT_MIRROR:-http://deb.debian.org/debian}
security=${SALLYPORT_MIRROR_SECURITY:-http://deb.debian.org/debian-security}
root=$work/root

# The machine, what the package depends on (there is no network to fetch it from), and what the checks ask with.
packages='systemd-sysv dbus dbus-user-session libpam-systemd kmod udev
openssh-server openssh-client sudo nftables cron
selinux-policy-default policycoreutils selinux-utils
adduser libacl1 libcap2-bin libcjson1 libcrypt1 libeconf0 libmd0 libmnl0 libnftnl11 libpam0g libsmartcols1
busybox-static git iproute2 procps python3'

if [ "${2:-}" != inside ]; then
    exec unshare -m -p -f --propagation private -- "$0" "$work" inside
fi
rm -rf "$root" "$work/image" "$work/image.new"
mkdir -p "$root"
debootstrap --variant=minbase --include="$(tr ' \n' ',,' <<<"$packages" | sed 's/,$//')" bookworm "$root" "$mirror" >"$work/debootstrap.log" 2>&1 || {
    tail -5 "$work/debootstrap.log" >&2
    exit 1
}

# Unpacked, not installed: an initrd of its own would cost half a minute, and it wants no boot loader.
get_kernel() {
    printf 'deb %s bookworm main\ndeb %s bookworm-security main\n' "$mirror" "$security" >"$root/etc/apt/sources.list"
    chroot "$root" apt-get update -qq
    # shellcheck disable=SC2016
    chroot "$root" sh -ec 'cd /tmp; apt-get download -qq "$(apt-cache depends linux-image-cloud-amd64 |
        sed -n "s/^ *Depends: \(linux-image-[0-9].*\)/\1/p")"'
    mkdir "$work/kernel"
    dpkg-deb -x "$root"/tmp/linux-image-*.deb "$work/kernel"
    mv "$work/kernel/lib/modules" "$root/usr/lib/"
    mv "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
    rm -rf "$work/kernel" "$root"/tmp/*.deb "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
    chroot "$root" depmod "$(ls "$root/usr/lib/modules")"
}
get_kernel

# The first program of the machine finds the disk, and hands over to systemd.
make_initrd() {
    local top=$work/initrd name
    rm -rf "$top"
    mkdir -p "$top"/{bin,dev,proc,m,new}
    cp "$root/bin/busybox" "$top/bin/"
    for name in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk crc16 crc32c_generic libcrc32c mbcache jbd2 ext4; do
        find "$root/usr/lib/modules" -name "$name.ko" -exec cp {} "$top/m/" \;
    done
    install -m 755 "$here/vm-init.sh" "$top/init"
    (cd "$top" && find . | "$root/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd.gz"
}
make_initrd

# SELinux says no to what it forbids from the first program on.
settle() {
    local unit
    sed -i 's/^SELINUX=.*/SELINUX=enforcing/' "$root/etc/selinux/config"
    echo vm >"$root/etc/hostname"
    echo '127.0.0.1 localhost vm' >"$root/etc/hosts"
    # A slow machine's sshd waits longer than two minutes for a login.
    echo 'LoginGraceTime 900' >"$root/etc/ssh/sshd_config.d/vm.conf"
    # Whoever has sshd listen elsewhere tells the policy: semanage port -a -t ssh_port_t -p tcp 2222.
    echo '(portcon tcp 2222 (system_u object_r ssh_port_t ((s0) (s0))))' >"$root/root/port.cil"
    chroot "$root" semodule -n -i /root/port.cil
    printf '/dev/vda / ext4 noatime 0 1\n/dev/vdb /opt ext4 ro 0 0\n' >"$root/etc/fstab"
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer getty.target \
        serial-getty@ttyS0.service systemd-networkd.service systemd-timesyncd.service systemd-random-seed.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    cat >"$root/etc/systemd/system/job.service" <<'UNIT'
[Unit]
Description=what tests/vm asks
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /opt/job
TimeoutStartSec=infinity
[Install]
WantedBy=default.target
UNIT
    mkdir -p "$root/etc/systemd/system/default.target.wants"
    ln -s ../job.service "$root/etc/systemd/system/default.target.wants/job.service"
    rm -f "$root"/etc/ssh/ssh_host_* "$root/usr/sbin/policy-rc.d"
    chroot "$root" ssh-keygen -qA
}
settle

# By the policy's own program; a kernel without SELinux stores the labels all the same.
mount -t proc proc "$root/proc"
chroot "$root" setfiles -F /etc/selinux/default/contexts/files/file_contexts /
umount "$root/proc"
truncate -s 3G "$work/image.new"
mkfs.ext4 -q -E lazy_itable_init=1 -d "$root" "$work/image.new"
rm -rf "$root"
mv "$work/image.new" "$work/image"
