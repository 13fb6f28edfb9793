
# Names that only this machine knows: sessions, projects, agents. The shell reads them from the
# files by itself, so that no process is started for them.

# Puts the home into REPLY, as ao finds it.
_ao_home() {
    local i
    REPLY=
    for ((i = 1; i < ${#COMP_WORDS[@]}; i++)); do
        if [[ ${COMP_WORDS[i]} == --home=* ]]; then
            REPLY=${COMP_WORDS[i]#--home=}
        elif [[ ${COMP_WORDS[i]} == --home ]]; then
            REPLY=${COMP_WORDS[i + 1]-}
            [[ $REPLY == = ]] && REPLY=${COMP_WORDS[i + 2]-}
        fi
    done
    # As it was typed: quotes, and a tilde that the shell has not yet resolved.
    REPLY=${REPLY//[\"\'\\]/}
    [[ $REPLY == "~"/* ]] && REPLY=${HOME-}${REPLY#"~"}
    if [[ -n $REPLY ]]; then
        return
    elif [[ -n ${AO_HOME-} ]]; then
        REPLY=$AO_HOME
    elif [[ ${XDG_STATE_HOME-} == /* ]]; then
        REPLY=$XDG_STATE_HOME/ao
    else
        REPLY=${HOME-}/.local/state/ao
    fi
}

# Adds the names in directory $1 that end in $2 and begin with the word.
_ao_files() {
    local path name
    for path in "$1"/"$cur"*"$2"; do
        name=${path##*/}
        name=${name%"$2"}
        # What else may be there was not made by ao; nothing found leaves the star itself.
        [[ -e $path && $name != *[!a-z0-9_-]* ]] && COMPREPLY+=("$before$name")
    done
}

# Adds those of the words that begin with the word.
_ao_these() {
    local name
    for name; do
        [[ $name == "$cur"* ]] && COMPREPLY+=("$before$name")
    done
}

# Adds everything of one kind.
_ao_add() {
    local REPLY before=
    case $1 in
        sessions | every-session)
            _ao_home
            _ao_files "$REPLY/sessions" ''
            [[ $1 == sessions ]] || _ao_files "$REPLY/archive" ''
            ;;
        projects)
            _ao_home
            _ao_files "$REPLY/projects" .json
            ;;
        agents)
            _ao_these @AGENTS@
            REPLY=${HOME-}/.config
            [[ ${XDG_CONFIG_HOME-} == /* ]] && REPLY=$XDG_CONFIG_HOME
            _ao_files "$REPLY/ao/agents" .toml
            ;;
        statuses)
            # Several, with commas between them.
            if [[ $cur == *,* ]]; then
                before=${cur%,*},
                cur=${cur##*,}
            fi
            _ao_these @STATUSES@
            ;;
    esac
}

# Completes such a name where one belongs, and leaves everything else to _ao.
_ao_names() {
    local cur=${COMP_WORDS[COMP_CWORD]} command=ao option= number=0 i word kind=
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $option ]]; then
            [[ $word == = ]] || option=
            continue
        fi
        case "$command $word" in
            @COMMANDS@)
                if ((number == 0)); then command+=" $word"; else ((number++)); fi
                ;;
            @VALUED@) option=$word ;;
            *" -"*) ;;
            *) ((number++)) ;;
        esac
    done
    [[ $cur == = ]] && cur=
    if [[ -z $option && $cur == --*=* ]]; then
        option=${cur%%=*}
        cur=${cur#*=}
    fi
    if [[ -n $option || $cur != -* ]]; then
        case "$command ${option:-$number}" in
@SLOTS@
        esac
    fi
    if [[ -z $kind ]]; then
        _ao "$@"
        return
    fi
    COMPREPLY=()
    _ao_add "$kind"
    # No file is meant where a name is.
    compopt +o default +o bashdefault 2>/dev/null
    return 0
}

if [[ ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4 || ${BASH_VERSINFO[0]} -gt 4 ]]; then
    complete -F _ao_names -o nosort -o bashdefault -o default ao
else
    complete -F _ao_names -o bashdefault -o default ao
fi
