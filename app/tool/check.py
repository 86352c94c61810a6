"""A row of the doctor's report."""

from typing import Literal, NamedTuple

Status = Literal["ok", "warning", "failed", "skipped"]


class Check(NamedTuple):
    """A fact about the gateway. `fix` is a remedy if the status is warning or failed."""

    name: str
    status: Status
    detail: str
    fix: str | None = None


def ok(name: str, detail: str) -> Check:
    """As it should be."""
    return Check(name, "ok", detail)


def warning(name: str, detail: str, fix: str) -> Check:
    """It may be intended."""
    return Check(name, "warning", detail, fix)


def failed(name: str, detail: str, fix: str) -> Check:
    """It is certainly wrong."""
    return Check(name, "failed", detail, fix)


def skipped(name: str, detail: str) -> Check:
    """It does not apply, or cannot be checked because of another row."""
    return Check(name, "skipped", detail)
