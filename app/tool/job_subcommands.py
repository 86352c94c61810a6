"""The command lines of the subcommands about jobs: run, ps, logs and others."""

from app.tool.subcommand import Subcommands, add_id, add_json, add_raw, add_subcommand, add_url


def add_job_subcommands(commands: Subcommands) -> None:
    """Add them, in the order of the help."""
    for add in (
        *(_add_run, _add_ps, _add_logs, _add_cancel),
        *(_add_say, _add_questions, _add_answer, _add_runs, _add_end, _add_usage),
    ):
        add(commands)


def _add_run(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "run",
        "run a job and show its answer",
        """\
        Runs a job and prints the text of its answer as the model writes it. On standard error are
        a line for each call of a tool and, at the end, the job's status, cost and session. When
        the gateway reloads, the stream is resumed: no line is lost or repeated. Ctrl-C interrupts
        the job; a second Ctrl-C cancels it, with all its processes.
        """,
        """\
        claudecode2api run "Which files are here?"
        claudecode2api run --continue "And which of them is the largest?"
        claudecode2api run --cwd /srv/project --model opus --timeout 600 "Fix the failing test"
        claudecode2api run --allowed-tools Read --allowed-tools "Bash(git log *)" "What is new?"
        claudecode2api run --ask "Tidy up this folder"
        claudecode2api run --detach < prompt.md
        claudecode2api run --json "Which files are here?" | jq -r .result
        claudecode2api run --raw -- "-1 is what?" | jq -r .type
        """,
    )
    add_url(parser)
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
    session = parser.add_mutually_exclusive_group()
    session.add_argument("--session", dest="session_id", metavar="ID", help="continue this session")
    session.add_argument(
        "-c",
        "--continue",
        dest="continue_",
        action="store_true",
        help="continue the session of your latest job in this folder",
    )
    parser.add_argument(
        "--permission-mode",
        metavar="MODE",
        help="the CLI's permission mode: acceptEdits, plan, default, …"
        " (default: DEFAULT_PERMISSION_MODE)",
    )
    parser.add_argument(
        "--allowed-tools",
        action="append",
        metavar="TOOLS",
        help='tools that need no permission, like Read or "Bash(git log *)"; can be repeated',
    )
    parser.add_argument(
        "--ask",
        action="store_true",
        help="ask you at the terminal what Claude wants to know or be allowed to do;"
        ' see "claudecode2api questions" for other ways',
    )
    parser.add_argument(
        "--keep-alive",
        metavar="TIME",
        help="how long the job's process stays for the session's next job: seconds, or like 5m;"
        " it then takes messages (claudecode2api say)",
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="the time limit (default: JOB_TIMEOUT)"
    )
    parser.add_argument(
        "-d",
        "--detach",
        action="store_true",
        help="only start the job, and print its id; it goes on by itself",
    )
    output = parser.add_mutually_exclusive_group()
    add_raw(output)
    output.add_argument(
        "--json",
        action="store_true",
        help="at the end, print the job's record with its result",
    )


def _add_ps(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "ps",
        "list the jobs",
        "Lists the running jobs, the oldest first.",
        """\
        claudecode2api ps
        claudecode2api ps --all
        claudecode2api ps --json | jq -r '.jobs[].process_id'
        """,
    )
    add_url(parser)
    add_json(parser, "jobs")
    parser.add_argument(
        "-a", "--all", action="store_true", help="list the newest 50 jobs, including ended ones"
    )


def _add_logs(commands: Subcommands) -> None:
    parser = add_subcommand(
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
    add_url(parser)
    add_raw(parser)
    add_id(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")


def _add_cancel(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "cancel",
        "cancel a job",
        "Cancels a job, and waits until all its processes have ended.",
        "claudecode2api cancel 1dd2ca9e",
    )
    add_url(parser)
    add_id(parser)


def _add_say(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "say",
        "send a message to a running job",
        """\
        Sends a message to a job that was started with --ask or --keep-alive. Claude gets it after
        the tool that it is using, or else when it has finished.
        """,
        """\
        claudecode2api say 1dd2ca9e "Leave out the tests, please"
        git diff | claudecode2api say 1dd2ca9e
        """,
    )
    add_url(parser)
    add_id(parser)
    parser.add_argument(
        "text",
        nargs="*",
        metavar="TEXT",
        help="the message; if it is - or missing, standard input is read",
    )


def _add_questions(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "questions",
        "list what jobs ask",
        """\
        Lists what Claude wants to know, or to be allowed to do, in jobs that were started with
        --ask. A question that is not answered in time is denied.
        """,
        """\
        claudecode2api questions
        claudecode2api questions 1dd2ca9e --json
        """,
    )
    add_url(parser)
    parser.add_argument(
        "id", nargs="?", metavar="ID", help="the id of a job, or its beginning (default: all jobs)"
    )
    add_json(parser, "questions")


def _add_answer(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "answer",
        "answer a question of a job",
        """\
        Allows or denies what a job asks; "claudecode2api questions" lists it. A question of
        Claude's to you needs a choice.
        """,
        """\
        claudecode2api answer 1dd2ca9e 7c89 allow
        claudecode2api answer 1dd2ca9e 7c89 allow --remember
        claudecode2api answer 1dd2ca9e 7c89 allow --choose 2
        claudecode2api answer 1dd2ca9e 7c89 deny --message "Ask me before you delete"
        """,
    )
    add_url(parser)
    add_id(parser)
    parser.add_argument("question", metavar="QUESTION", help="the question's id, or its beginning")
    parser.add_argument("behavior", choices=("allow", "deny"), help="the answer")
    parser.add_argument("--message", metavar="TEXT", help="with deny: what Claude reads")
    parser.add_argument(
        "--remember",
        action="store_true",
        help="with allow: also allow what the CLI suggests, until the job's process ends",
    )
    parser.add_argument(
        "--choose",
        action="append",
        default=[],
        metavar="ANSWER",
        help="with allow: the number of a choice, or another answer, for each question in turn",
    )


def _add_runs(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "runs",
        "list the processes of the CLI",
        """\
        Lists the runs, which are processes of the CLI: they serve a job, or are kept for the next
        one.
        """,
        """\
        claudecode2api runs
        claudecode2api runs --json | jq '.runs[].memory_bytes'
        """,
    )
    add_url(parser)
    add_json(parser, "runs")


def _add_end(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "end",
        "end a process of the CLI",
        """\
        Ends a run, and waits until all its processes have ended. A job that it serves is cancelled.
        The run's session stays: its next job starts another process.
        """,
        "claudecode2api end 7c89a0f2",
    )
    add_url(parser)
    parser.add_argument("id", metavar="RUN", help="the id of the run, or its beginning")


def _add_usage(commands: Subcommands) -> None:
    parser = add_subcommand(
        commands,
        "usage",
        "show what jobs have used",
        """\
        Shows cost and tokens of the jobs that have ended, by day (UTC), model or user. Jobs that
        have been removed count, too, for USAGE_RETENTION.
        """,
        """\
        claudecode2api usage
        claudecode2api usage --by user --from 2026-11-01 --to 2026-11-30
        claudecode2api usage --json | jq .total.cost_usd
        """,
    )
    add_url(parser)
    parser.add_argument(
        "--from",
        dest="from_",
        metavar="DAY",
        help="the first day, like 2026-11-01 (default: the last 30 days)",
    )
    parser.add_argument("--to", metavar="DAY", help="the last day (default: today)")
    parser.add_argument(
        "--by",
        choices=("day", "model", "user"),
        default="day",
        help="what a row is about (default: day)",
    )
    parser.add_argument("--user", metavar="NAME", help="only what this user has used")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
