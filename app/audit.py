"""The audit: who did what to which job, and who was refused, a line each in the log.

Its logger is `audit`, which no LOG_LEVEL silences. No line holds a prompt or an answer.
"""

import logging
import time

#: Refused logins that one process logs within a minute; of the rest it logs how many there were.
MOST_REFUSALS = 60

log = logging.getLogger("audit")


def cancelled(job_id: str, user: str, why: str) -> None:
    """A job is to end."""
    log.info("job %s is cancelled: %s", job_id, why, extra={"job": job_id, "user": user})


def interrupted(job_id: str, user: str) -> None:
    """A job's turn is to end."""
    fields = {"job": job_id, "user": user}
    log.info("job %s is interrupted: %s asked for it", job_id, user, extra=fields)


def removed(job_id: str, user: str) -> None:
    """The record and the output of a job that has ended are removed."""
    fields = {"job": job_id, "user": user}
    log.info("job %s is removed: %s asked for it", job_id, user, extra=fields)


class Refusals:
    """The refused logins, of which a flood must not fill the log."""

    def __init__(self) -> None:
        self._minute = 0
        self._logged = 0
        self._left_out = 0

    def refused(self, address: str, what: str) -> None:
        """A login was refused; `what` says which credentials were sent, not what is in them."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            if self._left_out:
                log.warning("%d more logins were refused in a minute", self._left_out)
            self._minute, self._logged, self._left_out = minute, 0, 0
        if self._logged >= MOST_REFUSALS:
            self._left_out += 1
            return
        self._logged += 1
        log.warning("a login from %s was refused: %s", address, what)
