#!/bin/sh
# Install the gateway as a service, or update it. Run it again after every `git pull`.
#
#   ./install.sh [--host ADDRESS] [--port NUMBER] [--user NAME] [--cli official|npm|pip]
#                [--no-start] [--yes] [--dry-run]
#   ./install.sh --uninstall [--purge] [--yes] [--dry-run]
#
#   --host, --port  what to write into a new .env; one that exists is never touched
#   --user NAME     as root: whose service this is, whose CLI login and projects jobs use
#   --cli HOW       how to get Claude Code if there is none: Anthropic's installer, npm, or a wheel
#                   that carries it (pip, the default)
#   --no-start      set everything up, but start nothing now
#   --yes           install what is missing of the system's packages; with --purge: do not ask
#   --dry-run       print every command that would change something, and change nothing
#   --uninstall     remove the service, the command and venv/; .env and the state are kept
#   --purge         remove .env, the state and the drop-ins, too
#
# What it touches, as you:    venv/ and .env in this folder; the CLI, if there is none.
# What it touches, with sudo: /etc/systemd/system/claudecode2api.service, the command
#                             /usr/local/bin/claudecode2api, and the service, which keeps its state
#                             in /var/lib/claudecode2api.
# Without systemd nothing outside of this folder is touched. A running job survives an update.
# Everything is looked at before anything is changed. It asks nothing without a terminal.
# PYTHON=… chooses the Python; pip heeds your PIP_… variables.
#
# Jobs can change whatever their user can write. So, as root, this runs Python, pip and npm as the
# service's user alone, and refuses a checkout in which others than root can write (venv/ and .env
# excepted). Recommended: such a checkout in /opt, and a user of its own for the service.
set -eu

SERVICE=claudecode2api
UNIT=/etc/systemd/system/$SERVICE.service
DROP_INS=$UNIT.d
COMMAND=/usr/local/bin/$SERVICE
STATE=/var/lib/$SERVICE
# Seconds that new workers may take to replace the old ones, and an answer to come.
PATIENCE=60

action=set_up
host=
port=
user=
cli=
start=true
yes=false
dry=false
purge=false
packages_change=false
unit_changes=false

main() {
    read_options "$@"
    root=$(cd "$(dirname "$0")" && pwd -P)
    cd "$root"
    uid=$(id -u)
    umask 022
    sudo="sudo"
    [ -t 0 ] || sudo="sudo -n"
    systemd=false
    [ ! -d /run/systemd/system ] || systemd=true
    "$action"
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --host | --port | --user | --cli)
                [ $# -ge 2 ] && [ -n "$2" ] || fail "cannot use $1 without a value; see ./install.sh --help"
                case $1 in
                    --host) host=$2 ;;
                    --port) port=$2 ;;
                    --user) user=$2 ;;
                    --cli) cli=$2 ;;
                esac
                shift
                ;;
            --no-start) start=false ;;
            --yes) yes=true ;;
            --dry-run) dry=true ;;
            --uninstall) action=remove ;;
            --purge) purge=true ;;
            -h | --help)
                sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"
                exit
                ;;
            *) fail "cannot use $1; see ./install.sh --help" ;;
        esac
        shift
    done
    case $cli in
        "" | official | npm | pip) ;;
        *) fail "cannot use --cli $cli: it is official, npm or pip" ;;
    esac
    case $port in
        *[!0-9]*) fail "cannot use --port $port: it is not a number" ;;
    esac
    # What is not said here would be read as the beginning of another value there.
    case $host in
        *[!0-9A-Za-z.:_-]*) fail "cannot use --host $host: it is not an address" ;;
    esac
    [ "$purge" = false ] || [ "$action" = remove ] || fail "cannot use --purge without --uninstall"
}

# --- Installing ---

set_up() {
    find_user
    check_place
    check_rights
    find_python
    look_at_service
    look_at_packages
    say "claudecode2api for $user, in $root"
    make_packages
    look_at_settings
    find_claude
    check_port
    make_settings
    if [ "$systemd" = true ]; then
        install_command
        install_unit
        run_service
    fi
    tell
}

