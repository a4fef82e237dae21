# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by whatever changes a machine: goes on only inside tests/host. tests/lib/inside.py is the same in Python.
# The environment alone proves nothing, so the root file system and the namespaces are asked.
sp_require_throwaway() {
    local why='' forbidden='' name
    local marker=/run/sallyport-throwaway
    awk '$5 == "/" { last = $0 } END { exit last !~ / - overlay sallyport-throwaway / }' /proc/self/mountinfo ||
        why="/ is not the throwaway overlay"
    [ "$(stat -c '%u %F' "$marker" 2>/dev/null)" = '0 regular file' ] || why="${why:-$marker is missing}"
    [ -n "$why" ] || forbidden=$(<"$marker")
    [[ -n "$why" || "$forbidden" == *mnt:*net:*pid:* ]] || why="$marker is empty"
    for name in mnt net pid; do
        [[ " $forbidden " != *" $(readlink "/proc/self/ns/$name") "* ]] || why="${why:-not in a $name namespace of its own}"
    done
    [ -z "$why" ] || {
        echo "this changes the machine it runs on and runs only inside tests/host: $why" >&2
        exit 125
    }
}
