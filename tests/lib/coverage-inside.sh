#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/coverage runs this in a throwaway host: unit | FILE of the end-to-end tests. Its stdout is the merged profile.
#
# Each program maps its counters from a file below /run/sallyport-coverage (clang's continuous mode) before its first line
# runs: what ends by _exit, execve or SIGKILL, what drops its rights and what moves into a jail has counted all the same.
set -euo pipefail

profiles=/run/sallyport-coverage
mkdir "$profiles"
chmod 777 "$profiles"                                # not sticky: protected_regular would keep users from root's files
setfacl -d -m u::rw,g::rw,o::rw,m::rw "$profiles" # whoever makes the file, with whatever umask: everybody counts in it
exec 3>&1 >&2
status=0
if [ "$1" = unit ]; then
    meson test -C "$SALLYPORT_BUILD" --no-rebuild --num-processes 2 --suite unit --suite plan --timeout-multiplier 4 || status=$?
else
    /usr/bin/python3 -m pytest -q -p no:cacheprovider "$1" || status=$?
fi
shopt -s nullglob
found=("$profiles"/*.profraw)
if [ ${#found[@]} -gt 0 ]; then # a file may run none of our programs
    llvm-profdata merge -sparse -o /run/merged.profdata "${found[@]}"
    cat /run/merged.profdata >&3
fi
exit $status
