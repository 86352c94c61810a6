"""The upgrade of a state folder of version 1.0, at the first start of this version.

Jobs that have ended stay as they are: the records and event ids of both layouts are the same. Jobs
that were running or queued are ended, and closed as `lost`. Ordinary blocking Python.
"""

import logging
import os
import signal
import time
from contextlib import suppress

from app import processes
from app.jobs.store import Spool
from app.processes import Process
from app.records.job import Job
from app.records.output_file import cut_holes
from app.records.run import RunExit
from app.runs.close_lost import leftovers
from app.runs.end_processes import TERM_PATIENCE, end_processes
from app.runs.verdict import judge
from app.state import files
from app.state.record_file import read_record
from app.state.version import FIRST, layout_of, write_layout

log = logging.getLogger(__name__)


def upgrade(spool: Spool) -> list[str]:
    """Upgrade a folder of version 1.0; returns the ids of its lost jobs.

    Does nothing to a folder of this version. Raises OSError.
    """
    lost = []
    if layout_of(spool.state) == FIRST:
        _rename_unlogged(spool.state)
        # The jobs in the queue of 1.0 are closed here.
        files.discard(f"{spool.state}/queue")
        for job in list(spool.living()):
            try:
                if _is_old(job):
                    _close(job)
                    lost.append(job.id)
            except OSError as error:
                # A worker closes it later.
                log.error("cannot close job %s: %s", job.id, error)
        log.info("STATE_DIR was upgraded from version 1.0; %d jobs were closed", len(lost))
    write_layout(spool.state)
    return lost


def _rename_unlogged(state: str) -> None:
    for job_id in os.listdir(f"{state}/untold") if files.is_folder(f"{state}/untold") else ():
        with suppress(OSError):
            os.rename(f"{state}/untold/{job_id}", f"{state}/unlogged/{job_id}")
    with suppress(OSError):
        os.rmdir(f"{state}/untold")


def _is_old(job: Job) -> bool:
    """Whether version 1.0 made this job: its `job.json` has the CLI's arguments.

    A job with a damaged record is not: the gateway closes it anyway.
    """
    return "arguments" in (read_record(f"{job.path}/job.json") or {})


def _close(job: Job) -> None:
    supervisor = _supervisor_of(job)
    if supervisor is not None:
        # First, because it would write the end in the old layout.
        processes.send_signal(supervisor, signal.SIGKILL)
    swept = end_processes(lambda: leftovers(job.id), time.sleep, TERM_PATIENCE)
    cut_holes(job.output)
    run_exit = RunExit(
        stop_signal=swept.highest.name if swept.highest else None,
        killed=len(swept.ended),
        left=len(swept.left),
    )
    job.write_end(judge(job, run_exit, "lost"))


def _supervisor_of(job: Job) -> Process | None:
    """The supervisor in the record of version 1.0, if it was started in this boot."""
    record = read_record(f"{job.path}/running") or {}
    if record.get("boot_id") != processes.boot_id():
        return None
    try:
        pid, started = record["supervisor"]
        return Process(int(pid), int(started))
    except (KeyError, TypeError, ValueError):
        return None
