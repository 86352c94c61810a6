"""The closing of a run whose supervisor died, which closes the run's job, too.

Blocking Python, which gevent makes cooperative in a worker. Standard library alone, because the
launcher imports this.
"""

import contextlib
import fcntl
import os
import time

from app import processes
from app.processes import Process
from app.records import kept_run, question_list
from app.records.job import Job
from app.records.kept_run import KeptRun
from app.records.output_file import cut_holes
from app.records.run import Run, RunExit
from app.runs import temporary_folder
from app.runs.end_processes import TERM_PATIENCE, end_processes
from app.runs.verdict import judge

#: Seconds for the removal of the temporary files of a run whose supervisor died.
_CLEANUP_PATIENCE = 5.0


def close_lost(job: Job) -> bool:
    """End the processes that a dead supervisor left, and write the end of the run and of its job.

    Several processes may call this at once: one closes the job and returns True, the others return
    False at once. Raises OSError.
    """
    with contextlib.ExitStack() as stack:
        try:
            lock = os.open(job.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            # The operator removed the folder.
            return False
        stack.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _is_held_by_a_job(lock):
                end_processes(lambda: leftovers(job.run.id), time.sleep, TERM_PATIENCE)
            return False
        if job.end() is not None:
            job.finish()
            return False
        if not job.is_claimed() and not claim_to_close(job):
            # A supervisor was faster.
            return False
        _close(job)
        return True


def close_kept(state: str, kept: KeptRun) -> None:
    """End what a dead supervisor left of a run that it kept, and write the run's end."""
    result = end_processes(lambda: leftovers(kept.id), time.sleep, TERM_PATIENCE)
    run = Run(state, kept.id)
    highest = result.highest.name if result.highest else None
    with contextlib.suppress(OSError):
        # The run's folder was removed, or the disk is full.
        run.write_exit(RunExit(None, None, highest, len(result.ended), len(result.left)))
    temporary_folder.remove_for_run(run.path, _CLEANUP_PATIENCE, lambda: time.sleep(0))
    kept_run.remove_left(state, kept.id)


def claim_to_close(job: Job) -> bool:
    """Claim a job so that it never starts; returns False if it is claimed already, or removed."""
    try:
        job.claim("closer")
    except (FileExistsError, FileNotFoundError):
        return False
    return True


def leftovers(run_id: str) -> list[Process]:
    """The processes with a run's mark, and their descendants, which may have lost it."""
    marked = processes.marked(run_id)
    return list({*marked, *processes.descendants(*(process.pid for process in marked))})


def _close(job: Job) -> None:
    result = end_processes(lambda: leftovers(job.run.id), time.sleep, TERM_PATIENCE)
    never_ran = not job.run.was_started()
    cut_holes(job.output)
    run_exit = RunExit(
        stop_signal=result.highest.name if result.highest else None,
        killed=len(result.ended),
        left=len(result.left),
    )
    with contextlib.suppress(OSError):
        # If this fails, only the run's own record is missing: its folder was removed, or the disk
        # is full.
        job.run.write_exit(run_exit)
    is_cancelled = never_ran and job.is_to_be_cancelled()
    job.write_end(judge(job, run_exit, "cancelled" if is_cancelled else "lost"))
    if (run_start := job.prepared.start()) is not None:
        job.prepared.discard_contents(run_start)
    kept_run.remove_left(job.state, job.run.id)
    for job_id, question_id in question_list.listed(job.state):
        if job_id == job.id:
            question_list.remove(job.state, job_id, question_id)
    temporary_folder.remove_for_run(job.run.path, _CLEANUP_PATIENCE, lambda: time.sleep(0))


def _is_held_by_a_job(lock: int) -> bool:
    """Whether a job's process holds this lock, instead of another gateway process."""
    wanted = f":{os.fstat(lock).st_ino}"
    with open("/proc/locks", encoding="ascii") as locks:
        rows = [line.split() for line in locks]
    # 1: FLOCK ADVISORY WRITE 708 00:13:4711 0 EOF (proc(5))
    pids = [int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].endswith(wanted)]
    return any(processes.is_marked(pid) or processes.identify(pid) is None for pid in pids)
