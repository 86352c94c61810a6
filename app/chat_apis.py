"""The chat APIs: their dialects, over one core of conversations and one direct backend."""

from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint

from app import openai
from app.anthropic import errors as anthropic_errors
from app.anthropic import messages as anthropic_messages
from app.anthropic import models as anthropic_models
from app.anthropic import path_hints as anthropic_path_hints
from app.anthropic.direct_message import DirectMessages
from app.anthropic.openapi_models import AnthropicError, AnthropicModel, AnthropicModelList
from app.cli.open_sessions import OpenSessions
from app.cli.transcripts import Transcripts
from app.conversation.answer_cache import AnswerCache
from app.conversation.chat_turns import ChatTurns
from app.conversation.conversations import Conversations
from app.conversation.held_runs import HeldRuns
from app.conversation.histories import Histories
from app.conversation.images import Images
from app.conversation.model_turns import ModelTurns
from app.conversation.models import Models
from app.conversation.turns import Turns
from app.conversation.workspaces import Workspaces
from app.direct.chat import DirectChat
from app.direct.service import make_direct
from app.http import access, error_handlers
from app.http.chat_request import ChatRequests
from app.jobs.left_jobs import LeftJobs
from app.jobs.limits import Limits
from app.jobs.service import JobService
from app.jobs.sessions import Sessions
from app.jobs.store import Spool
from app.openai import chat as openai_chat
from app.openai import conversations as openai_conversations
from app.openai import errors as openai_errors
from app.openai import models as openai_models
from app.openai import path_hints
from app.openai.direct_completion import DirectCompletions
from app.responses import errors as responses_errors
from app.responses import views as responses_views
from app.responses.direct_response import DirectResponses
from app.responses.store import ResponseStore
from app.settings import Settings

_OPENAI_ERRORS = error_handlers.ErrorFormat("/v1/", openai_errors.render_error, path_hints.hint_for)
_RESPONSES_ERRORS = _OPENAI_ERRORS._replace(
    prefix="/v1/responses/", render=responses_errors.render_error
)
_ANTHROPIC_ERRORS = error_handlers.ErrorFormat(
    "/v1/messages/", anthropic_errors.render_error, anthropic_path_hints.hint_for
)
# A header of all of Anthropic's clients.
_ANTHROPIC = "anthropic-version"
_ANTHROPIC_BY_HEADER = _ANTHROPIC_ERRORS._replace(prefix="/v1/", header=_ANTHROPIC)
_ANTHROPIC_MODELS = openai_models.ModelsFormat(
    anthropic_models.model_list,
    anthropic_models.model_row,
    AnthropicModelList,
    AnthropicModel,
    AnthropicError,
)

#: The formats of errors for the paths of these APIs that no view serves.
ERROR_FORMATS = (_ANTHROPIC_BY_HEADER, _ANTHROPIC_ERRORS, _OPENAI_ERRORS)


def blueprints(
    settings: Settings,
    service: JobService,
    requests: ChatRequests,
    workspaces: Workspaces,
    environment: Mapping[str, str],
    spool: Spool,
    limits: Limits,
) -> list[Blueprint]:
    """The views of all chat APIs. `environment` is the CLI's. Raises ConfigurationError."""
    models = Models(settings.models, settings.model_aliases, requests.claude.since)
    claude = requests.claude.path
    direct = make_direct(settings, claude, models, environment, service, spool, limits)
    conversations = Conversations(settings.state_dir)
    defaults = requests.turn_defaults._replace(keep_alive=settings.keep_alive_chat)
    requests = replace(requests, turn_defaults=defaults)
    chats = _chat_turns(
        settings, service, requests, workspaces, environment, models, conversations, spool
    )
    direct_chat, head_delay = DirectChat(direct, Images(settings.cwd_roots)), settings.head_delay
    completions = openai_chat.blueprint(
        service,
        chats,
        DirectCompletions(direct_chat, head_delay),
        options_in_prompts=settings.prompt_options,
        head_delay=head_delay,
    )
    # The names are in /openapi.json: in the ids of operations, and by the package's docstring.
    catalog = Blueprint("catalog", openai.__name__)
    openai_models.add_routes(catalog, models, _ANTHROPIC, _ANTHROPIC_MODELS)
    openai_conversations.add_routes(catalog, conversations, requests.bodies)
    answers = anthropic_messages.blueprint(service, chats, DirectMessages(direct, head_delay))
    store = ResponseStore.of(settings)
    directly = DirectResponses(direct_chat, store, head_delay)
    responses = responses_views.blueprint(
        service, chats, directly, conversations, store, head_delay
    )
    error_handlers.use_format(completions, _OPENAI_ERRORS)
    error_handlers.use_format(responses, _RESPONSES_ERRORS)
    error_handlers.use_format(catalog, _ANTHROPIC_BY_HEADER, _OPENAI_ERRORS)
    error_handlers.use_format(answers, _ANTHROPIC_ERRORS)
    access.accept_api_key(answers)
    access.accept_api_key(catalog, only_with=_ANTHROPIC)
    return [completions, responses, catalog, answers]


def _chat_turns(
    settings: Settings,
    service: JobService,
    requests: ChatRequests,
    workspaces: Workspaces,
    environment: Mapping[str, str],
    models: Models,
    conversations: Conversations,
    spool: Spool,
) -> ChatTurns:
    images = Images(settings.cwd_roots)
    sessions = Sessions(spool, Transcripts(environment), OpenSessions(environment))
    histories = Histories(settings.state_dir, sessions.transcripts, sessions.open_sessions)
    held = HeldRuns(settings.state_dir, settings.max_held)
    hold, retries = settings.hold_seconds, settings.model_retries
    return ChatTurns(
        Turns(requests, models, images, histories, conversations, sessions, workspaces),
        ModelTurns(requests, models, images, held, workspaces, hold, retries),
        LeftJobs(str(settings.state_dir), service, settings.retry_grace),
        AnswerCache(settings.cache, environment, service.metrics),
        None if settings.chat_mode == "auto" else settings.chat_mode,
        settings.ignore_tools,
    )
