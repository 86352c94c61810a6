#!/bin/sh
# Install the gateway as a service, or update it. Run it again after every `git pull`.
#
#   ./install.sh [--host ADDRESS] [--port NUMBER] [--user NAME] [--cli official|npm|pip]
#                [--no-start] [--yes] [--dry-run]
#   ./install.sh --uninstall [--purge] [--yes] [--dry-run]
#
#   --host, --port  HOST and PORT for a new .env; an existing one is never changed, and neither is
#                   claudecode2api.toml
#   --user NAME     as root: the user that runs the service and its jobs, with its login to the
#                   CLI and its projects
#   --cli HOW       how to install Claude Code if it is missing: with Anthropic's installer, npm,
#                   or a wheel that carries it (pip, the default)
#   --no-start      set everything up, but start nothing now
#   --yes           install missing system packages; with --purge: do not ask
#   --dry-run       print every command that would change something, and change nothing
#   --uninstall     remove the service, the command and venv/; keep the settings and the state
#   --purge         remove .env, the state and the drop-ins, too
#
# It changes, as you:    venv/ and .env in this folder; the CLI, if it is missing.
# It changes, with sudo: /etc/systemd/system/claudecode2api.service, the command
#                        /usr/local/bin/claudecode2api, and the service, which keeps its state
#                        in /var/lib/claudecode2api.
# Without systemd it changes nothing outside this folder. Running jobs survive an update.
# It checks everything before it changes anything. It asks nothing without a terminal.
# PYTHON=… chooses the Python; pip uses your PIP_… variables.
#
# Jobs can change whatever their user can write. So, as root, this runs Python, pip and npm only
# as the service's user, and refuses a checkout in which other users than root can write (except
# for venv/ and .env). Recommended: such a checkout in /opt, and a separate user for the service.
set -eu

SERVICE=claudecode2api
UNIT=/etc/systemd/system/$SERVICE.service
DROP_INS=$UNIT.d
COMMAND=/usr/local/bin/$SERVICE
STATE=/var/lib/$SERVICE
TOML=$SERVICE.toml
# Seconds for the first answer.
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

main() {
    [ "$(uname -s)" = Linux ] || fail "cannot run on $(uname -s): claudecode2api needs Linux; use a Linux container or virtual machine, or WSL 2 on Windows"
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
        *) fail "cannot use --cli $cli: it must be official, npm or pip" ;;
    esac
    case $port in
        *[!0-9]* | 0* | ??????*) fail "cannot use --port $port: it is not a port number" ;;
    esac
    [ "${port:-1}" -le 65535 ] || fail "cannot use --port $port: the largest is 65535"
    # Any other character could end the value in .env.
    case $host in
        *[!0-9A-Za-z.:_-]*) fail "cannot use --host $host: it is not an address" ;;
    esac
    [ "$purge" = false ] || [ "$action" = remove ] || fail "cannot use --purge without --uninstall"
}

# --- Installing ---

set_up() {
    find_user
    check_checkout
    check_sudo "install the service" "./install.sh --user $user"
    find_python
    look_at_service
    check_restart
    say "claudecode2api for $user, in $root"
    make_packages
    check_settings
    find_claude
    check_port
    make_settings
    if [ "$systemd" = true ]; then
        install_command
        install_unit
        run_service
    fi
    show_how_to_use
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
    # PATH of the service, and so of its jobs.
    service_path=$home/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
    [ "$user" != root ] || say "Note: the CLI runs as root, and refuses to skip its permissions unless IS_SANDBOX=1 is in .env."
}

