# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion of sallyport(8). What it offers it asks the program: it cannot grow old.

_sallyport() {
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]:-} before=${COMP_WORDS[COMP_CWORD - 1]}
    local verbs help
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$verb" = help ]; }; then
        verbs=$(sallyport --help | sed -n '/^ /s/^.\{31\}//p')
        mapfile -t COMPREPLY < <(compgen -W "$verbs help --help --version" -- "$word")
        return
    fi
    case $before in
    --user) mapfile -t COMPREPLY < <(compgen -u -- "$word") && return ;;
    --document-root) mapfile -t COMPREPLY < <(compgen -d -- "$word") && return ;;
    --from) [ "$verb" != adopt ] || { mapfile -t COMPREPLY < <(compgen -W "$(cd /usr/share/sallyport/panels && ls /etc/sallyport/panels.d . |
        sed -n 's/\.conf$//p')" -- "$word") && return; } ;;
    --key) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --profiles) mapfile -t COMPREPLY < <(compgen -W "$(sallyport jail profiles 2>/dev/null | sed -n 's/^\([a-z][^ :]*\).*/\1/p')" -- "$word") && return ;;
    esac
    help=$(sallyport "$verb" --help 2>/dev/null)
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^  \(--[a-z-]*\).*/\1/p' <<<"$help") --help" -- "$word")
        return
    fi
    case $verb in
    plan | apply) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    esac
    # Words that the usage spells out, and the domains there are (root alone can see them).
    mapfile -t COMPREPLY < <(compgen -W "$(
        sed -n '/^usage:/,/^$/s/^......* sallyport [a-z-]* *//p' <<<"$help" | grep -oE '\b[a-z]{2,}\b'
        sallyport list 2>/dev/null | awk 'NR > 1 { print $1 }'
    )" -- "$word")
}
complete -F _sallyport sallyport
