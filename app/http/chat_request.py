"""From an HTTP request to what a job is started with; refuses what cannot be one."""

import codecs
import hashlib
import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import gevent
from flask import Request

from app.cli.command import Defaults, Extras, build, effective_model
from app.cli.installed import Installed
from app.cli.request import LISTS, OBJECTS, ChatRequest, read_fields, read_request, title_of
from app.errors import (
    BadBody,
    BadDirectory,
    BadIdempotencyKey,
    BodyTooLarge,
    BodyTooSlow,
    DirectoryNotAllowed,
    GatewayError,
    InvalidRequest,
    UnsupportedMediaType,
)
from app.http.error_handlers import request_id
from app.http.settings_file import read_settings
from app.jobs.idempotency import Key
from app.jobs.spec import Order
from app.json_body import read_json
from app.text import shortened

#: Seconds that a request's body may take.
BODY_PATIENCE = 60.0
#: Bytes of it that are read at once.
PIECE = 1 << 18

#: Characters of a working directory's path: what the kernel takes (PATH_MAX).
LONGEST_PATH = 4096

#: What `Intake.read` raises.
REFUSALS: tuple[type[GatewayError], ...] = (
    BadBody,
    BadDirectory,
    BadIdempotencyKey,
    BodyTooLarge,
    BodyTooSlow,
    DirectoryNotAllowed,
    InvalidRequest,
    UnsupportedMediaType,
)

# What a text may be declared as, and as which it is read.
_CHARSETS = {
    "ascii": "utf-8",
    "iso-8859-1": "iso-8859-1",
    "us-ascii": "utf-8",
    "utf-16": "utf-16",
    "utf-16be": "utf-16-be",
    "utf-16le": "utf-16-le",
    "utf-32": "utf-32",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "windows-1252": "windows-1252",
}
# Byte order marks; that of UTF-32 begins with that of UTF-16. Each decoder takes its own off.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SANE_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True)
class Intake:
    """What the operator allows: `max_body` is in bytes."""

    defaults: Defaults
    claude: Installed
    cwd_roots: Sequence[Path]
    max_body: int

    def read(self, request: Request) -> Order:
        """The order in a request's body.

        JSON, or the prompt alone as text/plain with the other fields in the query: there a
        list is a name that is repeated, and an object is JSON.
        """
        if request.mimetype == "application/json":
            body = self.body(request)
            asked = read_request(body)
        elif request.mimetype == "text/plain":
            charset = _charset(request)
            body = self.body(request)
            asked = read_fields({**_query(request), "prompt": _text(body, charset)})
        else:
            raise UnsupportedMediaType
        return self.order(asked, key_of(request, body))

    def json(self, request: Request) -> bytes:
        """A request's body, declared as JSON."""
        if request.mimetype != "application/json":
            raise UnsupportedMediaType
        return self.body(request)

    def order(
        self,
        asked: ChatRequest,
        key: Key | None = None,
        extras: Extras = Extras(),  # noqa: B008 - frozen
    ) -> Order:
        """What these fields ask for. Raises what tells why it cannot be had."""
        self._check_directory(asked.cwd)
        settings = read_settings(asked.settings, asked.cwd)
        if settings != asked.settings:
            asked = asked.model_copy(update={"settings": settings})
        return Order(
            build(asked, self.defaults, self.claude.number, extras),
            cwd=asked.cwd,
            model=effective_model(asked, self.defaults),
            session_id=asked.session_id or extras.new_session,
            fork_session=bool(asked.fork_session),
            prompt_length=len(asked.prompt),
            detached=bool(asked.detach),
            timeout=asked.timeout,
            idle_timeout=asked.idle_timeout,
            key=key,
            request_id=request_id(),
            title=(asked.title or "").strip() or title_of(asked.prompt),
        )

    def body(self, request: Request) -> bytes:
        """A request's whole body.

        Raises BodyTooLarge, BodyTooSlow, BadBody, and UnsupportedMediaType if it is compressed.
        """
        encoding = request.headers.get("Content-Encoding", "").strip()
        if encoding.lower() not in ("", "identity"):
            raise UnsupportedMediaType(
                f"The request body must not be compressed (Content-Encoding: {shortened(encoding)})"
            )
        if (request.content_length or 0) > self.max_body:
            raise BodyTooLarge(self.max_body)
        with gevent.Timeout(BODY_PATIENCE, BodyTooSlow(BODY_PATIENCE)):
            # Not through werkzeug, which cuts a chunked body off where the limit is.
            try:
                body = _read(request.environ["wsgi.input"], self.max_body + 1)
            except OSError:
                raise BadBody from None
        if len(body) > self.max_body:
            raise BodyTooLarge(self.max_body)
        return body

    def _check_directory(self, cwd: str) -> None:
        # Looked at first: to take a path of a million parts apart takes seconds.
        if len(cwd) > LONGEST_PATH:
            raise BadDirectory(f"Path is longer than {LONGEST_PATH} characters: {shortened(cwd)}")
        path = Path(cwd)
        if not path.is_absolute():
            raise BadDirectory(f"Path is not absolute: {cwd}")
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise BadDirectory(f"Directory does not exist: {cwd}") from None
        except OSError as error:
            raise BadDirectory(f"Directory cannot be looked at ({error.strerror}): {cwd}") from None
        if not stat.S_ISDIR(mode):
            raise BadDirectory(f"Path is not a directory: {cwd}")
        if not os.access(path, os.R_OK | os.X_OK):
            raise BadDirectory(f"Directory cannot be entered by the gateway's user: {cwd}")
        if self.cwd_roots and not any(
            path.resolve().is_relative_to(root) for root in self.cwd_roots
        ):
            raise DirectoryNotAllowed(f"Directory is outside of CWD_ROOTS: {cwd}")


