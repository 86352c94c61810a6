"""The completion script for bash. Pure."""

from collections.abc import Iterable

from app.tool.completion.case_script import fill
from app.tool.completion.words import Command, Value

_SCRIPT = """\
# Completion of {program} for bash.
_{program}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command='' count=0 words='' i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            ({valued}) ((i += 1)) ;;
            (-*) ;;
            (*) if [[ $command ]]; then ((count += 1)); else command=${{COMP_WORDS[i]}}; fi ;;
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
    return fill(_SCRIPT, commands, _offer, _offer_value)


def _offer(words: Iterable[tuple[str, str]]) -> str:
    return f"words='{' '.join(word for word, _ in words)}'"


def _offer_value(value: Value) -> str:
    if value.is_folder:
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word"); return'
    if value.prints:
        ours = f'"${{COMP_WORDS[0]}}" {value.prints} 2>/dev/null'
        return f"words=$({ours} | {value.filter})"
    return f"words='{' '.join(value.words)}'"
