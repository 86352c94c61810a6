"""The command lines of the operator's subcommands: serve, doctor and others."""

from app.tool.subcommand import Subcommands, add_json, add_subcommand, add_url


def add_operator_subcommands(commands: Subcommands) -> None:
    """Add them, in the order of the help."""
    for add in (_add_serve, _add_reload, _add_doctor, _add_config):
        add(commands)
    for add in (_add_password, _add_key, _add_completion):
        add(commands)


def _add_serve(commands: Subcommands) -> None:
    add_subcommand(
        commands,
        "serve",
        "start the gateway in the foreground",
        """\
        Starts the gateway in the foreground. It logs to standard error. SIGTERM or Ctrl-C stops
        it and cancels its jobs; "claudecode2api reload" has it read its settings again. Where its
        settings are: "claudecode2api --help".
        """,
        """\
        claudecode2api serve
        PORT=9000 claudecode2api serve
        """,
    )


def _add_reload(commands: Subcommands) -> None:
    add_subcommand(
        commands,
        "reload",
        "apply changed settings to the running gateway",
        """\
        Has the gateway on this machine read its settings and code again, and returns when new
        workers serve with them. Running jobs go on. If the settings or the code cannot be used,
        it prints the reason, and the gateway goes on as before. Run it as the gateway's user.
        """,
        """\
        claudecode2api reload
        sudo systemctl reload claudecode2api
        """,
    )


def _add_doctor(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "doctor",
        "find problems of this gateway",
        """\
        Checks the installation, the settings, the CLI and the running gateway, and runs a job.
        Below each warning or failure is a suggested fix. The exit status is 1 if a check has
        failed. The job's prompt is one that the CLI answers itself, at no cost; with --job the
        model answers, at the cost of one short answer.
        """,
        """\
        claudecode2api doctor
        claudecode2api doctor --job
        claudecode2api doctor --json | jq '.checks[] | select(.status == "failed")'
        """,
    )
    add_url(parser)
    parser.add_argument("--job", action="store_true", help="let the model answer the job")
    add_json(parser, "checks")


def _add_config(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "config",
        "show the settings in effect",
        """\
        Prints each setting as the gateway would read it now, and where it comes from: the
        environment, .env, claudecode2api.toml with the line, the file of a secret, or the
        default. Secrets, and the variables for the CLI that are in .env, are shown as ***.
        """,
        """\
        claudecode2api config
        claudecode2api config --json | jq '.settings[] | select(.origin != "default")'
        """,
    )
    parser.add_argument("--json", action="store_true", help="print the settings as JSON")


def _add_password(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "password",
        "make a new password",
        """\
        Writes a new AUTH_PASSWORD to .env, whose other lines stay as they are. It takes effect
        when the gateway is reloaded; running jobs go on. A container has no .env: use --no-write
        there.
        """,
        """\
        claudecode2api password
        claudecode2api password --print | pass insert --multiline claudecode2api
        claudecode2api password --no-write >secrets/auth_password
        """,
    )
    parser.add_argument("--print", action="store_true", help="print only the password")
    parser.add_argument(
        "--no-write",
        action="store_true",
        help="change no file: print a password, such as for the file of AUTH_PASSWORD_FILE",
    )


def _add_key(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "key",
        "make, list or remove an API key",
        """\
        Each key in API_KEYS is a separate user. "add" makes a key, shows it once, and writes its
        hash to .env, whose other lines stay as they are; "list" shows the names of the users.
        Changes take effect when the gateway is reloaded; running jobs go on. A container has no
        .env: use --no-write there.
        """,
        """\
        claudecode2api key add alice
        claudecode2api key add --print ci | gh secret set CLAUDE_KEY
        claudecode2api key add --no-write alice >>secrets/api_keys
        claudecode2api key list
        claudecode2api key remove alice
        """,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, summary in (
        ("add", "make a key and show it once"),
        ("list", "show the names of the keys"),
        ("remove", "remove a key from API_KEYS"),
    ):
        made = actions.add_parser(action, help=summary, description=summary, allow_abbrev=False)
        if action != "list":
            made.add_argument("name", metavar="NAME", help="the name of the user")
        if action == "add":
            made.add_argument(
                "--print", action="store_true", help="print the key even without a terminal"
            )
            made.add_argument(
                "--no-write",
                action="store_true",
                help="change no file: print the entry for API_KEYS or the file of API_KEYS_FILE on"
                " standard output, and the key on standard error",
            )


def _add_completion(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "completion",
        "print a script for completion in a shell",
        """\
        Prints a script with which bash, zsh or fish completes commands, options, and the ids of
        jobs and questions. Evaluate it where your shell starts: in ~/.bashrc, in ~/.zshrc after
        compinit, or in ~/.config/fish/config.fish.
        """,
        """\
        eval "$(claudecode2api completion bash)"
        eval "$(claudecode2api completion zsh)"
        claudecode2api completion fish | source
        """,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="the shell")
