"""The WSGI application, made of all parts of the gateway. No other module knows all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flask import Blueprint, Flask

from app import openai
from app.anthropic import errors as anthropic_errors
from app.anthropic import messages as anthropic_messages
from app.anthropic import models as anthropic_models
from app.anthropic import path_hints as anthropic_path_hints
from app.anthropic.direct_message import DirectMessages
from app.anthropic.openapi_models import AnthropicError, AnthropicModel, AnthropicModelList
from app.api import (
    chat,
    claude,
    control,
    health,
    jobs,
    messages,
    metrics,
    questions,
    runs,
    stats,
)
from app.api.monitor_checks import MonitorChecks
from app.auth.authenticator import Authenticator
from app.auth.throttle import Throttle
from app.cli.command import Defaults
from app.cli.installed import Installed
from app.cli.login import Login
from app.cli.open_sessions import OpenSessions
from app.cli.transcripts import Transcripts
from app.cli.turn_options import TurnDefaults
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
from app.http import (
    access,
    allowed_hosts,
    error_handlers,
    request_id,
    request_log,
    security_headers,
)
from app.http.body import BodyReader
from app.http.chat_request import ChatRequests
from app.http.cross_origin import CrossOriginPolicy
from app.jobs.background import BackgroundWork
from app.jobs.health import HealthChecks
from app.jobs.idempotency import Keys
from app.jobs.index import JobIndex
from app.jobs.index_upkeep import IndexUpkeep
from app.jobs.left_jobs import LeftJobs
from app.jobs.limits import Limits
from app.jobs.log_ends import EndLog
from app.jobs.questions import Questions
from app.jobs.runs import Runs
from app.jobs.service import JobService
from app.jobs.spares import Spares
from app.jobs.starter import JobStarter
from app.jobs.store import Spool
from app.jobs.talk import Talk
from app.metrics import Metrics
from app.openai import chat as openai_chat
from app.openai import conversations as openai_conversations
from app.openai import errors as openai_errors
from app.openai import models as openai_models
from app.openai import path_hints
from app.openai.direct_completion import DirectCompletions
from app.openapi import pages
from app.openapi.introduction import introduction
from app.processes import Process
from app.responses import errors as responses_errors
from app.responses import views as responses_views
from app.responses.direct_response import DirectResponses
from app.responses.store import ResponseStore
from app.runs.launcher.client import LauncherClient
from app.server.native_thread import NativeThreads
from app.settings import Settings
from app.startup import Startup

_OPENAI_ERRORS = error_handlers.ErrorFormat("/v1/", openai_errors.render_error, path_hints.hint_for)
_RESPONSES_ERRORS = _OPENAI_ERRORS._replace(
    prefix="/v1/responses/", render=responses_errors.render_error
)
_ANTHROPIC_ERRORS = error_handlers.ErrorFormat(
    "/v1/messages/", anthropic_errors.render_error, anthropic_path_hints.hint_for
)
# A header of all of Anthropic's clients.
_ANTHROPIC = "anthropic-version"
_ANTHROPIC_MODELS = openai_models.ModelsFormat(
    anthropic_models.model_list,
    anthropic_models.model_row,
    AnthropicModelList,
    AnthropicModel,
    AnthropicError,
)
_ANTHROPIC_BY_HEADER = _ANTHROPIC_ERRORS._replace(prefix="/v1/", header=_ANTHROPIC)


def create_app(startup: Startup, master: Process, worker: int = 0) -> Flask:
    """The application of one worker.

    The launcher ends with the `master`. No other running worker has the same number, `worker`.
    For the worker, `app.extensions` has the JobService (`jobs`), its BackgroundWork (`background`)
    and the Installed CLI (`claude`).
    """
    settings, environment, cli = startup.settings, startup.environment, startup.claude
    installed = Installed(cli, environment, str(settings.state_dir))
    spool = Spool(settings.state_dir, NativeThreads().call)
    spool.prepare()
    launcher = LauncherClient(
        spool.state, cli.path, environment, startup.capacity, startup.generation, master
    )
    workspaces = Workspaces(settings.workspaces or settings.state_dir / "workspaces")
    # The operator has chosen the workspaces, too.
    roots = settings.cwd_roots and (*settings.cwd_roots, workspaces.folder.resolve())
    limits = _limits(settings, roots)
    counters = Metrics(settings.state_dir / "metrics", worker)
    spares = Spares(spool.state, installed, _defaults(settings), settings.spares)
    service, background = _jobs(spool, launcher, limits, counters, spares, startup)
    asked = Questions(service, spool, startup.users)
    processes = Runs(service, spool, startup.users, limits.kill_grace)
    bodies = BodyReader(settings.max_body)
    requests = ChatRequests(
        _defaults(settings),
        _turn_defaults(settings),
        settings.env_allowed,
        installed,
        roots,
        bodies,
    )
    protected = [
        chat.blueprint(service, requests, settings.forwarded_allow_ips),
        jobs.blueprint(service),
        *_talk_blueprints(settings, service, Talk(service, spool, limits.min_free), bodies),
        questions.blueprint(asked, bodies),
        runs.blueprint(processes),
        stats.blueprint(service, installed, master),
        claude.blueprint(service, requests, workspaces),
        *_chat_blueprints(settings, service, requests, workspaces, environment, spool, limits),
    ]
    scraped = metrics.blueprint(counters, spool, processes, asked, installed, master)
    health_checks = HealthChecks(
        spool, service, cli.path, settings.min_free_disk, settings.mcp_config
    )
    login = Login(settings.state_dir, cli.path, environment)
    begin = introduction(settings.auth_user, is_confined=bool(settings.cwd_roots))
    monitor = MonitorChecks(workspaces.folder, settings.mcp_config, master)
    public = [health.blueprint(installed, login, health_checks, monitor), pages.blueprint(begin)]
    (public if settings.metrics_public else protected).append(scraped)

    app = _flask_app(counters)
    app.extensions["jobs"] = service
    app.extensions["background"] = background
    app.extensions["claude"] = installed
    _register(app, startup, public, protected)
    return app


def _jobs(
    spool: Spool,
    launcher: LauncherClient,
    limits: Limits,
    counters: Metrics,
    spares: Spares,
    startup: Startup,
) -> tuple[JobService, BackgroundWork]:
    """The jobs for the views, and the work beside them."""
    users, keys, index = startup.users, Keys(spool.state), JobIndex(spool.state)
    upkeep = IndexUpkeep(spool, index)
    ends = EndLog(spool, users.name_of, counters, upkeep.note)
    transcripts = Transcripts(startup.environment)
    open_sessions = OpenSessions(startup.environment)
    starter = JobStarter(spool, launcher, keys, limits, ends, transcripts, open_sessions, spares)
    heartbeat = startup.settings.heartbeat
    service = JobService(
        spool, launcher, starter, index, ends, counters, users, heartbeat, limits.kill_grace
    )
    background = BackgroundWork(
        spool,
        launcher,
        spares,
        keys,
        index,
        upkeep,
        ends,
        users,
        LeftJobs(spool.state, service, startup.settings.retry_grace),
        limits.retention,
    )
    return service, background


def _talk_blueprints(
    settings: Settings, service: JobService, talk: Talk, bodies: BodyReader
) -> list[Blueprint]:
    return [
        messages.blueprint(talk, bodies),
        control.blueprint(service, talk, bodies, settings.control_allowed),
    ]


def _limits(settings: Settings, roots: Sequence[Path]) -> Limits:
    return Limits(
        timeout=settings.job_timeout,
        idle_timeout=settings.job_idle_timeout,
        max_output=settings.max_job_output,
        kill_grace=settings.kill_grace,
        retention=settings.job_retention,
        min_free=settings.min_free_disk,
        roots=roots,
        background_wait=settings.background_wait,
    )


def _defaults(settings: Settings) -> Defaults:
    return Defaults(
        settings.default_model or None,
        settings.default_permission_mode or None,
        str(settings.mcp_config) if settings.mcp_config else None,
    )


def _turn_defaults(settings: Settings) -> TurnDefaults:
    return TurnDefaults(settings.ask_timeout, settings.keep_alive, settings.max_keep_alive)


def _chat_blueprints(
    settings: Settings,
    service: JobService,
    requests: ChatRequests,
    workspaces: Workspaces,
    environment: Mapping[str, str],
    spool: Spool,
    limits: Limits,
) -> list[Blueprint]:
    models = Models(settings.models, settings.model_aliases, requests.claude.since)
    claude = requests.claude.path
    direct = make_direct(settings, claude, models, environment, service, spool, limits)
    conversations = Conversations(settings.state_dir)
    histories = Histories(settings.state_dir, Transcripts(environment), OpenSessions(environment))
    images = Images(settings.cwd_roots)
    defaults = requests.turn_defaults._replace(keep_alive=settings.keep_alive_chat)
    requests = replace(requests, turn_defaults=defaults)
    turns = Turns(requests, models, images, histories, conversations, workspaces)
    held = HeldRuns(settings.state_dir, settings.max_held)
    hold, retries = settings.hold_seconds, settings.model_retries
    model_turns = ModelTurns(requests, models, images, held, workspaces, hold, retries)
    chat_mode = None if settings.chat_mode == "auto" else settings.chat_mode
    left = LeftJobs(spool.state, service, settings.retry_grace)
    cache = AnswerCache(settings.cache, environment, service.metrics)
    chats = ChatTurns(turns, model_turns, left, cache, chat_mode, settings.ignore_tools)
    direct_chat, head_delay = DirectChat(direct, images), settings.head_delay
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
    store = ResponseStore(settings.state_dir, settings.response_retention, settings.max_body)
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


def _flask_app(counters: Metrics) -> Flask:
    app = Flask("app", static_folder=None)
    # A path with two slashes is another path: a redirect's address may be wrong behind a proxy.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    request_id.install(app)
    formats = [_ANTHROPIC_BY_HEADER, _ANTHROPIC_ERRORS, _OPENAI_ERRORS]
    error_handlers.install(app, formats, counters)
    security_headers.install(app)
    request_log.install(app)
    return app


def _register(
    app: Flask,
    startup: Startup,
    public: Sequence[Blueprint],
    protected: Sequence[Blueprint],
) -> None:
    settings = startup.settings
    throttle = Throttle(settings.state_dir, settings.auth_max_failures)
    authenticator = Authenticator(startup.users, settings.auth_password, throttle)
    allowed_hosts.install(app, settings.allowed_hosts)
    cross_origin = CrossOriginPolicy(settings.cors_origins)
    cross_origin.install(app)
    for blueprint in protected:
        access.protect(blueprint, authenticator, cross_origin, settings.forwarded_allow_ips)
    for blueprint in (*protected, *public):
        app.register_blueprint(blueprint)
