"""One row of what the doctor found."""

from typing import Literal, NamedTuple

Status = Literal["ok", "warning", "failed", "skipped"]


class Check(NamedTuple):
    """A fact about the gateway. `fix` is what helps where all is not well."""

    name: str
    status: Status
    detail: str
    fix: str | None = None


def ok(name: str, detail: str) -> Check:
    """All is well."""
    return Check(name, "ok", detail)


def warning(name: str, detail: str, fix: str) -> Check:
    """It may be meant so."""
    return Check(name, "warning", detail, fix)


def failed(name: str, detail: str, fix: str) -> Check:
    """It cannot be meant so."""
    return Check(name, "failed", detail, fix)


def skipped(name: str, detail: str) -> Check:
    """It does not apply, or cannot be looked at because of another row."""
    return Check(name, "skipped", detail)
