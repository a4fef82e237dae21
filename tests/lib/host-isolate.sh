#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Second stage of tests/host, first process of the new namespaces: builds the private root and moves into it.
set -Eeuo pipefail
umask 022

die() {
    echo "tests/host: $*" >&2
    exit 125
}
trap 'die "could not make a private copy of this machine ($BASH_COMMAND)"' ERR

# Nothing is mounted before this has passed.
: "${SP_FORBIDDEN:?run tests/host, not me}" "${SP_SOURCE:?}" "${SP_BUILD:?}" "${SP_UPPER:?}"
for name in mnt net pid ipc uts; do
    mine=$(readlink "/proc/self/ns/$name")
    [[ " $SP_FORBIDDEN " != *" $mine "* ]] || die "still in the machine's own $name namespace"
done
[ $$ = 1 ] || die "not the first process of a process namespace"
mount --make-rprivate /

# Everything private hangs below /mnt, whose own content the overlay shows again.
make_upper() {
    mount -t tmpfs -o mode=755 sallyport /mnt
    mkdir /mnt/root /mnt/upper
    if [ "$SP_UPPER" = ext4 ]; then
        truncate -s 8G /mnt/ext4.img
        mke2fs -q -t ext4 -i 8192 -E lazy_itable_init=1,lazy_journal_init=1 /mnt/ext4.img
        mount -o loop /mnt/ext4.img /mnt/upper
    fi
}

# overlay WHAT WHERE: the directory WHAT, writable without touching it.
overlays=0
overlay() {
    local layer=/mnt/upper/$((overlays += 1))
    mkdir -p -- "$layer/upper" "$layer/work" "$2"
    chmod --reference="$1" "$layer/upper"
    chown --reference="$1" "$layer/upper"
    # Read from within, since a path may hold a colon or a comma.
    (cd -- "$1" && mount -t overlay -o "lowerdir=.,upperdir=$layer/upper,workdir=$layer/work,redirect_dir=on" \
        sallyport-throwaway "$2")
}

# An overlay does not look into mounts below its lower directory. Containers mount single files into /etc: copied.
take_along_mounts() {
    local where
    while read -r where; do
        printf -v where '%b' "$where"
        if [ -f "$where" ]; then
            cp --preserve=mode -- "$where" "/mnt/root$where"
        elif [ -d "$where" ]; then
            overlay "$where" "/mnt/root$where"
        fi
    done < <(awk '$5 ~ "^/(etc|home|opt|root|srv|usr|var)/?" { print $5 }' /proc/self/mountinfo | sort -u)
}

# A benchmark of many looks at files wants them as a server has them: an overlay makes each half as long again.
show_usr() {
    mkdir /mnt/root/run/machine-usr
    mount --bind /usr /mnt/root/run/machine-usr
    mount -o remount,bind,ro,nosuid,nodev /mnt/root/run/machine-usr
}

# The source tree may lie where a fresh /tmp hides it, or on a mount of its own.
take_along_tree() {
    cmp -s -- "$1/${2:-.}" "/mnt/root$1/${2:-.}" || overlay "$1" "/mnt/root$1"
}

make_dev() {
    local dev=/mnt/root/dev node
    mount -t tmpfs -o mode=755,nosuid dev "$dev"
    for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0'; do
        set -- $node
        mknod -m 666 "$dev/$1" c "$2" "$3"
    done
    mkdir "$dev/pts" "$dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5,nosuid,noexec devpts "$dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev shm "$dev/shm"
    ln -s pts/ptmx "$dev/ptmx"
    ln -s /proc/self/fd "$dev/fd"
    ln -s fd/0 "$dev/stdin"
    ln -s fd/1 "$dev/stdout"
    ln -s fd/2 "$dev/stderr"
}

# The kernel's switches belong to the machine, but for those of the network, which are ours.
make_proc_and_sys() {
    local proc=/mnt/root/proc
    mount -t proc -o nosuid,nodev,noexec proc "$proc"
    mount --bind "$proc/sys/net" "$proc/sys/net"
    mount --bind "$proc/sys" /mnt/root/sys
    umount "$proc/sys/net"
    mount --bind "$proc/sys" "$proc/sys"
    mount -o remount,bind,ro "$proc/sys"
    mount --bind /mnt/root/sys/net "$proc/sys/net"
    umount /mnt/root/sys
    if [ -e "$proc/sysrq-trigger" ]; then
        mount --bind "$proc/sysrq-trigger" "$proc/sysrq-trigger"
        mount -o remount,bind,ro "$proc/sysrq-trigger"
    fi
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs /mnt/root/sys
}

make_upper
overlay / /mnt/root
take_along_mounts
mount -t tmpfs -o mode=755,nosuid,nodev run /mnt/root/run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp /mnt/root/tmp
[ "$SP_UPPER" != ext4 ] || show_usr
make_dev
make_proc_and_sys
take_along_tree "$SP_SOURCE" tests/lib/host-isolate.sh
take_along_tree "$SP_BUILD" build.ninja
hostname sallyport-test
printf '%s\n' "$SP_FORBIDDEN" >/mnt/root/run/sallyport-throwaway

cd /mnt/root
mkdir .machine
pivot_root . .machine
exec /usr/sbin/chroot . /bin/bash "$SP_SOURCE/tests/lib/host-furnish.sh" "$@"
