"""The gateway that turns the Claude Code CLI into an HTTP service.

Only `create_app` knows all the parts. It imports them when it is called, so that the launcher and
the supervisors, which need only the standard library, do not load Flask and gevent.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.processes import Process
    from app.startup import Startup


def create_app(startup: "Startup", master: "Process", worker: int = 0) -> "Flask":
    """The WSGI application of one worker.

    The launcher ends with `master`. `worker` is a number that no other worker has at the same
    time. `app.extensions["jobs"]` is the JobService, for the worker to stop.
    """
    from flask import Blueprint, Flask

    from app.api import chat, health, jobs, metrics, stats
    from app.api import claude as api_claude
    from app.auth.authenticator import Authenticator
    from app.auth.throttle import Throttle
    from app.cli.command import Defaults
    from app.cli.installed import Installed
    from app.cli.login import Login
    from app.cli.transcripts import Transcripts
    from app.conversation.conversations import Conversations
    from app.conversation.histories import Histories
    from app.conversation.images import Images
    from app.conversation.models import Models
    from app.conversation.turns import Turns
    from app.conversation.workspaces import Workspaces
    from app.http import access, allowed_hosts, error_handlers, request_id, request_log
    from app.http.body import BodyReader
    from app.http.chat_request import ChatRequests
    from app.http.cross_origin import CrossOriginPolicy
    from app.jobs.health import Fitness
    from app.jobs.service import JobService
    from app.jobs.spec import Limits
    from app.jobs.store import Spool
    from app.metrics import Metrics
    from app.openai import chat as openai_chat
    from app.openai import conversations as openai_conversations
    from app.openai import errors as openai_errors
    from app.openai import models as openai_models
    from app.openai import path_hints
    from app.openapi import pages
    from app.runs.launcher.client import Launch

    settings, environment, claude = startup.settings, startup.environment, startup.claude
    installed = Installed(claude, environment)
    spool = Spool(settings.state_dir)
    spool.prepare()
    launch = Launch(
        spool.state, claude.path, environment, startup.capacity, startup.generation, master
    )
    workspaces = Workspaces(settings.workspaces or settings.state_dir / "workspaces")
    # They are the operator's choice, too.
    roots = settings.cwd_roots and (*settings.cwd_roots, workspaces.folder.resolve())
    limits = Limits(
        timeout=settings.job_timeout,
        idle_timeout=settings.job_idle_timeout,
        max_output=settings.max_job_output,
        retention=settings.job_retention,
        min_free=settings.min_free_disk,
        roots=roots,
    )
    counters = Metrics(settings.state_dir / "metrics", worker)
    service = JobService(
        spool, launch, settings.heartbeat, settings.kill_grace, limits, counters, startup.users
    )
    throttle = Throttle(settings.state_dir, settings.auth_max_failures)
    authenticator = Authenticator(startup.users, settings.auth_password, throttle)
    cross_origin = CrossOriginPolicy(settings.cors_origins)
    defaults = Defaults(
        settings.default_model or None,
        settings.default_permission_mode or None,
        str(settings.mcp_config) if settings.mcp_config else None,
    )

    app = Flask(__name__, static_folder=None)
    # A path with two slashes is another one: no redirect, whose address a proxy may not know.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.extensions["jobs"] = service
    openai = error_handlers.ErrorFormat("/v1/", openai_errors.render_error, path_hints.hint_for)
    request_id.install(app)
    error_handlers.install(app, [openai], counters)
    request_log.install(app)
    allowed_hosts.install(app, settings.allowed_hosts)
    cross_origin.install(app)
    bodies = BodyReader(settings.max_body)
    requests = ChatRequests(defaults, installed, roots, bodies)
    models = Models(settings.models, installed.since)
    conversations = Conversations(settings.state_dir)
    histories = Histories(settings.state_dir, Transcripts(environment))
    images = Images(settings.cwd_roots)
    turns = Turns(requests, models, images, histories, conversations, workspaces)
    # Its name is in the operation ids of /openapi.json.
    catalog = Blueprint("catalog", __name__)
    openai_models.add_routes(catalog, models)
    openai_conversations.add_routes(catalog, conversations, bodies)
    completions = openai_chat.blueprint(
        service, turns, bodies, installed, options_in_prompts=settings.prompt_options
    )
    protected = [
        chat.blueprint(service, requests, settings.forwarded_allow_ips),
        jobs.blueprint(service),
        stats.blueprint(service, installed, master),
        api_claude.blueprint(service, requests, workspaces),
        completions,
        catalog,
    ]
    scraped = metrics.blueprint(counters, spool, installed, master)
    if settings.metrics_public:
        app.register_blueprint(scraped)
    else:
        protected.append(scraped)
    for blueprint in protected:
        access.protect(blueprint, authenticator, cross_origin, settings.forwarded_allow_ips)
        app.register_blueprint(blueprint)
    fitness = Fitness(spool, service, claude.path, settings.min_free_disk, settings.mcp_config)
    login = Login(settings.state_dir, claude.path, environment)
    app.register_blueprint(health.blueprint(installed, login, fitness))
    app.register_blueprint(pages.blueprint())
    return app
