"""What can be completed on the command line, taken from its parser. Pure."""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

#: The name of the program.
PROGRAM = "claudecode2api"

#: Values of options that the parser does not check.
_SUGGESTED = {
    "permission_mode": ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "plan"),
    "model": ("haiku", "opus", "sonnet"),
}
_FOLDERS = {"cwd"}


class Value(NamedTuple):
    """What can stand for a value: one of these words, or of the words that a command prints.

    `prints` are the arguments of our own command whose table has the words in this column.
    """

    words: tuple[str, ...] = ()
    prints: str = ""
    column: int = 1
    is_folder: bool = False

    @property
    def filter(self) -> str:
        """The command that picks the column. Shells may expand what it prints."""
        column = f"${self.column}"
        return f"awk 'NR > 1 && {column} ~ /^[-0-9A-Za-z]+$/ {{ print {column} }}'"


_JOBS = Value(prints="ps")
#: The values of arguments, by the name of the argument.
_VALUES = {
    "id": _JOBS,
    "question": Value(prints="questions", column=2),
}
# Jobs that have ended have logs, too.
_OF_COMMANDS = {("logs", "id"): Value(prints="ps --all")}


class Option(NamedTuple):
    """An option: its names, its help, and its value if it takes one."""

    names: tuple[str, ...]
    help: str
    value: Value | None


class Command(NamedTuple):
    """A subcommand: its options, and its arguments in their order."""

    name: str
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Value, ...]


def commands_of(parser: argparse.ArgumentParser) -> list[Command]:
    """The parser itself, with an empty name, and its subcommands."""
    found = [Command("", "", tuple(_options(parser)), ())]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {each.dest: each.help or "" for each in action._choices_actions}
            found += [
                Command(
                    name, summaries[name], tuple(_options(below)), tuple(_arguments(below, name))
                )
                for name, below in action.choices.items()
            ]
    return found


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if action.option_strings:
            value = _value(action) if action.nargs is None else None
            yield Option(tuple(action.option_strings), _help(action), value)


def _arguments(parser: argparse.ArgumentParser, command: str) -> Iterator[Value]:
    for action in parser._actions:
        if not action.option_strings:
            yield _OF_COMMANDS.get((command, action.dest)) or _value(action)


def _value(action: argparse.Action) -> Value:
    words = tuple(map(str, action.choices or ())) or _SUGGESTED.get(action.dest, ())
    return _VALUES.get(action.dest) or Value(words, is_folder=action.dest in _FOLDERS)


def _help(action: argparse.Action) -> str:
    return (action.help or "").partition(";")[0].partition(" (default")[0]
