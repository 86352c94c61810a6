"""One job's directory: what is in it, and how each fact is written and read.

    STATE_DIR/jobs/<id>/job.json   what was asked; by the gateway, before the start
                        input      what is said to the CLI: stream-json messages, one a line
                        errors     the CLI's standard error; its creation claims the job
                        output     the CLI's standard output, written by the CLI itself
                        running    who runs it; by the supervisor
                        temporary  a link to its folder for temporary files; by the supervisor
                        ended      how it ended; by the supervisor, or whoever finds it dead
    STATE_DIR/live/<id>            a link to job.json, until `ended` is written
    STATE_DIR/untold/<id>          the same link from then on, until the log has told of the end

What shall become of a running job is said by the mode of its `input` (0600: run; 0400: end;
0200: end the turn), because a mode can be changed when the disk is full.

A record is written whole (a temporary file, then a rename), so that a reader sees all of it
or none. The output is sealed (mode 0400) last of all: a sealed output grows no more, and
`ended` lies beside it.

Standard library alone and little of it, because the supervisor imports this: every page of
memory that it touches after its fork costs time and space. So paths are plain strings, and
records are named tuples.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from app.cli.lines import read_session
from app.jobs.processes import Process

Status = Literal["succeeded", "failed", "cancelled", "timed_out", "lost"]

# Two, because readers notice only a change, and a job may have set the first one itself.
_SEALED = (0o400, 0o440)
_OPEN = 0o600
_TO_END = 0o400
_TO_INTERRUPT = 0o200


class Job(NamedTuple):
    """What was asked, in `job.json`.

    `arguments` are the CLI's, without its path; one of the form `{"flag": …, "file": …}`
    stands for `flag=<the job's directory>/file`. `starter` is the gateway's process that
    created the job. `kill_grace` and the two limits of time are in seconds, `max_output` in
    bytes, `prompt_length` in characters; None is no limit. `continues` is the session that the
    job writes to: `session_id`, unless it is forked. `request_id` is the request's.
    """

    id: str
    cwd: str
    model: str | None
    session_id: str | None
    started_at: str
    user: str
    arguments: list[str | dict[str, str]]
    kill_grace: float
    starter: Process
    prompt_length: int = 0
    detached: bool = False
    timeout: float | None = None
    idle_timeout: float | None = None
    max_output: int | None = None
    continues: str | None = None
    request_id: str | None = None


class Running(NamedTuple):
    """Who runs the job, in `running`."""

    supervisor: Process
    cli: Process
    boot_id: str


class Ended(NamedTuple):
    """How the job ended, in `ended`.

    `exit_code` or `signal` (a name) is the CLI's own end, both None if it never started.
    `stop_signal` is the highest signal the supervisor used, `killed` how many processes it
    ended with one. `result` holds what the CLI's last `result` line said, without its text;
    `result_at` is that line's offset and length in the output, in bytes. `error` is a
    sentence for what the gateway itself could not do, `left` how many processes it could not
    end. `reason` names the limit that the job ran into, if it did; `disk_full` is one.
    """

    status: Status
    ended_at: str
    exit_code: int | None = None
    signal: str | None = None
    stop_signal: str | None = None
    killed: int = 0
    session_id: str | None = None
    result: dict[str, Any] | None = None
    result_at: list[int] | None = None
    error: str | None = None
    left: int = 0
    reason: str | None = None


class JobDirectory:
    """One job's directory, whether or not it exists yet."""

    def __init__(self, state: str, job_id: str) -> None:
        self.id = job_id
        self.state = state
        self.path = f"{state}/jobs/{job_id}"
        self.input = f"{self.path}/input"
        self.output = f"{self.path}/output"
        self.errors = f"{self.path}/errors"
        self.live = f"{state}/live/{job_id}"
        self.untold = f"{state}/untold/{job_id}"

    def create(self, job: Job, input_: bytes, files: Mapping[str, bytes]) -> None:
        """Make the directory with everything that the supervisor will need.

        Raises OSError; the caller removes what was made.
        """
        os.mkdir(self.path, mode=0o700)
        for name, content in files.items():
            _write(f"{self.path}/{name}", content)
        _write(self.input, input_)
        _write(self.output, b"")
        # Nobody looks at it before the job is on the list of the living.
        _write(f"{self.path}/job.json", json.dumps(job._asdict()).encode())
        # A link costs half of what a new file does.
        os.link(f"{self.path}/job.json", self.live)

    def job(self) -> Job | None:
        """What was asked, or None if there is no such job."""
        record = self._get("job.json")
        try:
            return (
                None
                if record is None
                else Job(**{**record, "starter": Process(*record["starter"])})
            )
        except (KeyError, TypeError):
            return None

    def running(self) -> Running | None:
        """Who runs the job, or None if the CLI was never started."""
        record = self._get("running")
        try:
            return (
                None
                if record is None
                else Running(
                    Process(*record["supervisor"]), Process(*record["cli"]), record["boot_id"]
                )
            )
        except (KeyError, TypeError):
            return None

    def ended(self) -> Ended | None:
        """How the job ended, or None if it has not."""
        record = self._get("ended")
        try:
            return None if record is None else Ended(**record)
        except TypeError:
            return None

    def has_ended(self) -> bool:
        """Whether it is written how the job ended; says nothing of what is written."""
        return os.access(f"{self.path}/ended", os.F_OK)

    def set_running(self, running: Running) -> None:
        """Write who runs the job."""
        self._put("running", running._asdict())

    def end(self, ended: Ended) -> None:
        """Write how the job ended, take it off the list of the living, seal its output."""
        self._put("ended", ended._asdict())
        self.seal()

    def seal(self) -> None:
        """What follows the writing of `ended`; whoever finds it undone may do it again."""
        try:
            os.rename(self.live, self.untold)
        except FileNotFoundError:
            # Done before; or the folder was removed by hand.
            with suppress(FileNotFoundError):
                os.unlink(self.live)
        with suppress(FileNotFoundError):
            is_first = not is_sealed(os.stat(self.output).st_mode)
            os.chmod(self.output, _SEALED[0 if is_first else 1])

    def take_untold(self) -> bool:
        """Whether the end is the caller's to tell: one is told so, once."""
        try:
            os.unlink(self.untold)
        except FileNotFoundError:
            return False
        return True

    def exists(self) -> bool:
        """Whether it is still there."""
        return os.access(self.path, os.F_OK)

    def size(self) -> int:
        """Bytes that the CLI has written so far; 0 if the output was removed."""
        try:
            return os.stat(self.output).st_size
        except FileNotFoundError:
            return 0

    def claim(self) -> int:
        """Make the job the caller's to run or to close; returns its open standard error.

        Nobody else will. Raises FileExistsError if somebody else did, and OSError.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        return os.open(self.errors, flags, _OPEN)

    def is_claimed(self) -> bool:
        """Whether somebody has made the job his to run or to close."""
        return os.access(self.errors, os.F_OK)

    def claimed_for(self) -> float | None:
        """Seconds since a supervisor claimed the job or its CLI last complained, or None."""
        try:
            return time.time() - os.stat(self.errors).st_mtime
        except FileNotFoundError:
            return None

    def ask_to_cancel(self, gently: bool = False) -> None:
        """Leave the mark that makes a SIGTERM to the supervisor mean this job.

        Who asks gently does not take back what another wants. A directory that was removed
        says the same.
        """
        with suppress(FileNotFoundError):
            if not gently:
                os.chmod(self.input, _TO_END)
            elif self._wish() == _OPEN:
                os.chmod(self.input, _TO_INTERRUPT)

    def is_to_be_cancelled(self) -> bool:
        """Whether somebody has asked for this job's end, or has removed its directory."""
        return self._wish() in (_TO_END, None)

    def take_interrupt(self) -> bool:
        """Whether somebody has asked for a gentle end since this was last called."""
        if self._wish() != _TO_INTERRUPT:
            return False
        os.chmod(self.input, _OPEN)
        return True

    def _wish(self) -> int | None:
        try:
            return os.stat(self.input).st_mode & 0o777
        except FileNotFoundError:
            return None

    def read_errors(self, limit: int) -> bytes:
        """The last `limit` bytes of the CLI's standard error."""
        try:
            errors = os.open(self.errors, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(errors, limit, max(0, os.fstat(errors).st_size - limit))
        finally:
            os.close(errors)

    def read_session(self) -> str | None:
        """The session that the CLI has named so far, if any."""
        try:
            output = os.open(self.output, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return read_session(output)
        finally:
            os.close(output)

    def _put(self, name: str, record: Mapping[str, Any]) -> None:
        write_record(f"{self.path}/{name}", record)

    def _get(self, name: str) -> dict[str, Any] | None:
        return read_record(f"{self.path}/{name}")


def write_record(path: str, record: Mapping[str, Any]) -> None:
    """Write a record whole, in place of one that is there. Raises OSError."""
    temporary = f"{path}.{os.getpid()}"
    _write(temporary, json.dumps(record).encode())
    os.replace(temporary, path)


def read_record(path: str) -> dict[str, Any] | None:
    """A record, or None if there is none that can be read."""
    try:
        record = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        content = os.read(record, os.fstat(record).st_size)
    finally:
        os.close(record)
    try:
        fields = json.loads(content)
    except ValueError:
        # Damaged: after a power cut a new file may be there and empty.
        return None
    return fields if isinstance(fields, dict) and fields else None


def read_at(path: str, length: int, offset: int) -> bytes:
    """So many bytes of a file, fewer at its end."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)


def is_sealed(mode: int) -> bool:
    """Whether an output with this mode (`st_mode`) grows no more."""
    return mode & 0o777 in _SEALED


def now() -> str:
    """This moment in UTC, as ISO 8601 with a `Z`, to the millisecond."""
    moment = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{seconds}.{int(moment % 1 * 1000):03}Z"


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OPEN)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)
