"""The completion script for fish. Pure."""

from collections.abc import Iterable, Iterator

from app.tool.completion.words import PROGRAM, Command, Option, Value

_HEAD = """\
# Completion of {program} for fish.
function __{program}_at
    set -l found ''
    set -l count 0
    set -l is_value 0
    for word in (commandline -opc)[2..]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word {valued}
            set is_value 1
        else if string match -q -- '-*' $word
            continue
        else if test -z $found
            set found $word
        else
            set count (math $count + 1)
        end
    end
    test "$found:$count" = $argv[1]
end
complete -c {program} -f
"""


def fish_script(commands: Iterable[Command]) -> str:
    """The script, which is to be sourced."""
    rows = list(commands)
    options = [option for command in rows for option in command.options]
    valued = " ".join(name for each in options if each.value is not None for name in each.names)
    lines = [line for command in rows for line in _lines(command)]
    return _HEAD.format(program=PROGRAM, valued=valued) + "".join(
        f"complete -c {PROGRAM} {line}\n" for line in lines
    )


def _lines(command: Command) -> Iterator[str]:
    condition = "__fish_use_subcommand"
    if command.name:
        yield f"-n {condition} -a {command.name} -d {_quoted(command.help)}"
        condition = f"'__fish_seen_subcommand_from {command.name}'"
    for option in command.options:
        yield f"-n {condition} {_option(option)}"
    for place, value in enumerate(command.arguments):
        if value != Value():
            yield f"-n '__{PROGRAM}_at {command.name}:{place}' -a {_words(value)}"


def _option(option: Option) -> str:
    names = (f"-l {name[2:]}" if name[:2] == "--" else f"-s {name[1:]}" for name in option.names)
    value = ""
    if option.value is not None:
        value = " -x" if option.value == Value() else f" -x -a {_words(option.value)}"
    return f"{' '.join(names)}{value} -d {_quoted(option.help)}"


def _words(value: Value) -> str:
    if value.is_folder:
        return "'(__fish_complete_directories)'"
    if value.prints:
        ours = f"{PROGRAM} {value.prints} 2>/dev/null"
        return _quoted(f"({ours} | {value.filter})")
    return _quoted(" ".join(value.words))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
