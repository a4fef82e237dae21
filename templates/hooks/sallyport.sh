# SPDX-License-Identifier: GPL-3.0-or-later
# sallyport from a panel in sh: sallyport METHOD PARAMS prints the answer, one line of JSON, and returns the helper's exit
# status; what was refused is told on stderr, with its field and its mend. See sallyport-helper(8).
#   . /usr/share/sallyport/hooks/sallyport.sh
#   sallyport domain.get '{"domain": "example.com"}' || echo "reason $?"

sallyport() {
    sallyport_status=0
    sallyport_answer=$(printf '{"jsonrpc":"2.0","id":"1","method":"%s","params":%s}' "$1" "$2" |
        sudo -n /usr/libexec/sallyport/sallyport-helper) || sallyport_status=$?
    if [ "$sallyport_status" -eq 0 ]; then
        printf '%s\n' "$sallyport_answer"
        return 0
    fi
    # The text of a member, without jq: no unescaped quote stands in it.
    for sallyport_name in field message hint; do
        printf '%s\n' "$sallyport_answer" |
            sed -n 's/.*"'"$sallyport_name"'":"\(\([^"\\]\|\\.\)*\)".*/sallyport: '"$sallyport_name"': \1/p' >&2
    done
    return "$sallyport_status"
}