# The user that the service runs as.
find_user() {
    if [ -z "$user" ]; then
        [ "$uid" -ne 0 ] || fail "cannot install for root: jobs can do whatever their user can." \
            "Run this as an ordinary user, or name one: ./install.sh --user ${SUDO_USER:-NAME}"
        user=$(id -un)
    fi
    id "$user" >/dev/null 2>&1 || fail "cannot install for $user: there is no such user"
    user=$(id -un "$user")
    group=$(id -gn "$user")
    if [ "$uid" -ne 0 ] && [ "$(id -u "$user")" -ne "$uid" ]; then
        fail "cannot install for $user: run this as $user, or as root (sudo ./install.sh --user $user)"
    fi
    if command -v getent >/dev/null; then
        home=$(getent passwd "$user" | cut -d: -f6)
    else
        home=$(sed -n "s/^$user:\([^:]*:\)\{4\}\([^:]*\):.*/\2/p" /etc/passwd)
    fi
    [ -d "$home" ] || fail "cannot install for $user: the home folder $home does not exist"
    # What the service's PATH is, and so that of its jobs.
    service_path=$home/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
    [ "$user" != root ] || say "Note: the CLI runs as root, and refuses to skip its permissions unless IS_SANDBOX=1 is in .env."
}

# Names that the unit could not hold are refused, rather than written in a way that means another thing.
check_place() {
    for path in "$root" "$home"; do
        case $path in
            *[\"\\%\$\|\&\'\`:]* | *"
"*) fail "cannot install in $path: a unit of systemd cannot name this path" ;;
        esac
    done
    for file in gunicorn.conf.py requirements.txt requirements-claude.txt .env.example \
        $SERVICE.service scripts app/settings.py; do
        [ -e "$file" ] || fail "cannot find $root/$file: this is not a whole checkout"
    done
    if [ "$uid" -eq 0 ]; then
        command -v runuser >/dev/null || fail "cannot act for $user: there is no runuser (it belongs to util-linux)"
        refuse_writable
        by_user_now test -r app/settings.py \
            || fail "cannot install in $root: $user cannot read it"
    else
        [ -w . ] || fail "cannot install in $root: $user cannot write there." \
            "If the checkout is root's: sudo ./install.sh --user $user"
    fi
}

# What root runs, and what root puts into the system, must be root's alone to change.
refuse_writable() {
    others='! -user root -o ! -type l ( -perm /002 -o -perm /020 ! -group root )'
    folder=$root
    writable=
    while [ "$folder" != / ] && [ -z "$writable" ]; do
        folder=$(dirname "$folder")
        # In a folder with a sticky bit, like /tmp, others cannot move what root owns.
        # shellcheck disable=SC2086 # words, not one word
        writable=$(find "$folder" -maxdepth 0 ! -perm -1000 \( $others \))
    done
    # shellcheck disable=SC2086
    [ -n "$writable" ] || writable=$(find "$root" \( -path "$root/venv" -o -path "$root/.env" \) -prune -o \
        \( $others \) -print -quit)
    [ -z "$writable" ] || fail "cannot install as root: $(stat -c %U "$writable") can write $writable, and root would run it." \
        "Run this as the user who owns the checkout; it uses sudo for the system's parts alone. Or give the checkout" \
        "to root, which is safer, because jobs cannot change it then: chown -R root: $root && chmod -R go-w $root" \
        "(in a folder that is root's, such as /opt)."
}

# Before anything is changed, and with the one question that sudo may ask.
check_rights() {
    [ "$systemd" = true ] && [ "$uid" -ne 0 ] && [ "$dry" = false ] || return 0
    command -v sudo >/dev/null \
        || fail "cannot install the service: there is no sudo. As root: ./install.sh --user $user"
    if [ -t 0 ]; then
        sudo -v || fail "cannot install the service without sudo"
    else
        sudo -n true 2>/dev/null \
            || fail "cannot install the service: sudo asks for a password, and there is no terminal." \
                "Run this in a terminal, or as root: ./install.sh --user $user"
    fi
}

# The first Python that is new enough, with what makes environments.
find_python() {
    python=
    found=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        path=$(command -v "$candidate" 2>/dev/null) || continue
        found="$found $candidate is $(look "$path" --version 2>&1 | head -n 1);"
        if look "$path" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$path
            break
        fi
    done
    if [ -z "$python" ]; then
        install_package "cannot find Python 3.11 or newer:${found:- there is no python3;}" python3 python3-venv
        return
    fi
    look "$python" -I -c 'import ensurepip, venv' 2>/dev/null \
        || install_package "cannot make venv/: $python has no venv;" "$(basename "$python")-venv"
    python_version=$(look "$python" --version)
}

# install_package WHY PACKAGE...: with --yes install these, and look again; else say how.
install_package() {
    why=$1
    shift
    if command -v apt-get >/dev/null; then
        way="apt-get install --yes --no-install-recommends $*"
    elif command -v dnf >/dev/null; then
        # Fedora's Python has its venv with it.
        way="dnf install --assumeyes python3"
    else
        fail "$why install Python 3.11 or newer with its modules venv and ensurepip"
    fi
    [ "$uid" -eq 0 ] || way="sudo $way"
    if [ "$yes" = false ]; then
        fail "$why install it, or run this again with --yes, which does it:" "    $way"
    fi
    say "$why installing it: $way"
    # Words, not one word.
    # shellcheck disable=SC2086
    change $way || fail "cannot go on: this command failed: $way"
    [ "$dry" = false ] || { say "The rest depends on it."; exit; }
    yes=false
    find_python
}

# Is it there, is it ours, does it run, and what would an update do to it?
look_at_service() {
    active=false
    jobs=0
    [ "$systemd" = true ] || return 0
    if [ -e "$UNIT" ]; then
        there=$(sed -n 's/^WorkingDirectory=//p' "$UNIT")
        whose=$(sed -n 's/^User=//p' "$UNIT")
        if [ "$there" != "$root" ] && [ -e "$there/install.sh" ]; then
            fail "cannot install: the service belongs to $there. First run $there/install.sh --uninstall"
        fi
        if [ "$whose" != "$user" ] && [ -d "$STATE" ]; then
            fail "cannot install for $user: the service belongs to $whose." \
                "To give it to another user: ./install.sh --uninstall --purge"
        fi
    fi
    if systemctl is-active --quiet $SERVICE; then
        active=true
    fi
    fill_unit | cmp -s - "$UNIT" || unit_changes=true
}

# An environment works only where it was made, and with the Python that made it.
# The same words as in scripts/environments.sh: what one has made, the other takes.
stamp() {
    printf '%s\n%s\n' "$python_version" "$root"
    cat requirements.txt
}

look_at_packages() {
    [ "$(look cat venv/stamp 2>/dev/null)" = "$(stamp)" ] || packages_change=true
    if [ "$packages_change" = true ] && [ "$active" = true ]; then
        count_jobs
        [ "$jobs" -eq 0 ] \
            || fail "cannot update while jobs run ($jobs): the Python packages change, and that needs a restart, which would" \
                "cancel them. Run this again when they have ended. Nothing was changed."
    fi
}

make_packages() {
    if [ "$packages_change" = false ]; then
        row packages "as requirements.txt says"
        return
    fi
    row packages "installing what requirements.txt names"
    fresh=false
    if [ "$(look venv/bin/python --version 2>/dev/null)" != "$python_version" ] \
        || [ "$(look sed -n 2p venv/stamp 2>/dev/null)" != "$root" ]; then
        fresh=true
        change rm -rf venv
        make_folder venv
        by_user "$python" -m venv venv || give_up_packages
    fi
    by_user venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --requirement requirements.txt || give_up_packages
    stamp | write_file venv/stamp 644
}

give_up_packages() {
    # A venv/ that was there before still serves.
    [ "$fresh" = false ] || rm -rf venv
    fail "cannot install the Python packages: what pip said is above. Nothing else was changed."
}

# Are there settings, and can they be used?
look_at_settings() {
    settings=false
    [ -e .env ] || return 0
    if [ ! -x venv/bin/python ]; then
        row settings ".env is there; it is looked at once venv/ is there"
        return
    fi
    settings=true
    told=$(as_service venv/bin/python -B -c "$SETTINGS" 2>&1) || fail "$told" \
        "Correct .env in $root, and run this again. The service was not touched."
    [ -z "$host" ] || [ "$host" = "$(line 1)" ] || refuse_to_write HOST "$host"
    [ -z "$port" ] || [ "$port" = "$(line 2)" ] || refuse_to_write PORT "$port"
    take_settings
    row settings ".env is there, and left as it is"
    case $(stat -c %a .env) in
        *00) ;;
        *) say "Note: other users can read .env, with the password: chmod 600 .env" ;;
    esac
}

