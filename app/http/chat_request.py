"""A chat request made into the spec of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Request

from app.auth.users import User
from app.cli.command import Defaults, Extras, build, effective_model
from app.cli.installed import Installed
from app.cli.job_settings import env_of, is_json
from app.cli.request_fields import LISTS, OBJECTS, ChatRequest, read_fields, read_request, title_of
from app.cli.settings_file import inline_settings
from app.cli.shown_fields import shown_fields
from app.cli.supported_fields import check_supported
from app.cli.turn_options import TurnDefaults, turn_options, wants_to_stay
from app.cli.variables import check_variables
from app.errors import (
    BadDirectory,
    BadIdempotencyKey,
    CapabilitiesUnknown,
    ConflictingFields,
    DirectoryNotAllowed,
    GatewayError,
    InvalidRequest,
    SessionExists,
    SessionInUse,
    UnsupportedField,
    UnsupportedMediaType,
)
from app.http.body import BODY_ERRORS, BodyReader, charset_of, decode_prompt
from app.http.idempotency_header import idempotency_key_of
from app.http.request_id import request_id
from app.jobs.idempotency import Key
from app.jobs.spec import JobSpec
from app.jobs.working_directory import check_working_directory
from app.json_body import read_json

#: Seconds that a request waits for the CLI's capabilities if it depends on them: those of a new CLI
#: are not known yet.
PROBE_PATIENCE = 5.0

#: Raised by `ChatRequests.read`, or when the job that was read is started.
CHAT_REQUEST_ERRORS: tuple[type[GatewayError], ...] = (
    *BODY_ERRORS,
    BadDirectory,
    BadIdempotencyKey,
    CapabilitiesUnknown,
    ConflictingFields,
    DirectoryNotAllowed,
    InvalidRequest,
    SessionExists,
    SessionInUse,
    UnsupportedField,
)


@dataclass(frozen=True)
class ChatRequests:
    """Reads chat requests, with the operator's choices.

    `cwd` must be in one of `cwd_roots`. `env_allowed` are variables that clients may set in any
    case.
    """

    defaults: Defaults
    turn_defaults: TurnDefaults
    env_allowed: Sequence[str]
    claude: Installed
    cwd_roots: Sequence[Path]
    bodies: BodyReader

    def read(self, request: Request, user: User) -> JobSpec:
        """The job spec in the body of `POST /chat`.

        The body is JSON, or the prompt alone as text/plain with the other fields in the query.
        There a list is a parameter that is repeated, and an object is JSON.
        """
        if request.mimetype == "application/json":
            body = self.bodies.read(request)
            chat_request = read_request(body)
        elif request.mimetype == "text/plain":
            charset = charset_of(request)
            body = self.bodies.read(request)
            fields = {**_query_fields(request), "prompt": decode_prompt(body, charset)}
            chat_request = read_fields(fields)
        else:
            raise UnsupportedMediaType
        return self.spec_for(chat_request, user, idempotency_key_of(request, body))

    def has_turns(self) -> bool:
        """Whether the CLI can be given several messages, one after the other."""
        return self.can("turns")

    def can(self, capability: str) -> bool:
        """Whether the CLI has a capability; waits a little if that is not known yet."""
        capabilities = self.claude.capabilities
        if capabilities is None:
            capabilities = self.claude.wait_for_capabilities(PROBE_PATIENCE)
        return capabilities is not None and capability in capabilities

    def spec_for(
        self,
        chat_request: ChatRequest,
        user: User,
        key: Key | None = None,
        extras: Extras = Extras(),  # noqa: B008 - frozen
    ) -> JobSpec:
        """The job spec for a request.

        Raises BadDirectory, CapabilitiesUnknown, DirectoryNotAllowed, InvalidRequest and
        UnsupportedField.
        """
        check_working_directory(chat_request.cwd, self.cwd_roots)
        capabilities = self.claude.capabilities
        if capabilities is None and wants_to_stay(chat_request):
            capabilities = self.claude.wait_for_capabilities(PROBE_PATIENCE)
        check_supported(chat_request, capabilities, self.claude.version)
        fields, left_out = shown_fields(chat_request)
        settings = inline_settings(chat_request.settings, chat_request.cwd)
        if settings != chat_request.settings:
            chat_request = chat_request.model_copy(update={"settings": settings})
        self._check_env(chat_request, user)
        options = turn_options(chat_request, self.turn_defaults, capabilities, self.claude.version)
        if extras.history or extras.client_tools is not None:
            options = options._replace(talks=True)
        return JobSpec(
            build(chat_request, self.defaults, capabilities, extras),
            cwd=chat_request.cwd,
            model=effective_model(chat_request, self.defaults),
            session_id=chat_request.session_id or chat_request.new_session_id or extras.new_session,
            fork_session=bool(chat_request.fork_session),
            prompt_length=len(chat_request.prompt),
            detached=bool(chat_request.detach),
            timeout=chat_request.timeout,
            idle_timeout=chat_request.idle_timeout,
            key=key,
            request_id=request_id(),
            title=(chat_request.title or "").strip() or title_of(chat_request.prompt),
            new_session=chat_request.new_session_id or None,
            fields=fields,
            left_out=left_out,
            **options._asdict(),
        )

    def _check_env(self, chat_request: ChatRequest, user: User) -> None:
        """Check the environment variables of a request. Raises InvalidRequest."""
        check_variables(chat_request.env or (), ("body", "env"), self.env_allowed)
        settings = chat_request.settings
        # As in 1.0, the operator's may have any.
        if settings and is_json(settings) and not user.is_operator:
            check_variables(env_of(settings), ("body", "settings", "env"), self.env_allowed)


def _query_fields(request: Request) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, values in request.args.lists():
        if name in LISTS:
            fields[name] = values
        elif name in OBJECTS:
            fields[name] = _object_in_query(name, values[-1])
        else:
            fields[name] = values[-1]
    return fields


def _object_in_query(name: str, text: str) -> Any:
    try:
        return read_json(text.encode(errors="replace"))
    except InvalidRequest as error:
        raise error.relocated(lambda _: ["query", name]) from None