check_checkout() {
    for path in "$root" "$home"; do
        case $path in
            *[\"\\%\$\|\&\'\`:]* | *"
"*) fail "cannot install in $path: a systemd unit cannot hold this path" ;;
        esac
    done
    for file in gunicorn.conf.py requirements.txt requirements-claude.txt .env.example \
        $SERVICE.service scripts app/settings.py vendored console/dist; do
        [ -e "$file" ] || fail "cannot find $root/$file: this is not a whole checkout"
    done
    if [ "$uid" -eq 0 ]; then
        command -v runuser >/dev/null || fail "cannot run anything as $user: there is no runuser (package util-linux)"
        refuse_writable
        by_user_now test -r app/settings.py \
            || fail "cannot install in $root: $user cannot read it"
    else
        [ -w . ] || fail "cannot install in $root: $user cannot write there." \
            "If the checkout belongs to root: sudo ./install.sh --user $user"
    fi
    for file in .env $TOML; do
        [ ! -e "$file" ] || by_user_now test -r "$file" \
            || fail "cannot install for $user: $user cannot read $root/$file. Give it to $user: sudo chown $user: $root/$file"
    done
    locked=$(locked_folder venv)
    [ -z "$locked" ] || fail "cannot install for $user: $user cannot write $locked. Remove venv/, which is made again: sudo rm -r $root/venv"
}

# locked_folder NAME: the first folder in NAME that the service's user cannot write.
locked_folder() {
    [ ! -d "$1" ] || by_user_now find "$root/$1" -type d ! -writable -print -quit 2>/dev/null
}

# Only root may be able to change what root runs and installs.
refuse_writable() {
    others='! -user root -o ! -type l ( -perm /002 -o -perm /020 ! -group root )'
    folder=$root
    writable=
    while [ "$folder" != / ] && [ -z "$writable" ]; do
        folder=$(dirname "$folder")
        # In a folder with a sticky bit, like /tmp, others cannot move root's files.
        # shellcheck disable=SC2086 # words, not one word
        writable=$(find "$folder" -maxdepth 0 ! -perm -1000 \( $others \))
    done
    # shellcheck disable=SC2086
    [ -n "$writable" ] || writable=$(find "$root" \( -path "$root/venv" -o -path "$root/.env" -o -path "$root/$TOML" \) -prune -o \
        \( $others \) -print -quit)
    [ -z "$writable" ] || fail "cannot install as root: $(stat -c %U "$writable") can write $writable, and root would run it." \
        "Run this as the owner of the checkout; it uses sudo only for the system's files. Or give the checkout" \
        "to root, which is safer, because jobs cannot change it then: chown -R root: $root && chmod -R go-w $root" \
        "(in a folder that belongs to root, such as /opt)."
}

# check_sudo WHAT COMMAND: before anything is changed. sudo may ask for a password here. COMMAND is
# what root runs instead.
check_sudo() {
    [ "$systemd" = true ] && [ "$uid" -ne 0 ] && [ "$dry" = false ] || return 0
    command -v sudo >/dev/null || fail "cannot $1: there is no sudo. As root: $2"
    if [ -t 0 ]; then
        sudo -v || fail "cannot $1 without sudo. As root: $2"
    else
        sudo -n true 2>/dev/null \
            || fail "cannot $1: sudo asks for a password, and there is no terminal." \
                "Run this in a terminal, or as root: $2"
    fi
}

# The first Python that is new enough and can make environments.
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

# install_package REASON PACKAGE...: with --yes install them and go on; else fail and show how.
install_package() {
    reason=$1
    shift
    if command -v apt-get >/dev/null; then
        way="apt-get install --yes --no-install-recommends $*"
    elif command -v dnf >/dev/null; then
        # Fedora's Python includes venv.
        way="dnf install --assumeyes python3"
    else
        fail "$reason install Python 3.11 or newer with its modules venv and ensurepip"
    fi
    [ "$uid" -eq 0 ] || way="sudo $way"
    if [ "$yes" = false ]; then
        fail "$reason install it, or run this again with --yes, which does it:" "    $way"
    fi
    say "$reason installing it: $way"
    # Words, not one word.
    # shellcheck disable=SC2086
    change $way || fail "cannot go on: this command failed: $way"
    [ "$dry" = false ] || { say "The rest depends on it."; exit; }
    yes=false
    find_python
}

# Does the service exist, is it this checkout's, does it run, and what would an update change?
look_at_service() {
    active=false
    unit_changes=false
    packages_change=false
    [ "$(look cat venv/stamp 2>/dev/null)" = "$(stamp)" ] || packages_change=true
    [ "$systemd" = true ] || return 0
    if [ -e "$UNIT" ]; then
        refuse_other_checkout install "First run"
        unit_user=$(sed -n 's/^User=//p' "$UNIT")
        if [ "$unit_user" != "$user" ] && [ -d "$STATE" ]; then
            fail "cannot install for $user: the service belongs to $unit_user." \
                "To give it to another user: ./install.sh --uninstall --purge"
        fi
    fi
    if systemctl is-active --quiet $SERVICE; then
        active=true
    fi
    fill_unit | cmp -s - "$UNIT" || unit_changes=true
}

# refuse_other_checkout VERB ADVICE: the unit may belong to another checkout.
refuse_other_checkout() {
    owner=$(sed -n 's/^WorkingDirectory=//p' "$UNIT")
    [ "$owner" = "$root" ] || [ ! -e "$owner/install.sh" ] \
        || fail "cannot $1: the service belongs to $owner. $2 $owner/install.sh --uninstall"
}

# An environment works only where it was made, and with the Python that made it. The text is that
# of scripts/environments.sh, so that each accepts an environment made by the other.
stamp() {
    printf '%s\n%s\n' "$python_version" "$root"
    cat requirements.txt
}

# What a reload cannot bring into effect waits until no job runs.
check_restart() {
    layout_changes=false
    [ "$active" = true ] || return 0
    look_at_state
    reason=
    [ "$layout_changes" = false ] || reason="the layout of the state folder changes"
    [ "$packages_change" = false ] || reason="the Python packages change"
    [ -z "$reason" ] || [ "$jobs" -eq 0 ] \
        || fail "cannot update while jobs run ($jobs): $reason, and that needs a restart, which would" \
            "cancel them. Run this again when they have ended. Nothing was changed."
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
        by_user "$python" -m venv venv || fail_packages
    fi
    by_user venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --requirement requirements.txt || fail_packages
    stamp | write_file venv/stamp 644
}

fail_packages() {
    # A venv/ that was there before still works.
    [ "$fresh" = false ] || rm -rf venv
    fail "cannot install the Python packages: pip's error is above. Nothing else was changed."
}

# Can existing settings be used, and do they lack only a password, for which .env is made?
check_settings() {
    makes_env=false
    provisional=
    if [ ! -e .env ]; then
        makes_env=true
        [ -e $TOML ] || return 0
    fi
    if [ ! -x venv/bin/python ]; then
        row settings "exist; they are checked once there is venv/"
        return
    fi
    if ! ask settings; then
        case $makes_env$answer in
            "truecannot use AUTH_PASSWORD: it is not set"*) provisional=generated-later ;;
            *) fail_settings ;;
        esac
        ask settings || fail_settings
    elif [ "$makes_env" = true ]; then
        # It has the password, too.
        makes_env=false
    fi
    [ -z "$host" ] || [ "$host" = "$(line 1)" ] || refuse_to_set HOST "$host"
    [ -z "$port" ] || [ "$port" = "$(line 2)" ] || refuse_to_set PORT "$port"
    take_settings
    row settings "exist, and stay as they are"
    [ -e .env ] || return 0
    case $(stat -c %a .env) in
        *00) ;;
        *) say "Note: other users can read .env, with the password: chmod 600 .env" ;;
    esac
}

