# shellcheck shell=bash
# The environments that the other scripts need. They source it, after `set -euo pipefail` and
# with the repository's root as the current folder.

# Before anything that an older bash, like that of macOS, does not have.
if [[ $(uname -s) != Linux ]]; then
    echo "cannot run on $(uname -s): claudecode2api needs Linux; use a Linux container or virtual machine, or WSL 2 on Windows" >&2
    exit 78
fi

# A failure inside $(…) ends the script, as it does elsewhere.
shopt -s inherit_errexit

# The Python for every environment: $PYTHON, or the first of these that is new enough.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
        [[ -z ${PYTHON:-} ]] || fail "cannot use PYTHON=$PYTHON: it is not Python 3.11 or newer"
    done
    fail "cannot find Python 3.11 or newer: install it (Debian: apt-get install python3 python3-venv)"
}

# make_environment FOLDER FILE... [-- OPTION...]: a venv with the packages of the requirement
# files. One that was made from the same files is left as it is. OPTIONs are pip's.
make_environment() {
    local folder=$1 files=() python stamp
    shift
    while (($# > 0)) && [[ $1 != -- ]]; do
        files+=("$1")
        shift
    done
    [[ ${1:-} != -- ]] || shift
    python=$(find_python)
    # An environment works only where it was made, and with the Python that made it.
    stamp=$("$python" --version && pwd -P && cat -- "${files[@]}")
    mkdir -p "$folder"
    # Of two scripts that run at once, the second waits, and finds the work done.
    exec {environment_lock}<"$folder"
    flock "$environment_lock"
    if [[ "$(cat "$folder/stamp" 2>/dev/null)" != "$stamp" ]]; then
        "$python" -c 'import ensurepip, venv' 2>/dev/null \
            || fail "cannot make $folder/: $python has no venv; install it (Debian: apt-get install python3-venv)"
        say "making $folder/ from ${files[*]}"
        rm -f "$folder/stamp"
        logged "$folder/install.log" "$python" -m venv "$folder"
        # Most modules are never imported: Python compiles the others when it imports them.
        logged "$folder/install.log" "$folder/bin/python" -m pip install \
            --disable-pip-version-check --no-compile "${files[@]/#/--requirement=}" "$@"
        printf '%s\n' "$stamp" >"$folder/stamp"
    fi
    exec {environment_lock}<&-
}

# The environment of checks and tests.
make_test_environment() {
    make_environment venv-test requirements.txt requirements-test.txt
}

# The environment with the real CLI; bundled_claude prints its path.
make_claude_environment() {
    make_environment venv-claude requirements-claude.txt -- --no-deps
}

# The environments of the clients that test the OpenAI API, in Python and in Node.
make_client_environments() {
    make_environment venv-clients requirements-clients.txt
    make_node_environment
}

make_node_environment() {
    make_npm_environment tests/node
}

# The environment with the CLI that npm installs on Node 20; old_claude prints its path.
make_old_claude_environment() {
    make_npm_environment tests/node/old_claude
}

# make_npm_environment FOLDER: node_modules/ with the packages of the lock file.
make_npm_environment() {
    local folder=$1 stamp log
    stamp=$(node --version && cat -- "$folder/package-lock.json")
    if [[ "$(cat "$folder/node_modules/stamp" 2>/dev/null)" != "$stamp" ]]; then
        say "making $folder/node_modules/ from $folder/package-lock.json"
        log=$(mktemp)
        logged "$log" npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund
        rm -f "$log"
        printf '%s\n' "$stamp" >"$folder/node_modules/stamp"
    fi
}

# The full path of the CLI in venv-claude/.
bundled_claude() {
    local claude
    for claude in "$PWD"/venv-claude/lib/python3*/site-packages/claude_agent_sdk/_bundled/claude; do
        if [[ -x $claude ]]; then
            printf '%s\n' "$claude"
            return
        fi
    done
    fail "cannot find the CLI in venv-claude/: the wheel for this machine does not carry it; install Claude Code and set CLAUDE_PATH"
}

# The full path of the CLI in tests/node/old_claude/.
old_claude() {
    local claude
    for claude in "$PWD"/tests/node/old_claude/node_modules/@anthropic-ai/claude-code-*/claude; do
        if [[ -x $claude ]]; then
            printf '%s\n' "$claude"
            return
        fi
    done
    fail "cannot find the CLI in tests/node/old_claude/: npm has none for this machine"
}

# A free port of the loopback address.
free_port() {
    "$1" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A new random password.
new_password() {
    od -An -N18 -tx1 /dev/urandom | tr -d ' \n'
}

# beside COMMAND...: run it in the background. wait_for_all waits for what was started so, and
# fails if one of them has failed.
beside() {
    "$@" &
    started_beside+=("$!")
}
started_beside=()

wait_for_all() {
    local pid
    for pid in ${started_beside[@]+"${started_beside[@]}"}; do
        wait "$pid" || exit 1
    done
    started_beside=()
}

# wait_for_gateway URL PID LOG: wait until /health answers; if it does not, fail with the log.
wait_for_gateway() {
    local deadline=$((SECONDS + 90))
    until curl --silent --fail --noproxy '*' --output /dev/null "$1/health"; do
        if ! kill -0 "$2" 2>/dev/null || ((SECONDS > deadline)); then
            cat -- "$3" >&2
            fail "cannot start the gateway; its log is above"
        fi
        sleep 0.1
    done
}

# logged LOG COMMAND...: run it quietly; if it fails, print its output and exit.
logged() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        cat -- "$log" >&2
        fail "cannot go on: this command failed: $*"
    fi
}

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}
