"""The audit log of users' actions.

Its lines are about cancelled, interrupted and removed jobs, what users send to running ones, ended
runs, and refused logins. Its logger is `audit`, which logs whatever LOG_LEVEL is. No line has the
content of a prompt, a message or an answer.
"""

import logging
import time

#: Refused logins that one process logs per minute; of the others it logs the number.
MOST_REFUSALS = 60

log = logging.getLogger("audit")


def cancelled(job_id: str, user: str, why: str) -> None:
    """Log that a job is cancelled."""
    log.info("job %s is cancelled: %s", job_id, why, extra={"job": job_id, "user": user})


def interrupted(job_id: str, user: str) -> None:
    """Log that a job's turn is interrupted."""
    fields = {"job": job_id, "user": user}
    log.info("job %s is interrupted: requested by %s", job_id, user, extra=fields)


def removed(job_id: str, user: str) -> None:
    """Log that an ended job is removed, with its output."""
    fields = {"job": job_id, "user": user}
    log.info("job %s is removed: requested by %s", job_id, user, extra=fields)


def sent(job_id: str, user: str, what: str) -> None:
    """Log that a user has sent something to a job; `what` does not quote it."""
    fields = {"job": job_id, "user": user}
    log.info("job %s got from %s: %s", job_id, user, what, extra=fields)


def run_ended(run_id: str, user: str) -> None:
    """Log that an idle run is ended."""
    log.info("run %s is ended: requested by %s", run_id, user, extra={"user": user})


class RefusedLogins:
    """Logs refused logins, up to a rate, so that a flood does not fill the log."""

    def __init__(self) -> None:
        self._minute = 0
        self._logged = 0
        self._unlogged = 0

    def log(self, address: str, what: str) -> None:
        """Log a refused login. `what` describes the credentials without quoting them."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            if self._unlogged:
                log.warning("%d more logins were refused in a minute", self._unlogged)
            self._minute, self._logged, self._unlogged = minute, 0, 0
        if self._logged >= MOST_REFUSALS:
            self._unlogged += 1
            return
        self._logged += 1
        log.warning("a login from %s was refused: %s", address, what)
