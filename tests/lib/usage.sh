# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by the commands of tests/ with their arguments, before they do anything: -h and --help print what stands at the
# head of the command, since some of them run for hours.
case ${1:-} in
    -h | --help)
        sed -n '3,${/^#/!q;s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
esac