refuse_to_write() {
    fail "cannot set $1 to $2: .env is there, and this program never touches one. Write $1=$2 into it, and run this again"
}

# What the gateway will use, in five lines.
SETTINGS='
import os, sys
from pathlib import Path
from app.errors import ConfigurationError
from app.settings import Settings
try:
    settings = Settings.load(os.environ, Path(".env"))
except ConfigurationError as error:
    sys.exit(str(error))
written = [line for line in Path(".env").read_text().splitlines() if line.startswith("AUTH_PASSWORD=")]
print(settings.host, settings.port, settings.auth_user, settings.state_dir, sep="\n")
print(written == ["AUTH_PASSWORD=" + settings.auth_password])
'

take_settings() {
    host=$(line 1)
    port=$(line 2)
    auth_user=$(line 3)
    state=$(line 4)
    as_written=$(line 5)
}

line() {
    printf '%s\n' "$told" | sed -n "$1p"
}

# The CLI that the service will find; one is got if it finds none.
find_claude() {
    claude_path=
    if ask_for_claude; then
        update_claude
        return
    fi
    [ "$settings" = false ] || ! as_service grep -q '^CLAUDE_PATH=.' .env \
        || fail "$told" "Correct .env in $root, and run this again. The service was not touched."
    # What your terminal finds may run in the service, too, if it is named.
    if [ "$uid" -ne 0 ] && [ ! -e .env ] && claude_path=$(command -v claude) && ask_for_claude; then
        return
    fi
    claude_path=
    # What was wrong is told of the places where the service would look.
    ask_for_claude || get_claude
    [ "$dry" = true ] || ask_for_claude || fail "$told" "The service was not touched."
}

