"""gunicorn's master: what it does when the gateway starts, reloads and stops."""

import gc
import importlib
import logging
import os
import pkgutil
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import app
from app import metrics
from app.auth.users_file import mend_users, save_users
from app.cli import auth_status
from app.errors import ConfigurationError
from app.jobs import shutdown
from app.jobs.store import Spool
from app.jobs.upgrade import upgrade
from app.runs.end_processes import KILL_PATIENCE, TERM_PATIENCE
from app.server.gateway_lock import (
    StateInUse,
    is_locked_here,
    listens_at,
    lock_state,
    master_pid,
    write_address,
)
from app.server.listen_address import check_address
from app.server.reload_check import reload_error
from app.server.reload_record import forget_refusal, write_refusal, write_reload
from app.server.systemd_notify import SystemdNotifier
from app.setting_sources import env_file_path
from app.startup import Startup
from app.state.files import discard
from app.state.version import check_layout

log = logging.getLogger("app")

#: Status of an exit because of settings that cannot be used (sysexits.h).
EX_CONFIG = 78
#: Seconds that workers have to end their requests.
GRACEFUL_TIMEOUT = 15
#: Seconds to wait for a port in use: the workers of a killed master release theirs a moment later.
PORT_PATIENCE = 3.0
#: Is set while this process listens, so that the check of a reload does not find its own port in
#: use.
LISTENS = "CLAUDECODE2API_LISTENS"
# Is set where another process listens for this one (sd_listen_fds(3), gunicorn's SIGUSR2).
_LISTENERS = ("LISTEN_FDS", "GUNICORN_FD")


