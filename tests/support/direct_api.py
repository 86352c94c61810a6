"""A stand-in for the model's API as the gateway's direct backend meets it, with all its troubles.

It does what the text of the last message says:

    say <text>                answer with the words of the text, a piece for each
    tokens <count> [<pause>]  answer with so many pieces `tok `, with so many seconds before each
    ping <count> <pause>      so many pings with pauses, then an answer
    await <file>              an answer once there is such a file
    think | tool              answer with thoughts, or with a call of a tool
    fail <status> <type> <retry-after or -> <message>    an error instead of an answer
    error-first <type> <message>    a stream with nothing but an error
    error-late <type> <message>     a stream that an error ends
    drop | drop-late          close the connection, before the head or in the middle
    hang | hang-late          say nothing more, before the head or in the middle, until it is closed
    split                     an answer in pieces of one byte
"""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

USAGE = {
    "input_tokens": 1000,
    "cache_read_input_tokens": 2000,
    "cache_creation_input_tokens": 400,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 300},
}
# Bytes that are sent at once where all events are there.
_PIECE = 1 << 15


class Received(NamedTuple):
    """A request as it arrived; the names of its headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class DirectApi(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        assert isinstance(self.server, Server)
        self.server.received.append(Received(self.path, headers, body))
        asked = json.loads(body)
        if self.path.partition("?")[0].endswith("/count_tokens"):
            self._count(asked)
            return
        content = asked["messages"][-1]["content"]
        text = content if isinstance(content, str) else content[-1].get("text", "say tool result")
        verb, _, rest = text.partition(" ")
        try:
            if verb == "fail":
                self._fail(*rest.split(" ", 3))
            elif verb == "drop":
                self.close_connection = True
            elif verb == "hang":
                self._hang()
            elif asked.get("stream"):
                self._stream(asked, verb, rest)
            else:
                self._send_json(200, message(asked, verb, rest), {})
        except (BrokenPipeError, ConnectionResetError):
            self.server.closed.append(text)
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet: the tests' output is for the tests."""

    def _count(self, asked: dict[str, Any]) -> None:
        verb, _, rest = str(asked["messages"][-1]["content"]).partition(" ")
        if verb == "fail":
            self._fail(*rest.split(" ", 3))
        elif verb == "drop":
            self.close_connection = True
        elif verb == "hang":
            self._hang()
        else:
            self._send_json(200, {"input_tokens": 1234}, {})

    def _fail(self, status: str, kind: str, retry_after: str, text: str) -> None:
        error = {"type": "error", "error": {"type": kind, "message": text}}
        headers = {} if retry_after == "-" else {"Retry-After": retry_after}
        self._send_json(int(status), error, headers)

    def _send_json(self, status: int, value: dict[str, Any], headers: dict[str, str]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, asked: dict[str, Any], verb: str, rest: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        held = b""
        is_fast = verb == "tokens" and " " not in rest
        for event in events(asked, verb, rest):
            held += f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            if is_fast and len(held) < _PIECE and event["type"] != "message_stop":
                continue
            pieces = [bytes([byte]) for byte in held] if verb == "split" else [held]
            chunks = [b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
            if event["type"] == "message_stop":
                # With it: a client that has its answer may ask again before another write.
                chunks[-1] += b"0\r\n\r\n"
            for chunk in chunks:
                self.wfile.write(chunk)
            held = b""
        if verb == "drop-late":
            self.close_connection = True
            return
        if verb == "hang-late":
            self._hang()
            return
        if event["type"] != "message_stop":
            self.wfile.write(b"0\r\n\r\n")

    def _hang(self) -> None:
        assert isinstance(self.server, Server)
        self.server.hanging += 1
        try:
            # Until the gateway closes the connection.
            self.connection.recv(1)
        finally:
            self.server.hanging -= 1
            self.close_connection = True


def blocks(verb: str, rest: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The blocks of an answer, and the deltas of each."""
    if verb == "tokens":
        words = ["tok "] * int(rest.split()[0])
    else:
        words = [f"{word} " for word in rest.split()] if verb == "say" else ["Hé", "llo"]
    found: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if verb == "think":
        found.append(
            (
                {"type": "thinking", "thinking": "", "signature": ""},
                [
                    {"type": "thinking_delta", "thinking": "Well."},
                    {"type": "signature_delta", "signature": "c2lnbmVk"},
                ],
            )
        )
    found.append(
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": each} for each in words])
    )
    if verb == "tool":
        call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
        pieces = ['{"city"', ': "Oslo"}']
        deltas = [{"type": "input_json_delta", "partial_json": each} for each in pieces]
        found.append((call, deltas))
    return found


def head(asked: dict[str, Any]) -> dict[str, Any]:
    """A message without content."""
    return {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**USAGE, "output_tokens": 1},
    }


def events(asked: dict[str, Any], verb: str, rest: str) -> Iterator[dict[str, Any]]:
    """The events of a stream."""
    kind, _, text = rest.partition(" ")
    failure = {"type": "error", "error": {"type": kind, "message": text}}
    if verb == "error-first":
        yield failure
        return
    if verb == "ping":
        count, pause = rest.split()
        for _ in range(int(count)):
            time.sleep(float(pause))
            yield {"type": "ping"}
    if verb == "await":
        while not Path(rest).exists():
            time.sleep(0.01)
    pause = float(rest.split()[1]) if verb == "tokens" and " " in rest else 0.0
    yield {"type": "message_start", "message": head(asked)}
    for index, (block, deltas) in enumerate(blocks(verb, rest)):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            if pause:
                time.sleep(pause)
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        if verb == "error-late":
            yield failure
            return
        if verb in ("drop-late", "hang-late"):
            return
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if verb == "tool" else "end_turn"
    delta = {"stop_reason": reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 200}}
    yield {"type": "message_stop"}


def message(asked: dict[str, Any], verb: str, rest: str) -> dict[str, Any]:
    """A whole message."""
    content = []
    for block, deltas in blocks(verb, rest):
        whole = dict(block)
        for name in ("text", "thinking", "signature"):
            pieces = [delta[name] for delta in deltas if name in delta]
            if pieces:
                whole[name] = "".join(pieces)
        given = "".join(delta.get("partial_json", "") for delta in deltas)
        content.append({**whole, "input": json.loads(given)} if given else whole)
    usage = {**USAGE, "output_tokens": 200}
    reason = "tool_use" if verb == "tool" else "end_turn"
    return {**head(asked), "content": content, "stop_reason": reason, "usage": usage}


class Server(ThreadingHTTPServer):
    """A server on the loopback address.

    `received` has every request; `hanging` counts those that hang, and `accepted` the connections.
    `closed` has the texts of the requests whose answers' reader closed the connection.
    """

    daemon_threads = True
    request_queue_size = 500

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), DirectApi)
        self.received: list[Received] = []
        self.hanging = 0
        self.closed: list[str] = []
        self.accepted = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection."""
        self.accepted += 1
        super().process_request(request, client_address)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"
