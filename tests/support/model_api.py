"""A small stand-in for the model's API: `POST /v1/messages`, with no account.

It does what the last message asks, one verb at a line's beginning:

    bash: <command>   say so, call the Bash tool with it, report its result afterwards
    call: <tool> <json>        the same with any tool that the CLI offers
    calls: <json>              the same with several: a list of pairs of name and input
    json: <json>               the same with the CLI's tool for structured answers
    wait: <seconds>   say nothing for so long, then answer
    slow: <count> <seconds>    answer so many words, with so many seconds before each
    cached: <read> <written>   answer, and report so many tokens of the cache
    cut: <reason>              answer, and report this as the reason why the answer ends; where the
                               CLI asks to go on then, nothing comes for a second
    fail: <status> <type> <message>   answer with an error instead
    limit: <seconds>           say that the account's limit is reached, and ends in so many seconds
    break: <text>              begin an answer, and end it with an error
    think: <what else>         think, then do what else is asked
    anything else     answer "You said: …"

If a tool's result is such a call, that tool is called then.

Run as a program it prints `listening on http://127.0.0.1:<port>` and serves until it is ended.
Event shapes: Anthropic's Messages API, version 2023-06-01.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple

#: Tools of the CLI's own that it does not offer, and that can be called all the same (2.1.330).
SEARCHED = {"SendMessage"}
#: How the CLI begins to ask for more after an answer that was cut (2.1.330).
_GO_ON = ("Output token limit hit.", "Your response above was stopped")

_numbers = count(1)


class Scene(NamedTuple):
    """The answer to one prompt: a text, a command for Bash, and a text about its result."""

    plan: str
    command: str
    report: str


class ModelApi(BaseHTTPRequestHandler):
    """One request of the CLI's."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """The CLI checks whether the server is there."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Nothing else is offered."""
        self._send_json(404, {"type": "error", "error": {"type": "not_found_error"}})

    def do_POST(self) -> None:
        """Answer a conversation."""
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path.partition("?")[0] == "/v1/messages/count_tokens":
            self._send_json(200, {"input_tokens": 1})
            return
        if self.path.partition("?")[0] != "/v1/messages":
            self.do_GET()
            return
        if isinstance(self.server, Server):
            self.server.asked.append(asked)
            self.server.speaks.wait()
        self.reply(asked)

    def reply(self, asked: dict[str, Any]) -> None:
        """Do what the last message asks."""
        verb, _, rest = _last_message(asked.get("messages", []))[0].partition(": ")
        if verb == "fail":
            status, kind, message = rest.split(" ", 2)
            error = {"type": kind, "message": message}
            self._send_json(int(status), {"type": "error", "error": error})
            return
        if verb == "limit":
            error = {"type": "rate_limit_error", "message": "Limit reached"}
            limit = "anthropic-ratelimit-unified"
            headers = {f"{limit}-status": "rejected", f"{limit}-representative-claim": "five_hour"}
            headers[f"{limit}-reset"] = str(int(time.time()) + int(rest))
            self._send_json(429, {"type": "error", "error": error}, headers)
            return
        # After a broken stream the CLI asks without one, and must fail then, too.
        if not asked.get("stream") and verb != "break":
            self._send_json(200, _message(answer(asked, getattr(self.server, "scenes", {}))))
            return
        self.send_events(answer(asked, getattr(self.server, "scenes", {})))

    def send_events(self, events: Iterator[dict[str, Any]]) -> None:
        """Send an event stream."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        try:
            self.end_headers()
            for event in events:
                frame = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
                self.wfile.write(b"%X\r\n%b\r\n" % (len(frame), frame))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet: the tests' output is for the tests."""

    def _send_json(
        self, status: int, value: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def answer(
    asked: dict[str, Any], scenes: Mapping[str, Scene] | None = None
) -> Iterator[dict[str, Any]]:
    """The events that answer a request; `scenes` are for prompts that are no verb."""
    text, results = _last_message(asked.get("messages", []))
    if len(results) == 1 and json.loads(results[0])[:6] == "call: ":
        text, results = json.loads(results[0]), []
    has_thoughts = text.startswith("think: ") and not results
    text = text.removeprefix("think: ")
    scene = _scene(asked.get("messages", []), scenes or {})
    verb, _, rest = (f"bash: {scene.command}" if scene else text).partition(": ")
    offered = [tool["name"] for tool in asked.get("tools", [])]
    calls = [] if results else _calls(verb, rest, offered)
    if scene:
        reply = scene.report if results else scene.plan
    elif results:
        reply = "The tool said: " + " ".join(results)
    elif calls:
        reply = "I run it."
    elif verb == "slow":
        reply = " ".join(f"word-{number}" for number in range(int(rest.split()[0])))
    else:
        reply = f"You said: {text}"
    pause = float(rest.split()[1]) if verb == "slow" else 0.0
    if verb == "wait":
        time.sleep(float(rest))
    if text.startswith(_GO_ON):
        time.sleep(1.0)
    words = [{"type": "text_delta", "text": word} for word in _words(reply)]
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({"type": "text", "text": ""}, words)
    ]
    if has_thoughts:
        thought = [
            {"type": "thinking_delta", "thinking": "Well."},
            {"type": "signature_delta", "signature": "c2lnbmVk"},
        ]
        blocks.insert(0, ({"type": "thinking", "thinking": "", "signature": ""}, thought))
    for name, given in calls:
        block = {"type": "tool_use", "id": f"toolu_{next(_numbers):06}", "name": name}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(given)}
        blocks.append(({**block, "input": {}}, [delta]))
    usage = {"input_tokens": len(text), "output_tokens": 1}
    if verb == "cached":
        read, written = rest.split()
        usage["cache_read_input_tokens"] = int(read)
        usage["cache_creation_input_tokens"] = int(written)
    yield {
        "type": "message_start",
        "message": {
            "id": f"msg_{next(_numbers):06}",
            "type": "message",
            "role": "assistant",
            "model": asked.get("model", "stand-in"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        },
    }
    for index, (block, deltas) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            time.sleep(pause)
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        if verb == "break":
            yield {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            return
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if calls else rest if verb == "cut" else "end_turn"
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": {**usage, "output_tokens": len(words)},
    }
    yield {"type": "message_stop"}


def _message(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The message that the events of a stream add up to."""
    message: dict[str, Any] = {}
    for event in events:
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            message["content"].append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            block, delta = message["content"][-1], event["delta"]
            for name in ("text", "thinking", "signature"):
                if name in delta:
                    block[name] += delta[name]
            if "partial_json" in delta:
                block["input"] = json.loads(delta["partial_json"])
        elif event["type"] == "message_delta":
            message = {**message, **event["delta"], "usage": event["usage"]}
    return message


def _scene(messages: list[dict[str, Any]], scenes: Mapping[str, Scene]) -> Scene | None:
    """The scene of the last prompt that has one."""
    texts = [_last_message(messages[: end + 1])[0] for end in range(len(messages))]
    return next((scenes[text] for text in reversed(texts) if text in scenes), None)


def _calls(verb: str, rest: str, offered: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """The tools that shall be called and what each is given, if the CLI offers them."""
    if verb == "calls":
        return [(name, given) for name, given in json.loads(rest) if name in offered]
    name, given = "", {}
    if verb == "bash":
        name, given = "Bash", {"command": rest, "description": "Run what was asked"}
    elif verb == "call":
        name, _, text = rest.partition(" ")
        given = json.loads(text)
    elif verb == "json":
        name, given = "StructuredOutput", json.loads(rest)
    # Some tools are there without being offered (the CLI has the model search them).
    is_there = name in offered or name.startswith("mcp__") or name in SEARCHED
    return [(name, given)] if is_there else []


def _last_message(messages: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """The user's last words, and the tool results that came after them."""
    users = [message for message in messages if message.get("role") == "user"]
    if not users:
        return "", []
    content = users[-1]["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    results = [
        json.dumps(block.get("content")) for block in blocks if block["type"] == "tool_result"
    ]
    # The CLI adds reminders of its own, each in a block that begins with a tag.
    texts = [
        block["text"]
        for block in blocks
        if block["type"] == "text" and not block["text"].startswith("<")
    ]
    return (texts[-1] if texts else ""), results


def _words(text: str) -> list[str]:
    return text.split(" ", 1)[:1] + [" " + word for word in text.split(" ")[1:]]


class Server(ThreadingHTTPServer):
    """A server on the loopback address.

    `asked` holds every conversation that it was sent, `scenes` the answers to some prompts.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), ModelApi)
        self.asked: list[dict[str, Any]] = []
        self.scenes: dict[str, Scene] = {}
        self.speaks = threading.Event()
        self.speaks.set()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Within this, requests wait for their answers."""
        self.speaks.clear()
        try:
            yield
        finally:
            self.speaks.set()


def serve(port: int = 0) -> Server:
    """The server, listening; the caller runs and closes it."""
    return Server(port)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description="A stand-in for the model's API.")
    parser.add_argument("--port", type=int, default=0)
    server = serve(parser.parse_args().port)
    sys.stdout.write(f"listening on http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
