"""What a completion asks of a job, and what is remembered of it."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID, uuid4, uuid5

from werkzeug.datastructures import Headers

from app.auth.users import User
from app.cli.command import Extras
from app.cli.request_fields import read_fields, title_of
from app.cli.transcripts import session_id_in
from app.conversation import digests, options
from app.conversation.errors import BadParameter
from app.conversation.images import Images
from app.conversation.messages import Message, TextPart, first_new, image_urls, split
from app.conversation.models import DEFAULT, Models
from app.conversation.prompt import compose, plain
from app.conversation.sessions import Left, Sessions
from app.conversation.workspaces import SHARED, Workspaces
from app.errors import InvalidRequest, SessionNotFound
from app.http.chat_request import ChatRequests
from app.jobs.idempotency import Key
from app.jobs.spec import Order
from app.openai.chat_schema import CompletionRequest

log = logging.getLogger(__name__)

_NAMES = UUID("6f1c0c43-2d2b-4a57-8d1c-2f0a4a3c9e35")
_SANE_SESSION = re.compile(r"[!-~]{1,200}")
#: How many answers of a history may be looked up.
MOST_LOOKED_UP = 50


class Task(NamedTuple):
    """A completion before its start. `digest` is the history's that it answers."""

    order: Order
    digest: str
    taken: Left | None
    structured: bool
    events: bool


class _Place(NamedTuple):
    """Where a conversation goes on: in a session, or in a new one of this id."""

    resumed: str | None
    new: str | None
    sent_from: int
    taken: Left | None


@dataclass(frozen=True)
class Tasks:
    """Makes tasks of requests; `prompt_options` is the operator's choice."""

    requests: ChatRequests
    models: Models
    images: Images
    sessions: Sessions
    workspaces: Workspaces
    prompt_options: bool

    def prepare(
        self, asked: CompletionRequest, headers: Headers, user: User, key: Key | None
    ) -> Task:
        """The task of a request. Raises what tells why it cannot be done.

        A session that it takes is given back by `forget`, if the job does not start.
        """
        if asked.model:
            self.models.check(asked.model)
        given, messages = self._options(asked, headers)
        chosen = options.resolve(given, "claude")
        fields = chosen.fields
        named = _session(asked, headers, fields)
        session = named and (session_id_in(named) or _session_of(named, user))
        known = self.sessions.find(session, user) if session else None
        if session and known is None and self.sessions.is_anothers(session, user):
            raise SessionNotFound(session)
        cwd = fields.get("cwd") or (
            self.workspaces.path(chosen.workspace or SHARED)
            if chosen.workspace or not (known and known["cwd"])
            else known["cwd"]
        )
        conversation = split(messages)
        said = split(asked.messages).messages
        start = digests.begin(user.id, str(cwd), f"{chosen.system}:{conversation.system}")
        after = digests.digests(start, said)
        # A name that is no session's id begins a conversation of that name.
        may_begin = known is not None or session != (named and session_id_in(named))
        place = self._place(session, may_begin, str(cwd), said, after)
        try:
            sent = conversation.messages[place.sent_from :]
            new = first_new(sent)
            images = self.images.load(image_urls(sent))
            content = compose(sent[:new], sent[new:], images)
            if not content:
                raise BadParameter("messages", "There is nothing in them to answer")
            schema = asked.response_format and asked.response_format.schema_of_answer()
            fields = {
                **_model(asked.model),
                "title": _title(sent),
                **fields,
                **_system(conversation.system, chosen.system, fields),
                **({"json_schema": schema} if schema else {}),
                "cwd": cwd,
                "session_id": place.resumed,
                "prompt": plain(content) or "(an image)",
            }
            # A text alone may be a command of the CLI's own, like /compact.
            is_text = len(content) == 1 and content[0]["type"] == "text"
            extras = Extras(None if is_text else content, place.new, partial_messages=True)
            is_own = place.new is not None or place.taken is not None
            order = self._order(fields, key, extras)._replace(is_own_session=is_own)
        except BaseException:
            self._give_back(place.taken)
            raise
        structured = bool(fields.get("json_schema"))
        digest = after[-1] if after else start
        return Task(order, digest, place.taken, structured, chosen.events)

    def forget(self, task: Task) -> None:
        """Undo what `prepare` took: the job did not start, or had been started before."""
        self._give_back(task.taken)

    def remember(self, task: Task, user: User, session_id: str | None, answer: str | None) -> None:
        """Note that a session has answered; `answer` is None if not all of it was sent."""
        if session_id is None:
            return
        cwd = task.order.cwd
        self.sessions.note(session_id, user, cwd, task.order.model)
        if answer is not None:
            self.sessions.leave(digests.add_answer(task.digest, answer), session_id, cwd)

    def _give_back(self, taken: Left | None) -> None:
        if taken is None:
            return
        try:
            self.sessions.give_back(taken)
        except OSError as error:
            # The client learns why its job did not start, and its next turn begins a session.
            log.error("cannot remember the session %s: %s", taken.session_id, error)

    def _options(
        self, asked: CompletionRequest, headers: Headers
    ) -> tuple[dict[str, Any], list[Message]]:
        """All options, those in the body last, and the messages without theirs."""
        given: dict[str, Any] = {}
        messages = list(asked.messages)
        for index, message in enumerate(messages) if self.prompt_options else ():
            first = message.content[0] if message.content else None
            if message.role == "user" and isinstance(first, TextPart):
                found, text = options.in_prompt(first.text)
                given.update(found)
                parts = [TextPart(type="text", text=text), *message.content[1:]]
                messages[index] = message.model_copy(update={"content": parts})
        given.update(options.in_headers(headers.items()))
        given.update(options.given(asked.claude or {}, "claude"))
        return given, messages

    def _place(
        self,
        session: str | None,
        may_begin: bool,
        cwd: str,
        said: list[Message],
        digests: list[str],
    ) -> _Place:
        if session is not None:
            if may_begin and not self.sessions.exists(session, cwd):
                return _Place(None, session, 0, None)
            return _Place(session, None, first_new(said), None)
        answered = [index for index, message in enumerate(said) if message.role == "assistant"]
        for index in answered[: -MOST_LOOKED_UP - 1 : -1]:
            if index + 1 == len(said):
                continue
            taken = self.sessions.take(digests[index], cwd)
            if taken is not None:
                return _Place(taken.session_id, None, index + 1, taken)
        return _Place(None, str(uuid4()), 0, None)

    def _order(self, fields: dict[str, Any], key: Key | None, extras: Extras) -> Order:
        try:
            return self.requests.order_for(read_fields(fields), key, extras)
        except InvalidRequest as error:
            raise error.relocated(_place) from None