class Master:
    """The hooks of gunicorn.conf.py. A reload makes another one, of new code and settings.

    `is_check` is true for `gunicorn --check-config`, which only finds out if a start would work.
    """

    def __init__(self, startup: Startup, is_check: bool, began: float) -> None:
        """`began` is when the settings began to be read (CLOCK_MONOTONIC)."""
        self.startup = startup
        settings = startup.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        #: Where the gateway listens.
        self.address = f"{host}:{settings.port}"
        self._spool = Spool(settings.state_dir)
        self._is_check = is_check
        self._began = began

    @classmethod
    def load(cls) -> "Master":
        """Read all settings. Exits, with one line, if the gateway cannot start."""
        began = time.monotonic()
        try:
            startup = Startup.load(os.environ, env_file_path(os.environ))
            master = cls(startup, "--check-config" in sys.argv, began)
            master.check()
        except (ConfigurationError, OSError) as error:
            _exit(error)
        return master

    def check(self) -> None:
        """Check that the gateway can start. Raises ConfigurationError and OSError."""
        try:
            self._check_layout()
            self._spool.prepare()
        except OSError as error:
            raise ConfigurationError(f"cannot use STATE_DIR: {error}") from None
        self._check_address()
        if self._is_check:
            # Workers import them later, and would end the gateway if they could not.
            for module in pkgutil.walk_packages(app.__path__, "app."):
                importlib.import_module(module.name)

    def _check_layout(self) -> None:
        state = self._spool.state
        is_reload = is_locked_here(state)
        try:
            check_layout(state, is_used=is_reload or master_pid(state) is not None)
        except ConfigurationError as error:
            if is_reload:
                # Only a master of version 1.0 gets here: it cannot refuse a reload, and so ends
                # with a status after which systemd starts it again.
                _exit(error, 1)
            raise

    def _check_address(self) -> None:
        if any(name in os.environ for name in (LISTENS, *_LISTENERS)):
            return
        settings, state = self.startup.settings, self._spool.state
        if not self._is_check:
            if master_pid(state) is not None:
                raise StateInUse(state)
            check_address(settings.host, settings.port, PORT_PATIENCE)
        elif not listens_at(state, self.address):
            check_address(settings.host, settings.port, 0.0)

    def start(self, arbiter: Any) -> None:
        """Before the first worker: close what an earlier run left, and guard the reload."""
        try:
            arbiter.lock = lock_state(self._spool.state)
            save_users(self._spool.state, self.startup.users)
        except ConfigurationError as error:
            _exit(error)
        except OSError as error:
            _exit(ConfigurationError(f"cannot use STATE_DIR: {error}"))
        self._publish_address(arbiter)
        metrics.forget_all(self.startup.settings.state_dir / "metrics")
        self._forget_login()
        forget_refusal(self._spool.state)
        self._log_startup()
        for job_id in (*upgrade(self._spool), *self._spool.close_dead()):
            log.warning(
                "job %s lost its supervisor while the gateway was down",
                job_id,
                extra={"job": job_id},
            )
        self._guard_reload(arbiter)
        arbiter.notifier = SystemdNotifier.from_environment(os.environ)
        if arbiter.notifier is not None:
            arbiter.notifier.stop_patience = self._stop_patience()
            arbiter.notifier.attach(arbiter, self._spool.count)

    def reload(self, arbiter: Any) -> None:
        """After a reload, before the first new worker."""
        self._forget_login()
        self._publish_address(arbiter)
        try:
            save_users(self._spool.state, self.startup.users)
        except OSError as error:
            log.error("cannot save the users' keys: %s", error)
        self._log_startup()
        settings, workers = self.startup.settings, list(arbiter.WORKERS)
        try:
            write_reload(self._spool.state, self._began, settings.host, settings.port, workers)
        except OSError as error:
            log.error("cannot record the reload: %s", error)
        if arbiter.notifier is not None:
            arbiter.notifier.stop_patience = self._stop_patience()

    def stop(self) -> None:
        """After the last worker: end the jobs."""
        users = self.startup.users
        for job_id in shutdown.cancel_all(self._spool, users.name_of):
            log.info("job %s was cancelled: the gateway stops", job_id, extra={"job": job_id})
        # No job is left that could damage it before the next start.
        mend_users(self._spool.state, users)
        shutdown.end_launcher(self._spool)

    def _forget_login(self) -> None:
        """The CLI may have another login or key than before."""
        discard(auth_status.answer_path(self.startup.settings.state_dir))

    def forget_worker(self, number: int) -> None:
        """After a worker: drop its gauges."""
        metrics.forget_worker(self.startup.settings.state_dir / "metrics", number)

    def _publish_address(self, arbiter: Any) -> None:
        """Write where this process listens, for the check of the next reload."""
        os.environ[LISTENS] = self.address
        write_address(arbiter.lock, self.address)

    def _log_startup(self) -> None:
        for warning in self.startup.warnings(os.environ):
            log.warning("%s", warning)
        claude = self.startup.claude
        log.info("using %s %s, found by %s", claude.path, claude.version, claude.place)

    def _guard_reload(self, arbiter: Any) -> None:
        """Refuse a reload that cannot work: it would end the gateway, and its jobs with it."""
        handle_hup = arbiter.handle_hup

        def check_and_handle_hup() -> None:
            began = time.monotonic()
            address = os.environ.pop(LISTENS)
            error = reload_error()
            os.environ[LISTENS] = address
            if error := error or _reload(arbiter, handle_hup):
                log.error("the reload is refused: %s", error)
                self._record_refusal(began, error)

        arbiter.handle_hup = check_and_handle_hup

    def _record_refusal(self, began: float, error: str) -> None:
        try:
            write_refusal(self._spool.state, began, error)
        except OSError as failure:
            log.error("cannot record that the reload was refused: %s", failure)

    def _stop_patience(self) -> float:
        """Seconds that a stop may take: first the workers, then the jobs and what they leave."""
        kill_grace = self.startup.settings.kill_grace
        return GRACEFUL_TIMEOUT + kill_grace + TERM_PATIENCE + KILL_PATIENCE + 5


def _reload(arbiter: Any, handle_hup: Callable[[], None]) -> str | None:
    """Reload; returns why nothing was changed, if so."""
    config = arbiter.cfg
    try:
        handle_hup()
    except SystemExit:
        if arbiter.cfg is not config:
            raise
        # gunicorn has begun with a new one, and gunicorn.conf.py without the collector.
        arbiter.app.cfg = config
        gc.enable()
        return (
            "the settings or the code were changed after they were checked, and cannot be used; the"
            " reason is in the log"
        )
    return None


def _exit(error: Exception, status: int = EX_CONFIG) -> NoReturn:
    # The log is not set up yet.
    sys.stderr.write(f"{error}\n")
    raise SystemExit(status)
