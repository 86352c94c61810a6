"""The fake CLI while its standard input stays open: a turn for each message, and questions.

Its lines have the shapes of the CLI's version 2.1.330: `command_lifecycle` for each message with a
uuid, `session_state_changed`, one `result` for each turn, the answers to control requests. A line
of type `result` that a message has printed is its turn's. Besides the verbs of `fake_claude.py`, a
message can have

    ask <tool> <json>    ask whether the tool may be used, and print the answer
    final <path>         write the turn's last words until there is such a file: a message that
                         comes in meanwhile gets a turn of its own
    own <seconds>        after the turn, begin one without a message of the client; with a path
                         instead, once there is such a file
    note <path> <word>   add the word to a file, so that a test can count what was carried out

A message that is to be known without an answer is printed in a line of type `known`, and so is an
answer that was given before. Of its verbs, only `await` and `exit` are obeyed. If the client does
not await the acknowledgement, the fake CLI exits.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

Fields = dict[str, Any]
Verb = Callable[[str], None]

SUGGESTIONS = [
    {
        "type": "addRules",
        "rules": [{"toolName": "Bash", "ruleContent": "touch a"}],
        "behavior": "allow",
        "destination": "localSettings",
    },
    {"type": "addDirectories", "directories": ["/tmp"], "destination": "session"},  # noqa: S108
    {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
]
#: Control requests that are answered with their own fields, and one that never is.
KNOWN = {"get_session_cost", "get_usage", "mcp_status", "set_model", "set_permission_mode"}
UNANSWERED = "get_workspace_diff"
_ORDER = {"now": 0, "next": 1, "later": 2}


class Interrupted(Exception):
    """The turn is interrupted."""


class Talk:
    """The conversation. One thread reads the input, the main thread carries out the turns."""

    def __init__(self, verbs: dict[str, Verb]) -> None:
        self._verbs = {
            **verbs,
            "ask": self._ask,
            "final": self._end_turn,
            "line": self._line,
            "note": _note,
            "own": self._begin_own,
        }
        self._print_line = verbs["line"]
        self._uuids: list[str] = []
        self._has_result = False
        self._changed = threading.Condition()
        self._waiting: list[Fields] = []
        self._answers: dict[str, Fields] = {}
        self._asked: str | None = None
        self._is_in_turn = False
        self._is_noting = False
        self._folds = True
        self._has_ended = False
        self._cost = 0.0
        self._mode = _option("--permission-mode") or "bypassPermissions"
        given = _option("--session-id")
        if "--fork-session" not in sys.argv:
            given = given or _option("--resume")
        self._session = given or str(uuid4())

    def serve(self) -> None:
        """Carry out turns until the input is closed or `end_session` comes."""
        signal.signal(signal.SIGUSR1, self._on_interrupt)
        threading.excepthook = lambda _: os._exit(1)  # On a full disk, the CLI exits, too.
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._has_ended)
                messages = self._take("later") if self._waiting else []
            if not messages:
                os._exit(0)
            if messages[0].get("shouldQuery", True):
                self._turn(messages)
            else:
                self._note(messages[0])

    def _take(self, last: str) -> list[Fields]:
        """The messages for one turn: those of the same priority together, `later` each alone."""
        self._waiting.sort(key=lambda each: _ORDER[each.get("priority", "next")])
        first = self._waiting[0].get("priority", "next") if self._waiting else "later"
        if _ORDER[first] > _ORDER[last]:
            return []
        count = 1
        if first != "later":
            count = sum(each.get("priority", "next") == first for each in self._waiting)
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    def _note(self, message: Fields) -> None:
        """Take in a message without an answer."""
        self._state("running")
        _lifecycle(message["uuid"], "started")
        verb, _, rest = _text(message).partition(" ")
        if verb in ("await", "exit"):
            self._verbs[verb](rest)
        _print({"type": "known", "message": message["message"]})
        _print({"type": "result", "subtype": "success", "is_error": False, "num_turns": 0})
        with self._changed:
            self._is_noting = False
        _lifecycle(message["uuid"], "completed")
        self._state("idle")

    def _turn(self, messages: list[Fields]) -> None:
        uuids = [each["uuid"] for each in messages if "uuid" in each]
        ending: Fields = {"subtype": "success", "is_error": False, "result": "carried out"}
        self._uuids, self._has_result = [*uuids], False
        try:
            self._is_in_turn = self._folds = True
            self._state("running")
            for uuid in uuids:
                _lifecycle(uuid, "started")
            init: Fields = {"type": "system", "subtype": "init", "session_id": self._session}
            init["agents"] = _agents()
            _print({**init, "permissionMode": self._mode, "capabilities": ["msg_lifecycle_v1"]})
            for message in messages:
                self._carry_out(message)
            self._is_in_turn = False
        except Interrupted:
            ending = {"subtype": "error_during_execution", "is_error": True}
            ending["terminal_reason"] = "aborted_tools"
        if not self._has_result:
            self._print_result(ending)
        for uuid in uuids:
            _lifecycle(uuid, "cancelled" if ending["is_error"] else "completed")
        if not self._waiting:
            self._state("idle")
        if self._has_ended and ending["is_error"]:
            os._exit(1)

    def _print_result(self, fields: Fields) -> None:
        self._has_result = True
        self._cost += 0.25
        own = {"type": "result", "session_id": self._session, "total_cost_usd": self._cost}
        _print({**fields, **own, "user_message_uuids": self._uuids})

    def _carry_out(self, message: Fields) -> None:
        """Obey a message, and between its verbs what comes in meanwhile."""
        for order in _text(message).split("\n"):
            verb, _, rest = order.partition(" ")
            self._verbs.get(verb, lambda _: None)(rest)
            with self._changed:
                more = self._take("next") if self._folds else []
            for each in more:
                _lifecycle(each["uuid"], "started")
                self._uuids.append(each["uuid"])
                self._carry_out(each)
                _lifecycle(each["uuid"], "completed")

    def _line(self, text: str) -> None:
        if text.replace(" ", "").startswith('{"type":"result"'):
            self._print_result(json.loads(text))
        else:
            self._print_line(text)

    def _ask(self, rest: str) -> None:
        tool, _, given = rest.partition(" ")
        asked = str(uuid4())
        self._state("requires_action")
        request = {"subtype": "can_use_tool", "tool_name": tool, "input": json.loads(given)}
        request |= {"description": "Do it", "permission_suggestions": SUGGESTIONS}
        self._asked = asked
        _print({"type": "control_request", "request_id": asked, "request": request})
        with self._changed:
            self._changed.wait_for(lambda: asked in self._answers)
        self._asked = None
        self._state("running")
        _print({"type": "answered", "answer": self._answers[asked]})

    def _end_turn(self, path: str) -> None:
        self._verbs["await"](path)
        self._folds = False

    def _begin_own(self, when: str) -> None:
        message: Fields = {"message": {"content": ""}, "priority": "later"}

        def begin() -> None:
            self._verbs["await"](when)
            self._put(message)

        if when.startswith("/"):
            threading.Thread(target=begin, daemon=True).start()
            return
        timer = threading.Timer(float(when), self._put, [message])
        timer.daemon = True
        timer.start()

    def _put(self, message: Fields) -> None:
        with self._changed:
            self._waiting.append(message)
            self._changed.notify()

    def _read(self) -> None:
        for text in sys.stdin:
            fields = json.loads(text)
            if fields["type"] in ("user", "assistant") and self._is_noting:
                sys.stderr.write("a message came before its time\n")
                sys.stderr.flush()
                os._exit(3)
            if fields["type"] == "user":
                self._is_noting = not fields.get("shouldQuery", True)
                if "uuid" in fields:
                    _lifecycle(fields["uuid"], "queued")
                self._put(fields)
            elif fields["type"] == "assistant":
                _print({"type": "known", "message": fields["message"]})
            elif fields["type"] == "control_request":
                self._on_request(fields["request_id"], fields["request"])
            elif fields["type"] == "control_response":
                answer = fields["response"]
                if answer["request_id"] in self._answers:
                    _print({"type": "answered again", "answer": answer})
                with self._changed:
                    self._answers[answer["request_id"]] = answer
                    self._changed.notify()
        self._end()

    def _on_request(self, request_id: str, request: Fields) -> None:
        subtype = request["subtype"]
        if subtype == UNANSWERED:
            return
        answer: Fields = {"subtype": "success", "request_id": request_id, "response": request}
        if subtype == "interrupt":
            answer["response"] = self._interrupt(bool(request.get("cancel_queued")))
        elif subtype == "end_session":
            self._interrupt(cancel_queued=True)
        elif subtype == "set_permission_mode":
            self._mode = request["mode"]
        elif subtype not in KNOWN:
            answer = {"subtype": "error", "request_id": request_id, "error": "Not supported"}
            answer["error_code"] = "unsupported_request"
        _print({"type": "control_response", "response": answer})
        if subtype == "end_session":
            self._end()
        elif subtype == "interrupt" and not self._is_in_turn and not self._waiting:
            self._state("idle")

    def _interrupt(self, cancel_queued: bool) -> Fields:
        with self._changed:
            queued = [each["uuid"] for each in self._waiting if "uuid" in each]
            if cancel_queued:
                self._waiting.clear()
        for uuid in queued if cancel_queued else []:
            _lifecycle(uuid, "cancelled")
        if self._asked:
            _print({"type": "control_cancel_request", "request_id": self._asked})
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        return {"cancelled": queued} if cancel_queued else {"still_queued": queued}

    def _on_interrupt(self, *_: object) -> None:
        if self._is_in_turn:
            self._is_in_turn, self._asked = False, None
            raise Interrupted

    def _end(self) -> None:
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    def _state(self, state: str) -> None:
        fields = {"type": "system", "subtype": "session_state_changed", "state": state}
        _print({**fields, "session_id": self._session})


def _print(fields: Fields) -> None:
    content = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
    while content:
        content = content[os.write(1, content) :]


def _note(rest: str) -> None:
    path, _, word = rest.partition(" ")
    with open(path, "a") as file:  # noqa: PTH123 - pathlib takes time to import
        file.write(f"{word}\n")


def _lifecycle(uuid: str, state: str) -> None:
    _print({"type": "command_lifecycle", "command_uuid": uuid, "state": state})


def _option(flag: str) -> str | None:
    """The value of a flag on the command line."""
    found = (each.partition("=") for each in sys.argv[1:])
    return next((value for name, _, value in found if name == flag), None)


def _agents() -> list[str]:
    """The names of the agents in the file on the command line."""
    path = _option("--agents")
    if path is None or not path.startswith("/"):
        return []
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return list(json.load(file))


def _text(message: Fields) -> str:
    content = message["message"]["content"]
    if isinstance(content, list):
        return "\n".join(block["text"] for block in content if block["type"] == "text")
    return str(content)
