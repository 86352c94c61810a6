"""What the parsers of all subcommands share."""

import argparse
from textwrap import dedent, indent
from typing import TypeAlias

Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_subcommand(
    commands: Subcommands, name: str, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Add a subcommand whose help ends with these examples, one a line."""
    shown = indent(dedent(examples), "  ")
    return commands.add_parser(
        name,
        help=summary,
        description=dedent(description),
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_url(parser: argparse.ArgumentParser) -> None:
    """Add --url."""
    parser.add_argument(
        "--url", help="the URL of the gateway (default: HOST and PORT of the settings)"
    )


def add_raw(parser: "argparse._ActionsContainer") -> None:
    """Add --raw."""
    parser.add_argument("--raw", action="store_true", help="print the CLI's lines unchanged")


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --json, for a command that prints a list of these otherwise as a table."""
    parser.add_argument("--json", action="store_true", help=f"print the {what} as JSON")


def add_id(parser: argparse.ArgumentParser) -> None:
    """Add ID, which `find_job_id` understands."""
    parser.add_argument("id", metavar="ID", help="the job's id, or its beginning")