fail_settings() {
    fail "$answer" "Correct the settings in $root, and run this again. The service was not touched."
}

refuse_to_set() {
    fail "cannot set $1 to $2: this program never changes settings that exist. Set $1 to $2 in .env or $TOML, and run this again"
}

take_settings() {
    host=$(line 1)
    port=$(line 2)
    auth_user=$(line 3)
    url=$(line 5)
    password_is_plain=$(line 6)
    password_place=$(line 7)
}

# ask MODULE ARGUMENT...: run a module of app/tool/install/ as the service would; sets $answer.
ask() {
    module=$1
    shift
    own_python=venv/bin/python
    # It may be missing, or no longer work.
    as_service $own_python -c "" 2>/dev/null || own_python=$python
    answer=$(as_service ${provisional:+"AUTH_PASSWORD=$provisional"} "$own_python" -s -B -m "app.tool.install.$module" "$@" 2>&1)
}

# line NUMBER: one line of $answer.
line() {
    printf '%s\n' "$answer" | sed -n "$1p"
}

# The CLI that the service will find; installs it if there is none.
find_claude() {
    claude_path=
    if ask_for_claude; then
        update_claude
        show_claude
        return
    fi
    reason=$answer
    case $reason in
        *"correct CLAUDE_PATH"*) fail_settings ;;
    esac
    # The service does not search your PATH, but CLAUDE_PATH can name what is there.
    if [ "$uid" -ne 0 ] && [ "$makes_env" = true ] && claude_path=$(command -v claude) && ask_for_claude; then
        show_claude
        return
    fi
    claude_path=
    row CLI "none yet; installing it (${cli:-pip}). ${reason##*. }"
    install_claude
    ask_for_claude_again
    [ "$dry" = true ] || show_claude
}