def key_of(request: Request, body: bytes) -> Key | None:
    """What the client calls its request, if it does. Raises BadIdempotencyKey."""
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    if not _SANE_KEY.fullmatch(text):
        raise BadIdempotencyKey
    # Whatever may change what is done.
    meant = sorted(
        (name.lower(), value)
        for name, value in request.headers.items()
        if name.lower().startswith("x-claude-") or name.lower() == "x-session-id"
    )
    asked = json.dumps([request.path, request.query_string.decode("latin-1"), meant])
    digest = hashlib.sha256(asked.encode() + b"\0" + body)
    return Key(text, digest.hexdigest())


def _read(stream: IO[bytes], most: int) -> bytes:
    """At most so many bytes, in pieces: gunicorn copies all that it has for each call."""
    pieces = []
    while most > 0 and (piece := stream.read(min(most, PIECE))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _query(request: Request) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, values in request.args.lists():
        if name in LISTS:
            fields[name] = values
        elif name in OBJECTS:
            fields[name] = _object(name, values[-1])
        else:
            fields[name] = values[-1]
    return fields


def _object(name: str, text: str) -> Any:
    try:
        return read_json(text.encode(errors="replace"))
    except InvalidRequest as error:
        raise error.relocated(lambda _: ["query", name]) from None


def _charset(request: Request) -> str:
    """The encoding that a text is declared to have. Raises UnsupportedMediaType."""
    declared = request.mimetype_params.get("charset", "utf-8")
    try:
        return _CHARSETS[declared.lower()]
    except KeyError:
        raise UnsupportedMediaType(
            f"The charset {shortened(declared)!r} is not supported; send the prompt as UTF-8"
        ) from None


def _text(body: bytes, charset: str) -> str:
    """A prompt of this encoding, or of the one that its byte order mark names."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            charset = encoding
            break
    try:
        return body.decode(charset)
    except UnicodeDecodeError:
        name = charset.removesuffix("-sig").upper()
        raise InvalidRequest.of("wrong_encoding", ("body",), f"The prompt is not {name}") from None
