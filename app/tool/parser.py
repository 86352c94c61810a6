"""The command line: each subcommand, its options, its examples."""

import argparse
from textwrap import dedent, indent
from typing import TypeAlias

EXIT_CODES = """\
exit status:
  0    done; of a job: it succeeded
  1    a job failed, or what was asked for could not be done
  2    the command line cannot be understood
  69   the gateway cannot be reached
  78   the settings cannot be used
  124  a job ran into a limit of time
  130  a job was cancelled, or Ctrl-C ended the command
"""

_DESCRIPTION = """\
The gateway that turns Claude Code into an HTTP service, from a terminal.
Address, user and password are those of .env in the gateway's folder, or of the environment,
which wins. "claudecode2api COMMAND --help" tells more of a command.
"""

_EXAMPLES = """\
examples:
  claudecode2api doctor
  claudecode2api run "Which files are here?"
  claudecode2api ps
"""


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def build_parser() -> argparse.ArgumentParser:
    """The parser; `command` of what it returns is the subcommand's name, or None."""
    parser = argparse.ArgumentParser(
        prog="claudecode2api",
        description=_DESCRIPTION,
        epilog=f"{_EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # A shortened option would change its meaning with the next one that is added.
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
        Starts the gateway in the foreground, and logs to standard error. SIGHUP reloads it,
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
        "look for what is wrong with this gateway",
        """\
        Looks at the installation, the settings, the CLI, the running gateway, and runs a job
        through all of it. Under each row that is not well stands what helps. Exit status 1 if
        any has failed. The job asks the CLI for something that it answers by itself, at no
        cost; with --job it asks the model, at the cost of one short answer.
        """,
        """\
        claudecode2api doctor
        claudecode2api doctor --job
        claudecode2api doctor --json | jq '.checks[] | select(.status == "failed")'
        """,
    )
    _add_url(parser)
    parser.add_argument("--job", action="store_true", help="let the job ask the model")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")


def _add_ps(commands: _Commands) -> None:
    parser = _add(
        commands,
        "ps",
        "list the jobs",
        "Lists the jobs that run, the oldest first.",
        """\
        claudecode2api ps
        claudecode2api ps --all
        """,
    )
    _add_url(parser)
    parser.add_argument(
        "-a", "--all", action="store_true", help="the newest 50 jobs, also those that have ended"
    )


def _add_run(commands: _Commands) -> None:
    parser = _add(
        commands,
        "run",
        "run a job and show its answer",
        """\
        Runs a job and shows the text of its answer as it comes, or with --raw the CLI's lines.
        How it ended, its cost and its session stand on standard error. It outlives a reload or a
        restarted worker of the gateway: no line is lost and none comes twice. Ctrl-C ends the job.
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
        help="the prompt; with - or without one, standard input is read",
    )
    parser.add_argument(
        "--cwd", metavar="FOLDER", help="the folder to work in, on the gateway's machine (here)"
    )
    parser.add_argument("--model", help="an alias or a full name (DEFAULT_MODEL)")
    parser.add_argument("--session", dest="session_id", metavar="ID", help="continue this session")
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="the time that it may take (JOB_TIMEOUT)"
    )


def _add_logs(commands: _Commands) -> None:
    parser = _add(
        commands,
        "logs",
        "show what a job has said",
        """\
        Shows the text of a job's answer so far, or with --raw the CLI's lines; of any job that
        is still kept. With --follow it goes on to the job's end, and the exit status tells how that
        was. Leaving does not end the job.
        """,
        """\
        claudecode2api logs 1dd2ca9e
        claudecode2api logs --follow --raw 1dd2ca9e
        """,
    )
    _add_url(parser)
    _add_raw(parser)
    _add_id(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")


def _add_cancel(commands: _Commands) -> None:
    parser = _add(
        commands,
        "cancel",
        "end a job",
        "Ends a job with all that it started, and waits until nothing of it is left.",
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
        Makes a new AUTH_PASSWORD and writes it to .env, whose other lines stay as they are. The
        gateway takes it when it is reloaded; jobs that run go on.
        """,
        """\
        claudecode2api password
        claudecode2api password --print | pass insert --multiline claudecode2api
        """,
    )
    parser.add_argument("--print", action="store_true", help="print the password, and it alone")


def _add_key(commands: _Commands) -> None:
    parser = _add(
        commands,
        "key",
        "make, list or remove an API key",
        """\
        Each key in API_KEYS is a user of its own. "add" makes a key, shows it once, and writes its
        hash to .env, whose other lines stay as they are; "list" shows whose keys there are,
        and no key. The gateway takes a change when it is reloaded; jobs that run go on.
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
        ("remove", "take a key out of API_KEYS"),
    ):
        made = actions.add_parser(action, help=summary, description=summary, allow_abbrev=False)
        if action != "list":
            made.add_argument("name", metavar="NAME", help="the name of its user")
        if action == "add":
            made.add_argument(
                "--print", action="store_true", help="print the key, also where no terminal is"
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
        "--url", help="the gateway (http:// and HOST:PORT of the settings, from this machine)"
    )


def _add_raw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--raw", action="store_true", help="the CLI's lines as they are")


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the job's id, or its beginning")
