"""The check of the calls of a client's tools that are strict. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from app.cli.lines import as_object
from app.conversation.client_tools import ClientTool, ClientTools
from app.conversation.errors import AnswerFailed
from app.conversation.schema_match import mismatch


class StrictCalls:
    """Follows the calls in an answer, one after the other."""

    def __init__(self, tools: ClientTools | None) -> None:
        offered = tools.offered() if tools else []
        self._tools = {tool.name: tool for tool in offered if tool.strict}
        self._called: ClientTool | None = None
        self._texts: list[str] = []
        # The tool of a call whose arguments end too early: the model may have reached its limit.
        self._broken: str | None = None

    def follow(self, event: Mapping[str, Any]) -> None:
        """Follow an event of the model's API. Raises what `end` and `finish` raise."""
        kind, delta = event.get("type"), as_object(event.get("delta"))
        if kind == "content_block_start":
            self.begin(as_object(event.get("content_block")).get("name"))
        elif kind == "content_block_delta":
            self.add(str(delta.get("partial_json", "")))
        elif kind == "content_block_stop":
            self.end()
        elif kind == "message_delta":
            self.finish(delta.get("stop_reason"))

    def begin(self, name: object) -> None:
        """A call begins."""
        self._called, self._texts = self._tools.get(str(name)), []

    def add(self, text: str) -> None:
        """A piece of the arguments, which are JSON."""
        if self._called is not None:
            self._texts.append(text)

    def end(self) -> None:
        """The call ends. Raises AnswerFailed if its arguments do not follow the tool's schema."""
        tool, self._called = self._called, None
        if tool is None:
            return
        try:
            arguments = json.loads("".join(self._texts) or "{}")
        except (ValueError, RecursionError):
            self._broken = tool.name
            return
        wrong = mismatch(arguments, tool.parameters or {})
        if wrong is not None:
            raise _failure(tool.name, wrong)

    def finish(self, stop_reason: object) -> None:
        """The message ends. Raises AnswerFailed for a call that should be complete and is not."""
        if self._broken is not None and stop_reason == "tool_use":
            raise _failure(self._broken, "they are not JSON")


def _failure(name: str, what: str) -> AnswerFailed:
    return AnswerFailed(
        "invalid_tool_arguments",
        f"The model has called {name!r} with arguments that do not follow its schema: {what}",
    )
