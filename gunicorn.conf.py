"""What `gunicorn`, run in this folder with nothing else, reads: it starts the gateway.

The master reads the settings and finds the CLI, once; workers inherit both, so that all of
them agree until the next reload.
"""

import base64
import gc
import importlib
import itertools
import logging
import os
import pkgutil
import resource
import sys
from pathlib import Path

# Paths are UTF-8, whatever the locale is: with another encoding, many could not be named.
if sys.getfilesystemencoding() != "utf-8":
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606

# A reload is also how new code arrives.
for name in [name for name in sys.modules if name == "app" or name.startswith("app.")]:
    del sys.modules[name]
# gunicorn puts the current folder on the path only after it has read this file.
sys.path.insert(0, str(Path(__file__).parent))

import app
from app import create_app, metrics
from app.auth.users import Users
from app.auth.users_file import load_users, mend_users, save_users
from app.cli.environment import build_environment, left_by_session
from app.cli.locator import Claude, locate
from app.cli.root_check import REFUSES_ROOT, refuses_root
from app.errors import ConfigurationError
from app.jobs import lifecycle
from app.jobs.store import Spool
from app.logs import configuration, secrets_in
from app.processes import child
from app.runs.launcher.client import Capacity, generation
from app.runs.sweep import SWEEP_LIMIT, SWEEP_PATIENCE
from app.server.listen_address import check_address
from app.server.nonblocking_stderr import replace_stderr
from app.server.reload_check import reload_error
from app.server.systemd_notify import SystemdNotifier
from app.server.worker import Worker
from app.settings import Settings
from app.state.files import read_file
from app.state.process_lock import acquire, holder_of

# Workers inherit it.
stderr = replace_stderr()

EX_CONFIG = 78
#: Seconds that a port in use is waited for: the workers of a killed master notice that it is gone.
PORT_PATIENCE = 3.0
# Set while this process listens, so that a reload does not find its own port in use.
LISTENS = "CLAUDECODE2API_LISTENS"
#: Whether this only looks if a start would work (gunicorn --check-config).
IS_CHECK = "--check-config" in sys.argv
_TAKEN = "cannot use STATE_DIR: another gateway uses {}; stop that one, or set another STATE_DIR"
# Who listens for us then says so (sd_listen_fds(3); gunicorn's own for SIGUSR2).
LISTENERS = ("LISTEN_FDS", "GUNICORN_FD")

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


def _claim(spool: Spool) -> int:
    """Be the only gateway of this state folder: each would end the other's jobs.

    The lock goes with this process, and no worker inherits it. Returns its descriptor.
    """
    lock = acquire(f"{spool.state}/gateway.lock")
    if lock is None:
        print(_TAKEN.format(spool.state), file=sys.stderr)  # noqa: T201
        raise SystemExit(EX_CONFIG)
    return lock


def _check_address(settings: Settings, spool: Spool, address: str) -> None:
    """Raises ConfigurationError if the gateway could not listen at its address.

    A check before a reload leaves out the address at which the running gateway listens: that
    one has written it into its lock.
    """
    if any(name in os.environ for name in (LISTENS, *LISTENERS)):
        return
    lock = f"{spool.state}/gateway.lock"
    runs = holder_of(lock) is not None
    if not IS_CHECK:
        if runs:
            raise ConfigurationError(_TAKEN.format(spool.state))
        check_address(settings.host, settings.port, PORT_PATIENCE)
    elif not runs or read_file(lock) != address.encode():
        check_address(settings.host, settings.port, 0.0)


def _tell_address(server) -> None:
    """Write where this process listens, for who checks the next reload."""
    os.environ[LISTENS] = bind
    os.ftruncate(server.lock, 0)
    os.pwrite(server.lock, bind.encode(), 0)


def _warn() -> None:
    """Say what makes every job fail, or differ from what an operator would expect."""
    _warn_of_forged_addresses()
    if refuses_root(environment, settings):
        log.warning("this is root: %s", REFUSES_ROOT)
    if left := left_by_session(os.environ, settings.environment):
        log.warning(
            "these variables of a Claude Code session are withheld from jobs (one that is meant"
            " for them belongs into .env): %s",
            ", ".join(left),
        )


