"""The turns of conversations: each is one job, in the session that continues the conversation."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.auth.users import User
from app.cli.command import Extras
from app.cli.request_fields import read_fields, title_of
from app.conversation.client_tools import ClientTools
from app.conversation.conversations import Conversations
from app.conversation.digests import add_answer, digests_of, start_digest
from app.conversation.errors import BadParameter
from app.conversation.histories import ClaimedSession, Fork, Histories
from app.conversation.images import Images
from app.conversation.messages import (
    Message,
    TextPart,
    first_unanswered,
    image_urls,
    split_system_prompt,
)
from app.conversation.model_messages import Block, ModelMessage, history_lines, model_messages
from app.conversation.models import Models
from app.conversation.prompt import compose, plain_text
from app.conversation.session_choice import (
    SessionChoice,
    choose_named_session,
    choose_session_by_history,
)
from app.conversation.session_names import find_named_session
from app.conversation.turn_request import TurnRequest
from app.conversation.workspaces import SHARED, Workspaces
from app.errors import InvalidRequest
from app.http.chat_request import ChatRequests
from app.jobs.idempotency import Key
from app.jobs.sessions import Sessions
from app.jobs.spec import JobSpec

log = logging.getLogger(__name__)


class Turn(NamedTuple):
    """A turn before its job is started.

    `digest` is that of the conversation up to the answer. `claimed` is the session that was found
    by its history, if one was. `tools` are those of the client, in model mode; `calls` is then the
    digest up to the last answer. `ignored` names parameters without an effect. `manner` is how the
    request differs from others of the same conversation, such as one for a title.
    """

    spec: JobSpec
    digest: str
    claimed: ClaimedSession | None
    structured: bool
    with_lines: bool
    tools: ClientTools | None = None
    calls: str = ""
    ignored: Sequence[str] = ()
    manner: str = ""

    @property
    def has_cli_tools(self) -> bool:
        """Whether the model has tools of the CLI."""
        return self.tools is None or bool(self.tools.own)


@dataclass(frozen=True)
class Turns:
    """Makes turns of requests, and records their answers."""

    requests: ChatRequests
    models: Models
    images: Images
    histories: Histories
    conversations: Conversations
    sessions: Sessions
    workspaces: Workspaces

    def prepare(self, request: TurnRequest, user: User, key: Key | None) -> Turn:
        """The turn for a request; `abandon` it if its job is not started.

        Raises BadDirectory, BadParameter, DirectoryNotAllowed, InvalidRequest, ModelNotFound and
        SessionNotFound.
        """
        request = request._replace(model=self.models.resolve(request.model or ""))
        options = request.options
        named = None
        if request.session:
            named = find_named_session(request.session, user, self.conversations, self.sessions)
        known = named and named.known
        cwd = options.fields.get("cwd") or (
            known.cwd
            if known and known.cwd and not options.workspace
            else self.workspaces.path(options.workspace or SHARED)
        )
        system, prompt_messages = split_system_prompt(request.prompt_messages)
        messages = split_system_prompt(request.messages).messages
        start = start_digest(user.id, str(cwd))
        digests = digests_of(start, messages)
        manner = _manner(request, system)
        if named is not None:
            choice = choose_named_session(self.histories, named, str(cwd), messages)
        elif options.fields.get("new_session_id"):
            choice = SessionChoice(None, None, 0)
        else:
            can_fork = first_unanswered(messages) > 0 and self.requests.can("resume_session_at")
            choice = choose_session_by_history(
                self.histories,
                str(cwd),
                messages,
                digests,
                manner,
                can_fork=can_fork,
                may_claim=_continues(options.fields),
            )
        try:
            unsent = prompt_messages[choice.first_unsent :]
            spec = self._spec(request, system, unsent, choice, cwd, user, key)
        except BaseException:
            self._unclaim(choice.claimed)
            raise
        digest = digests[-1] if digests else start
        return Turn(
            spec, digest, choice.claimed, _is_structured(request), options.events, manner=manner
        )

    def abandon(self, turn: Turn) -> None:
        """Undo `prepare`: no job is started for this turn."""
        self._unclaim(turn.claimed)

    def record(
        self, turn: Turn, user: User, session_id: str | None, run: str, answer: str | None
    ) -> None:
        """Record a session's answer, None if the client did not get all of it.

        `run` is the id of the job's run. Raises OSError.
        """
        if session_id is None:
            return
        cwd = turn.spec.cwd
        self.conversations.record_turn(session_id, user, cwd, turn.spec.model)
        if answer is not None:
            digest = add_answer(turn.digest, answer)
            self.histories.record(digest, session_id, cwd, run, turn.manner)

    def _unclaim(self, session: ClaimedSession | None) -> None:
        if session is None:
            return
        try:
            self.histories.unclaim(session)
        except OSError as error:
            # The client gets the first error; its next turn begins a new session.
            log.error("cannot record the session %s: %s", session.session_id, error)

    def _spec(
        self,
        request: TurnRequest,
        system: str,
        unsent: Sequence[Message],
        choice: SessionChoice,
        cwd: Any,
        user: User,
        key: Key | None,
    ) -> JobSpec:
        history, content = self._sent(unsent)
        options = request.options
        if choice.new and options.fields.get("new_session_id"):
            raise BadParameter("new_session_id", "Give either new_session_id or a session's name")
        fork = choice.fork
        fields = {
            **({"keep_alive": 0} if fork and fork.is_side else {}),
            **({"model": request.model} if request.model else {}),
            "title": title_of_messages(unsent),
            **options.fields,
            **_system_prompt_field(system, options.system, options.fields),
            **({"json_schema": request.schema} if request.schema else {}),
            "cwd": cwd,
            "session_id": choice.resumed,
            **_fork_fields(fork),
            "prompt": plain_text(content) or "(an image)",
        }
        # Text without images may be a command of the CLI, such as /compact.
        is_text = len(content) == 1 and content[0]["type"] == "text"
        extras = Extras(
            None if is_text else content,
            history_lines(history),
            choice.new,
            partial_messages=True,
            new_system_prompt=True,
        )
        try:
            spec = self.requests.spec_for(read_fields(fields), user, key, extras)
        except InvalidRequest as error:
            raise error.relocated(place_of) from None
        if fork is not None:
            # From here on it is a new session like any other.
            spec = spec._replace(session_id=choice.new, fork_session=False)
        is_own = choice.new is not None or choice.claimed is not None
        return spec._replace(is_own_session=is_own)

    def _sent(self, unsent: Sequence[Message]) -> tuple[list[ModelMessage], list[Block]]:
        """The history that the session lacks, and the new content. Raises BadParameter."""
        new = first_unanswered(unsent)
        images = self.images.load(image_urls(unsent), image_urls(unsent[:new]))
        history, content = model_messages(unsent, images)
        if history and not self.requests.can("turns"):
            history, content = [], compose(unsent[:new], unsent[new:], images)
        if not content:
            raise BadParameter("messages", "There is no text or image to answer")
        return history, content


def _manner(request: TurnRequest, system: str) -> str:
    """In what a request for a title, say, differs from the conversation's own turns.

    Not in the model or the text of the system prompt: these change from turn to turn.
    """
    marks = {
        "streamed": request.streamed,
        "structured": _is_structured(request),
        "with a system prompt": bool(system),
    }
    return ", ".join(name for name, has_it in marks.items() if has_it)


def _continues(fields: Mapping[str, Any]) -> bool:
    """Whether a turn with these options adds to the session that it resumes."""
    return not fields.get("fork_session") and fields.get("session_persistence") is not False


def _is_structured(request: TurnRequest) -> bool:
    return bool(request.schema or request.options.fields.get("json_schema"))


def _fork_fields(fork: Fork | None) -> dict[str, Any]:
    if fork is None:
        return {}
    return {
        "session_id": fork.session_id,
        "resume_session_at": fork.answer,
        "fork_session": True,
    }


def title_of_messages(messages: Sequence[Message]) -> str | None:
    """The job's title: the first line of the last user message with a text.

    Some clients, such as Claude Code, put reminders to the model before the user's text.
    """
    texts = (
        part.text
        for message in reversed(messages)
        if message.role == "user"
        for part in message.parts
        if isinstance(part, TextPart) and not part.text.startswith("<system-reminder>")
    )
    return next((title_of(text) for text in texts if text.strip()), None)


def _system_prompt_field(text: str, mode: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The field with the conversation's system prompt, after that of an option."""
    if not text:
        return {}
    name = "system_prompt" if mode == "replace" else "append_system_prompt"
    before = fields.get(name)
    if before is not None and not isinstance(before, str):
        # The option is invalid and will be refused.
        return {}
    return {name: f"{before}\n\n{text}" if before else text}


def place_of(location: Sequence[str | int]) -> list[str | int]:
    """The place in a chat API's request for a place in a chat request."""
    _, *rest = location
    place = ["messages"] if rest == ["prompt"] else ["claude", *rest] if rest else []
    return ["body", *place]
