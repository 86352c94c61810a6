"""The background work of a worker: the care for jobs, their index and the launcher."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from app.auth.users import Users
from app.auth.users_file import mend_users
from app.errors import JobNotStarted
from app.jobs.idempotency import Keys
from app.jobs.index import JobIndex
from app.jobs.index_upkeep import IndexUpkeep
from app.jobs.keeper import Keeper
from app.jobs.left_jobs import LeftJobs
from app.jobs.log_ends import EndLog
from app.jobs.retention import remove_old
from app.jobs.spares import Spares
from app.jobs.store import Spool
from app.records import session_users
from app.records.job import Job
from app.runs.launcher.client import LauncherClient
from app.state.version import write_layout

log = logging.getLogger(__name__)

#: Seconds below which a launcher's life was so short that another one is not started at once.
_SHORT_LIFE = 1.0
#: Seconds between two lines of the log about a full disk.
_TROUBLE_EVERY = 60.0
#: Seconds between two searches for what can be forgotten: idempotency keys, sessions, responses.
_FORGET_EVERY = 3600.0
#: Seconds between two looks whether spares are to be started in another way.
_SPARES_EVERY = 1.0
#: Seconds between two times that ends are added to the index.
_INDEX_EVERY = 0.25


class BackgroundWork:
    """The background work of one worker; each method runs in a separate greenlet.

    `retention` is in seconds. Each function in `forget_more` removes what else is no longer kept,
    now and then in one worker.
    """

    def __init__(
        self,
        spool: Spool,
        launcher: LauncherClient,
        spares: Spares,
        keys: Keys,
        index: JobIndex,
        upkeep: IndexUpkeep,
        ends: EndLog,
        users: Users,
        left: LeftJobs,
        retention: float,
        forget_more: Sequence[Callable[[], None]],
    ) -> None:
        self._spool = spool
        self._launcher = launcher
        self._spares = spares
        self._keys = keys
        self._index = index
        self._upkeep = upkeep
        self._ends = ends
        self._users = users
        self._left = left
        self._retention = retention
        self._forget_more = forget_more
        self._keeper = Keeper(spool.state)
        self._forget_at = 0.0
        self._log_trouble_at = 0.0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Make `keep_index` and `keep_launcher` return."""
        self._stopped.set()

    def look_after(self) -> None:
        """Close jobs whose supervisor died, and remove those that ended long ago.

        Logs the ends that the launcher could not report.
        """
        self._log_trouble()
        self._spool.prepare()
        write_layout(self._spool.state)
        mend_users(self._spool.state, self._users)
        for job in self._spool.living():
            self._spool.close_if_dead(job)
        self._ends.add_all()
        if self._keeper.is_elected():
            self._clear_away()

    def _clear_away(self) -> None:
        """Remove what is no longer kept, and cancel what no client waits for."""
        self._left.cancel_forgotten()
        remove_old(self._spool, self._index, self._retention)
        self._spool.tidy()
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET_EVERY
            self._keys.forget_removed()
            session_users.forget_old(self._spool.state)
            for forget in self._forget_more:
                forget()

    def keep_spares(self) -> None:
        """Have the launcher keep spares, once it is known whether the CLI can be one."""
        while not self._stopped.is_set():
            self._spares.publish()
            self._stopped.wait(_SPARES_EVERY)

    def keep_index(self) -> None:
        """Keep the index of jobs up to date until this process stops."""
        write_at = 0.0
        while not self._stopped.is_set():
            started = time.monotonic()
            is_busy = False
            try:
                if started >= write_at:
                    write_at = started + _INDEX_EVERY
                    self._upkeep.write_noted()
                is_busy = self._keeper.is_elected() and self._upkeep.step()
            except Exception:
                # One error must not end the loop.
                log.exception("cannot keep the index of jobs")
            # While there is more to do, other greenlets get half of the time.
            used = time.monotonic() - started
            self._stopped.wait(max(used, 0.001) if is_busy else _INDEX_EVERY)
        self._keeper.resign()

    def _log_trouble(self) -> None:
        """Log what blocks jobs, once a minute and in one process."""
        now = time.monotonic()
        if now < self._log_trouble_at or not self._keeper.is_elected():
            return
        trouble = self._spool.trouble()
        if trouble is not None:
            self._log_trouble_at = now + _TROUBLE_EVERY
            running, _ = self._spool.count()
            log.error("%s (STATE_DIR %s; %d jobs run)", trouble, self._spool.state, running)

    def keep_launcher(self) -> None:
        """Keep a launcher running until this process stops, so that queued jobs are started.

        Returns when the master is gone.
        """
        was_short = False
        while not self._stopped.is_set() and self._has_master():
            started = time.monotonic()
            made_room = False
            try:
                made_room = self._launcher.subscribe(self._on_event)
            except (JobNotStarted, OSError) as error:
                self._launcher.is_available = False
                log.error("cannot keep a launcher: %s", error)
            is_short = not made_room and time.monotonic() - started < _SHORT_LIFE
            if is_short:
                # The next one would probably end, too. The first time is no alarm.
                self._launcher.is_available &= not was_short
                time.sleep(_SHORT_LIFE)
            was_short = is_short

    def _has_master(self) -> bool:
        try:
            return self._launcher.is_master_alive()
        except OSError as error:
            # It may still run.
            log.error("cannot check whether the master runs: %s", error)
            return True

    def _on_event(self, event: str, job_id: str) -> None:
        """Handle an event of the launcher, which sends each to one worker."""
        job = Job(self._spool.state, job_id)
        if event == "staying":
            # Ends were not reported while there was no launcher.
            self._ends.add_all()
        elif event == "ended":
            self._ends.add(job)
        elif event == "started" and (request := job.request()) is not None:
            name = self._users.name_of(request.user)
            fields = {"job": job_id, "user": name, "request_id": request.request_id}
            log.info("job %s started from the queue", job_id, extra=fields)
