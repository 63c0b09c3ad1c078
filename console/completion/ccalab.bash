# Completion of ccalab for bash. What there is comes from --help itself, so that it is never out of date.

_ccalab_commands() {
    ccalab --help 2>/dev/null | sed -n 's/^  ccalab \([a-z][a-z-]*\) .*/\1/p'
}

# The options of `ccalab --help`, or of a command's.
_ccalab_flags() {
    ccalab "$@" --help 2>/dev/null | grep -oE -- '(^|[ ,[(])--?[A-Za-z][a-z-]*' | grep -oE -- '--?[A-Za-z][a-z-]*' | sort -u
}

# The words that may follow a command: "ccalab testbed up", or "show|set|watch" in its usage.
_ccalab_words() {
    ccalab "$1" --help 2>/dev/null | sed -n '/^usage:/,/^$/p' |
        sed -n -e "s/.*ccalab $1 \([a-z]* |.*\)/\1/p;t" \
            -e "s/.*ccalab $1 \([a-z|]*|[a-z|]*\).*/\1/p;t" \
            -e "s/.*ccalab $1 \([a-z][a-z-]*\)\( .*\)*\$/\1/p" |
        sed 's/\[[^]]*\]//g; s/[A-Z.]\{2,\}//g' | tr '| ' '\n\n' | grep -E '^[a-z]+$' | sort -u
}

_ccalab() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --events | --log-level | --plot | --memory) ((i++)) ;;
        --run | --watch | --test | *.lua) command=file && break ;;
        -*) ;;
        *) command=${COMP_WORDS[i]} && break ;;
        esac
    done
    case $prev in
    --plot) COMPREPLY=($(compgen -W "auto braille block ascii" -- "$cur")) && return ;;
    --log-level) COMPREPLY=($(compgen -W "debug info warn error" -- "$cur")) && return ;;
    --test) COMPREPLY=($(compgen -d -- "$cur")) && return ;;
    --lab | --events | --output | --junit | -w | --write) COMPREPLY=($(compgen -f -- "$cur")) && return ;;
    -e) [ "$command" = packets ] &&
        COMPREPLY=($(compgen -W "$(ccalab packets --fields 2>/dev/null | cut -f1 | cut -d' ' -f1)" -- "$cur")) && return ;;
    esac
    if [ -z "$command" ]; then
        COMPREPLY=($(compgen -W "$(_ccalab_commands) $([[ $cur == -* ]] && _ccalab_flags)" -- "$cur")
            $(compgen -f -X '!*.lua' -- "$cur") $(compgen -d -- "$cur"))
    elif [ "$command" = file ] || [[ $cur != -* && $i -lt $((COMP_CWORD - 1)) ]]; then
        COMPREPLY=($(compgen -f -- "$cur"))
    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$(_ccalab_flags "$command")" -- "$cur"))
    else
        COMPREPLY=($(compgen -W "$(_ccalab_words "$command")" -- "$cur") $(compgen -f -- "$cur"))
    fi
}

complete -o filenames -F _ccalab ccalab
