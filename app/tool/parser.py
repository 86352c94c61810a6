"""The command line: subcommands, options and examples."""

import argparse
from textwrap import dedent, indent
from typing import TypeAlias

EXIT_CODES = """\
exit status:
  0    success
  1    the job or the command failed
  2    the command line is invalid
  69   the gateway cannot be reached
  78   the settings cannot be used
  124  the job reached a time limit
  130  the job was cancelled, or Ctrl-C ended the command
"""

_DESCRIPTION = """\
Use the gateway, which turns Claude Code into an HTTP service, from a terminal.
Address, user and password come from the environment, or from .env in the gateway's folder.
"claudecode2api COMMAND --help" explains a command.
"""

_EXAMPLES = """\
examples:
  claudecode2api doctor
  claudecode2api run "Which files are here?"
  claudecode2api ps
"""


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def build_parser() -> argparse.ArgumentParser:
    """The parser. It sets `command` to the name of the subcommand, or None."""
    parser = argparse.ArgumentParser(
        prog="claudecode2api",
        description=_DESCRIPTION,
        epilog=f"{_EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # With a new option, an abbreviated one could change its meaning.
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for add in (
        *(_add_serve, _add_doctor, _add_ps, _add_run, _add_logs, _add_cancel),
        *(_add_password, _add_key),
    ):
        add(commands)
    return parser


def _add_serve(commands: _Commands) -> None:
    _add(
        commands,
        "serve",
        "start the gateway in the foreground",
        """\
        Starts the gateway in the foreground. It logs to standard error. SIGHUP reloads it;
        SIGTERM or Ctrl-C stops it and cancels its jobs.
        """,
        """\
        claudecode2api serve
        PORT=9000 claudecode2api serve
        """,
    )


def _add_doctor(commands: _Commands) -> None:
    parser = _add(
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
    _add_url(parser)
    parser.add_argument("--job", action="store_true", help="let the model answer the job")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")


def _add_ps(commands: _Commands) -> None:
    parser = _add(
        commands,
        "ps",
        "list the jobs",
        "Lists the running jobs, the oldest first.",
        """\
        claudecode2api ps
        claudecode2api ps --all
        """,
    )
    _add_url(parser)
    parser.add_argument(
        "-a", "--all", action="store_true", help="list the newest 50 jobs, including ended ones"
    )


def _add_run(commands: _Commands) -> None:
    parser = _add(
        commands,
        "run",
        "run a job and show its answer",
        """\
        Runs a job and prints the text of its answer as it arrives, or with --raw the CLI's lines.
        Its status, cost and session are printed on standard error. When the gateway reloads, the
        stream is resumed: no line is lost or repeated. Ctrl-C cancels the job.
        """,
        """\
        claudecode2api run "Which files are here?"
        claudecode2api run --cwd /srv/project --model opus --timeout 600 "Fix the failing test"
        claudecode2api run --session f9645fec-cdad-4505-8f73-2b22a415a890 "And now?"
        claudecode2api run < prompt.md
        claudecode2api run --raw -- "-1 is what?" | jq -r .type
        """,
    )
    _add_url(parser)
    _add_raw(parser)
    parser.add_argument(
        "prompt",
        nargs="*",
        metavar="PROMPT",
        help="the prompt; if it is - or missing, standard input is read",
    )
    parser.add_argument(
        "--cwd",
        metavar="FOLDER",
        help="the job's folder on the gateway's machine (default: this one)",
    )
    parser.add_argument("--model", help="an alias or full name (default: DEFAULT_MODEL)")
    parser.add_argument("--session", dest="session_id", metavar="ID", help="continue this session")
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="the time limit (default: JOB_TIMEOUT)"
    )


def _add_logs(commands: _Commands) -> None:
    parser = _add(
        commands,
        "logs",
        "show the output of a job",
        """\
        Prints the text of a job's answer so far, or with --raw the CLI's lines. With --follow it
        goes on until the job ends, and exits with the status for that. Ctrl-C does not cancel the
        job.
        """,
        """\
        claudecode2api logs 1dd2ca9e
        claudecode2api logs --follow --raw 1dd2ca9e
        """,
    )
    _add_url(parser)
    _add_raw(parser)
    _add_id(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")


def _add_cancel(commands: _Commands) -> None:
    parser = _add(
        commands,
        "cancel",
        "cancel a job",
        "Cancels a job, and waits until all its processes have ended.",
        "claudecode2api cancel 1dd2ca9e",
    )
    _add_url(parser)
    _add_id(parser)


def _add_password(commands: _Commands) -> None:
    parser = _add(
        commands,
        "password",
        "make a new password",
        """\
        Writes a new AUTH_PASSWORD to .env, whose other lines stay as they are. It takes effect
        when the gateway is reloaded; running jobs go on.
        """,
        """\
        claudecode2api password
        claudecode2api password --print | pass insert --multiline claudecode2api
        """,
    )
    parser.add_argument("--print", action="store_true", help="print only the password")


def _add_key(commands: _Commands) -> None:
    parser = _add(
        commands,
        "key",
        "make, list or remove an API key",
        """\
        Each key in API_KEYS is a separate user. "add" makes a key, shows it once, and writes its
        hash to .env, whose other lines stay as they are; "list" shows the names of the users.
        Changes take effect when the gateway is reloaded; running jobs go on.
        """,
        """\
        claudecode2api key add alice
        claudecode2api key add --print ci | gh secret set CLAUDE_KEY
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


def _add(
    commands: _Commands, name: str, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    shown = indent(dedent(examples), "  ")
    return commands.add_parser(
        name,
        help=summary,
        description=dedent(description),
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url", help="the URL of the gateway (default: HOST and PORT of the settings)"
    )


def _add_raw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--raw", action="store_true", help="print the CLI's lines unchanged")


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the job's id, or its beginning")
