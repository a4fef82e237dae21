# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion of sallyport(8). What it offers it asks the program: it cannot grow old.

_sallyport() {
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]:-} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(sallyport --help | sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version" -- "$word")
        return
    fi
    case $before in
    --user) mapfile -t COMPREPLY < <(compgen -u -- "$word") && return ;;
    --document-root) mapfile -t COMPREPLY < <(compgen -d -- "$word") && return ;;
    --key) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --profiles) mapfile -t COMPREPLY < <(compgen -W "$(sallyport jail profiles 2>/dev/null | sed -n 's/^\([a-z][^ :]*\).*/\1/p')" -- "$word") && return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(sallyport "$verb" --help | sed -n 's/^options://p' | tr -s ' ' '\n' | grep ^--) --help" -- "$word")
        return
    fi
    # Words that the synopsis spells out, and the domains there are (root alone can see them).
    mapfile -t COMPREPLY < <(compgen -W "$(
        sallyport "$verb" --help | sed -n '1s/^usage: sallyport [a-z]* //p' | grep -oE '\b[a-z]{3,}(\|[a-z]+)+|\b[a-z]{4,}\b' | tr '|' '\n'
        sallyport list 2>/dev/null | awk 'NR > 1 { print $1 }'
    )" -- "$word")
}
complete -F _sallyport sallyport
