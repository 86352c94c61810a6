"""Errors that end the command with one line and an exit status."""

from typing import Any

#: A job failed, or the command could not do its work.
FAILED = 1
#: The command line is invalid; argparse uses this status, too.
MISUSED = 2
#: The gateway cannot be reached (EX_UNAVAILABLE of sysexits.h).
UNAVAILABLE = 69
#: The settings cannot be used (EX_CONFIG); the gateway uses this status, too.
UNCONFIGURED = 78
#: A job reached a time limit; like timeout(1).
TIMED_OUT = 124
#: A job was cancelled, or Ctrl-C ended the command; like a shell.
CANCELLED = 130


class Failure(Exception):
    """The command cannot go on; the message has the reason and what would help."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


class RequestRefused(Failure):
    """The gateway refused a request, with this HTTP status, error code and detail.

    `fields` is the whole body.
    """

    def __init__(self, message: str, http_status: int, detail: str, fields: dict[str, Any]) -> None:
        super().__init__(message)
        self.fields = fields
        self.http_status = http_status
        self.code = str(fields.get("code"))
        self.detail = detail


class Unreachable(Failure):
    """The gateway could not be reached, or the connection broke."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNAVAILABLE)
