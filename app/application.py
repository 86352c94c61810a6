"""The WSGI application, made of all parts of the gateway. No other module knows all of them."""

from collections.abc import Sequence
from pathlib import Path

from flask import Blueprint, Flask

from app import chat_apis
from app.api import (
    chat,
    claude,
    control,
    events,
    folders,
    health,
    jobs,
    messages,
    metrics,
    operator,
    questions,
    runs,
    sessions,
    stats,
    usage,
    whoami,
)
from app.api.monitor_checks import MonitorChecks
from app.auth.authenticator import Authenticator
from app.auth.throttle import Throttle
from app.cli.command import Defaults
from app.cli.installed import Installed
from app.cli.login import Login
from app.cli.open_sessions import OpenSessions
from app.cli.transcript_files import TranscriptFiles
from app.cli.transcripts import Transcripts
from app.cli.turn_options import TurnDefaults
from app.console import assets
from app.console.built_files import BUILT, BuiltFiles
from app.conversation.model_turns import WORKSPACE as MODEL_WORKSPACE
from app.conversation.workspaces import Workspaces
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
from app.jobs.event_feed import EventFeed
from app.jobs.event_rendering import EventRendering
from app.jobs.folders import Folders
from app.jobs.health import HealthChecks
from app.jobs.idempotency import Keys
from app.jobs.index import JobIndex
from app.jobs.index_upkeep import IndexUpkeep
from app.jobs.job_list import JobList
from app.jobs.left_jobs import LeftJobs
from app.jobs.limits import Limits
from app.jobs.log_ends import EndLog
from app.jobs.questions import Questions
from app.jobs.runs import Runs
from app.jobs.service import JobService
from app.jobs.session_list import SessionList
from app.jobs.session_transcripts import SessionTranscripts
from app.jobs.sessions import Sessions
from app.jobs.spares import Spares
from app.jobs.starter import JobStarter
from app.jobs.store import Spool
from app.jobs.talk import Talk
from app.jobs.usage import UsageReports
from app.jobs.usage_ledger import UsageLedger
from app.metrics import Metrics
from app.openapi import pages
from app.openapi.introduction import introduction
from app.processes import Process
from app.responses.store import ResponseStore
from app.runs.launcher.client import LauncherClient
from app.server.native_thread import NativeThreads
from app.settings import Settings
from app.startup import Startup


def create_app(startup: Startup, master: Process, worker: int = 0) -> Flask:
    """The application of one worker.

    The launcher ends with the `master`. No other running worker has the same number, `worker`.
    For the worker, `app.extensions` has the JobService (`jobs`), its BackgroundWork (`background`)
    and the Installed CLI (`claude`).
    """
    settings, environment, cli = startup.settings, startup.environment, startup.claude
    installed = Installed(cli, environment, str(settings.state_dir))
    threads = NativeThreads()
    spool = Spool(settings.state_dir, threads.call)
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
    ledger = UsageLedger(spool.state, settings.usage_retention)
    service, background = _jobs(spool, launcher, limits, counters, spares, ledger, startup)
    asked = Questions(service, spool, startup.users)
    processes = Runs(service, spool, startup.users, limits.kill_grace)
    bodies = BodyReader(settings.max_body)
    requests = _chat_requests(settings, installed, roots, bodies)
    protected = [
        chat.blueprint(service, requests, settings.forwarded_allow_ips),
        *_watch_blueprints(startup, spool, service, asked, processes),
        whoami.blueprint(),
        *_talk_blueprints(settings, service, Talk(service, spool, limits.min_free), bodies),
        questions.blueprint(asked, bodies),
        *_look_blueprints(startup, spool, roots, workspaces),
        stats.blueprint(service, installed, master),
        usage.blueprint(UsageReports(ledger, startup.users)),
        *operator.blueprints(startup, threads),
        claude.blueprint(service, requests, workspaces),
        *chat_apis.blueprints(settings, service, requests, workspaces, environment, spool, limits),
    ]
    scraped = metrics.blueprint(counters, spool, processes, asked, installed, master)
    begin = introduction(settings.auth_user, is_confined=bool(settings.cwd_roots))
    console = BuiltFiles(BUILT if settings.console else None, threads.call)
    checks = _health_blueprint(startup, spool, service, installed, workspaces, master, console)
    public = [checks, assets.blueprint(console), pages.blueprint(begin)]
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
    ledger: UsageLedger,
    startup: Startup,
) -> tuple[JobService, BackgroundWork]:
    """The jobs for the views, and the work beside them."""
    settings = startup.settings
    users, keys, index = startup.users, Keys(spool.state), JobIndex(spool.state)
    upkeep = IndexUpkeep(spool, index)
    ends = EndLog(spool, users.name_of, counters, upkeep.note)
    known = Sessions(spool, Transcripts(startup.environment), OpenSessions(startup.environment))
    starter = JobStarter(spool, launcher, keys, limits, ends, known, spares)
    heartbeat = settings.heartbeat
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
        LeftJobs(spool.state, service, settings.retry_grace),
        limits.retention,
        [ResponseStore.of(settings).forget_old, ledger.tidy],
    )
    return service, background