# Sets $claude and $place, or $told to what was wrong.
ask_for_claude() {
    told=$(as_service "$python" -B -c "$LOCATE" "$claude_path" 2>&1) || return 1
    claude=$(line 1)
    place=$(line 3)
    row CLI "$claude, $(line 2)"
}

# Needs nothing but Python if there is no .env yet.
LOCATE='
import glob, os, sys
from pathlib import Path
from app.cli.locator import locate
from app.errors import ConfigurationError
named = sys.argv[1]
packages = sorted(glob.glob("venv/lib/python3*/site-packages"))
environment = dict(os.environ)
try:
    if os.path.exists(".env") and packages:
        sys.path.append(packages[0])
        from app.cli.environment import build_environment
        from app.settings import Settings
        settings = Settings.load(os.environ, Path(".env"))
        named = named or settings.claude_path
        environment = build_environment(os.environ, settings.environment)
    beside = Path(packages[0]).absolute() if packages else Path("/nonexistent")
    found = locate(named or None, environment, beside)
except ConfigurationError as error:
    sys.exit(str(error))
print(found.path, found.version, found.place, sep="\n")
'

get_claude() {
    row CLI "none yet; getting it (${cli:-pip}). ${told##*. }"
    case $cli in
        official)
            need curl
            need bash
            # The whole of it, or nothing of it.
            # shellcheck disable=SC2016 # that shell expands it
            by_user sh -c 'script=$(curl -fsSL https://claude.ai/install.sh) && printf "%s\n" "$script" | bash' \
                || fail "cannot get the CLI: what its installer said is above. The service was not touched."
            ;;
        npm)
            need npm
            by_user npm install --global @anthropic-ai/claude-code \
                || fail "cannot get the CLI: what npm said is above. The service was not touched."
            ;;
        *) pip_claude ;;
    esac
}