# Sets $claude, $claude_version and $place, or $answer to what is wrong.
ask_for_claude() {
    ask claude ${claude_path:+"$claude_path"} || return 1
    claude=$(line 1)
    claude_version=$(line 2)
    place=$(line 3)
}

show_claude() {
    row CLI "$claude, $claude_version"
}

ask_for_claude_again() {
    [ "$dry" = true ] || ask_for_claude || fail "$answer" "The service was not touched."
}

install_claude() {
    case $cli in
        official)
            need curl
            need bash
            # All of the script, or nothing of it.
            # shellcheck disable=SC2016 # that shell expands it
            by_user sh -c 'script=$(curl -fsSL https://claude.ai/install.sh) && printf "%s\n" "$script" | bash' \
                || fail "cannot install the CLI: its installer's error is above. The service was not touched."
            ;;
        npm)
            need npm
            by_user npm install --global @anthropic-ai/claude-code \
                || fail "cannot install the CLI: npm's error is above. The service was not touched."
            ;;
        *) install_wheel ;;
    esac
}

need() {
    command -v "$1" >/dev/null || fail "cannot install the CLI with --cli $cli: there is no $1"
}

install_wheel() {
    by_user venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
        --requirement requirements-claude.txt \
        || fail "cannot install the CLI: pip's error is above. Install Claude Code in another way" \
            "(--cli official or npm, or by hand), and run this again. The service was not touched."
    write_file venv/stamp-claude 644 <requirements-claude.txt
}

# A CLI that came from the wheel is updated with it.
update_claude() {
    case $place in
        claude-agent-sdk*) ;;
        *) return 0 ;;
    esac
    if [ "$(look cat venv/stamp-claude 2>/dev/null)" != "$(cat requirements-claude.txt)" ]; then
        install_wheel
        ask_for_claude_again
    fi
}

# Now, because the service would fail to start again and again.
check_port() {
    host=${host:-127.0.0.1}
    port=${port:-9876}
    if [ "$active" = true ] || [ "$start" = false ]; then
        return
    fi
    ask port "$host" "$port" || fail "$answer" "(--host and --port set them in a new .env.) The service was not touched."
}

make_settings() {
    [ "$makes_env" = true ] || return 0
    row settings "making .env, with a new password"
    if [ "$dry" = true ]; then
        password=GENERATED
    else
        password=$(head -c 24 /dev/urandom | base64 | tr +/ -_)
    fi
    # Here they would win over the TOML file.
    address="s|^# HOST=.*|HOST=$host|; s|^# PORT=.*|PORT=$port|"
    [ ! -e $TOML ] || address=
    sed -e "s|^AUTH_PASSWORD=.*|AUTH_PASSWORD=$password|" -e "$address" \
        -e "${claude_path:+s|^# CLAUDE_PATH=.*|CLAUDE_PATH=$claude_path|}" .env.example | write_file .env 600
    [ "$dry" = false ] || return 0
    provisional=
    ask settings || {
        # It was not there before.
        rm -f .env
        fail "$answer" "The service was not touched."
    }
    take_settings
    make_key
}

