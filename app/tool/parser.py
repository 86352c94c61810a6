"""The command line: subcommands and exit statuses."""

import argparse

from app.tool.job_subcommands import add_job_subcommands
from app.tool.operator_subcommands import add_operator_subcommands
from app.version import VERSION

EXIT_CODES = """\
exit status:
  0    success
  1    the job or the command failed
  2    the command line is invalid
  69   the gateway cannot be reached
  78   the settings cannot be used
  124  the job reached a time limit
  130  the job was interrupted or cancelled, or Ctrl-C ended the command
"""

_DESCRIPTION = """\
Use the gateway, which turns Claude Code into an HTTP service, from a terminal.
"claudecode2api COMMAND --help" explains a command.

Settings, such as address and password, come from the environment, else from .env, else from
claudecode2api.toml beside it. In a checkout these files are in its folder. The installed package
reads them in the current folder if that has a claudecode2api.toml or a .env with AUTH_PASSWORD
or AUTH_PASSWORD_FILE, and otherwise in ~/.config/claudecode2api, where .env is called env.
CLAUDECODE2API_ENV_FILE names another .env. "claudecode2api config" shows the result.
"""

_EXAMPLES = """\
examples:
  claudecode2api doctor
  claudecode2api run "Which files are here?"
  claudecode2api ps
"""


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Puts the summary of each subcommand into the line of its name, however long that is."""

    def add_argument(self, action: argparse.Action) -> None:
        # For the width of a name, argparse does not count the indentation of subcommands.
        self._indent()
        super().add_argument(action)
        self._dedent()


def build_parser() -> argparse.ArgumentParser:
    """The parser. It sets `command` to the name of the subcommand, or None."""
    parser = argparse.ArgumentParser(
        prog="claudecode2api",
        description=_DESCRIPTION,
        epilog=f"{_EXAMPLES}\n{EXIT_CODES}",
        formatter_class=_HelpFormatter,
        # With a new option, an abbreviated one could change its meaning.
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"claudecode2api {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    add_job_subcommands(commands)
    add_operator_subcommands(commands)
    return parser