# One that came from the wheel is updated with it.
update_claude() {
    case $place in
        claude-agent-sdk*) ;;
        *) return 0 ;;
    esac
    if [ "$(look cat venv/stamp-claude 2>/dev/null)" != "$(cat requirements-claude.txt)" ]; then
        pip_claude
        [ "$dry" = true ] || ask_for_claude || fail "$told" "The service was not touched."
    fi
}

pip_claude() {
    by_user venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
        --requirement requirements-claude.txt \
        || fail "cannot get the CLI: what pip said is above. Install Claude Code in another way" \
            "(--cli official or npm, or by hand), and run this again. The service was not touched."
    write_file venv/stamp-claude 644 <requirements-claude.txt
}

need() {
    command -v "$1" >/dev/null || fail "cannot get the CLI with --cli $cli: there is no $1"
}

# A port that another program has would end the start, again and again.
check_port() {
    host=${host:-127.0.0.1}
    port=${port:-9876}
    if [ "$active" = true ] || [ "$start" = false ]; then
        return
    fi
    told=$(as_service "$python" -I -B -c "$BIND" "$host" "$port" 2>&1) \
        || fail "cannot listen on $host, port $port: $told. Choose another port with --port (in .env, if there is one)." \
            "The service was not touched."
}

BIND='
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen()
except (OSError, OverflowError) as error:
    sys.exit(getattr(error, "strerror", None) or str(error))
'

make_settings() {
    [ ! -e .env ] || return 0
    row settings "making .env, with a new password"
    if [ "$dry" = true ]; then
        password=GENERATED
    else
        password=$(head -c 24 /dev/urandom | base64 | tr +/ -_)
    fi
    sed -e "s|^AUTH_PASSWORD=.*|AUTH_PASSWORD=$password|" \
        -e "s|^# HOST=.*|HOST=$host|" -e "s|^# PORT=.*|PORT=$port|" \
        -e "${claude_path:+s|^# CLAUDE_PATH=.*|CLAUDE_PATH=$claude_path|}" .env.example | write_file .env 600
    auth_user="admin"
    as_written=True
    if [ "$dry" = false ]; then
        told=$(as_service venv/bin/python -B -c "$SETTINGS" 2>&1) || {
            # It was not there before.
            rm -f .env
            fail "$told" "The service was not touched."
        }
        take_settings
        make_key
    fi
}

# A first key, for OpenAI's clients. It is shown once, so never where a log would keep it.
make_key() {
    if [ -t 1 ]; then
        row "API key" "making one; it is shown once"
        by_user scripts/$SERVICE key add default || say "Note: no API key was made; see above."
    else
        row "API key" "none yet. In a terminal: $(command_line key add default)"
    fi
}

# The gateway's command, as the reader of this output can run it.
command_line() {
    if [ "$uid" -eq 0 ] && [ "$user" != root ]; then
        echo "sudo -u $user $(quote "$root/scripts/$SERVICE") $*"
    else
        echo "$(quote "$root/scripts/$SERVICE") $*"
    fi
}

# --- The service ---

# The repository's unit with the six lines that differ from machine to machine.
fill_unit() {
    sed -e "s|^User=.*|User=$user|" -e "s|^Group=.*|Group=$group|" \
        -e "s|^WorkingDirectory=.*|WorkingDirectory=$root|" \
        -e "s|^Environment=\"PATH=.*|Environment=\"PATH=$service_path\"|" \
        -e "s|^ExecStart=.*|ExecStart=\"$root/venv/bin/gunicorn\"|" \
        -e "s|^ExecReload=\".*|ExecReload=\"$root/venv/bin/gunicorn\" --check-config|" $SERVICE.service
}

install_command() {
    if [ "$(readlink venv/bin/$SERVICE || true)" != ../../scripts/$SERVICE ]; then
        by_user ln -sf ../../scripts/$SERVICE venv/bin/$SERVICE
    fi
    if is_other_command; then
        say "Note: $COMMAND is another program, and is left as it is. Ours is $root/venv/bin/$SERVICE."
    elif [ -L $COMMAND ] || ! fill_command | cmp -s - $COMMAND; then
        # Not a link into the checkout: root may run it, and it says what root must not run.
        fill_command | as_root install -m 755 /dev/stdin $COMMAND
    fi
}

# The repository's command, which looks for the checkout where it is.
fill_command() {
    sed "s|^checkout=.*|checkout='$root'|" scripts/$SERVICE
}

