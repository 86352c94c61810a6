"""The tools of a client: the model calls them, and the client carries them out.

They are offered to the CLI as an MCP server (protocol version 2025-11-25) behind its standard
streams, as its SDK does it (2.1.330). A turn stops where the model has called some, until the
client has answered. Standard library alone, because the supervisor imports this.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from app.cli import control
from app.runs.supervisor.talking_run import TalkingRun
from app.state import files

#: Seconds that the CLI has to say what a turn has cost so far.
COST_PATIENCE = 1.0

_SERVER = "client"
_MUST_CALL = "must_call"
# What the model reads if it has called no tool although the client wants a call.
_ORDER = "You must call one of your tools. Do not answer with text."


class ClientTools:
    """What one run offers of its client's tools, and the calls that have no result yet.

    `offered` has `tools`, as in MCP's `tools/list`, and `must_call`: whether an answer without a
    call is refused once.
    """

    def __init__(self, run: TalkingRun, offered: Mapping[str, Any]) -> None:
        self._run = run
        self._tools = offered["tools"]
        self._must_call = offered["must_call"] is True
        # By the model's id of each call: the ids of the CLI's request and of MCP's request.
        self._calls: dict[str, tuple[str, object]] = {}
        # Whether the model's message ends with calls, and whether all of it is there.
        self._ends_with_calls = self._has_ended = False
        self._cost_request: str | None = None
        self._cost_until = 0.0

    def offer(self) -> None:
        """Announce the tools; comes before any message."""
        hooks = {"Stop": [{"hookCallbackIds": [_MUST_CALL]}]} if self._must_call else {}
        self._run.request("initialize", sdkMcpServers=[_SERVER], hooks=hooks)

    @property
    def wait_for_client(self) -> bool:
        """Whether the model has called tools, and all of its message is there."""
        return self._has_ended and bool(self._calls)

    @property
    def cost_is_known(self) -> bool:
        """Whether the run's cost includes the message with the calls, or will not be known."""
        return self._cost_request is None or time.monotonic() > self._cost_until

    def on_line(self, fields: Mapping[str, Any]) -> bool:
        """Note a line of the CLI; returns False for one that is about something else."""
        kind = fields.get("type")
        if kind == "control_request":
            return self._on_request(str(fields.get("request_id")), _object(fields.get("request")))
        if kind == "stream_event" and fields.get("parent_tool_use_id") is None:
            self._on_event(_object(fields.get("event")))
        elif kind == "control_response":
            self._on_response(fields)
        return False

    def answer(self, results: Mapping[str, dict[str, Any]]) -> None:
        """Give the CLI the results of all open calls: `tool_result` blocks by their calls' ids."""
        for call_id, (request_id, number) in self._calls.items():
            block = results[call_id]
            is_error = block.get("is_error") is True
            result = {"content": _contents(block.get("content")), "isError": is_error}
            self._respond(request_id, number, result)
        self._calls.clear()
        self._has_ended = self._ends_with_calls = False

    def open_calls(self) -> set[str]:
        """The ids of the calls without a result."""
        return set(self._calls)

    def _on_event(self, event: dict[str, Any]) -> None:
        if event.get("type") == "message_start":
            # The message before may have ended with calls of the CLI's own tools.
            self._has_ended = self._ends_with_calls = False
        elif event.get("type") == "message_delta":
            self._ends_with_calls = _object(event.get("delta")).get("stop_reason") == "tool_use"
        elif event.get("type") == "message_stop":
            self._has_ended = self._ends_with_calls
        if self.wait_for_client:
            self._ask_for_cost()

    def _on_request(self, request_id: str, asked: dict[str, Any]) -> bool:
        subtype, message = asked.get("subtype"), _object(asked.get("message"))
        if subtype == "hook_callback" and asked.get("callback_id") == _MUST_CALL:
            is_second = _object(asked.get("input")).get("stop_hook_active") is True
            order = {} if is_second else {"decision": "block", "reason": _ORDER}
            self._run.say(control.response(request_id, order))
        elif subtype == "mcp_message" and asked.get("server_name") == _SERVER:
            self._on_message(request_id, message)
        else:
            return False
        return True

    def _on_message(self, request_id: str, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), _object(message.get("params"))
        if method == "tools/call":
            call_id = _object(parameters.get("_meta")).get("claudecode/toolUseId")
            self._calls[str(call_id)] = (request_id, message.get("id"))
            if self.wait_for_client:
                self._ask_for_cost()
            return
        result: dict[str, Any] = {}
        if method == "initialize":
            result = {
                "protocolVersion": parameters.get("protocolVersion"),
                "capabilities": {"tools": {}},
                "serverInfo": {"name": _SERVER, "version": "1"},
            }
        elif method == "tools/list":
            result = {"tools": self._tools}
        self._respond(request_id, message.get("id"), result)

    def _respond(self, request_id: str, number: object, result: dict[str, Any]) -> None:
        answer = {"jsonrpc": "2.0", "id": number, "result": result}
        self._run.say(control.response(request_id, {"mcp_response": answer}))

    def _ask_for_cost(self) -> None:
        """No `result` line comes before the client's results, so the cost must be asked for."""
        if self._cost_request is None:
            self._cost_request = self._run.request("get_usage", skip_behaviors=True)
            self._cost_until = time.monotonic() + COST_PATIENCE

    def _on_response(self, fields: Mapping[str, Any]) -> None:
        answered = control.answered(fields)
        if answered is None or answered[0] != self._cost_request:
            return
        self._cost_request = None
        session = _object(_object(answered[1].get("response")).get("session"))
        self._run.note_cost(session.get("total_cost_usd"))


def results_in(path: str) -> dict[str, dict[str, Any]]:
    """The `tool_result` blocks of a job's message by their calls' ids; none if it has others.

    Raises OSError.
    """
    try:
        line = json.loads(files.read_file(path, 1 << 30))
    except ValueError:
        return {}
    content = _object(_object(line).get("message")).get("content")
    blocks = [_object(block) for block in content] if isinstance(content, list) else []
    if any(block.get("type") != "tool_result" for block in blocks):
        return {}
    return {str(block.get("tool_use_id")): block for block in blocks}


def client_tools_of(run: TalkingRun) -> ClientTools | None:
    """The client's tools of a run that was started with some. Raises OSError."""
    started = run.watch.started
    if not started.start.client_tools:
        return None
    offered = json.loads(files.read_file(started.run.client_tools, 1 << 30))
    return ClientTools(run, offered)


def _contents(content: object) -> list[dict[str, Any]]:
    """The blocks of a `tool_result` as MCP has them."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [_content(_object(block)) for block in content] if isinstance(content, list) else []


def _content(block: dict[str, Any]) -> dict[str, Any]:
    if block.get("type") != "image":
        return {"type": "text", "text": str(block.get("text", ""))}
    source = _object(block.get("source"))
    return {"type": "image", "data": source.get("data"), "mimeType": source.get("media_type")}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
