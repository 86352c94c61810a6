"""gunicorn's request parser, with a head of bounded size and cost.

gunicorn accepts a head of up to 800 KB and searches all of it again whenever more bytes arrive: a
tenth of a second for a head that never ends. Here each byte is searched once, and the length is
checked before the head is parsed.
"""

import re
from typing import Any

from gunicorn.http import errors
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

#: Bytes of the request line and headers together, and of a chunked body's trailers.
LONGEST_HEAD = 1 << 16

_END = b"\r\n\r\n"
# A request begins with its method, or with one empty line (RFC 9112, section 2.2).
_BEGINNING = re.compile(rb"[!-~\r\n]")


class BoundedParser(RequestParser):  # type: ignore[misc]  # gunicorn has no types
    """Parses the requests of one connection, one after another."""

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        self.mesg_class = BoundedRequest


class BoundedRequest(Request):  # type: ignore[misc]
    """A request. Its connection closes after it unless the whole body was read."""

    def parse(self, unreader: Any) -> Any:
        """Parse the head. Raises gunicorn's own exceptions."""
        unreader.unread(_read_head(unreader, self.limit_request_line))
        return super().parse(unreader)

    def set_body_reader(self) -> None:
        """Prepare the body for reading."""
        # gunicorn limits the trailers by this, too.
        self.max_buffer_headers = LONGEST_HEAD
        super().set_body_reader()
        awaiting = self.unreader.sock if self._expected_100_continue else None
        # gunicorn would also send 100 Continue to a client whose request is refused later.
        self._expected_100_continue: bool = False
        self.body: Any = _Body(self.body.reader, awaiting)

    @property
    def is_whole(self) -> bool:
        """Whether the whole body has been read."""
        reader = self.body.reader
        if isinstance(reader, ChunkedReader):
            return reader.parser is None
        return reader.length == 0  # type: ignore[no-any-return]

    def should_close(self) -> bool:
        """Whether the connection closes after this request.

        gunicorn asks before it sends the response's head. Otherwise it would read an unread body
        to its end, however long that takes.
        """
        if not self.is_whole:
            self.force_close()
        return super().should_close()  # type: ignore[no-any-return]


class _Body(Body):  # type: ignore[misc]
    """A request body, which sends 100 Continue when it is first read (RFC 9110, section 10.1.1).

    `awaiting` is the connection, if its client waits for that. Reading raises OSError, for a
    malformed chunk too.
    """

    def __init__(self, reader: Any, awaiting: Any) -> None:
        super().__init__(reader)
        self._awaiting = awaiting

    def _read_reader(self, size: int) -> Any:
        if self._awaiting is not None:
            self._awaiting.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._awaiting = None
        try:
            return super()._read_reader(size)
        except errors.ParseException as error:
            raise OSError(f"the body is malformed: {type(error).__name__}") from None


def _read_head(unreader: Any, longest_line: int) -> bytes:
    """Read until the head is complete, or clearly malformed; return all received bytes.

    gunicorn's parser then finds the same mistake and reports it. Raises StopIteration if the
    connection closes before a request begins.
    """
    head = bytearray()
    while True:
        received = unreader.read()
        if not received:
            if head:
                raise errors.NoMoreData(bytes(head))
            raise StopIteration
        searched = max(0, len(head) - len(_END) + 1)
        head += received
        if not _BEGINNING.match(head):
            # For example the first bytes of TLS.
            raise errors.InvalidRequestLine("no method")
        end = head.find(_END, searched)
        if (end if end >= 0 else len(head)) > LONGEST_HEAD:
            raise errors.LimitRequestHeaders("the whole head")
        if end >= 0 or _has_bare_newline(head, len(head) - len(received)):
            return bytes(head)
        if len(head) > longest_line + len(_END) and b"\r\n" not in head[2 : longest_line + 4]:
            return bytes(head)


def _has_bare_newline(head: bytearray, start: int) -> bool:
    r"""Whether a newline at or after `start` has no carriage return before it.

    >>> _has_bare_newline(bytearray(b"a\r\nb\r\n"), 2), _has_bare_newline(bytearray(b"a\n"), 0)
    (False, True)
    """
    # A regular expression takes fifty times as long.
    return head.count(b"\n", start) != head.count(b"\r\n", max(0, start - 1))
