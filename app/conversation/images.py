"""The images and PDF documents of messages, loaded as content blocks for the CLI."""

import base64
import os
import stat
import time
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from app.conversation.errors import BadParameter
from app.conversation.fetch import CannotFetch, fetch

#: Bytes of one image and of all images of a request; the most images of a request.
LARGEST = 10 << 20
LARGEST_TOGETHER = 32 << 20
MOST = 50
#: Escapes (%41) in one data URL: decoding takes some 300 bytes of memory for each.
MOST_ESCAPES = 350_000
#: Seconds for all URLs of one request.
TIMEOUT = 20.0

_PARAM = "messages"
_WHITE_SPACE = b" \t\r\n"
_TO_BASE64 = bytes.maketrans(b"-_", b"+/")
_GONE = {"type": "text", "text": "[An image was here that is not available any more.]"}
_PDF = "application/pdf"
# The characters of LARGEST bytes in base64.
_LONGEST = -(-LARGEST // 3) * 4


class Images:
    """Loads images; files of this machine only below `roots`."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots

    def load(self, urls: Sequence[str], answered: Container[str] = ()) -> dict[str, dict[str, Any]]:
        """The content block of each URL.

        Raises BadParameter for one that is not a usable image. One that is `answered` has been
        shown to a model before, and may be gone: its block is a text that says so.
        """
        if len(urls) > MOST:
            raise BadParameter(_PARAM, f"There are more than {MOST} images")
        blocks, size, deadline = {}, 0, time.monotonic() + TIMEOUT
        for url in urls:
            # Decoding takes a while: other requests are served in between.
            time.sleep(0)
            try:
                content = self._content(url, deadline - time.monotonic())
                block = _block(url, content)
            except BadParameter:
                if url not in answered:
                    raise
                block, content = dict(_GONE), b""
            size += len(content)
            if size > LARGEST_TOGETHER:
                raise BadParameter(
                    _PARAM, f"The images have more than {LARGEST_TOGETHER} bytes in total"
                )
            blocks[url] = block
        return blocks

    def _content(self, url: str, timeout: float) -> bytes:
        scheme = url.partition(":")[0].lower()
        if scheme == "data":
            content = _data(url)
        elif scheme in ("http", "https"):
            try:
                content = fetch(url, LARGEST, timeout=max(timeout, 0.01))
            except CannotFetch as error:
                raise _refused(url, str(error)) from None
        elif url.startswith(("/", "file:///")):
            content = self._file(unquote(url[7:]) if scheme == "file" else url)
        else:
            raise _refused(url, "it is not an http or https URL, a data URL or a full path")
        if len(content) > LARGEST:
            raise _refused(url, f"it has more than {LARGEST} bytes")
        return content

    def _file(self, path: str) -> bytes:
        missing = _refused(path, "there is no such readable file")
        try:
            # Not strict: below other folders a client must not learn what exists.
            real = os.path.realpath(path)
            if not any(Path(real).is_relative_to(root) for root in self._roots):
                raise _refused(path, "only paths below CWD_ROOTS are allowed")
            # In a loop of links some are left unresolved, and they might lead out again.
            if os.path.realpath(real, strict=True) != real:
                raise missing
            # Without O_NONBLOCK a pipe would block the worker.
            descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except (OSError, ValueError, RecursionError):
            raise missing from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _refused(path, "it is not a file")
            if status.st_size > LARGEST:
                raise _refused(path, f"it has more than {LARGEST} bytes")
            return os.read(descriptor, status.st_size)
        finally:
            os.close(descriptor)


def media_type(content: bytes) -> str | None:
    r"""The media type of an image or a PDF by its first bytes; None if Claude does not support it.

    >>> media_type(b"\x89PNG\r\n\x1a\n..."), media_type(b"<svg>")
    ('image/png', None)
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith(b"%PDF-"):
        return _PDF
    return None


def _data(url: str) -> bytes:
    """The content of a data URL (RFC 2397)."""
    head, comma, data = url.partition(",")
    if not comma:
        raise _refused(url, "it is not a data URL")
    # Checked before decoding, which takes memory and blocks the worker.
    if len(data) > _LONGEST:
        raise _refused(url, f"it has more than {LARGEST} bytes")
    if data.count("%") > MOST_ESCAPES:
        raise _refused(url, f"it has more than {MOST_ESCAPES} escapes: use base64")
    try:
        content = unquote_to_bytes(data) if "%" in data else data.encode()
        if not head.lower().endswith(";base64"):
            return content
        # Some clients break the lines, leave out the padding, or use the alphabet for URLs.
        content = content.translate(_TO_BASE64, _WHITE_SPACE).rstrip(b"=")
        return base64.b64decode(content + b"=" * (-len(content) % 4), validate=True)
    except ValueError:
        raise _refused(url, "its data is not base64") from None


def _block(url: str, content: bytes) -> dict[str, Any]:
    kind = media_type(content)
    if kind is None:
        raise _refused(url, "it is not a PNG, JPEG, GIF, WebP or PDF")
    source = {
        "type": "base64",
        "media_type": kind,
        "data": base64.b64encode(content).decode("ascii"),
    }
    return {"type": "document" if kind == _PDF else "image", "source": source}


def _refused(url: str, reason: str) -> BadParameter:
    name = url if len(url) <= 100 else f"{url[:100]}…"
    return BadParameter(_PARAM, f"cannot use the image {name!r}: {reason}", "invalid_image")
