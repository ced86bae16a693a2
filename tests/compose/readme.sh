# Types the README's commands and compares what they print. Sourced by tests/compose/run, whose
# `compose`, ports and scratch directory it uses.

# The console blocks of one section.
readme_blocks() {
    awk -v heading="## $1" '/^## / { inside = $0 == heading }
        /^```/ { if (block) block = 0; else block = inside && $0 == "```console"; next }
        block' README.md
}

# What differs from run to run, by its kind; carriage returns and empty lines are not seen.
readme_normal() {
    tr -d '\r' | sed -E -e '/^$/d' -e 's/"data":"[A-Za-z0-9_-]{43}"/"data":"<token>"/' \
        -e 's/"id":"([a-z]):[0-9]+"/"id":"\1:<n>"/g' \
        -e 's/[0-9-]{10}T[0-9:.]{12}Z/<time>/g' -e 's/"rtt_ms":[0-9.]+/"rtt_ms":<ms>/g'
}

# Runs a line as a person would type it, with the compose and the ports of this run.
readme_type() (
    docker() {
        if [ "$1" = compose ]; then
            shift
            compose "$@"
        else
            command docker "$@"
        fi
    }
    line=$1
    line=${line//127.0.0.1 9001/127.0.0.1 $REALMGATE_PORT_A}
    line=${line//127.0.0.1 9002/127.0.0.1 $REALMGATE_PORT_B}
    line=${line//127.0.0.1 9003/127.0.0.1 $REALMGATE_PORT_C}
    eval "$line" 2>"$scratch/readme.err"
)

# One command and the output that stands below it. What only reads may be asked again for a while:
# a person is slower than a script. Standard output counts where the README shows some.
readme_command() {
    local command=$1 expected came deadline=$((SECONDS + 15)) code
    expected=$(readme_normal <<<"$2")
    while :; do
        came=$(readme_type "$command" </dev/null | readme_normal; exit "${PIPESTATUS[0]}")
        code=$?
        printf '$ %s\n%s\n' "$command" "$came"
        [ "$code" -eq 0 ] && { [ -z "$expected" ] || [ "$came" = "$expected" ]; } && return 0
        [[ $command == *INBOX* && $SECONDS -lt $deadline ]] || break
        sleep 0.3
    done
    printf 'exit code %s; the README says:\n%s\n' "$code" "$expected"
    cat "$scratch/readme.err"
    return 1
}

# All commands of a section, one after the other.
readme_holds() {
    local line command='' expected='' count=0
    while IFS= read -r line; do
        if [[ $line == '$ '* ]]; then
            [ -z "$command" ] || readme_command "$command" "$expected" || return 1
            command=${line#'$ '} expected='' count=$((count + 1))
        else
            expected+=$line$'\n'
        fi
    done < <(readme_blocks "$1")
    [ -z "$command" ] || readme_command "$command" "$expected" || return 1
    [ "$count" -gt 0 ]
}
