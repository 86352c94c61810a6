"""Images that messages name, as the blocks in which the CLI takes them."""

import base64
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from app.conversation.errors import BadParameter
from app.conversation.fetch import CannotFetch, fetch

#: Bytes of one image, and of all that one request names; how many it may name.
LARGEST = 10 << 20
LARGEST_TOGETHER = 32 << 20
MOST = 50
#: Escapes (%41) in one data URL: to decode one takes some 300 bytes for a moment.
MOST_ESCAPES = 350_000
#: Seconds that all URLs of one request may take.
PATIENCE = 20.0

_PARAM = "messages"
# Characters of LARGEST bytes in base64.
_LONGEST = -(-LARGEST // 3) * 4


class Images:
    """Loads images; paths of this machine only below `roots`."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots

    def load(self, urls: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The block of each. Raises BadParameter for one that cannot be had, or is no image."""
        if len(urls) > MOST:
            raise BadParameter(_PARAM, f"There are more than {MOST} images")
        blocks, size, deadline = {}, 0, time.monotonic() + PATIENCE
        for url in urls:
            # To decode one takes a while: others run between two.
            time.sleep(0)
            content = self._content(url, deadline - time.monotonic())
            size += len(content)
            if size > LARGEST_TOGETHER:
                raise BadParameter(
                    _PARAM, f"The images have more than {LARGEST_TOGETHER} bytes together"
                )
            blocks[url] = _block(url, content)
        return blocks

    def _content(self, url: str, patience: float) -> bytes:
        scheme = url.partition(":")[0].lower()
        if scheme == "data":
            content = _data(url)
        elif scheme in ("http", "https"):
            try:
                content = fetch(url, LARGEST, patience=max(patience, 0.01))
            except CannotFetch as error:
                raise _refused(url, str(error)) from None
        elif url.startswith(("/", "file:///")):
            content = self._file(unquote(url[7:]) if scheme == "file" else url)
        else:
            raise _refused(url, "it is no http or https URL, data URL, or full path")
        if len(content) > LARGEST:
            raise _refused(url, f"it has more than {LARGEST} bytes")
        return content

    def _file(self, path: str) -> bytes:
        missing = _refused(path, "there is no such file that can be read")
        try:
            # Not strict: whether something exists is looked at only below the roots.
            real = os.path.realpath(path)
            if not any(Path(real).is_relative_to(root) for root in self._roots):
                raise _refused(path, "paths are taken only below CWD_ROOTS")
            # After a circle of links, links are left in it, which might lead out again.
            if os.path.realpath(real, strict=True) != real:
                raise missing
            # A pipe would hold everybody up.
            descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except (OSError, ValueError, RecursionError):
            raise missing from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _refused(path, "it is no file")
            if status.st_size > LARGEST:
                raise _refused(path, f"it has more than {LARGEST} bytes")
            return os.read(descriptor, status.st_size)
        finally:
            os.close(descriptor)


def media_type(content: bytes) -> str | None:
    r"""The type of an image by its first bytes; None if it is none that Claude takes.

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
    return None


def _data(url: str) -> bytes:
    """What a data URL (RFC 2397) holds."""
    head, comma, data = url.partition(",")
    if not comma:
        raise _refused(url, "it is no data URL")
    # Both before it is decoded: that takes memory, and nobody else runs meanwhile.
    if len(data) > _LONGEST:
        raise _refused(url, f"it has more than {LARGEST} bytes")
    if data.count("%") > MOST_ESCAPES:
        raise _refused(url, f"it has more than {MOST_ESCAPES} escapes: use base64")
    try:
        content = unquote_to_bytes(data) if "%" in data else data.encode()
        if not head.lower().endswith(";base64"):
            return content
        return base64.b64decode(content, validate=True)
    except ValueError:
        raise _refused(url, "its data is not base64") from None


def _block(url: str, content: bytes) -> dict[str, Any]:
    kind = media_type(content)
    if kind is None:
        raise _refused(url, "it is no PNG, JPEG, GIF or WebP")
    source = {
        "type": "base64",
        "media_type": kind,
        "data": base64.b64encode(content).decode("ascii"),
    }
    return {"type": "image", "source": source}


def _refused(url: str, why: str) -> BadParameter:
    name = url if len(url) <= 100 else f"{url[:100]}…"
    return BadParameter(_PARAM, f"cannot use the image {name!r}: {why}", "invalid_image")
