"""The console's built files, compressed for browsers that accept it."""

import gzip
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from flask import Response, request

from app.http import static_file
from app.http.static_file import KINDS, REVALIDATED

#: Where `console/` puts the files that it builds.
BUILT = Path(__file__).parents[2] / "console" / "dist"

_POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none';"
    " form-action 'none'"
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
# The content of such a file is another under another name alone.
_HASHED = re.compile(r".+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_IMMUTABLE = "public, max-age=31536000, immutable"
_GZIP_PATIENCE = 10.0

#: Runs a function beside the hub, for at most so many seconds; raises TimeoutError.
InThread = Callable[[Callable[[], bytes], float], bytes]


class BuiltFiles:
    """The files in a folder: `index.html`, and others in `console/assets`.

    Nothing is kept of them but the compressed ones, so that a folder whose files are replaced
    serves the new ones. Without a folder, or in an empty one, there is no console.
    """

    def __init__(self, folder: Path | None, in_thread: InThread) -> None:
        self._folder = folder
        self._in_thread = in_thread
        self._compressed: dict[str, bytes] = {}

    def page(self) -> Response | None:
        """The page of the console; None if there is none."""
        if self._folder is None:
            return None
        try:
            content = (self._folder / "index.html").read_bytes()
        except OSError:
            return None
        response = static_file.page(content, _POLICY)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response

    def asset(self, name: str) -> Response | None:
        """A file that the page loads; None if there is none of this name."""
        if self._folder is None or not _NAME.fullmatch(name):
            return None
        path = self._folder / "console" / "assets" / name
        kind = KINDS.get(path.suffix)
        if kind is None or not path.is_file():
            return None
        cache_control = _IMMUTABLE if _HASHED.fullmatch(name) else REVALIDATED
        compressed = self._compress(path) if request.accept_encodings.quality("gzip") > 0 else None
        if compressed is None:
            response = static_file.file(path, kind, cache_control)
        else:
            response = Response(compressed, content_type=kind)
            response.headers["Content-Encoding"] = "gzip"
            etag = f"{static_file.digest(path)}-gzip"
            static_file.cached(response, etag, cache_control)
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            response.headers.pop("Content-Encoding", None)
        response.vary.add("Accept-Encoding")
        return response

    def _compress(self, path: Path) -> bytes | None:
        """The file, compressed once; None if the machine is too slow for that now."""
        if path.name not in self._compressed:
            content = path.read_bytes()
            try:
                self._compressed[path.name] = self._in_thread(
                    lambda: gzip.compress(content, mtime=0), _GZIP_PATIENCE
                )
            except TimeoutError:
                return None
        return self._compressed[path.name]
