"""The completion script for zsh. Pure."""

from collections.abc import Iterable

from app.tool.completion.words import PROGRAM, Command, Value

_SCRIPT = """\
#compdef {program}
# Completion of {program} for zsh.
_{program}() {{
    local -a found
    local command='' count=0 i
    for ((i = 2; i < CURRENT; i++)); do
        case ${{words[i]}} in
            ({valued}) ((i += 1)) ;;
            (-*) ;;
            (*) if [[ -n $command ]]; then ((count += 1)); else command=${{words[i]}}; fi ;;
        esac
    done
    if ((i > CURRENT)); then
        case ${{words[CURRENT - 1]}} in
{values}
        esac
    elif [[ $PREFIX == -* ]]; then
        case $command in
{options}
        esac
    else
        case $command:$count in
{arguments}
        esac
    fi
    _describe value found
}}
compdef _{program} {program}
"""


def zsh_script(commands: Iterable[Command]) -> str:
    """The script, which is to be evaluated after compinit."""
    rows = list(commands)
    options = [option for command in rows for option in command.options]
    values = {option.names: option.value for option in options if option.value is not None}
    names = " ".join(_described(command.name, command.help) for command in rows if command.name)
    arguments = [f"(:0) found=({names}) ;;"]
    for command in rows:
        arguments += [
            f"({command.name}:{place}) {_words(value)} ;;"
            for place, value in enumerate(command.arguments)
            if value != Value()
        ]
    return _SCRIPT.format(
        program=PROGRAM,
        valued="|".join(name for each in values for name in each),
        values=_indented(
            f"({'|'.join(each)}) {_words(value)} ;;"
            for each, value in values.items()
            if value != Value()
        ),
        options=_indented(
            f"({command.name or repr('')}) found=({_options(command)}) ;;" for command in rows
        ),
        arguments=_indented(arguments),
    )


def _words(value: Value) -> str:
    if value.is_folder:
        return "_files -/; return"
    if value.prints:
        ours = f"${{words[1]}} {value.prints} 2>/dev/null"
        return f'found=(${{(f)"$({ours} | {value.filter})"}})'
    return f"found=({' '.join(value.words)})"


def _options(command: Command) -> str:
    return " ".join(
        _described(name, option.help) for option in command.options for name in option.names
    )


def _described(name: str, about: str) -> str:
    quoted = f"{name}:{about}".replace("'", "'\\''")
    return f"'{quoted}'"


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"{'':12}{line}" for line in lines)