def _watch_blueprints(
    startup: Startup, spool: Spool, service: JobService, asked: Questions, processes: Runs
) -> list[Blueprint]:
    """What is watched: jobs, runs, and the changes of both."""
    listed = JobList(service, spool, JobIndex(spool.state), startup.users)
    feed = EventFeed(spool, service, EventRendering(spool, listed, asked, processes))
    return [
        jobs.blueprint(service, listed),
        runs.blueprint(processes),
        events.blueprint(feed, startup.settings.heartbeat),
    ]


def _talk_blueprints(
    settings: Settings, service: JobService, talk: Talk, bodies: BodyReader
) -> list[Blueprint]:
    return [
        messages.blueprint(talk, bodies),
        control.blueprint(service, talk, bodies, settings.control_allowed),
    ]


def _look_blueprints(
    startup: Startup, spool: Spool, roots: Sequence[Path], workspaces: Workspaces
) -> list[Blueprint]:
    """The views with which a client chooses a folder or a session."""
    index, environment = JobIndex(spool.state), startup.environment
    owners = Sessions(spool, Transcripts(environment), OpenSessions(environment))
    found = SessionList(spool, index, startup.users, owners, SessionTranscripts(environment))
    # The empty folder of jobs in model mode.
    hidden = [str(workspaces.folder / MODEL_WORKSPACE)]
    config = TranscriptFiles(environment).config_folder.resolve()
    closed = [startup.settings.state_dir, config]
    return [
        folders.blueprint(Folders(spool, index, roots, hidden, closed)),
        sessions.blueprint(found),
    ]


def _chat_requests(
    settings: Settings, installed: Installed, roots: Sequence[Path], bodies: BodyReader
) -> ChatRequests:
    turns = TurnDefaults(settings.ask_timeout, settings.keep_alive, settings.max_keep_alive)
    return ChatRequests(_defaults(settings), turns, settings.env_allowed, installed, roots, bodies)


def _health_blueprint(
    startup: Startup,
    spool: Spool,
    service: JobService,
    installed: Installed,
    workspaces: Workspaces,
    master: Process,
    console: BuiltFiles,
) -> Blueprint:
    settings, claude = startup.settings, startup.claude.path
    checks = HealthChecks(spool, service, claude, settings.min_free_disk, settings.mcp_config)
    login = Login(settings.state_dir, claude, startup.environment)
    monitor = MonitorChecks(workspaces.folder, settings.mcp_config, master)
    return health.blueprint(installed, login, checks, monitor, console.page)


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
        start_retries=settings.start_retries,
    )


def _defaults(settings: Settings) -> Defaults:
    return Defaults(
        settings.default_model or None,
        settings.default_permission_mode or None,
        str(settings.mcp_config) if settings.mcp_config else None,
    )


def _flask_app(counters: Metrics) -> Flask:
    app = Flask("app", static_folder=None)
    # A path with two slashes is another path: a redirect's address may be wrong behind a proxy.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    request_id.install(app)
    error_handlers.install(app, chat_apis.ERROR_FORMATS, counters)
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
