# Completion of realmgate for bash. Commands and options come from the program's own help, so that
# nothing has to be kept the same here; only the words that an option chooses from are listed.

# The words of a help text behind the given beginning: `realmgate `, `realmgate user `.
_realmgate_words() {
    grep -o "realmgate $1[a-z][a-z-]*" | sed "s/.* //" | sort -u
}

# The values of an option that are words or names of files.
_realmgate_values() {
    case $1 in
    --accept) compgen -W "known any" -- "$2" ;;
    --config) compgen -f -- "$2" ;;
    --data) compgen -d -- "$2" ;;
    --log) compgen -W "error warn info debug" -- "$2" ;;
    --log-format) compgen -W "text json" -- "$2" ;;
    --registration) compgen -W "open closed" -- "$2" ;;
    --retention) compgen -W "forever" -- "$2" ;;
    esac
}

_realmgate() {
    local program=$1 current=$2 previous=$3
    local help command="" word=""
    COMPREPLY=()
    if [ "$current" = "=" ]; then
        current=""
    elif [ "$previous" = "=" ]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        help=$("$program" --help 2>/dev/null)
        mapfile -t COMPREPLY < <(compgen -W "--help --version $(_realmgate_words "" <<<"$help")" -- "$current")
        return
    fi
    command=${COMP_WORDS[1]}
    help=$("$program" "$command" --help 2>/dev/null) || return
    if grep -q -e "^  $previous [A-Z]" <<<"$help" && [[ $previous == --* ]]; then
        mapfile -t COMPREPLY < <(_realmgate_values "$previous" "$current")
        return
    fi
    word=$(_realmgate_words "$command " <<<"$help")
    if [ "$COMP_CWORD" -eq 2 ] && [ -n "$word" ]; then
        mapfile -t COMPREPLY < <(compgen -W "--help $word" -- "$current")
        return
    fi
    if [ -n "$word" ]; then
        help=$("$program" "$command" "${COMP_WORDS[2]}" --help 2>/dev/null) || return
    fi
    if [[ $current == -* ]]; then
        word=$(grep -o -e "^  --[a-z-]*" <<<"$help" | tr -d " ")
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
    elif grep -q "^usage:.* FILE" <<<"$help"; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _realmgate realmgate
