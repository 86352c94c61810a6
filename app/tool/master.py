"""The gateway's first process on this machine, known by the lock that it holds."""

from pathlib import Path

from app.state.process_lock import holder_of


def master_of(state: Path) -> int | None:
    """The pid of the gateway that uses this state folder; None if none does, or we may not look."""
    return holder_of(f"{state}/gateway.lock")
