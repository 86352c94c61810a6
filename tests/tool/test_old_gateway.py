"""The command with a gateway that is older than it."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.tool import Tool

JOB = "1dd2ca9e-592a-4d5c-ae55-b5c258d29ddb"


class OldGateway(ThreadingHTTPServer):
    """A gateway with nothing but `/chat`, and one job that runs until it is cancelled."""

    def __init__(self, refusal: tuple[int, dict[str, str]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.refusal = refusal
        self.is_cancelled = threading.Event()
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: OldGateway

    def do_POST(self) -> None:
        """Stream the job, or refuse."""
        self._note()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/chat":
            self._send(*self.server.refusal)
            return
        if b"include_partial_messages" in body:
            detail = "does not support include_partial_messages"
            self._send(400, {"detail": detail, "code": "unsupported_field"})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Process-ID", JOB)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        line = '{"type":"assistant","message":{"content":[{"type":"text","text":"Hello"}]}}'
        self._send_event("message", line)
        self.server.is_cancelled.wait()
        self._send_event("done", json.dumps({"process_id": JOB, "status": "cancelled"}))

    def do_DELETE(self) -> None:
        """Cancel the job."""
        self._note()
        self.server.is_cancelled.set()
        self._send(200, {"status": "cancelled", "process_id": JOB})

    def do_GET(self) -> None:
        """Refuse."""
        self._note()
        self._send(*self.server.refusal)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""

    def _note(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")

    def _send_event(self, name: str, data: str) -> None:
        event = f"event: {name}\ndata: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))

    def _send(self, status: int, fields: dict[str, str]) -> None:
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(refusal: tuple[int, dict[str, str]]) -> Iterator[OldGateway]:
    """The gateway, while it serves."""
    with OldGateway(refusal) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.is_cancelled.set()
            server.shutdown()
            thread.join()


NOT_FOUND = (404, {"detail": "Not Found", "code": "not_found"})


@pytest.mark.parametrize(
    "refusal",
    [NOT_FOUND, (404, {"detail": "Not Found"}), (405, {"detail": "Method Not Allowed"})],
)
def test_where_a_job_cannot_be_interrupted_ctrl_c_cancels_it(
    tool: Tool, refusal: tuple[int, dict[str, str]]
) -> None:
    with serving(refusal) as old, tool.start("run", "--url", old.url, "hello") as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"Hello\n"
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
    # The first request was for pieces of the answer.
    interrupt = f"POST /jobs/{JOB}/interrupt"
    assert old.requests == ["POST /chat", "POST /chat", interrupt, f"DELETE /chat/{JOB}"]


@pytest.mark.parametrize(
    ("command", "route"),
    [
        (["say", JOB, "hello"], f"POST /jobs/{JOB}/messages"),
        (["questions"], "GET /questions"),
        (["answer", JOB, "q", "allow"], f"GET /jobs/{JOB}/questions"),
        (["runs"], "GET /runs"),
        (["usage"], "GET /usage"),
    ],
)
def test_what_the_gateway_does_not_have_is_named(
    tool: Tool, command: list[str], route: str
) -> None:
    with serving(NOT_FOUND) as old:
        done = tool.run(*command, "--url", old.url)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        f"cannot do this with the gateway at {old.url}: its version has no {route}\n"
    )
