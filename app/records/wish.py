"""The wish of a client about a job that runs: a link in the job's folder.

    cancel               end the job
    interrupt            stop its turn
    complete <reason>    end the job: its answer has ended, for this reason, and the CLI goes on

Links need no room on a full disk. Standard library alone, because the supervisor imports this.
"""

from typing import Literal

from app.state import files

Wish = Literal["cancel", "interrupt", "complete"]

_WISHES: tuple[Wish, ...] = ("cancel", "interrupt", "complete")


def write(path: str, wish: Wish, reason: str = "") -> None:
    """Write a wish; only a cancellation replaces another one. Raises OSError."""
    if wish == "cancel" or read(path) is None:
        files.replace_link(path, f"{wish} {reason}".rstrip())


def read(path: str) -> Wish | None:
    """The wish, if there is one."""
    wish = (files.read_link(path) or "").partition(" ")[0]
    return next((each for each in _WISHES if each == wish), None)


def complete_for(path: str) -> str | None:
    """Why the answer has ended, if the job is to end because it is complete."""
    wish, _, reason = (files.read_link(path) or "").partition(" ")
    return reason if wish == "complete" and reason else None
