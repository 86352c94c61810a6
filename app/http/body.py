"""The bytes of a request's body: size, time, Content-Encoding and charset."""

import codecs
from dataclasses import dataclass
from typing import IO

import gevent
from flask import Request

from app.errors import (
    BadBody,
    BodyTooLarge,
    BodyTooSlow,
    GatewayError,
    InvalidRequest,
    UnsupportedMediaType,
)
from app.text import shortened

#: Seconds in which a body must arrive.
BODY_TIMEOUT = 60.0
#: Bytes of one read.
READ_SIZE = 1 << 18

#: Raised by `BodyReader`.
BODY_ERRORS: tuple[type[GatewayError], ...] = (
    BadBody,
    BodyTooLarge,
    BodyTooSlow,
    UnsupportedMediaType,
)

# The charsets of a Content-Type, and the codecs that decode them.
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
# Byte order marks; that of UTF-32 begins with that of UTF-16. Each codec removes its own.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class BodyReader:
    """Reads bodies of at most `max_body` bytes."""

    max_body: int

    def read(self, request: Request) -> bytes:
        """The whole body.

        Raises BodyTooLarge, BodyTooSlow, BadBody, and UnsupportedMediaType if it is compressed.
        """
        encoding = request.headers.get("Content-Encoding", "").strip()
        if encoding.lower() not in ("", "identity"):
            raise UnsupportedMediaType(
                f"The request body must not be compressed (Content-Encoding: {shortened(encoding)})"
            )
        if (request.content_length or 0) > self.max_body:
            raise BodyTooLarge(self.max_body)
        with gevent.Timeout(BODY_TIMEOUT, BodyTooSlow(BODY_TIMEOUT)):
            # Not through werkzeug, which truncates a chunked body at the limit.
            try:
                body = _read_up_to(request.environ["wsgi.input"], self.max_body + 1)
            except OSError:
                raise BadBody from None
        if len(body) > self.max_body:
            raise BodyTooLarge(self.max_body)
        return body

    def read_json_bytes(self, request: Request) -> bytes:
        """The whole body, if its Content-Type is application/json; its JSON is not parsed.

        Raises UnsupportedMediaType for another Content-Type, and what `read` raises.
        """
        if request.mimetype != "application/json":
            raise UnsupportedMediaType
        return self.read(request)


def charset_of(request: Request) -> str:
    """The codec for the charset in the Content-Type. Raises UnsupportedMediaType."""
    charset = request.mimetype_params.get("charset", "utf-8")
    try:
        return _CHARSETS[charset.lower()]
    except KeyError:
        raise UnsupportedMediaType(
            f"The charset {shortened(charset)!r} is not supported; send the prompt as UTF-8"
        ) from None


def decode_prompt(body: bytes, charset: str) -> str:
    """The prompt that a text/plain body is; its byte order mark outranks `charset`.

    Raises InvalidRequest.
    """
    for mark, codec in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            charset = codec
            break
    try:
        return body.decode(charset)
    except UnicodeDecodeError:
        name = charset.removesuffix("-sig").upper()
        message = f"The prompt is not valid {name}"
        raise InvalidRequest.of("wrong_encoding", ("body",), message) from None


def _read_up_to(stream: IO[bytes], limit: int) -> bytes:
    """Read in pieces: gunicorn copies everything that it has buffered at each call."""
    pieces = []
    while limit > 0 and (piece := stream.read(min(limit, READ_SIZE))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)
