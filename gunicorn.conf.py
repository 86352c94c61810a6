"""What `gunicorn`, run in this folder with nothing else, reads: it starts the gateway.

The master reads the settings and finds the CLI, once; workers inherit both, so that all of
them agree until the next reload.
"""

import base64
import gc
import itertools
import logging
import os
import resource
import sys
from pathlib import Path

# A reload is also how new code arrives.
for name in [name for name in sys.modules if name == "app" or name.startswith("app.")]:
    del sys.modules[name]
# gunicorn puts the current folder on the path only after it has read this file.
sys.path.insert(0, str(Path(__file__).parent))

from app import create_app, metrics
from app.cli.environment import build_environment
from app.cli.locator import Claude, locate
from app.errors import ConfigurationError
from app.jobs import upkeep
from app.jobs.exclusive import acquire
from app.jobs.launch import Capacity, generation
from app.jobs.processes import child
from app.jobs.spool import Spool
from app.jobs.sweep import SWEEP_LIMIT, SWEEP_PATIENCE
from app.logs import configuration, secrets_in
from app.notify import Notifier
from app.settings import Settings
from app.users import Users, load_users, save_users
from app.worker import Worker

EX_CONFIG = 78

log = logging.getLogger("app")


def _read() -> tuple[Settings, Claude, Users]:
    found = Settings.load(os.environ, Path(".env"))
    environment = build_environment(os.environ, found.environment)
    users = load_users(str(found.state_dir), found.auth_user, found.api_keys, found.shared_jobs)
    return found, locate(found.claude_path, environment), users


def _prepare(spool: Spool) -> None:
    try:
        spool.prepare()
    except OSError as error:
        raise ConfigurationError(f"cannot use STATE_DIR: {error}") from None


def _pair(settings: Settings) -> str:
    """Name and password as HTTP Basic sends them."""
    pair = f"{settings.auth_user}:{settings.auth_password}"
    return base64.b64encode(pair.encode()).decode()


def _claim(spool: Spool) -> None:
    """Be the only gateway of this state folder: each would end the other's jobs.

    The lock goes with this process, and no worker inherits it.
    """
    if acquire(f"{spool.state}/gateway.lock") is None:
        print(f"cannot use STATE_DIR: another gateway uses {spool.state}", file=sys.stderr)  # noqa: T201
        raise SystemExit(EX_CONFIG)


try:
    settings, claude, users = _read()
    spool = Spool(settings.state_dir)
    _prepare(spool)
    # Once for all workers: they must agree about it.
    capacity = Capacity(settings.max_jobs, settings.queue_size, settings.min_free_disk)
    environment = build_environment(os.environ, settings.environment)
    code = generation(claude.path, environment, capacity)
    secrets = [settings.auth_password, _pair(settings)]
    secrets += [secret for key in settings.api_keys for secret in key.secrets]
    secrets += secrets_in(environment)
except ConfigurationError as error:
    print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
    raise SystemExit(EX_CONFIG) from None


class GatewayWorker(Worker):
    """A worker with the settings that the master read last."""

    def load_wsgi(self):
        self.wsgi = create_app(settings, claude, users, code, child(self.ppid), self.number)
        # What exists now stays; collecting it again and again would hold up the streams.
        gc.collect()
        gc.freeze()


# gunicorn wants a name here; GatewayWorker makes the application itself.
wsgi_app = "app:create_app"
worker_class = GatewayWorker
workers = settings.workers
_host = f"[{settings.host}]" if ":" in settings.host else settings.host
bind = f"{_host}:{settings.port}"
forwarded_allow_ips = ",".join(str(network) for network in settings.forwarded_allow_ips)
# By default a proxy's client could choose SCRIPT_NAME and PATH_INFO by headers of these names.
forwarder_headers = ""
proc_name = "claudecode2api"
# Streams last for hours: nothing may restart a worker for having served many requests.
max_requests = 0
# Also the time that a client has for its headers; 0 would mean none.
keepalive = 10
graceful_timeout = 15
timeout = 60
# A worker counts as frozen when its file there is not touched in time: let no disk delay that.
worker_tmp_dir = os.environ.get("RUNTIME_DIRECTORY") or None
worker_connections = 10_000
control_socket_disable = True
# An access line may be forged through the user's name; the application logs what matters.
accesslog = None
errorlog = "-"
loglevel = settings.log_level.lower()
logconfig_dict = configuration(settings.log_format, settings.log_level, secrets)


def _allow_descriptors():
    """Each stream costs a few; the usual limit of 1024 is meant for programs of another kind."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))


def _warn_of_forged_addresses():
    if any(network.prefixlen == 0 for network in settings.forwarded_allow_ips):
        log.warning(
            "FORWARDED_ALLOW_IPS trusts every client to say which address it has: so each can"
            " evade AUTH_MAX_FAILURES, or lock another out; name your proxies alone"
        )


def _patience():
    """Seconds that a stop may take: workers first, then every job and what it leaves."""
    return graceful_timeout + settings.kill_grace + SWEEP_PATIENCE + SWEEP_LIMIT + 5


def on_starting(server):
    """Close what an earlier run left, and let a reload with broken settings change nothing."""
    _claim(spool)
    try:
        save_users(spool.state, users)
    except OSError as error:
        print(f"cannot use STATE_DIR: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(EX_CONFIG) from None
    _warn_of_forged_addresses()
    _allow_descriptors()
    metrics.forget_all(settings.state_dir / "metrics")
    log.info("using %s %s, found by %s", claude.path, claude.version, claude.place)
    for job_id in upkeep.recover(spool):
        told = {"job": job_id}
        log.warning("job %s lost its supervisor while the gateway was down", job_id, extra=told)
    reload = server.handle_hup

    def handle_hup():
        try:
            _read()
        except ConfigurationError as error:
            log.error("the reload is refused: %s", error)
        else:
            reload()

    server.handle_hup = handle_hup
    server.notifier = Notifier.take(os.environ)
    if server.notifier is not None:
        server.notifier.stop_patience = _patience()
        server.notifier.attach(server, spool.count)


def pre_fork(server, worker):
    """Give the worker the lowest number that is free: it goes on counting where another ended."""
    taken = {getattr(each, "number", None) for each in server.WORKERS.values()}
    worker.number = next(number for number in itertools.count() if number not in taken)


def post_fork(server, worker):
    """Have the worker prove to systemd that the gateway answers."""
    worker.notifier = server.notifier


def on_reload(server):
    """Tell what the new workers will use."""
    try:
        save_users(spool.state, users)
    except OSError as error:
        log.error("cannot remember whose the keys are: %s", error)
    _warn_of_forged_addresses()
    if server.notifier is not None:
        server.notifier.stop_patience = _patience()
    log.info("using %s %s, found by %s", claude.path, claude.version, claude.place)


def child_exit(server, worker):
    """What a worker had open is no more."""
    metrics.forget_worker(settings.state_dir / "metrics", getattr(worker, "number", 0))


def on_exit(server):
    """No worker is left: end the jobs."""
    for job_id in upkeep.end_all(spool, users.name_of):
        log.info("job %s was cancelled: the gateway stops", job_id, extra={"job": job_id})
