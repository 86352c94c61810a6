"""A spare: a CLI that is started before there is a job for it, and is claimed by one later. Pure.

It waits with `--await-claim` in a neutral folder. What is fixed when a process starts must be what
the job wants; the control request `claim_session` carries the rest (2.1.330). Standard
library alone, because the supervisor imports this.
"""

from collections.abc import Callable, Sequence
from typing import Any

#: The flag that makes a CLI wait for its claim.
AWAIT_CLAIM = "--await-claim"

# Flags whose values a claim has, and the claim's field for each.
_TEXTS = {
    "--system-prompt-file": "system_prompt",
    "--append-system-prompt-file": "append_system_prompt",
}
_FOLDER = "--add-dir="
_MODE = "--permission-mode="
_ALL_ALLOWED = "--dangerously-skip-permissions"
# With these, the session is known, or named: a spare has its own.
_NOT_CLAIMABLE = ("--resume=", "--session-id=", "--fork-session")

Argument = str | dict[str, str]


def fixed_part(arguments: Sequence[Argument]) -> list[Argument] | None:
    """The arguments that a spare must have been started with; None if no spare can serve the job.

    >>> fixed_part(["--verbose", "--add-dir=/a", "--permission-mode=plan"])
    ['--verbose']
    >>> fixed_part(["--resume=x"]) is None
    True
    """
    fixed: list[Argument] = []
    for argument in arguments:
        if not isinstance(argument, str):
            if argument["flag"] not in _TEXTS:
                return None
        elif argument.startswith(_NOT_CLAIMABLE):
            return None
        elif not argument.startswith((_FOLDER, _MODE)) and argument != _ALL_ALLOWED:
            fixed.append(argument)
    return fixed


def claim_fields(
    cwd: str, arguments: Sequence[Argument], read: Callable[[str], str]
) -> dict[str, Any]:
    """The fields of the request with which a job claims a spare.

    `read` returns the text of a file that is named in the arguments.
    """
    fields: dict[str, Any] = {"cwd": cwd, "permission_mode": "default"}
    for argument in arguments:
        if not isinstance(argument, str):
            text = read(argument["file"])
            name = _TEXTS[argument["flag"]]
            fields[name] = [text] if name == "system_prompt" else text
        elif argument == _ALL_ALLOWED:
            fields["permission_mode"] = "bypassPermissions"
        elif argument.startswith(_MODE):
            fields["permission_mode"] = argument.removeprefix(_MODE)
        elif argument.startswith(_FOLDER):
            folders = fields.setdefault("additional_directories", [])
            folders.append(argument.removeprefix(_FOLDER))
    return fields


def spare_arguments(arguments: Sequence[Argument]) -> list[Argument]:
    """The arguments of a spare for jobs with these, which have nothing that is claimed.

    Permissions can be skipped by a claim only if that was allowed at the start.
    """
    fixed = fixed_part(arguments) or []
    return [*fixed, "--allow-dangerously-skip-permissions", AWAIT_CLAIM]