def _session(asked: CompletionRequest, headers: Headers, fields: dict[str, Any]) -> str | None:
    """The session that the request names, in whichever way; takes it from the fields."""
    named = {
        "claude.session_id": fields.pop("session_id", None),
        "X-Session-ID": headers.get("X-Session-ID"),
        "metadata.session_id": (asked.metadata or {}).get("session_id"),
        "conversation_id": asked.conversation_id,
        "session_id": asked.session_id,
    }
    found = {name: value for name, value in named.items() if value}
    for name, value in found.items():
        if not isinstance(value, str) or not _SANE_SESSION.fullmatch(value):
            raise BadParameter(name, f"{name} must be 1 to 200 visible ASCII characters")
    if len(set(found.values())) > 1:
        raise BadParameter(list(found)[-1], f"{' and '.join(found)} name different sessions")
    return next(iter(found.values()), None)


def _session_of(name: str, user: User) -> str:
    """The id of the session that a client calls so: the same for all of a user's requests."""
    return str(uuid5(_NAMES, json.dumps([user.id, name])))


def _model(name: str | None) -> dict[str, Any]:
    return {} if name in (None, "", DEFAULT) else {"model": name}


def _title(messages: Sequence[Message]) -> str | None:
    """What the job is called: the first line of the last user message with a text, if any."""
    texts = (message.text() for message in reversed(messages) if message.role == "user")
    return next((title_of(text) for text in texts if text.strip()), None)


def _system(text: str, mode: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The system prompt, behind one that an option brings."""
    if not text:
        return {}
    name = "system_prompt" if mode == "replace" else "append_system_prompt"
    before = fields.get(name)
    if before is not None and not isinstance(before, str):
        # It will be refused.
        return {}
    return {name: f"{before}\n\n{text}" if before else text}


def _place(location: Sequence[str | int]) -> list[str | int]:
    """The place in a completion of what is wrong at this place of its chat request."""
    _, *rest = location
    place = ["messages"] if rest == ["prompt"] else ["claude", *rest] if rest else []
    return ["body", *place]
