"""The completion script for zsh. Pure."""

from collections.abc import Iterable

from app.tool.completion.case_script import fill
from app.tool.completion.words import Command, Value

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
    return fill(_SCRIPT, commands, _offer, _offer_value)


def _offer(words: Iterable[tuple[str, str]]) -> str:
    return f"found=({' '.join(_described(word, about) for word, about in words)})"


def _offer_value(value: Value) -> str:
    if value.is_folder:
        return "_files -/; return"
    if value.prints:
        ours = f"${{words[1]}} {value.prints} 2>/dev/null"
        return f'found=(${{(f)"$({ours} | {value.filter})"}})'
    return f"found=({' '.join(value.words)})"


def _described(word: str, about: str) -> str:
    quoted = f"{word}:{about}".replace("'", "'\\''")
    return f"'{quoted}'"