try:
    settings, claude, users = _read()
    spool = Spool(settings.state_dir)
    _prepare(spool)
    _host = f"[{settings.host}]" if ":" in settings.host else settings.host
    bind = f"{_host}:{settings.port}"
    _check_address(settings, spool, bind)
    # Once for all workers: they must agree about it.
    capacity = Capacity(settings.max_jobs, settings.queue_size, settings.min_free_disk)
    environment = build_environment(os.environ, settings.environment)
    code = generation(claude.path, environment, capacity)
    secrets = [settings.auth_password, _pair(settings)]
    secrets += [secret for key in settings.api_keys for secret in key.secrets]
    secrets += secrets_in(environment)
    if IS_CHECK:
        # Workers would import them, and end the gateway if they could not.
        for module in pkgutil.walk_packages(app.__path__, "app."):
            importlib.import_module(module.name)
except (ConfigurationError, OSError) as error:
    print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
    raise SystemExit(EX_CONFIG) from None


class GatewayWorker(Worker):
    """A worker with the settings that the master read last."""

    def load_wsgi(self):
        self.wsgi = create_app(settings, claude, users, code, child(self.ppid), self.number)
        stderr.on_drop = self.wsgi.extensions["jobs"].metrics.count_dropped_lines
        # What exists now stays; collecting it again and again would hold up the streams.
        gc.collect()
        gc.freeze()


# gunicorn wants a name here; GatewayWorker makes the application itself.
wsgi_app = "app:create_app"
worker_class = GatewayWorker
workers = settings.workers
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
# Another parser, if it is installed, would do without the bounds of app/server/request_parser.py.
http_parser = "python"
errorlog = "-"
loglevel = settings.log_level.lower()
logconfig_dict = configuration(settings.log_format, settings.log_level, secrets)


def _allow_descriptors():
    """Each stream costs a few; the usual limit of 1024 is meant for programs of another kind."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))


def _warn_of_forged_addresses():
    # 0.0.0.0/1 and 128.0.0.0/1 are everyone, too.
    if any(network.prefixlen < 8 for network in settings.forwarded_allow_ips):
        log.warning(
            "FORWARDED_ALLOW_IPS trusts every client to say which address it has: so each can"
            " evade AUTH_MAX_FAILURES, or lock another out; name your proxies alone"
        )


def _patience():
    """Seconds that a stop may take: workers first, then every job and what it leaves."""
    return graceful_timeout + settings.kill_grace + SWEEP_PATIENCE + SWEEP_LIMIT + 5


def on_starting(server):
    """Close what an earlier run left, and let a reload with broken settings change nothing."""
    server.lock = _claim(spool)
    try:
        save_users(spool.state, users)
    except OSError as error:
        print(f"cannot use STATE_DIR: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(EX_CONFIG) from None
    _tell_address(server)
    _allow_descriptors()
    metrics.forget_all(settings.state_dir / "metrics")
    log.info("using %s %s, found by %s", claude.path, claude.version, claude.place)
    _warn()
    for job_id in lifecycle.recover(spool):
        told = {"job": job_id}
        log.warning("job %s lost its supervisor while the gateway was down", job_id, extra=told)
    reload = server.handle_hup

    def handle_hup():
        # What cannot start would end the gateway, and its jobs with it.
        del os.environ[LISTENS]
        refused = reload_error()
        os.environ[LISTENS] = bind
        if refused:
            log.error("the reload is refused: %s", refused)
        else:
            reload()

    server.handle_hup = handle_hup
    server.notifier = SystemdNotifier.from_environment(os.environ)
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
    """Say what the new workers will use."""
    _tell_address(server)
    try:
        save_users(spool.state, users)
    except OSError as error:
        log.error("cannot save the users' keys: %s", error)
    _warn()
    if server.notifier is not None:
        server.notifier.stop_patience = _patience()
    log.info("using %s %s, found by %s", claude.path, claude.version, claude.place)


def child_exit(server, worker):
    """What a worker had open is no more."""
    metrics.forget_worker(settings.state_dir / "metrics", getattr(worker, "number", 0))


def on_exit(server):
    """No worker is left: end the jobs."""
    for job_id in lifecycle.end_all(spool, users.name_of):
        log.info("job %s was cancelled: the gateway stops", job_id, extra={"job": job_id})
    # No job is left that could damage it before the next start.
    mend_users(spool.state, users)
    lifecycle.end_launcher(spool)
