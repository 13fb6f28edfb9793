
# Names that only this machine knows: sessions, projects, agents. The shell reads them from the
# files by itself, so that no process is started for them.

# Prints the home, as ao finds it.
function __ao_home
    set -l words (commandline -opc)
    set -l given (string replace -rf -- '^--home=' '' $words)
    if set -l at (contains -i -- --home $words)
        set given $words[(math $at + 1)]
    end
    if test -n "$given[1]"
        string replace -r -- '^~/' "$HOME/" $given[1]
    else if test -n "$AO_HOME"
        echo $AO_HOME
    else if string match -q -- '/*' $XDG_STATE_HOME
        echo $XDG_STATE_HOME/ao
    else
        echo $HOME/.local/state/ao
    end
end

# Prints the names among the paths that ao can have made, without folder and extension.
function __ao_names
    string replace -rf -- '^.*/([a-z0-9_-]+)(\.json|\.toml)?$' '$1' $argv
end

function __ao_sessions
    set -l home (__ao_home)
    set -l found $home/sessions/*
    __ao_names $found
end

function __ao_every_session
    set -l home (__ao_home)
    set -l found $home/sessions/* $home/archive/*
    __ao_names $found
end

function __ao_projects
    set -l home (__ao_home)
    set -l found $home/projects/*.json
    __ao_names $found
end

function __ao_agents
    set -l config $HOME/.config
    string match -q -- '/*' $XDG_CONFIG_HOME; and set config $XDG_CONFIG_HOME
    set -l found $config/ao/agents/*.toml
    string split ' ' '@AGENTS@'
    __ao_names $found
end

# Prints the statuses; after a comma, one more of them.
function __ao_statuses
    set -l before (string match -r -- '^.*,' (commandline -ct) | string replace -r -- '^--[a-z]*=' '')
    for status_word in @STATUSES@
        echo "$before$status_word"
    end
end

# Says whether the next word is a name of this kind.
function __ao_wants
    set -l words (commandline -opc)
    set -l command ao
    set -l number 0
    set -l skip 0
    for word in $words[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch "$command $word"
            case @COMMANDS@
                if test $number = 0
                    set command "$command $word"
                else
                    set number (math $number + 1)
                end
            case '* --*=*'
            case @VALUED@
                set skip 1
            case '* -*'
            case '*'
                set number (math $number + 1)
        end
    end
    set -l kind
    switch "$command $number"
@SLOTS@
    end
    test "$kind" = $argv[1]
end

complete -c ao -n '__ao_wants sessions' -f -a '(__ao_sessions)'
complete -c ao -n '__ao_wants every-session' -f -a '(__ao_every_session)'
complete -c ao -n '__ao_wants projects' -f -a '(__ao_projects)'
complete -c ao -n '__ao_wants agents' -f -a '(__ao_agents)'
complete -c ao -n '__ao_wants statuses' -f -a '(__ao_statuses)'