# Is there a program of that name that no checkout has put there?
is_other_command() {
    [ -e $COMMAND ] && [ ! -L $COMMAND ] && ! grep -q "^checkout='" $COMMAND
}

install_unit() {
    if [ "$unit_changes" = true ]; then
        row service "writing $UNIT"
        fill_unit | as_root install -m 644 /dev/stdin $UNIT
        as_root systemctl daemon-reload
    elif [ "$(systemctl show --property=NeedDaemonReload --value $SERVICE)" = yes ]; then
        # A drop-in was changed by hand.
        as_root systemctl daemon-reload
    fi
    systemctl is-enabled --quiet $SERVICE 2>/dev/null || as_root systemctl --quiet enable $SERVICE
}

run_service() {
    if [ "$start" = false ]; then
        row service "not started, because of --no-start: sudo systemctl start $SERVICE"
    elif [ "$active" = false ]; then
        row service "starting"
        as_root systemctl start $SERVICE || show_journal "cannot start the service"
        wait_for_answer
    elif [ "$packages_change" = true ] || waits_for_restart; then
        restart_service
    elif [ "$(fingerprint)" != "$(look cat venv/loaded 2>/dev/null)" ]; then
        reload_service
    else
        row service "runs, and nothing has changed"
        wait_for_answer
        return
    fi
    if [ "$start" = true ]; then
        if [ "$dry" = false ]; then fingerprint; fi | write_file venv/loaded 600
    fi
}

# Was the unit written after the service was started?
waits_for_restart() {
    [ "$unit_changes" = false ] || return 0
    since=$(systemctl show --property=ActiveEnterTimestamp --value $SERVICE)
    [ "$(stat -c %Y $UNIT)" -gt "$(date -d "$since" +%s)" ]
}

restart_service() {
    count_jobs
    if [ "$jobs" -eq 0 ]; then
        row service "restarting"
        as_root systemctl restart $SERVICE || show_journal "cannot restart the service"
        wait_for_answer
        return
    fi
    reload_service
    say "Note: the unit has changed. That comes into effect when the service is restarted, which would cancel the jobs" \
        "that run now ($jobs). When it suits you: sudo systemctl restart $SERVICE"
}

# New code and settings: new workers take over, and jobs go on.
reload_service() {
    row service "reloading; running jobs go on"
    first=$(systemctl show --property=MainPID --value $SERVICE)
    old=$(cat "/proc/$first/task/$first/children")
    as_root systemctl reload $SERVICE || show_journal "cannot reload the service, which runs on as it was"
    [ "$dry" = false ] || return 0
    deadline=$(($(date +%s) + PATIENCE))
    for worker in $old; do
        while grep -qw "$worker" "/proc/$first/task/$first/children" 2>/dev/null; do
            [ "$(date +%s)" -lt "$deadline" ] || show_journal "cannot reload: the old workers are still there"
            sleep 0.1
        done
    done
    wait_for_answer
}

# What a reload would read anew. Of .env not what is in it, but when it was written.
fingerprint() {
    find app gunicorn.conf.py -name '*.py' -type f -exec cksum {} + | LC_ALL=C sort
    stat -c '%n %y' .env
}

# The jobs that have not ended.
count_jobs() {
    told=$(as_service venv/bin/python -B -c "$SETTINGS" 2>/dev/null) || told=
    state=$(line 4)
    # shellcheck disable=SC2016 # that shell expands it
    jobs=$(as_service sh -c 'ls "$1/live" 2>/dev/null | wc -l' sh "${state:-$STATE}")
}

wait_for_answer() {
    [ "$dry" = false ] || return 0
    logged_in=$(as_service "$python" -I -B -c "$ASK" "$(address)" "$port" "$PATIENCE") \
        || show_journal "cannot reach the gateway: $(url)/health does not answer"
}

