"""The format of the log: text, text with priorities for journald, or JSON.

No line can be forged: values from outside may have any character, so those that begin another
line, move a terminal's cursor or change the direction of text are escaped. Secrets are masked.
"""

import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from app.server.nonblocking_stderr import NonblockingStderr
from app.state.kept_log import KeptLog

#: The fields that a record may have beside its message, in the order of the output.
FIELDS = (
    *("request_id", "job", "job_status", "user"),
    *("method", "path", "status", "duration_seconds"),
)

_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_CREDENTIALS = re.compile(
    r"(?i)\bsk-ant-[\w-]{8,}|\bc2a_[0-9a-f]{8,}"
    r"|(?<=\bbasic )[\w+/=-]{8,}|(?<=\bbearer )[\w.~+/=-]{8,}|(?<=://)[^\s/@]+(?=@)"
)
_MASK = "***"
# A shorter secret would match inside ordinary words.
_SHORTEST_SECRET = 6
_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
# syslog(3)
_PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The values of environment variables whose names mark them as secrets."""
    return [
        value for name, value in environment.items() if any(word in name for word in _SECRET_NAMES)
    ]


class TextFormatter(logging.Formatter):
    """Formats a record as a line of text.

    >>> record = logging.LogRecord("app", 20, "", 0, "not %s", ("one\\ntwo",), None)
    >>> TextFormatter([]).format(record).partition(" INFO ")[2].partition(" ")[2]
    'app: not one\\\\ntwo'
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        longest_first = sorted({*secrets}, key=len, reverse=True)
        self._secrets = [secret for secret in longest_first if len(secret) >= _SHORTEST_SECRET]

    def format(self, record: logging.LogRecord) -> str:
        """The whole entry; the lines of a traceback are indented."""
        message = self.clean(record.getMessage())
        fields = _fields(record)
        if "request_id" in fields:
            message = f"{message} [{self.clean(fields['request_id'])}]"
        line = self.head(record) + message
        return f"\n{self.indent(record)}".join([line, *self._trace(record)])

    def head(self, record: logging.LogRecord) -> str:
        """The text before the message."""
        return f"{_timestamp(record)} {record.levelname} {record.process} {record.name}: "

    def indent(self, record: logging.LogRecord) -> str:
        """The text before each line of a traceback; no message begins like it."""
        return "    "

    def kept(self, entry: str, record: logging.LogRecord) -> str:
        """The entry as it is kept in STATE_DIR, where nothing else adds the time."""
        return entry

    def clean(self, text: object) -> str:
        """The text on one line and without secrets."""
        cleaned = str(text)
        for secret in self._secrets:
            cleaned = cleaned.replace(secret, _MASK)
        cleaned = _CREDENTIALS.sub(_MASK, cleaned)
        return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), cleaned)

    def _trace(self, record: logging.LogRecord) -> list[str]:
        if not record.exc_info:
            return []
        return [self.clean(line) for line in self.formatException(record.exc_info).split("\n")]


class JournalFormatter(TextFormatter):
    """Formats a line for journald, which adds the time and the process (sd-daemon(3))."""

    def head(self, record: logging.LogRecord) -> str:
        """The priority."""
        return f"{_priority(record)}{record.name}: "

    def indent(self, record: logging.LogRecord) -> str:
        """The priority again: journald makes an entry of each line."""
        return f"{_priority(record)}    "

    def kept(self, entry: str, record: logging.LogRecord) -> str:
        """The entry with time and process instead of the priorities."""
        priority = _priority(record)
        plain = entry.removeprefix(priority).replace(f"\n{priority}", "\n")
        return f"{_timestamp(record)} {record.levelname} {record.process} {plain}"


class JsonFormatter(TextFormatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """The message and the fields."""
        entry: dict[str, Any] = {
            "time": _timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": self.clean(record.getMessage()),
        }
        for name, value in _fields(record).items():
            entry[name] = self.clean(value) if isinstance(value, str) else value
        if trace := self._trace(record):
            entry["exception"] = trace
        return json.dumps(entry)


class Handler(logging.StreamHandler[TextIO]):
    """Writes to standard error, formats its notice of dropped lines, and keeps the last lines.

    They are kept in the folder `state`, for `GET /log`.
    """

    def __init__(self, state: str | None = None) -> None:
        super().__init__()
        self._kept = KeptLog(state) if state else None
        if isinstance(self.stream, NonblockingStderr):
            self.stream.notice = self._notice

    def emit(self, record: logging.LogRecord) -> None:
        """Write the entry. Raises nothing, as logging requires."""
        try:
            entry = self.format(record)
            self.stream.write(entry + self.terminator)
            self.flush()
            if self._kept and isinstance(self.formatter, TextFormatter):
                entry = self.formatter.kept(entry, record) + self.terminator
                self._kept.write(entry.encode(errors="backslashreplace"))
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)

    def _notice(self, dropped: int) -> str:
        message = "%d lines of the log were dropped: nothing read standard error"
        record = logging.LogRecord("app", logging.WARNING, "", 0, message, (dropped,), None)
        return self.format(record) + self.terminator


def configuration(
    form: str, level: str, secrets: Iterable[str], state: str | None = None
) -> dict[str, Any]:
    """A dictionary for logging.config: everything to standard error, as `text` or `json`.

    The last lines are kept in the folder `state`.
    """
    formatter = (
        JsonFormatter if form == "json" else JournalFormatter if _is_journal() else TextFormatter
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter, "secrets": list(secrets)}},
        "handlers": {"stderr": {"()": Handler, "formatter": "line", "state": state}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "audit": {"level": "INFO", "handlers": [], "propagate": True},
            "gunicorn.error": {"level": level, "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }


def _is_journal() -> bool:
    """Whether standard error is journald's (JOURNAL_STREAM in systemd.exec(5))."""
    stderr = os.fstat(sys.stderr.fileno())
    return os.environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"


def _priority(record: logging.LogRecord) -> str:
    return f"<{_PRIORITIES.get(record.levelname, 6)}>"


def _timestamp(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03}Z"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    values = record.__dict__
    return {name: values[name] for name in FIELDS if values.get(name) is not None}
