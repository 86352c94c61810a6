"""The completion script for bash. Pure."""

from collections.abc import Iterable

from app.tool.completion.words import PROGRAM, Command, Value

_SCRIPT = """\
# Completion of {program} for bash.
_{program}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command='' count=0 words='' i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            {valued}) ((i += 1)) ;;
            -*) ;;
            *) if [[ $command ]]; then ((count += 1)); else command=${{COMP_WORDS[i]}}; fi ;;
        esac
    done
    COMPREPLY=()
    if ((i > COMP_CWORD)); then
        case ${{COMP_WORDS[COMP_CWORD - 1]}} in
{values}
        esac
    elif [[ $word == -* ]]; then
        case $command in
{options}
        esac
    else
        case $command:$count in
{arguments}
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -F _{program} {program}
"""


def bash_script(commands: Iterable[Command]) -> str:
    """The script, which is to be evaluated or sourced."""
    rows = list(commands)
    options = [option for command in rows for option in command.options]
    values = {option.names: option.value for option in options if option.value is not None}
    names = " ".join(command.name for command in rows if command.name)
    arguments = [f"'':0) words='{names}' ;;"]
    for command in rows:
        arguments += [
            f"{command.name}:{place}) {_words(value)} ;;"
            for place, value in enumerate(command.arguments)
            if value != Value()
        ]
    return _SCRIPT.format(
        program=PROGRAM,
        valued=" | ".join(name for each in values for name in each),
        values=_indented(
            f"{' | '.join(each)}) {_words(value)} ;;"
            for each, value in values.items()
            if value != Value()
        ),
        options=_indented(
            f"{command.name or repr('')}) words='{_names(command)}' ;;" for command in rows
        ),
        arguments=_indented(arguments),
    )


def _words(value: Value) -> str:
    if value.is_folder:
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word"); return'
    if value.prints:
        ours = f'"${{COMP_WORDS[0]}}" {value.prints} 2>/dev/null'
        return f"words=$({ours} | {value.filter})"
    return f"words='{' '.join(value.words)}'"


def _names(command: Command) -> str:
    return " ".join(name for option in command.options for name in option.names)


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"{'':12}{line}" for line in lines)