# A first key, for OpenAI clients. It is shown once, so only where no log keeps it.
make_key() {
    if [ -t 1 ]; then
        row "API key" "making one; it is shown once"
        by_user scripts/$SERVICE key add default || say "Note: no API key was made; the error is above."
    else
        row "API key" "none yet. In a terminal: $(command_line key add default)"
    fi
}

# command_line ARGUMENT...: the gateway's command, for the reader of this output.
command_line() {
    echo "$(as_reader "$root/scripts/$SERVICE") $*"
}

# as_reader PROGRAM: how the reader of this output runs a program as the service's user.
as_reader() {
    if [ "$uid" -ne 0 ] || [ "$user" = root ]; then
        quote "$1"
    elif command -v sudo >/dev/null; then
        printf 'sudo -u %s -H %s' "$user" "$(quote "$1")"
    else
        printf 'runuser -u %s -- env HOME=%s %s' "$user" "$(quote "$home")" "$(quote "$1")"
    fi
}

# --- The service ---

# The repository's unit, with this machine's values in six of its lines.
fill_unit() {
    sed -e "s|^User=.*|User=$user|" -e "s|^Group=.*|Group=$group|" \
        -e "s|^WorkingDirectory=.*|WorkingDirectory=$root|" \
        -e "s|^Environment=\"PATH=.*|Environment=\"PATH=$service_path\"|" \
        -e "s|^ExecStart=.*|ExecStart=\"$root/venv/bin/gunicorn\"|" \
        -e "s|^ExecReload=\".*|ExecReload=\"$root/scripts/$SERVICE\" reload|" $SERVICE.service
}

install_command() {
    if [ "$(readlink venv/bin/$SERVICE || true)" != ../../scripts/$SERVICE ]; then
        by_user ln -sf ../../scripts/$SERVICE venv/bin/$SERVICE
    fi
    if [ -e $COMMAND ] && [ ! -L $COMMAND ] && ! grep -q "^checkout='" $COMMAND; then
        say "Note: $COMMAND is another program, and stays as it is. The gateway's is $root/venv/bin/$SERVICE."
    elif [ -L $COMMAND ] || ! fill_command | cmp -s - $COMMAND; then
        # Not a link into the checkout: root may run it, and it checks what root must not run.
        fill_command | write_system_file $COMMAND 755
    fi
}

# The repository's command, with the path of this checkout.
fill_command() {
    sed "s|^checkout=.*|checkout='$root'|" scripts/$SERVICE
}

install_unit() {
    if [ "$unit_changes" = true ]; then
        row service "writing $UNIT"
        fill_unit | write_system_file $UNIT 644
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
        return
    elif [ "$active" = false ]; then
        start_service
    elif [ "$packages_change" = true ] || [ "$layout_changes" = true ] || unit_is_newer; then
        restart_service
    elif [ "$(fingerprint)" != "$(look cat venv/loaded 2>/dev/null)" ]; then
        reload_service
    else
        row service "runs, and nothing has changed"
        wait_for_answer
        return
    fi
    if [ "$dry" = false ]; then fingerprint; fi | write_file venv/loaded 600
}

start_service() {
    row service "starting"
    as_root systemctl start $SERVICE || show_journal "cannot start the service"
    wait_for_answer
}

# Was the unit written after the service was started?
unit_is_newer() {
    [ "$unit_changes" = false ] || return 0
    started=$(systemctl show --property=ActiveEnterTimestamp --value $SERVICE)
    [ "$(stat -c %Y $UNIT)" -gt "$(date -d "$started" +%s)" ]
}

restart_service() {
    look_at_state
    if [ "$jobs" -eq 0 ]; then
        row service "restarting"
        as_root systemctl restart $SERVICE || show_journal "cannot restart the service"
        wait_for_answer
        return
    fi
    reload_service
    say "Note: the unit has changed. A restart brings that into effect, and would cancel the running jobs ($jobs)." \
        "When it suits you: sudo systemctl restart $SERVICE"
}

# New code and settings: new workers take over, and jobs go on.
reload_service() {
    row service "reloading; running jobs go on"
    # This returns when new workers serve.
    as_root systemctl reload $SERVICE || show_journal "cannot reload the service, which goes on as before"
    wait_for_answer
}