# What /health says of the login, which it does not know at once.
ASK='
import http.client, json, sys, time
host, port, patience = sys.argv[1].strip("[]"), int(sys.argv[2]), float(sys.argv[3])
begun = time.monotonic()
while True:
    answer = logged_in = None
    try:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        logged_in = json.loads(answer.read()).get("logged_in")
    except (OSError, http.client.HTTPException, ValueError):
        pass
    waited = time.monotonic() - begun
    # A refused host name is an answer, too.
    if answer and answer.status < 500 and (logged_in is not None or waited > 3 or answer.status != 200):
        break
    if waited > patience:
        sys.exit(1)
    time.sleep(0.1)
print(logged_in)
'

# Where this machine reaches the gateway.
address() {
    case $host in
        0.0.0.0) echo 127.0.0.1 ;;
        ::) echo "[::1]" ;;
        *:*) echo "[$host]" ;;
        *) echo "$host" ;;
    esac
}

url() {
    echo "http://$(address):$port"
}

show_journal() {
    say "$1; the last lines of its journal:"
    as_root journalctl --unit $SERVICE --no-pager --output cat --lines 20 >&2 || true
    if [ "$active" = false ]; then
        # Or it would be tried again for ever.
        as_root systemctl stop $SERVICE || true
        fail "The service is installed, and does not run. When this is put right, run ./install.sh again."
    fi
    fail "When this is put right, run ./install.sh again."
}

tell() {
    if [ "$dry" = true ]; then
        say "" "Nothing was changed."
        return
    fi
    if [ "$systemd" = false ]; then
        say "" "There is no systemd here. This starts the gateway, until Ctrl-C:" "" "    $(foreground)"
    elif [ "$start" = false ]; then
        say "" "When you have started it:"
    fi
    case ${logged_in:-} in
        True) ;;
        # What is told may be a minute old.
        False) say "" "The CLI is not logged in (or was not, a minute ago): run $claude as $user once, or put" \
            "ANTHROPIC_API_KEY=… into .env." ;;
        *) say "" "If you have not logged in to the CLI: run $claude as $user once, or put ANTHROPIC_API_KEY=… into .env." ;;
    esac
    if [ "$as_written" = True ]; then
        pair="\"$auth_user:\$(sed -n s/^AUTH_PASSWORD=//p $(quote "$root/.env"))\""
    else
        # curl asks for the password.
        pair=$(quote "$auth_user")
    fi
    say "" "The gateway: $(url)" \
        "  user       $auth_user" \
        "  password   AUTH_PASSWORD in $root/.env" \
        "  try it     curl -N -u $pair -H 'Content-Type: application/json' -d '{\"prompt\": \"Say hello.\", \"cwd\": \"$home\"}' $(url)/chat"
    [ "$systemd" = false ] || say "  its log    sudo journalctl -u $SERVICE -f"
}

foreground() {
    if [ "$uid" -eq 0 ]; then
        echo "cd $(quote "$root") && runuser -u $user -- env HOME=$(quote "$home") venv/bin/gunicorn"
    else
        echo "cd $(quote "$root") && venv/bin/gunicorn"
    fi
}

# --- Uninstalling ---

remove() {
    user=$(id -un)
    check_rights
    if [ -e "$UNIT" ]; then
        there=$(sed -n 's/^WorkingDirectory=//p' "$UNIT")
        [ "$there" = "$root" ] || [ ! -e "$there/install.sh" ] \
            || fail "cannot uninstall: the service belongs to $there. Run $there/install.sh --uninstall"
    fi
    if [ "$purge" = true ] && [ "$yes" = false ] && [ "$dry" = false ]; then
        [ -t 0 ] || fail "cannot remove .env and the state without being asked, as there is no terminal: add --yes"
        printf 'Remove %s, %s and %s, with all jobs in them? [y/N] ' "$root/.env" "$STATE" "$DROP_INS"
        read -r answer
        case $answer in
            y | Y | yes) ;;
            *) fail "Nothing was changed." ;;
        esac
    fi
    if [ "$systemd" = true ]; then
        remove_service
    fi
    [ ! -e venv ] || change rm -rf venv
    if [ "$purge" = true ]; then
        for kept in "$STATE" "$DROP_INS"; do
            [ "$systemd" = false ] || [ ! -e "$kept" ] || as_root rm -rf "$kept"
        done
        [ ! -e .env ] || change rm -f .env
    fi
    [ "$dry" = false ] || { say "" "Nothing was changed."; return; }
    say "claudecode2api is uninstalled."
    for kept in "$root/.env" "$STATE" "$DROP_INS"; do
        [ ! -e "$kept" ] || say "  kept   $kept"
    done
}

