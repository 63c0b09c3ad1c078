# Completion of ccalab for fish. What there is comes from --help itself.
function __ccalab_commands
    ccalab --help 2>/dev/null | string replace -rf '^  ccalab ([a-z][a-z-]*) +(.*)' '$1\t$2'
end
function __ccalab_flags
    ccalab $argv --help 2>/dev/null | string match -rag '(?:^|[ ,[(])(--?[A-Za-z][a-z-]*)' | sort -u
end
complete -c ccalab -n __fish_use_subcommand -a '(__ccalab_commands)'
complete -c ccalab -n __fish_use_subcommand -a '(__ccalab_flags)'
complete -c ccalab -n 'not __fish_use_subcommand' -a '(__ccalab_flags (commandline -opc)[2])'
