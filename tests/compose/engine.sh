# An engine for tests/compose/run: the one that this machine runs, or Debian's, started for this run
# in a temporary directory and taken down with everything that it made. Sourced by bash.

engine_folder=
engine_pid=
compose_words=()

compose() {
    command "${compose_words[@]}" "$@"
}

find_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose_words=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose_words=(docker-compose)
    else
        echo "there is an engine, but neither \`docker compose\` nor docker-compose"
        return 1
    fi
}

# Makes `docker` and `compose` work. The argument is a directory for an engine of our own.
engine_start() {
    if docker info >/dev/null 2>&1; then
        echo "using the engine that runs here"
        find_compose
        return
    fi
    [ "$(id -u)" -eq 0 ] || {
        echo "no engine runs here, and only root can start one"
        return 1
    }
    docker/packages compose || return 1
    # Debian's client goes with Debian's engine.
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin
    export DOCKER_BUILDKIT=1 # builds stages side by side
    engine_folder=$1/engine
    mkdir "$engine_folder"
    remember_machine
    engine_launch && find_compose && import_base
}

engine_launch() {
    local deadline=$((SECONDS + 60))
    export DOCKER_HOST=unix://$engine_folder/docker.sock
    setsid dockerd --data-root "$engine_folder/data" --exec-root "$engine_folder/exec" \
        --pidfile "$engine_folder/pid" --host "$DOCKER_HOST" >"$engine_folder/log" 2>&1 </dev/null &
    engine_pid=$!
    until docker info >/dev/null 2>&1; do
        kill -0 "$engine_pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || {
            tail -n 20 "$engine_folder/log"
            return 1
        }
        sleep 0.2
    done
    docker version --format 'started an engine of our own: {{.Server.Version}}'
}

# Where this machine takes Debian's packages from, in the form of a sources.list.
sources_of_machine() {
    apt-get indextargets \
        --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
        sed -nE 's/ Debian$//p' | grep -E ' bookworm(-updates|-security)? ' | sort -u
}

# The base image that others pull, made from Debian's packages: an engine of our own has none.
import_base() {
    local sources=$engine_folder/sources.list options=$engine_folder/apt.conf
    sources_of_machine >"$sources"
    apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date) ' >"$options"
    [ -s "$sources" ] || {
        echo "this machine's apt has no source of Debian bookworm"
        return 1
    }
    # What apt was told here it is told in the image too: it may be a mirror with its own dates. The
    # other options are those of the image that others pull.
    mmdebstrap --quiet --variant=minbase --aptopt="$options" --aptopt='Acquire::Languages "none"' \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        bookworm - - <"$sources" |
        docker import - debian:bookworm-slim >/dev/null || return 1
    echo "made debian:bookworm-slim, after $SECONDS s"
}

# ---- leaving the machine as it was ----

firewall_commands() {
    command -v iptables-save
    command -v ip6tables-save
}

bridges() {
    ip -o link show type bridge | awk -F': ' '{ print $2 }' | sort
}

forwarding() {
    cat /proc/sys/net/ipv4/ip_forward
}

control_groups() {
    find /sys/fs/cgroup -maxdepth 2 -type d -name docker 2>/dev/null | sort
}

remember_machine() {
    local save
    for save in $(firewall_commands); do
        $save >"$engine_folder/$(basename "$save").before" 2>/dev/null
    done
    bridges >"$engine_folder/bridges.before"
    forwarding >"$engine_folder/forwarding.before"
    control_groups >"$engine_folder/control_groups.before"
}

# Rules as iptables-save tells them, without comments and counters, each with its table in front. A
# built-in chain that lets everything pass is as good as none.
rules_of() {
    awk '/^\*/ { table = substr($0, 2) }
        /^[:-]/ { sub(/ \[[0-9:]+\]$/, ""); if (!/^:.* ACCEPT$/) print table, $0 }' "$1"
}

# Takes back every rule and chain that was not there before: rules first, then chains and policies.
restore_firewall() {
    local save=$1 before=$engine_folder/$(basename "$1").before now=$engine_folder/rules.now
    local filter=${save%-save} table rule chain kind
    rules_of "$before" >"$before.rules"
    $save 2>/dev/null | rules_of /dev/stdin | grep -vxF -f "$before.rules" >"$now"
    grep -E '^[a-z]+ -A ' "$now" | while read -r table kind rule; do
        eval "$filter --wait --table $table --delete $rule"
    done
    grep -E '^[a-z]+ :' "$now" | while read -r table chain kind; do
        case $kind in
        -) $filter --wait --table "$table" --delete-chain "${chain#:}" ;;
        *) $filter --wait --table "$table" --policy "${chain#:}" ACCEPT ;;
        esac
    done
    # A table that exists only since then is empty now, and only nft can remove it.
    for table in $($save 2>/dev/null | sed -n 's/^\*//p'); do
        grep -qx "\*$table" "$before" ||
            nft delete table "$(family_of "$save")" "$table" 2>/dev/null
    done
}

family_of() {
    case $1 in
    */ip6*) echo ip6 ;;
    *) echo ip ;;
    esac
}

# Ends our engine, if we have one, and says what of it is still there.
engine_stop() {
    local deadline=$((SECONDS + 30)) save bridge group left
    [ -n "$engine_folder" ] || return 0
    kill "$engine_pid" 2>/dev/null
    while kill -0 "$engine_pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do
        sleep 0.2
    done
    kill -KILL "$engine_pid" 2>/dev/null
    for save in $(firewall_commands); do
        restore_firewall "$save"
    done
    for bridge in $(bridges | grep -vxF -f "$engine_folder/bridges.before"); do
        ip link delete "$bridge"
    done
    for group in $(control_groups | grep -vxF -f "$engine_folder/control_groups.before"); do
        find "$group" -depth -type d -exec rmdir {} +
    done
    cat "$engine_folder/forwarding.before" >/proc/sys/net/ipv4/ip_forward
    left=$(what_is_left)
    engine_folder=
    [ -z "$left" ] || {
        echo "left: $left"
        return 1
    }
}

what_is_left() {
    local save
    pgrep --full --list-full -- "$engine_folder" | grep -v pgrep
    grep " $engine_folder" /proc/self/mounts
    for save in $(firewall_commands); do
        $save 2>/dev/null | rules_of /dev/stdin | grep -vxF -f \
            <(rules_of "$engine_folder/$(basename "$save").before")
    done
    bridges | grep -vxF -f "$engine_folder/bridges.before"
    control_groups | grep -vxF -f "$engine_folder/control_groups.before"
}