remove_service() {
    if [ -e "$UNIT" ]; then
        # Its jobs are cancelled.
        as_root systemctl --quiet disable --now $SERVICE
        as_root rm -f $UNIT
        as_root systemctl daemon-reload
        as_root systemctl reset-failed $SERVICE 2>/dev/null || true
    fi
    # A link is what 1.0 put there.
    case $(readlink $COMMAND || true) in
        "$root"/*) as_root rm -f $COMMAND ;;
    esac
    if [ -f $COMMAND ] && grep -qxF "checkout='$root'" $COMMAND; then
        as_root rm -f $COMMAND
    fi
}

# --- Doing and telling ---

# change COMMAND...: run what changes something; with --dry-run only show it.
change() {
    if [ "$dry" = true ]; then
        show "$@"
    else
        "$@"
    fi
}

as_root() {
    if [ "$uid" -eq 0 ]; then
        change "$@"
    else
        # Words, not one word.
        # shellcheck disable=SC2086
        change $sudo "$@"
    fi
}

# As the service's user. For root with a new environment, and of the old one with what pip, npm and
# curl need.
by_user() {
    if [ "$uid" -ne 0 ]; then
        change "$@"
        return
    fi
    set -- HOME="$home" USER="$user" LOGNAME="$user" PATH="$service_path" LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@"
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
        case $name in
            PIP_* | NPM_CONFIG_* | npm_config_* | *_proxy | *_PROXY | *_CA_BUNDLE | SSL_CERT_* | NODE_EXTRA_CA_CERTS)
                value=
                eval "value=\$$name"
                set -- "$name=$value" "$@"
                ;;
        esac
    done
    change by_user_now env -i "$@"
}

# Look at something as the service would: as its user, with the environment that systemd gives it.
as_service() {
    by_user_now env -i HOME="$home" USER="$user" LOGNAME="$user" PATH="$service_path" LANG=C.UTF-8 \
        STATE_DIRECTORY="$([ "$systemd" = false ] || echo $STATE)" "$@"
}

# Look at something, never as root.
look() {
    if [ "$uid" -eq 0 ]; then
        by_user_now env -i HOME="$home" USER="$user" LOGNAME="$user" PATH="$service_path" LANG=C.UTF-8 "$@"
    else
        "$@"
    fi
}

# As the service's user. In a session of its own, it cannot push input into root's terminal.
by_user_now() {
    if [ "$uid" -eq 0 ]; then
        setsid --wait runuser -u "$user" -- "$@"
    else
        "$@"
    fi
}

# make_folder NAME: the service's user owns it, also in a checkout that is another's.
make_folder() {
    if [ "$uid" -eq 0 ]; then
        change install -d -o "$user" -g "$group" "$1"
    else
        change mkdir "$1"
    fi
}

# write_file NAME MODE <CONTENT: whole or not at all, and never with more rights than it shall have.
write_file() {
    if [ "$dry" = true ]; then
        show write "$1" "(mode $2)"
        cat >/dev/null
    elif [ "$uid" -ne 0 ]; then
        sh -c "$WRITE" sh "$1" "$2"
    elif by_user_now test -w "$(dirname "$1")"; then
        by_user_now sh -c "$WRITE" sh "$1" "$2"
    else
        sh -c "$WRITE" sh "$1" "$2"
        chown "$user:$group" "$1"
    fi
}

# shellcheck disable=SC2016 # that shell expands it
WRITE='umask 077 && rm -f "$1.new" && cat >"$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1"'

show() {
    printf '    would run:'
    for word; do
        printf ' %s' "$(quote "$word")"
    done
    printf '\n'
}

# A word as a shell takes it.
quote() {
    case $1 in
        "" | *[!A-Za-z0-9_./:=@%+,-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
        *) printf %s "$1" ;;
    esac
}

row() {
    printf '  %-10s %s\n' "$1" "$2"
}

say() {
    printf '%s\n' "$@"
}

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

main "$@"