# What a reload would read: the code, and when the settings were written.
fingerprint() {
    find app gunicorn.conf.py -name '*.py' -type f -exec cksum {} + | LC_ALL=C sort
    for file in .env $TOML; do
        [ ! -e "$file" ] || stat -c "%n %y" "$file"
    done
}

# Sets $jobs, how many have not ended; and $layout_changes, whether the state folder gets another
# layout, for which the service must be restarted.
look_at_state() {
    ask settings || answer=
    state=$(line 4)
    ask state "${state:-$STATE}" || fail "$answer"
    jobs=$(line 1)
    [ "$(line 2)" = no ] || layout_changes=true
}

wait_for_answer() {
    [ "$dry" = false ] || return 0
    ask health "$url" "$PATIENCE" || show_journal "cannot reach the gateway: $url/health does not answer"
}

show_journal() {
    say "$1; the last lines of its journal:"
    as_root journalctl --unit $SERVICE --no-pager --output cat --lines 20 >&2 || true
    if [ "$active" = false ]; then
        # Otherwise systemd would try for ever.
        as_root systemctl stop $SERVICE || true
        fail "The service is installed, but does not run. Correct this, and run ./install.sh again."
    fi
    fail "Correct this, and run ./install.sh again."
}

show_how_to_use() {
    if [ "$dry" = true ]; then
        say "" "Nothing was changed."
        return
    fi
    if [ "$systemd" = false ]; then
        say "" "There is no systemd here. This starts the gateway, until Ctrl-C:" "" "    $(foreground)"
    elif [ "$start" = false ]; then
        say "" "When you have started it:"
    fi
    show_how_to_log_in
    if [ "$password_is_plain" = yes ]; then
        credentials="\"$auth_user:\$(sed -n s/^AUTH_PASSWORD=//p $(quote "$root/.env"))\""
    else
        # curl asks for the password.
        credentials=$(quote "$auth_user")
    fi
    say "" "The gateway: $url" \
        "  user       $auth_user" \
        "  password   in $password_place" \
        "  try it     curl -N -u $credentials -H 'Content-Type: application/json' -d '{\"prompt\": \"Say hello.\", \"cwd\": \"$home\"}' $url/chat"
    [ "$systemd" = false ] || say "  its log    sudo journalctl -u $SERVICE -f"
}

# Asks the CLI itself, as the service will run it: the gateway's answer may be a minute old.
show_how_to_log_in() {
    ask login "$claude" || answer=unknown
    case $answer in
        yes) return ;;
        no) say "" "The CLI is not logged in, and until it is, jobs fail. To log in:" ;;
        *) say "" "If you have not logged in to the CLI yet:" ;;
    esac
    reload="$(command_line reload)"
    [ "$systemd" = false ] || reload="sudo systemctl reload $SERVICE"
    say "" "    $(as_reader "$claude") auth login" "" \
        "Or put the line ANTHROPIC_API_KEY=… into $root/.env, and then: $reload"
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
    check_files
    check_sudo "remove the service" "$root/install.sh --uninstall"
    [ ! -e "$UNIT" ] || refuse_other_checkout uninstall Run
    if [ "$purge" = true ] && [ "$yes" = false ] && [ "$dry" = false ]; then
        confirm_purge
    fi
    if [ "$systemd" = true ]; then
        remove_service
    fi
    [ ! -e venv ] || change rm -rf venv
    if [ "$purge" = true ]; then
        for path in "$STATE" "$DROP_INS"; do
            [ "$systemd" = false ] || [ ! -e "$path" ] || as_root rm -rf "$path"
        done
        [ ! -e .env ] || change rm -f .env
    fi
    [ "$dry" = false ] || { say "" "Nothing was changed."; return; }
    say "claudecode2api is uninstalled."
    own_state=$HOME/.local/state/$SERVICE
    for path in "$root/.env" "$root/$TOML" "$STATE" "$DROP_INS" "$own_state"; do
        [ ! -e "$path" ] || say "  kept   $path"
    done
}

