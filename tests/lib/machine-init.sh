#!/bin/busybox sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=dash
# The first program of the machine that tests/machine makes. The host's files are read, never written.
/bin/busybox --install -s /bin
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev
# In no order: each pass finds more of what it needs.
for _ in 1 2 3 4; do
    for module in /m/*.ko; do
        insmod "$module" 2>/dev/null
    done
done
mount -t virtiofs -o ro root /lower || exec sh
mount -t tmpfs -o size=1500m t /upper
mkdir /upper/u /upper/w
mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w o /new || exec sh
job=$(sed 's/.*sp_job=\([^ ]*\).*/\1/' /proc/cmdline)
umount /proc /sys

# Nothing of the host's is started but what a login wants.
: >/new/etc/fstab
rm -f /new/etc/systemd/system/*.wants/* /new/run/nologin
echo 0123456789abcdef0123456789abcdef >/new/etc/machine-id
for unit in systemd-networkd.service systemd-update-utmp.service systemd-tmpfiles-clean.timer systemd-tmpfiles-setup.service \
    getty.target serial-getty@ttyS0.service console-getty.service; do
    ln -sf /dev/null "/new/etc/systemd/system/$unit"
done
cat >/new/etc/systemd/system/job.service <<UNIT
[Unit]
After=dbus.service systemd-logind.service
[Service]
Type=oneshot
ExecStart=$job
UNIT
mkdir -p /new/etc/systemd/system/multi-user.target.wants
ln -s ../job.service /new/etc/systemd/system/multi-user.target.wants/job.service
mount --move /dev /new/dev
exec switch_root /new /usr/lib/systemd/systemd
