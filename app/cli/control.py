"""The lines that the gateway and a CLI send each other beside the model's messages. Pure.

One JSON object a line, in both directions, as in the CLI's versions 2.1.197 to 2.1.332: a request
of either side (`control_request`), its answer (`control_response`), and its withdrawal
(`control_cancel_request`). Every line for the CLI is encoded here, because one that is not JSON
ends it. Standard library alone, because the supervisor imports this.
"""

import json
from collections.abc import Mapping
from typing import Any

#: The first bytes of a line of `message`.
MESSAGE_HEAD = b'{"type": "user"'


def request(request_id: str, subtype: str, **fields: Any) -> bytes:
    r"""A request to the CLI.

    >>> request("r1", "interrupt", cancel_queued=True)  # doctest: +NORMALIZE_WHITESPACE
    b'{"type": "control_request", "request_id": "r1",
       "request": {"subtype": "interrupt", "cancel_queued": true}}\n'
    """
    return client_request(request_id, {"subtype": subtype, **fields})


def client_request(request_id: str, asked: Mapping[str, Any]) -> bytes:
    """A request to the CLI with these fields, which a client has chosen."""
    return _line({"type": "control_request", "request_id": request_id, "request": asked})


def response(request_id: str, value: Mapping[str, Any]) -> bytes:
    """The answer to a request of the CLI."""
    answer = {"subtype": "success", "request_id": request_id, "response": value}
    return _line({"type": "control_response", "response": answer})


def refusal(request_id: str, why: str) -> bytes:
    """The answer to a request of the CLI that the gateway does not carry out."""
    answer = {"subtype": "error", "request_id": request_id, "error": why}
    return _line({"type": "control_response", "response": answer})


def denial(request_id: str, why: str) -> bytes:
    """The answer that denies the use of a tool, which the model reads; the turn goes on."""
    return response(request_id, {"behavior": "deny", "message": why})


def message(content: str | list[Any], **fields: Any) -> bytes:
    r"""A user's message, a text or blocks, as a line.

    >>> message("hi")
    b'{"type": "user", "message": {"role": "user", "content": "hi"}}\n'
    """
    return _line({"type": "user", **fields, "message": {"role": "user", "content": content}})


def answer(content: list[Any]) -> bytes:
    r"""An answer of the model that was given before, as a line: it needs no acknowledgement.

    >>> answer([])
    b'{"type": "assistant", "message": {"role": "assistant", "content": []}}\n'
    """
    return _line({"type": "assistant", "message": {"role": "assistant", "content": content}})


def history_head(message_id: str) -> bytes:
    """What replaces `MESSAGE_HEAD` in a line of `message` to have it known without an answer.

    The CLI acknowledges the message in a `command_lifecycle` line. Its text is no command.
    """
    head = {"type": "user", "uuid": message_id, "shouldQuery": False, "client_composed": True}
    return json.dumps(head).encode()[:-1]


def turn_head(message_id: str) -> bytes:
    """What replaces `MESSAGE_HEAD` in a line of `message` to make a turn of it.

    The CLI names the message by this id in its `command_lifecycle` lines and in the `result` of the
    turn that answers it; with the priority `later`, that is a turn of its own.
    """
    head = {"type": "user", "uuid": message_id, "priority": "later"}
    return json.dumps(head).encode()[:-1]


def answered(line: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The id of our request that a `control_response` line answers, and the answer.

    The answer has `subtype` (`success` or `error`) and `response` or `error`.
    """
    answer = line.get("response")
    if not isinstance(answer, dict) or not isinstance(answer.get("request_id"), str):
        return None
    return answer["request_id"], answer


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