# May this user remove what is to be removed?
check_files() {
    [ "$uid" -ne 0 ] || return 0
    locked=$(locked_folder venv)
    for path in venv .env; do
        [ "$path" = venv ] || [ "$purge" = true ] || continue
        [ ! -e "$path" ] || [ -w . ] || locked=$root
    done
    [ -z "$locked" ] || fail "cannot uninstall: $user cannot write $locked, which belongs to $(stat -c %U "$locked"). Run this as root: sudo $(quote "$root/install.sh") --uninstall$([ "$purge" = false ] || echo " --purge")"
}

confirm_purge() {
    [ -t 0 ] || fail "cannot ask whether to remove .env and the state, as there is no terminal: add --yes"
    printf 'Remove %s, %s and %s, with all jobs in them? [y/N] ' "$root/.env" "$STATE" "$DROP_INS"
    read -r reply
    case $reply in
        y | Y | yes) ;;
        *) fail "Nothing was changed." ;;
    esac
}

remove_service() {
    if [ -e "$UNIT" ]; then
        # This cancels its jobs.
        as_root systemctl --quiet disable --now $SERVICE
        as_root rm -f $UNIT
        as_root systemctl daemon-reload
        as_root systemctl reset-failed $SERVICE 2>/dev/null || true
    fi
    # Version 1.0 put a link there.
    case $(readlink $COMMAND || true) in
        "$root"/*) as_root rm -f $COMMAND ;;
    esac
    if [ -f $COMMAND ] && grep -qxF "checkout='$root'" $COMMAND; then
        as_root rm -f $COMMAND
    fi
}

# --- Running commands, writing files, printing ---

# change COMMAND...: run a command that changes something; with --dry-run only show it.
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

# write_system_file PATH MODE <CONTENT: as root.
write_system_file() {
    if [ "$dry" = true ]; then
        show_write "$1" "$2"
    else
        as_root install -m "$2" /dev/stdin "$1"
    fi
}

# by_user COMMAND...: change something as the service's user. From root, with a new environment,
# into which only what pip, npm and curl need is copied.
by_user() {
    if [ "$uid" -ne 0 ]; then
        change "$@"
        return
    fi
    if [ "$dry" = true ]; then
        show_as "$user" "$@"
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
    by_user_now env -i "$@"
}

# as_service COMMAND...: look at something as the service would: as its user, with the
# environment that systemd gives it.
as_service() {
    by_user_now env -i HOME="$home" USER="$user" LOGNAME="$user" PATH="$service_path" LANG=C.UTF-8 \
        STATE_DIRECTORY="$([ "$systemd" = false ] || echo $STATE)" "$@"
}

# look COMMAND...: look at something, never as root.
look() {
    if [ "$uid" -eq 0 ]; then
        by_user_now env -i HOME="$home" USER="$user" LOGNAME="$user" PATH="$service_path" LANG=C.UTF-8 "$@"
    else
        "$@"
    fi
}

# by_user_now COMMAND...: as the service's user, also in a dry run. In a new session, from which
# it cannot push input into root's terminal.
by_user_now() {
    if [ "$uid" -eq 0 ]; then
        setsid --wait runuser -u "$user" -- "$@"
    else
        "$@"
    fi
}

# make_folder NAME: for the service's user, also in another user's checkout.
make_folder() {
    if [ "$uid" -eq 0 ]; then
        change install -d -o "$user" -g "$group" "$1"
    else
        change mkdir "$1"
    fi
}

# write_file NAME MODE <CONTENT: the whole file or nothing, and never with more rights than MODE.
write_file() {
    if [ "$dry" = true ]; then
        show_write "$1" "$2"
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
    show_words "$@"
}

# show_as USER COMMAND...
show_as() {
    printf '    would run as %s:' "$1"
    shift
    show_words "$@"
}

show_words() {
    for word; do
        printf ' %s' "$(quote "$word")"
    done
    printf '\n'
}

# show_write PATH MODE <CONTENT
show_write() {
    cat >/dev/null
    printf '    would write: %s (mode %s)\n' "$1" "$2"
}

# quote WORD: as a shell reads it.
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
