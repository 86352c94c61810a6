"""The wish of a client about a job that runs: a link in the job's folder.

    cancel               end the job
    interrupt            stop its turn
    complete <reason>    end the job: its answer has ended, for this reason, and the CLI goes on

Links need no room on a full disk. Standard library alone, because the supervisor imports this.
"""

from contextlib import suppress
from typing import Literal

from app.state import files

Wish = Literal["cancel", "interrupt", "complete"]

_WISHES: tuple[Wish, ...] = ("cancel", "interrupt", "complete")


def write(path: str, wish: Wish, reason: str = "") -> None:
    """Write a wish; only a cancellation replaces another one. Raises OSError."""
    text = f"{wish} {reason}".rstrip()
    if wish != "cancel":
        try:
            # A cancellation may come at the same moment, and must not be replaced.
            files.make_link(path, text)
            return
        except FileExistsError:
            if read(path) is not None:
                return
    files.replace_link(path, text)


def take(path: str, wanted: Wish) -> bool:
    """Remove the wish if it is this one; returns whether it was."""
    if read(path) != wanted:
        return False
    taken = f"{path}.taken"
    try:
        files.replace(path, taken)
    except OSError:
        return False
    if read(taken) == wanted:
        files.discard(taken)
        return True
    # A cancellation has replaced it just now.
    with suppress(OSError):
        files.replace(taken, path)
    return False


def read(path: str) -> Wish | None:
    """The wish, if there is one."""
    wish = (files.read_link(path) or "").partition(" ")[0]
    return next((each for each in _WISHES if each == wish), None)


def complete_for(path: str) -> str | None:
    """Why the answer has ended, if the job is to end because it is complete."""
    wish, _, reason = (files.read_link(path) or "").partition(" ")
    return reason if wish == "complete" and reason else None
