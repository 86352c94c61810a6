"""The turns in model mode, in which the model has the client's tools.

Such a turn needs no session: each request has the whole conversation. The CLI gets no servers,
hooks, settings and memory of this machine, and no tools but those that the request names in
`tools`. Without these, what the model says is passed on as it is.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.auth.users import User
from app.cli.command import Extras
from app.cli.request_fields import read_fields
from app.conversation.client_tools import LARGEST_RESULT, ClientTools
from app.conversation.digests import add_answer, digests_of, start_digest
from app.conversation.errors import BadParameter
from app.conversation.held_runs import HeldRuns
from app.conversation.images import Images
from app.conversation.messages import (
    ToolCall,
    first_unanswered,
    image_urls,
    split_system_prompt,
)
from app.conversation.model_messages import Block, ModelMessage, history_lines, model_messages
from app.conversation.models import Models
from app.conversation.prompt import compose, plain_text
from app.conversation.turn_request import TurnRequest
from app.conversation.turns import Turn, place_of, title_of_messages
from app.conversation.workspaces import SHARED, Workspaces
from app.errors import CapabilitiesUnknown, InvalidRequest, UnsupportedField
from app.http.chat_request import ChatRequests
from app.jobs.idempotency import Key
from app.jobs.spec import JobSpec

log = logging.getLogger(__name__)

#: The folder of these turns' processes, in which no tool writes anything.
WORKSPACE = "model"
#: The CLI's own tool that searches the web.
WEB_SEARCH = "WebSearch"
#: The system prompt if the client has none: the CLI's own prompt is about its tools.
NO_SYSTEM_PROMPT = "You are a helpful assistant."

# The options that have a meaning here.
_OPTIONS = {
    "detach",
    "effort",
    "fallback_model",
    "idle_timeout",
    "max_budget_usd",
    "timeout",
    "title",
}
# Those that have a meaning together with tools of the CLI.
_OWN_TOOLS_OPTIONS = {
    "add_dir",
    "allowed_tools",
    "cwd",
    "disallowed_tools",
    "env",
    "max_turns",
    "permission_mode",
    "tools",
}
# The client's tools need no permission.
_ALLOWED = "mcp__client__*"
# Stands for all tools of the CLI.
_ALL = "default"
_FIELDS: dict[str, Any] = {
    "strict_mcp_config": True,
    "setting_sources": [],
    "disable_slash_commands": True,
    "session_persistence": False,
    "keep_alive": 0,
}
# The model gets the tools' names as they are, and all tools at once (2.1.330).
_VARIABLES = {
    "CLAUDE_AGENT_SDK_MCP_NO_PREFIX": "1",
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
    # The client gets an error for a conversation that is too long; it is not replaced by a summary.
    "DISABLE_AUTO_COMPACT": "1",
    # Half of an answer that was sent already would come once more.
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "ENABLE_TOOL_SEARCH": "false",
}


@dataclass(frozen=True)
class ModelTurns:
    """Makes turns of requests in model mode.

    Runs are held for `hold` seconds. The CLI asks the model's API at most `retries` times again.
    """

    requests: ChatRequests
    models: Models
    images: Images
    held: HeldRuns
    workspaces: Workspaces
    hold: float
    retries: int

    def prepare(
        self, request: TurnRequest, tools: ClientTools, user: User, key: Key | None
    ) -> Turn:
        """The turn for a request; `abandon` it if its job is not started.

        Raises BadParameter, CapabilitiesUnknown, InvalidRequest, ModelNotFound and
        UnsupportedField.
        """
        request = request._replace(model=self.models.resolve(request.model or ""))
        tools = tools._replace(own=_own_tools(request, tools))
        self._check(request, tools)
        system, messages = split_system_prompt(request.prompt_messages)
        answered = messages[: first_unanswered(messages)]
        images = self.images.load(image_urls(messages), image_urls(answered))
        history, content = model_messages(messages, images)
        if history and not tools.offered() and not self.requests.has_turns():
            new = first_unanswered(messages)
            history, content = [], compose(messages[:new], messages[new:], images)
        if not content:
            raise BadParameter("messages", "There is no text or image to answer")
        start = start_digest(user.id, WORKSPACE, system)
        digests = [start, *digests_of(start, messages)]
        spec = self._spec(request, tools, system, history, content, user, key)
        calls = digests[first_unanswered(messages)]
        if all(map(_can_answer, content)):
            spec = spec._replace(answers=self.held.take(calls))
        return Turn(
            spec, digests[-1], None, bool(request.schema), request.options.events, tools, calls
        )

    def abandon(self, turn: Turn) -> None:
        """Undo `prepare`: no job is started for this turn, and a run that waits goes on waiting."""
        if turn.spec.answers is None:
            return
        try:
            self.held.record(turn.calls, turn.spec.answers)
        except OSError as error:
            # The client gets the first error; its next request has the whole conversation.
            log.error("cannot record the run %s: %s", turn.spec.answers, error)

    def record(self, turn: Turn, run: str, answer: str, calls: Sequence[ToolCall]) -> None:
        """Record that a run may wait for the results of these calls. Raises OSError."""
        self.held.record(add_answer(turn.digest, answer, calls), run)

    def _check(self, request: TurnRequest, tools: ClientTools) -> None:
        if tools.offered() and not self.requests.has_turns():
            if self.requests.claude.capabilities is None:
                raise CapabilitiesUnknown
            raise UnsupportedField("tools", self.requests.claude.version)
        options = request.options
        known = _OPTIONS | _OWN_TOOLS_OPTIONS if tools.own else _OPTIONS | {"tools"}
        names = sorted(name for name in options.fields if name not in known)
        if options.workspace is not None and not tools.own:
            names.append("workspace")
        if request.session is not None:
            names.append("session_id")
        if names:
            needs = (
                " without claude.tools" if names[0] in _OWN_TOOLS_OPTIONS | {"workspace"} else ""
            )
            raise BadParameter(
                names[0],
                f"{names[0]} cannot be used in model mode{needs}: the model has the client's tools"
                " alone, and no session",
            )

    def _spec(
        self,
        request: TurnRequest,
        tools: ClientTools,
        system: str,
        history: Sequence[ModelMessage],
        content: Sequence[Block],
        user: User,
        key: Key | None,
    ) -> JobSpec:
        fields = {
            **({"model": request.model} if request.model else {}),
            "title": title_of_messages(request.prompt_messages),
            **request.options.fields,
            **_FIELDS,
            **_tool_fields(request, tools),
            "system_prompt": system or NO_SYSTEM_PROMPT,
            **({"json_schema": request.schema} if request.schema else {}),
            "cwd": self._cwd(request, tools),
            "prompt": plain_text(content) or "(a result)",
        }
        limit = request.max_tokens
        extras = Extras(
            list(content),
            history_lines(history),
            partial_messages=True,
            client_tools=tools.definition() if self.requests.has_turns() else None,
            variables={
                **_VARIABLES,
                "CLAUDE_CODE_MAX_RETRIES": str(self.retries),
                "MCP_TOOL_TIMEOUT": str(int((self.hold + 60) * 1000)),
                **({"CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(limit)} if limit else {}),
                **_thinking(request.thinking),
            },
            is_alone=True,
        )
        try:
            spec = self.requests.spec_for(read_fields(fields), user, key, extras)
        except InvalidRequest as error:
            raise error.relocated(place_of) from None
        return spec._replace(hold=self.hold if self.held.has_room() else 0.0)

    def _cwd(self, request: TurnRequest, tools: ClientTools) -> Any:
        options = request.options
        if not tools.own:
            return self.workspaces.path(WORKSPACE)
        return options.fields.get("cwd") or self.workspaces.path(options.workspace or SHARED)


def _own_tools(request: TurnRequest, tools: ClientTools) -> list[str]:
    """The CLI's own tools that the model has. Raises BadParameter."""
    given = request.options.fields.get("tools") or []
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        # The option is invalid and will be refused.
        return []
    if _ALL in given:
        raise BadParameter("claude.tools", "In model mode, the CLI's tools must be named")
    found = [*given, *([WEB_SEARCH] if request.web_search and WEB_SEARCH not in given else [])]
    both = sorted(tools.names().intersection(found))
    if both:
        raise BadParameter(
            "claude.tools", f"There is a tool {both[0]!r} of the client, too; leave one out"
        )
    return found


