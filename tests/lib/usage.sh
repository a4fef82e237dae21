# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by the commands of tests/ with their arguments, before they do anything: -h and --help print what stands at the
# head of the command, since some of them run for hours. `usage WHAT` says what is wrong with the arguments, and ends with 2.
usage_of=$(realpath -- "$0")
usage_text() {
    sed -n '3,${/^#/!q;s/^# \{0,1\}//p}' "$usage_of"
}
usage() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    usage_text >&2
    exit 2
}
usage_number() {
    case $2 in
        '' | 0* | *[!0-9]*) usage "$1 is a number from 1 on, not '$2'" ;;
    esac
}
case ${1:-} in
    -h | --help)
        usage_text
        exit 0
        ;;
esac
