# Names that only this machine knows: sessions, projects, agents. The shell reads them from the
# files by itself, so that no process is started for them.

# Puts the home into REPLY, as ao finds it.
_ao_home() {
    # Of the whole line: the words of a subcommand do not hold what stands before it.
    local -a all
    all=(${(z)BUFFER})
    local -i at=${all[(I)--home]}
    if (( at )); then
        REPLY=${(Q)all[at + 1]}
    else
        REPLY=${(Q)${all[(r)--home=*]}#--home=}
    fi
    [[ $REPLY == '~'/* ]] && REPLY=$HOME${REPLY#'~'}
    if [[ -n $REPLY ]]; then
        return
    elif [[ -n $AO_HOME ]]; then
        REPLY=$AO_HOME
    elif [[ $XDG_STATE_HOME == /* ]]; then
        REPLY=$XDG_STATE_HOME/ao
    else
        REPLY=$HOME/.local/state/ao
    fi
}

_ao_sessions() {
    local REPLY
    local -a names
    _ao_home
    names=($REPLY/sessions/[a-z0-9]*(N:t))
    _describe -t sessions session names "$@"
}

_ao_every_session() {
    local REPLY
    local -a names
    _ao_home
    names=($REPLY/{sessions,archive}/[a-z0-9]*(N:t))
    _describe -t sessions session names "$@"
}

_ao_projects() {
    local REPLY
    local -a names
    _ao_home
    names=($REPLY/projects/[a-z0-9]*.json(N:t:r))
    _describe -t projects project names "$@"
}

_ao_agents() {
    local -a names
    names=(@AGENTS@)
    names+=(${${(M)XDG_CONFIG_HOME:#/*}:-$HOME/.config}/ao/agents/[a-z0-9]*.toml(N:t:r))
    _describe -t agents agent names "$@"
}

_ao_statuses() {
    local -a names
    names=(@STATUSES@)
    # Several, with commas between them.
    compset -P '*,'
    _describe -t statuses status names "$@"
}

