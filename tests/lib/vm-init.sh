#!/bin/busybox sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=dash
# The first program of the machine that tests/vm boots: finds its disk.
/bin/busybox --install -s /bin
mount -t proc p /proc
mount -t devtmpfs d /dev
# In no order: each pass finds more of what it needs.
for _ in 1 2 3 4; do
    for module in /m/*.ko; do
        insmod "$module" 2>/dev/null
    done
done
mount -t ext4 /dev/vda /new || exec sh
mount --move /dev /new/dev
umount /proc
exec switch_root /new /lib/systemd/systemd
