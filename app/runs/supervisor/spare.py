"""A spare that its supervisor keeps until a job claims it.

Standard library alone, because the supervisor imports this.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from app.cli import control
from app.cli.spare import Argument, claim_fields
from app.processes import Process
from app.records import kept_run
from app.records.job import Job
from app.records.job_id import new_uuid
from app.records.kept_run import KeptRun
from app.records.run import Run, RunStart
from app.records.start_stamps import stamps_of
from app.runs.supervisor.growth import Growth
from app.runs.supervisor.output_scanner import Line, OutputScanner
from app.runs.supervisor.run_watch import RunWatch
from app.runs.supervisor.start import check_folder, start
from app.state import files
from app.state.remove_tree import remove
from app.timestamps import now

#: Seconds in which a spare must answer a claim. One in 77 has taken 30 s on a busy machine.
CLAIM_PATIENCE = 2.0
#: Seconds that a spare which is not needed has to exit, before it gets a signal.
_END_PATIENCE = 1.0
_LOOK_INTERVAL = 5.0
_CLEANUP_PATIENCE = 1.0
# The ids of our requests.
_READY, _CLAIM = "ready", "claim"


class NotClaimed(Exception):
    """The spare cannot serve the job, and has to end; the job is served by a process of its own."""


class Spare:
    """A CLI that waits for its claim. Raises OSError if it cannot be started."""

    def __init__(
        self,
        state: str,
        arguments: list[Argument],
        claude: str,
        environment: Mapping[bytes, bytes],
        supervisor: Process,
        wakeup: int,
    ) -> None:
        self._state = state
        self.run = Run(state, new_uuid())
        # Its own folder is neutral: no project's settings are above it.
        run_start = RunStart(self.run.path, arguments, 1.0)
        self.run.create(run_start, {})
        self._stamps = stamps_of(arguments, self.run.path)
        self.watch = RunWatch(start(self.run, run_start, claude, environment, supervisor), wakeup)
        self._output = files.open_file(self.run.output)
        self._scanner = OutputScanner(self._output)
        self._growth = Growth(self.run.path)
        self._is_ready = False
        # It is refused, whatever it is: the CLI then reads its input.
        self.watch.started.stdin.send(control.request(_READY, _READY))
        self._note(supervisor)

    def wait(self, channel: socket.socket, on_ready: Callable[[], object]) -> bool:
        """Wait for a message on the launcher's channel; False if the spare must end before one.

        `on_ready` is called once the CLI can be claimed.
        """
        while not self.watch.has_exited() and self.run.exists() and not self.run.is_to_close():
            self._growth.arm()
            if not self._is_ready and any(_is_answer(line, _READY) for line in self._lines()):
                self._is_ready = True
                on_ready()
            patience = _LOOK_INTERVAL if self._is_ready else self._growth.patience
            if -1 in self.watch.wait(patience, channel.fileno()):
                return True
        return False

    def _lines(self) -> Iterator[Line]:
        return self._scanner.new_lines()

    def claim(self, job: Job, run_start: RunStart) -> int:
        """Claim the spare for a job; returns where the job begins in the output, in bytes.

        Raises NotClaimed.
        """
        if run_start.stamps != self._stamps:
            raise NotClaimed
        try:
            check_folder(run_start)
            fields = claim_fields(
                run_start.cwd,
                run_start.arguments,
                lambda name: files.read_file(f"{job.prepared.path}/{name}").decode(),
            )
        except (OSError, ValueError, KeyError) as error:
            raise NotClaimed from error
        self.watch.started.stdin.send(control.request(_CLAIM, "claim_session", **fields))
        return self._await_claim()

    def _await_claim(self) -> int:
        deadline = time.monotonic() + CLAIM_PATIENCE
        while not self.watch.has_exited():
            self._growth.arm()
            for line in self._lines():
                if not _is_answer(line, _CLAIM):
                    continue
                response = line.fields["response"].get("response")
                if isinstance(response, dict) and response.get("status") == "ok":
                    return line.end
                raise NotClaimed
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self.watch.wait(min(left, self._growth.patience))
        raise NotClaimed

    def forget(self) -> None:
        """It is a spare no longer: a job has it, or it has ended."""
        kept_run.remove(self._state, self.run.id)
        self._growth.close()
        os.close(self._output)

    def end(self) -> bool:
        """End a spare that no job has; returns whether nothing of it is left."""
        watch = self.watch
        watch.started.stdin.finish()
        watch.await_exit(_END_PATIENCE)
        run_exit = watch.end()
        is_gone = remove(watch.started.temporary_folder, _CLEANUP_PATIENCE)
        watch.close()
        self.forget()
        return remove(self.run.path, _CLEANUP_PATIENCE) and is_gone and run_exit.left == 0

    def _note(self, supervisor: Process) -> None:
        record = KeptRun(
            id=self.run.id,
            supervisor=supervisor,
            state="spare",
            session="",
            cwd=self.run.path,
            model=None,
            user="",
            jobs=0,
            idle_since=now(),
            memory=0,
        )
        with suppress(OSError):
            # On a full disk it is not listed.
            kept_run.write(self._state, record)


def claim_spare(spare: Spare, job: Job, run_start: RunStart) -> int:
    """Claim a spare for a plain job; returns the job's open message.

    Raises NotClaimed and OSError: then nothing has begun.
    """
    job.show(spare.run)
    message = files.open_file(job.message)
    try:
        job.begin(spare.claim(job, run_start))
    except BaseException:
        os.close(message)
        raise
    spare.forget()
    spare.watch.set_grace(run_start.kill_grace)
    with suppress(OSError):
        job.wake_readers()
    return message


def _is_answer(line: Line, request_id: str) -> bool:
    answered = control.answered(line.fields)
    return answered is not None and answered[0] == request_id