def _tool_fields(request: TurnRequest, tools: ClientTools) -> dict[str, Any]:
    """The fields with the CLI's own tools; without rules of the request, all are allowed."""
    fields = request.options.fields
    given = fields.get("tools")
    if given is not None and not isinstance(given, list):
        return {"tools": given}
    allowed = fields.get("allowed_tools")
    if allowed is None:
        allowed = [] if fields.get("permission_mode") else list(tools.own)
    if not isinstance(allowed, list):
        return {"allowed_tools": allowed}
    return {"tools": list(tools.own) or given or [], "allowed_tools": [_ALLOWED, *allowed]}


def _can_answer(block: Block) -> bool:
    """Whether a run that waits can be given this block.

    It takes results of texts and images, and those that are not too long: in a message, a result
    of any length reaches the model.
    """
    content = block.get("content", [])
    size = sum(len(part.get("text", "").encode()) for part in content)
    return (
        block["type"] == "tool_result"
        and size <= LARGEST_RESULT
        and all(
            part["type"] == "text"
            or (part["type"] == "image" and part["source"].get("type") == "base64")
            for part in content
        )
    )


def _thinking(most: int | None) -> dict[str, str]:
    """The variables with which the model thinks for at most so many tokens (2.1.330)."""
    if most == 0:
        return {"CLAUDE_CODE_DISABLE_THINKING": "1"}
    return {} if most is None else {"MAX_THINKING_TOKENS": str(most)}
