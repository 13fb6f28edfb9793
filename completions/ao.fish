# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ao_global_optspecs
    string join \n home= json color= lock-timeout= h/help V/version
end

function __fish_ao_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ao_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ao_using_subcommand
    set -l cmd (__fish_ao_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ao -n "__fish_ao_needs_command" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_needs_command" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_needs_command" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_needs_command" -s V -l version -d 'Print version'
complete -c ao -n "__fish_ao_needs_command" -f -a "init" -d 'Register this repository as a project and write a commented .ao/config.toml'
complete -c ao -n "__fish_ao_needs_command" -f -a "project" -d 'See and change the registry of repositories'
complete -c ao -n "__fish_ao_needs_command" -f -a "spawn" -d 'Start a session: a worktree, a branch, and an agent at work in it'
complete -c ao -n "__fish_ao_needs_command" -f -a "orchestrator" -d 'Start this repository\'s orchestrator session, or name the one that lives'
complete -c ao -n "__fish_ao_needs_command" -f -a "ls" -d 'List sessions, from the files alone'
complete -c ao -n "__fish_ao_needs_command" -f -a "status" -d 'Show what is true now: `ls`, and one look at tmux'
complete -c ao -n "__fish_ao_needs_command" -f -a "show" -d 'Show everything about one session'
complete -c ao -n "__fish_ao_needs_command" -f -a "explain" -d 'Say why a session\'s status is what it is'
complete -c ao -n "__fish_ao_needs_command" -f -a "log" -d 'Show a session\'s event log'
complete -c ao -n "__fish_ao_needs_command" -f -a "events" -d 'Show the events of all sessions, oldest first'
complete -c ao -n "__fish_ao_needs_command" -f -a "send" -d 'Send a message to an agent and prove that it arrived'
complete -c ao -n "__fish_ao_needs_command" -f -a "approve" -d 'Say yes to the dialog that an agent has opened'
complete -c ao -n "__fish_ao_needs_command" -f -a "deny" -d 'Say no to the dialog that an agent has opened'
complete -c ao -n "__fish_ao_needs_command" -f -a "report" -d 'Say how you get on; for the agent of a session'
complete -c ao -n "__fish_ao_needs_command" -f -a "review" -d 'Have work reviewed by an agent of its own'
complete -c ao -n "__fish_ao_needs_command" -f -a "interrupt" -d 'Interrupt an agent\'s turn, with the key its card names'
complete -c ao -n "__fish_ao_needs_command" -f -a "attach" -d 'Attach this terminal to an agent\'s; C-q leaves it'
complete -c ao -n "__fish_ao_needs_command" -f -a "output" -d 'Print what an agent\'s terminal shows, or what it wrote'
complete -c ao -n "__fish_ao_needs_command" -f -a "path" -d 'Print the path of a session\'s workspace'
complete -c ao -n "__fish_ao_needs_command" -f -a "exec" -d 'Run a command in a session\'s workspace, with its exit code'
complete -c ao -n "__fish_ao_needs_command" -f -a "wait" -d 'Wait until sessions are in one of the statuses'
complete -c ao -n "__fish_ao_needs_command" -f -a "merge" -d 'Merge a session\'s branch into its base'
complete -c ao -n "__fish_ao_needs_command" -f -a "kill" -d 'End sessions: their processes and panes, never their workspaces'
complete -c ao -n "__fish_ao_needs_command" -f -a "restore" -d 'Start ended sessions again, in the same workspace and branch'
complete -c ao -n "__fish_ao_needs_command" -f -a "cleanup" -d 'Remove the panes and workspaces of ended sessions, and archive them'
complete -c ao -n "__fish_ao_needs_command" -f -a "rename" -d 'Change a session\'s title; its id, branch and tmux session keep their names'
complete -c ao -n "__fish_ao_needs_command" -f -a "reap" -d 'Make one pass: finish, probe, look at pull requests, check, escalate, deliver, clean up'
complete -c ao -n "__fish_ao_needs_command" -f -a "observe" -d 'Record one fact about a session, as JSON from standard input'
complete -c ao -n "__fish_ao_needs_command" -f -a "decide" -d 'Ask what ao would do: records and facts in, decisions out, no state touched'
complete -c ao -n "__fish_ao_needs_command" -f -a "hook" -d 'Tell ao what an agent does; called by the agent\'s hooks'
complete -c ao -n "__fish_ao_needs_command" -f -a "outbox" -d 'See and steer what is still to be delivered'
complete -c ao -n "__fish_ao_needs_command" -f -a "issue" -d 'See the issues of this repository\'s tracker'
complete -c ao -n "__fish_ao_needs_command" -f -a "pr" -d 'See, open, merge and claim the pull requests of sessions'
complete -c ao -n "__fish_ao_needs_command" -f -a "notify" -d 'List who is told what, or try them'
complete -c ao -n "__fish_ao_needs_command" -f -a "timer" -d 'Let a systemd timer, or cron, run `ao reap`'
complete -c ao -n "__fish_ao_needs_command" -f -a "metrics" -d 'Print measurements for Prometheus'
complete -c ao -n "__fish_ao_needs_command" -f -a "agent" -d 'See the agents that can be started, and check cards of your own'
complete -c ao -n "__fish_ao_needs_command" -f -a "doctor" -d 'Check tools, machine, configuration and every record'
complete -c ao -n "__fish_ao_needs_command" -f -a "config" -d 'Show and change the configuration'
complete -c ao -n "__fish_ao_needs_command" -f -a "trust" -d 'Approve the commands that this repository\'s own configuration runs'
complete -c ao -n "__fish_ao_needs_command" -f -a "demo" -d 'Show the whole loop in a throw-away home and repository'
complete -c ao -n "__fish_ao_needs_command" -f -a "skill" -d 'Print what an agent should know of ao, as a skill file'
complete -c ao -n "__fish_ao_needs_command" -f -a "schema" -d 'Print the JSON Schemas of the record and of every answer'
complete -c ao -n "__fish_ao_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c ao -n "__fish_ao_needs_command" -f -a "man" -d 'Print a man page'
complete -c ao -n "__fish_ao_needs_command" -f -a "help" -d 'Print help, for ao, a command, or a topic (exit-codes)'
complete -c ao -n "__fish_ao_needs_command" -f -a "launch" -d 'Run a session\'s agent and record how it ends'
complete -c ao -n "__fish_ao_needs_command" -f -a "check-run" -d 'Run the check of a session\'s branch and record how it ends'
complete -c ao -n "__fish_ao_needs_command" -f -a "demo-agent" -d 'Play a coding agent from a script'
complete -c ao -n "__fish_ao_using_subcommand init" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand init" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand init" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand init" -s y -l yes -d 'Write the file without asking'
complete -c ao -n "__fish_ao_using_subcommand init" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand init" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -f -a "add" -d 'Register a repository'
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -f -a "ls" -d 'List the projects'
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -f -a "show" -d 'Show one project; the one of this repository where none is named'
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -f -a "set" -d 'Change where a project\'s repository is, after it was moved'
complete -c ao -n "__fish_ao_using_subcommand project; and not __fish_seen_subcommand_from add ls show set rm" -f -a "rm" -d 'Forget a project that has no sessions but archived ones; its repository is left alone'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from add" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from add" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from add" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from add" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from add" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from ls" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from ls" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from ls" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from ls" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from show" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from show" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from show" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from show" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from set" -l repo -d 'A directory in the repository at its new place' -r -F
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from set" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from set" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from set" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from set" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from set" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from rm" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from rm" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from rm" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from rm" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from rm" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand project; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand spawn" -l prompt-file -d 'Read the task from a file, byte for byte' -r -F
complete -c ao -n "__fish_ao_using_subcommand spawn" -s a -f -a "(__ao_agents)" -l agent -d 'The agent: a card\'s name' -r -f
complete -c ao -n "__fish_ao_using_subcommand spawn" -l issue -d 'The issue it works on; one live session per issue' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l title -d 'A title for people' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l branch -d 'The branch: an existing one, or the name of a new one' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l base -d 'The ref a new branch starts from' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l model -d 'The model' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l permission -d 'The permission mode: default, accept-edits, auto, bypass' -r -f -a "default\t''
accept-edits\t''
auto\t''
bypass\t''"
complete -c ao -n "__fish_ao_using_subcommand spawn" -l mode -d 'Whether the agent stays for more (interactive) or ends by itself (one_shot)' -r -f -a "interactive\t''
one_shot\t''"
complete -c ao -n "__fish_ao_using_subcommand spawn" -l runtime -d 'Where the process lives: tmux or process' -r -f -a "tmux\t''
process\t''"
complete -c ao -n "__fish_ao_using_subcommand spawn" -l workspace -d 'Where it works: worktree, or none for the repository itself' -r -f -a "worktree\t''
none\t''"
complete -c ao -n "__fish_ao_using_subcommand spawn" -l id -d 'The session\'s name instead of <project>-<n>' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l if-exists -d 'Where --id names a session that is there: fail, reuse it if it lives, or replace it' -r -f -a "fail\t''
reuse\t''
replace\t''"
complete -c ao -n "__fish_ao_using_subcommand spawn" -l count -d 'Start that many sessions' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l batch -d 'Start one session per JSON line of FILE (`-`: standard input), or per issue of a query' -r -F
complete -c ao -n "__fish_ao_using_subcommand spawn" -l label -d 'Only issues with this label; several: with all of them' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l assignee -d 'Only issues assigned to this account; `none`: to nobody, `*`: to anybody' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l state -d 'Only open ones, closed ones, or all' -r -f -a "open\t''
closed\t''
all\t''"
complete -c ao -n "__fish_ao_using_subcommand spawn" -l limit -d 'No more than this many' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l timeout -d 'How long --wait waits' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand spawn" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand spawn" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand spawn" -l force -d 'Work on a closed issue all the same'
complete -c ao -n "__fish_ao_using_subcommand spawn" -l wait -d 'Wait until it is idle, needs a person, or has ended; exit as `ao wait` does'
complete -c ao -n "__fish_ao_using_subcommand spawn" -l dry-run -d 'Check everything, say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand spawn" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand spawn" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -s a -f -a "(__ao_agents)" -l agent -d 'The agent: a card\'s name' -r -f
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -l model -d 'The model' -r
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -l permission -d 'The permission mode: default, accept-edits, auto, bypass' -r -f -a "default\t''
accept-edits\t''
auto\t''
bypass\t''"
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -l clean -d 'Retire the one that lives, saving its work, and start afresh'
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -l dry-run -d 'Check everything, say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand orchestrator" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand ls" -l project -d 'Those of one project' -r -f -a "(__ao_projects)"
complete -c ao -n "__fish_ao_using_subcommand ls" -f -a "(__ao_statuses)" -l status -d 'Those with one of these statuses' -r -f
complete -c ao -n "__fish_ao_using_subcommand ls" -l kind -d 'Those of one kind: worker, orchestrator, reviewer' -r -f -a "worker\t''
orchestrator\t''
reviewer\t''"
complete -c ao -n "__fish_ao_using_subcommand ls" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand ls" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand ls" -s a -l all -d 'Ended and archived sessions as well'
complete -c ao -n "__fish_ao_using_subcommand ls" -s q -l quiet -d 'Print the ids alone, one a line'
complete -c ao -n "__fish_ao_using_subcommand ls" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand status" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand status" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand status" -l git -d 'Branch and uncommitted files of each workspace'
complete -c ao -n "__fish_ao_using_subcommand status" -s q -l quiet -d 'Print the number of sessions that need a person, crashed ones among them'
complete -c ao -n "__fish_ao_using_subcommand status" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand show" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand show" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand show" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand explain" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand explain" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand explain" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand log" -s n -l lines -d 'The last N events only' -r
complete -c ao -n "__fish_ao_using_subcommand log" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand log" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand log" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand log" -l verify -d 'Fold the log and compare it with the record'
complete -c ao -n "__fish_ao_using_subcommand log" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand events" -l session -d 'Those of one session' -r -f -a "(__ao_every_session)"
complete -c ao -n "__fish_ao_using_subcommand events" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand events" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand events" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand events" -s f -l follow -d 'Go on with what happens from here'
complete -c ao -n "__fish_ao_using_subcommand events" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand send" -l timeout -d 'How long --wait waits' -r
complete -c ao -n "__fish_ao_using_subcommand send" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand send" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand send" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand send" -l all -d 'To every session that has not ended'
complete -c ao -n "__fish_ao_using_subcommand send" -l now -d 'To a busy agent at once instead of at the end of its turn'
complete -c ao -n "__fish_ao_using_subcommand send" -l queue -d 'Record it only; the next reap delivers it'
complete -c ao -n "__fish_ao_using_subcommand send" -l force -d 'Clear a draft that somebody has typed first'
complete -c ao -n "__fish_ao_using_subcommand send" -l wait -d 'Wait for the end of that very turn and print the agent\'s answer'
complete -c ao -n "__fish_ao_using_subcommand send" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand send" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand approve" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand approve" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand approve" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand approve" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand approve" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand approve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand deny" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand deny" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand deny" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand deny" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand deny" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand deny" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand report" -l note -d 'What there is to say about it' -r
complete -c ao -n "__fish_ao_using_subcommand report" -l pr -d 'The address of the pull request you opened' -r
complete -c ao -n "__fish_ao_using_subcommand report" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand report" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand report" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand report" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand report" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -f -a "trigger" -d 'Have the head of a session\'s branch reviewed'
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -f -a "submit" -d 'Hand in a verdict; for the agent of a reviewer, or a person'
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -f -a "ls" -d 'List reviews: those that run, and the last of each session and reviewer'
complete -c ao -n "__fish_ao_using_subcommand review; and not __fish_seen_subcommand_from trigger submit ls cancel" -f -a "cancel" -d 'End reviews that are running'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from trigger" -f -a "(__ao_agents)" -l reviewer -d 'The reviewer\'s agent: a card\'s name' -r -f
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from trigger" -l head -d 'Only if the branch is at this commit' -r
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from trigger" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from trigger" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from trigger" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from trigger" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from trigger" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from trigger" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -l run -d 'The review' -r
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -l verdict -d 'What it came to: approved or changes_requested' -r -f -a "approved\t''
changes_requested\t''"
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -l body -d 'What is to be said; `-` reads standard input' -r
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from submit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from ls" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from ls" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from ls" -l all -d 'All reviews, those of archived sessions as well'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from ls" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from cancel" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from cancel" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from cancel" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from cancel" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from cancel" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand review; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand interrupt" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand interrupt" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand interrupt" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand interrupt" -l force -d 'Press the key whatever the agent is at'
complete -c ao -n "__fish_ao_using_subcommand interrupt" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand interrupt" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand interrupt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand attach" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand attach" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand attach" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand attach" -s r -l read-only -d 'Look, but do not type'
complete -c ao -n "__fish_ao_using_subcommand attach" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand attach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand output" -s n -l lines -d 'The last N lines' -r
complete -c ao -n "__fish_ao_using_subcommand output" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand output" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand output" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand output" -s f -l follow -d 'Go on printing until the session ends; with --json a line for each change'
complete -c ao -n "__fish_ao_using_subcommand output" -l raw -d 'Leave escape sequences in'
complete -c ao -n "__fish_ao_using_subcommand output" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand output" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand path" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand path" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand path" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand path" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand exec" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand exec" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand exec" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand exec" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand wait" -f -a "(__ao_statuses)" -l until -d 'The statuses to wait for' -r -f
complete -c ao -n "__fish_ao_using_subcommand wait" -l since -d 'Only what came after this revision counts' -r
complete -c ao -n "__fish_ao_using_subcommand wait" -l timeout -d 'Give up after this long' -r
complete -c ao -n "__fish_ao_using_subcommand wait" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand wait" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand wait" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand wait" -l any -d 'End with the first session that is there, not the last'
complete -c ao -n "__fish_ao_using_subcommand wait" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand merge" -l method -d 'How; else as `merge.method` is configured' -r -f -a "merge\t''
squash\t''
rebase\t''"
complete -c ao -n "__fish_ao_using_subcommand merge" -s m -l message -d 'The message of the merge or squash commit' -r
complete -c ao -n "__fish_ao_using_subcommand merge" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand merge" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand merge" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand merge" -l force -d 'Whatever checks and reviews say, and whatever the agent is at and has not committed'
complete -c ao -n "__fish_ao_using_subcommand merge" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand merge" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand merge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand kill" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand kill" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand kill" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand kill" -l all -d 'Every session that has not ended'
complete -c ao -n "__fish_ao_using_subcommand kill" -s y -l yes -d 'Do not ask'
complete -c ao -n "__fish_ao_using_subcommand kill" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand kill" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand restore" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand restore" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand restore" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand restore" -l all -d 'Every session that was lost rather than killed or done'
complete -c ao -n "__fish_ao_using_subcommand restore" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand restore" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand cleanup" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand cleanup" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand cleanup" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand cleanup" -l all -d 'All that have ended, as where none is named'
complete -c ao -n "__fish_ao_using_subcommand cleanup" -l force -d 'Save what would be lost, then remove'
complete -c ao -n "__fish_ao_using_subcommand cleanup" -s y -l yes -d 'Do not ask'
complete -c ao -n "__fish_ao_using_subcommand cleanup" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand cleanup" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand cleanup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand rename" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand rename" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand rename" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand rename" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand rename" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand rename" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand reap" -l timeout -d 'Wait for them no longer than this' -r
complete -c ao -n "__fish_ao_using_subcommand reap" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand reap" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand reap" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand reap" -l strict -d 'Exit 1 if anything failed for any session'
complete -c ao -n "__fish_ao_using_subcommand reap" -s q -l quiet -d 'Say nothing unless something failed'
complete -c ao -n "__fish_ao_using_subcommand reap" -l dry-run -d 'Say what would be done now, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand reap" -l wait -d 'Wait for the checks that run, then look and deliver again'
complete -c ao -n "__fish_ao_using_subcommand reap" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand reap" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand observe" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand observe" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand observe" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand observe" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand observe" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand observe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand decide" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand decide" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand decide" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand decide" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand decide" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand hook" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand hook" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand hook" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand hook" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand hook" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand outbox; and not __fish_seen_subcommand_from ls retry drop" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand outbox; and not __fish_seen_subcommand_from ls retry drop" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand outbox; and not __fish_seen_subcommand_from ls retry drop" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand outbox; and not __fish_seen_subcommand_from ls retry drop" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand outbox; and not __fish_seen_subcommand_from ls retry drop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand outbox; and not __fish_seen_subcommand_from ls retry drop" -f -a "ls" -d 'List what waits, oldest first'
complete -c ao -n "__fish_ao_using_subcommand outbox; and not __fish_seen_subcommand_from ls retry drop" -f -a "retry" -d 'Try entries again at once, dead letters included'
complete -c ao -n "__fish_ao_using_subcommand outbox; and not __fish_seen_subcommand_from ls retry drop" -f -a "drop" -d 'Drop entries for good'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from ls" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from ls" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from ls" -l dead -d 'Dead letters only'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from ls" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from retry" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from retry" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from retry" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from retry" -l dead -d 'Dead letters only'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from retry" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from retry" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from drop" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from drop" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from drop" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from drop" -l dead -d 'All dead letters of the session'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from drop" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from drop" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand outbox; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand issue; and not __fish_seen_subcommand_from ls show" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand issue; and not __fish_seen_subcommand_from ls show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand issue; and not __fish_seen_subcommand_from ls show" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand issue; and not __fish_seen_subcommand_from ls show" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand issue; and not __fish_seen_subcommand_from ls show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand issue; and not __fish_seen_subcommand_from ls show" -f -a "ls" -d 'List issues, oldest first'
complete -c ao -n "__fish_ao_using_subcommand issue; and not __fish_seen_subcommand_from ls show" -f -a "show" -d 'Show one issue with its comments'
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -l label -d 'Only issues with this label; several: with all of them' -r
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -l assignee -d 'Only issues assigned to this account; `none`: to nobody, `*`: to anybody' -r
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -l state -d 'Only open ones, closed ones, or all' -r -f -a "open\t''
closed\t''
all\t''"
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -l limit -d 'No more than this many' -r
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from show" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from show" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from show" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand issue; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -f -a "ls" -d 'List the pull requests of sessions, as the records tell'
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -f -a "show" -d 'Show the pull request of one session'
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -f -a "create" -d 'Open a pull request for a session\'s branch, or return the one that is open'
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -f -a "merge" -d 'Merge it, as `ao merge` does'
complete -c ao -n "__fish_ao_using_subcommand pr; and not __fish_seen_subcommand_from ls show create merge claim" -f -a "claim" -d 'Make a pull request that was opened elsewhere a session\'s own'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from ls" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from ls" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from ls" -l remote -d 'Ask the forge for all that are open in this repository'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from ls" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from show" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from show" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from show" -l remote -d 'Ask the forge'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from show" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l title -d 'Its title; else the session\'s, else the first line of the last commit' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l body -d 'What it says; `-` reads standard input' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l base -d 'The branch it is to be merged into; else the one that the session\'s began at' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l draft -d 'Not yet to be reviewed'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l push -d 'Push the branch to `origin` first'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l dry-run -d 'Say what would be sent, and send nothing'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -l method -d 'How; else as `merge.method` is configured' -r -f -a "merge\t''
squash\t''
rebase\t''"
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -s m -l message -d 'The message of the merge or squash commit' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -l force -d 'Whatever checks and reviews say, and whatever the agent is at and has not committed'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from merge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from claim" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from claim" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from claim" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from claim" -l dry-run -d 'Ask the forge, say what would be noted, and note nothing'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from claim" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand pr; and __fish_seen_subcommand_from claim" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand notify" -l priority -d 'The priority of the test notice; only those that are told of it get it' -r -f -a "urgent\t''
action\t''
warning\t''
info\t''"
complete -c ao -n "__fish_ao_using_subcommand notify" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand notify" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand notify" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand notify" -l test -d 'Send a test notice'
complete -c ao -n "__fish_ao_using_subcommand notify" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand notify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand timer; and not __fish_seen_subcommand_from install status rm" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand timer; and not __fish_seen_subcommand_from install status rm" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand timer; and not __fish_seen_subcommand_from install status rm" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand timer; and not __fish_seen_subcommand_from install status rm" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand timer; and not __fish_seen_subcommand_from install status rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand timer; and not __fish_seen_subcommand_from install status rm" -f -a "install" -d 'Install it: systemd user units, or a crontab line where there is no systemd'
complete -c ao -n "__fish_ao_using_subcommand timer; and not __fish_seen_subcommand_from install status rm" -f -a "status" -d 'Say whether it is installed, and when it last ran'
complete -c ao -n "__fish_ao_using_subcommand timer; and not __fish_seen_subcommand_from install status rm" -f -a "rm" -d 'Remove it'
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from install" -l interval -d 'How often; the configuration\'s `reap` where it is left out. cron keeps whole minutes and what divides an hour or a day: the longest that is not above it, a minute at the least' -r
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from install" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from install" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from install" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from install" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from install" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from status" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from status" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from status" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from status" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from rm" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from rm" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from rm" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from rm" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from rm" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand timer; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand metrics" -s o -l output -d 'Replace this file by them, and print nothing' -r -F
complete -c ao -n "__fish_ao_using_subcommand metrics" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand metrics" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand metrics" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand metrics" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand metrics" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand agent; and not __fish_seen_subcommand_from ls show check" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand agent; and not __fish_seen_subcommand_from ls show check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand agent; and not __fish_seen_subcommand_from ls show check" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand agent; and not __fish_seen_subcommand_from ls show check" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand agent; and not __fish_seen_subcommand_from ls show check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand agent; and not __fish_seen_subcommand_from ls show check" -f -a "ls" -d 'List the agents: installed, which version, logged in'
complete -c ao -n "__fish_ao_using_subcommand agent; and not __fish_seen_subcommand_from ls show check" -f -a "show" -d 'Print an agent\'s card, ready to be copied and edited'
complete -c ao -n "__fish_ao_using_subcommand agent; and not __fish_seen_subcommand_from ls show check" -f -a "check" -d 'Read a card as it would be used, and say what is wrong with it'
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from ls" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from ls" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from ls" -l offline -d 'Start no program: version is left out, login is told from variables and files alone'
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from ls" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from show" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from show" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from show" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from check" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from check" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from check" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand agent; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand doctor" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand doctor" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand doctor" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand doctor" -l state -d 'Check the stored state only: records, logs, invariants'
complete -c ao -n "__fish_ao_using_subcommand doctor" -l repair -d 'Repair what can be repaired'
complete -c ao -n "__fish_ao_using_subcommand doctor" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -f -a "show" -d 'Print every key that is set, as it applies here'
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -f -a "get" -d 'Print one value'
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -f -a "set" -d 'Set a value in the user\'s file'
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -f -a "check" -d 'Check the user\'s file, this repository\'s and the cards'
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -f -a "path" -d 'Print the path of the user\'s file'
complete -c ao -n "__fish_ao_using_subcommand config; and not __fish_seen_subcommand_from show get set check path reference" -f -a "reference" -d 'Print every key, its default and its meaning'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from show" -l project -d 'As it applies to this project instead of here' -r -f -a "(__ao_projects)"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from show" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from show" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from show" -l origin -d 'Where each value comes from'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from get" -l project -d 'As it applies to this project instead of here' -r -f -a "(__ao_projects)"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from get" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from get" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from get" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from get" -l origin -d 'Where it comes from as well'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from get" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from set" -l project -d 'For this project alone; it wins over what its repository says' -r -f -a "(__ao_projects)"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from set" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from set" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from set" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from set" -l dry-run -d 'Say what would be done, and do nothing'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from set" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from check" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from check" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from path" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from path" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from path" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from path" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from reference" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from reference" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from reference" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from reference" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand config; and __fish_seen_subcommand_from reference" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand trust" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand trust" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand trust" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand trust" -l show -d 'Show what would be approved, and its hash'
complete -c ao -n "__fish_ao_using_subcommand trust" -l revoke -d 'Take every approval of this repository back'
complete -c ao -n "__fish_ao_using_subcommand trust" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand trust" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand demo" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand demo" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand demo" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand demo" -l keep -d 'Keep the temporary directory, and say where it is'
complete -c ao -n "__fish_ao_using_subcommand demo" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand skill" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand skill" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand skill" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand skill" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand skill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand schema" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand schema" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand schema" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand schema" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand completions" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand completions" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand completions" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand completions" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand man" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand man" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand man" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand man" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand help" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand help" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand help" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand help" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand launch" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand launch" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand launch" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand launch" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand launch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand check-run" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand check-run" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand check-run" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand check-run" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand check-run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l script -d 'The script; else AO_DEMO_SCRIPT' -r -F
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l resume -d 'Continue this conversation' -r -f -a "(__ao_sessions)"
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l model -d 'The model to pretend to be' -r
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l permission -d 'The permission mode to pretend to have' -r -f -a "default\t''
accept-edits\t''
auto\t''
bypass\t''"
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l system-file -d 'The standing role' -r -F
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l home -d 'Keep records in DIR instead of $AO_HOME or ~/.local/state/ao' -r -F
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l lock-timeout -d 'How long to wait for a lock that another ao holds' -r
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -l json -d 'Answer with one JSON document on standard output'
complete -c ao -n "__fish_ao_using_subcommand demo-agent" -s h -l help -d 'Print help (see more with \'--help\')'

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
    string split ' ' 'aider amp claude-code codex copilot cursor gemini goose opencode qwen shell'
    __ao_names $found
end

# Prints the statuses; after a comma, one more of them.
function __ao_statuses
    set -l before (string match -r -- '^.*,' (commandline -ct) | string replace -r -- '^--[a-z]*=' '')
    for status_word in spawning working idle needs_input stuck detecting draft pr_open ci_failed review_pending changes_requested approved mergeable merged done killed exited cleanup errored terminated
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
            case 'ao init' 'ao project' 'ao project add' 'ao project ls' 'ao project show' 'ao project set' 'ao project rm' 'ao spawn' 'ao orchestrator' 'ao ls' 'ao status' 'ao show' 'ao explain' 'ao log' 'ao events' 'ao send' 'ao approve' 'ao deny' 'ao report' 'ao review' 'ao review trigger' 'ao review submit' 'ao review ls' 'ao review cancel' 'ao interrupt' 'ao attach' 'ao output' 'ao path' 'ao exec' 'ao wait' 'ao merge' 'ao kill' 'ao restore' 'ao cleanup' 'ao rename' 'ao reap' 'ao observe' 'ao decide' 'ao hook' 'ao outbox' 'ao outbox ls' 'ao outbox retry' 'ao outbox drop' 'ao issue' 'ao issue ls' 'ao issue show' 'ao pr' 'ao pr ls' 'ao pr show' 'ao pr create' 'ao pr merge' 'ao pr claim' 'ao notify' 'ao timer' 'ao timer install' 'ao timer status' 'ao timer rm' 'ao metrics' 'ao agent' 'ao agent ls' 'ao agent show' 'ao agent check' 'ao doctor' 'ao config' 'ao config show' 'ao config get' 'ao config set' 'ao config check' 'ao config path' 'ao config reference' 'ao trust' 'ao demo' 'ao skill' 'ao schema' 'ao completions' 'ao man' 'ao help'
                if test $number = 0
                    set command "$command $word"
                else
                    set number (math $number + 1)
                end
            case '* --*=*'
            case '* --home' '* --color' '* --lock-timeout' 'ao project set --repo' 'ao spawn --prompt-file' 'ao spawn --agent' 'ao spawn -a' 'ao spawn --issue' 'ao spawn --title' 'ao spawn --branch' 'ao spawn --base' 'ao spawn --model' 'ao spawn --permission' 'ao spawn --mode' 'ao spawn --runtime' 'ao spawn --workspace' 'ao spawn --id' 'ao spawn --if-exists' 'ao spawn --count' 'ao spawn --batch' 'ao spawn --label' 'ao spawn --assignee' 'ao spawn --state' 'ao spawn --limit' 'ao spawn --timeout' 'ao orchestrator --agent' 'ao orchestrator -a' 'ao orchestrator --model' 'ao orchestrator --permission' 'ao ls --project' 'ao ls --status' 'ao ls --kind' 'ao log --lines' 'ao log -n' 'ao events --session' 'ao send --timeout' 'ao report --note' 'ao report --pr' 'ao review trigger --reviewer' 'ao review trigger --head' 'ao review submit --run' 'ao review submit --verdict' 'ao review submit --body' 'ao output --lines' 'ao output -n' 'ao wait --until' 'ao wait --since' 'ao wait --timeout' 'ao merge --method' 'ao merge --message' 'ao merge -m' 'ao reap --timeout' 'ao issue ls --label' 'ao issue ls --assignee' 'ao issue ls --state' 'ao issue ls --limit' 'ao pr create --title' 'ao pr create --body' 'ao pr create --base' 'ao pr merge --method' 'ao pr merge --message' 'ao pr merge -m' 'ao notify --priority' 'ao timer install --interval' 'ao metrics --output' 'ao metrics -o' 'ao config show --project' 'ao config get --project' 'ao config set --project'
                set skip 1
            case '* -*'
            case '*'
                set number (math $number + 1)
        end
    end
    set -l kind
    switch "$command $number"
        case 'ao status *' 'ao send *' 'ao approve 0' 'ao deny 0' 'ao review trigger 0' 'ao interrupt 0' 'ao attach 0' 'ao output 0' 'ao path 0' 'ao exec 0' 'ao wait *' 'ao merge 0' 'ao kill *' 'ao restore *' 'ao cleanup *' 'ao rename 0' 'ao observe 1' 'ao outbox ls *' 'ao outbox retry 0' 'ao outbox drop 0' 'ao pr show 0' 'ao pr create 0' 'ao pr merge 0' 'ao pr claim 0'
            set kind sessions
        case 'ao show 0' 'ao explain 0' 'ao log 0' 'ao events --session' 'ao review ls 0'
            set kind every-session
        case 'ao project show 0' 'ao project set 0' 'ao project rm 0' 'ao ls --project' 'ao config show --project' 'ao config get --project' 'ao config set --project'
            set kind projects
        case 'ao spawn --agent' 'ao spawn -a' 'ao orchestrator --agent' 'ao orchestrator -a' 'ao review trigger --reviewer' 'ao hook 0' 'ao agent show 0'
            set kind agents
        case 'ao ls --status' 'ao wait --until'
            set kind statuses
    end
    test "$kind" = $argv[1]
end

complete -c ao -n '__ao_wants sessions' -f -a '(__ao_sessions)'
complete -c ao -n '__ao_wants every-session' -f -a '(__ao_every_session)'
complete -c ao -n '__ao_wants projects' -f -a '(__ao_projects)'
complete -c ao -n '__ao_wants agents' -f -a '(__ao_agents)'
complete -c ao -n '__ao_wants statuses' -f -a '(__ao_statuses)'
