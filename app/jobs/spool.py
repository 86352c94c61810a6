"""The job directories: what is in them, and how each fact is written and read.

    STATE_DIR/jobs/<id>/job.json   what was asked; by the gateway, before the start
                        input      what is said to the CLI: stream-json messages, one a line
                        errors     the CLI's standard error; its creation claims the job
                        output     the CLI's standard output, written by the CLI itself
                        running    who runs it; by the supervisor
                        ended      how it ended; by the supervisor, or whoever finds it dead
    STATE_DIR/live/<id>            a link to job.json, until `ended` is written

A record is written whole (a temporary file, then a rename), so that a reader sees all of it
or none. The output is sealed (mode 0400) last of all: a sealed output grows no more, and
`ended` lies beside it.

Standard library alone, because the supervisor imports this; and plain strings for paths,
because every page of memory that a supervisor touches after its fork costs time and space.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from app.cli.lines import read_session
from app.jobs.processes import Process

Status = Literal["succeeded", "failed", "cancelled", "timed_out", "lost"]

_SEALED = 0o400
_OPEN = 0o600


@dataclass(frozen=True)
class Job:
    """What was asked, in `job.json`.

    `arguments` are the CLI's, without its path; one of the form `{"flag": …, "file": …}`
    stands for `flag=<the job's directory>/file`. `kill_grace` is in seconds. `starter` is
    the gateway's process that created the job.
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


@dataclass(frozen=True)
class Running:
    """Who runs the job, in `running`."""

    supervisor: Process
    cli: Process
    boot_id: str


@dataclass(frozen=True)
class Ended:
    """How the job ended, in `ended`.

    `exit_code` or `signal` (a name) is the CLI's own end, both None if it never started.
    `stop_signal` is the highest signal the supervisor used, `killed` how many processes it
    ended with one. `result` holds what the CLI's last `result` line said, without its text;
    `result_at` is that line's offset and length in the output, in bytes. `error` is a
    sentence for what the gateway itself could not do.
    """

    status: Status
    ended_at: str
    exit_code: int | None = None
    signal: str | None = None
    stop_signal: str | None = None
    killed: int = 0
    session_id: str | None = None
    result: dict[str, Any] = field(default_factory=dict)
    result_at: list[int] | None = None
    error: str | None = None


class JobDirectory:
    """One job's directory, whether or not it exists yet."""

    def __init__(self, state: str, job_id: str) -> None:
        self.id = job_id
        self.path = f"{state}/jobs/{job_id}"
        self.input = f"{self.path}/input"
        self.output = f"{self.path}/output"
        self.errors = f"{self.path}/errors"
        self._live = f"{state}/live/{job_id}"

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
        _write(f"{self.path}/job.json", json.dumps(job.__dict__).encode())
        # A link costs half of what a new file does.
        os.link(f"{self.path}/job.json", self._live)

    def remove(self) -> None:
        """Remove the job and every trace of it; nothing happens if there is none."""
        with suppress(FileNotFoundError):
            os.unlink(self._live)
        shutil.rmtree(self.path, ignore_errors=True)

    def job(self) -> Job | None:
        """What was asked, or None if there is no such job."""
        record = self._get("job.json")
        if record is None:
            return None
        return Job(**{**record, "starter": Process(*record["starter"])})

    def running(self) -> Running | None:
        """Who runs the job, or None if the CLI was never started."""
        record = self._get("running")
        if record is None:
            return None
        return Running(
            Process(*record["supervisor"]), Process(*record["cli"]), record["boot_id"]
        )

    def ended(self) -> Ended | None:
        """How the job ended, or None if it has not."""
        record = self._get("ended")
        return None if record is None else Ended(**record)

    def set_running(self, running: Running) -> None:
        """Write who runs the job."""
        self._put("running", running.__dict__)

    def end(self, ended: Ended) -> None:
        """Write how the job ended, take it off the list of the living, seal its output."""
        self._put("ended", ended.__dict__)
        self.seal()

    def seal(self) -> None:
        """What follows the writing of `ended`; whoever finds it undone may do it again."""
        with suppress(FileNotFoundError):
            os.unlink(self._live)
        os.chmod(self.output, _SEALED)

    def claimed_for(self) -> float | None:
        """Seconds since a supervisor claimed the job or its CLI last complained, or None."""
        try:
            return time.time() - os.stat(self.errors).st_mtime
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
        output = os.open(self.output, os.O_RDONLY)
        try:
            return read_session(output)
        finally:
            os.close(output)

    def _put(self, name: str, record: Mapping[str, Any]) -> None:
        temporary = f"{self.path}/{name}.{os.getpid()}"
        _write(temporary, json.dumps(record).encode())
        os.replace(temporary, f"{self.path}/{name}")

    def _get(self, name: str) -> dict[str, Any] | None:
        try:
            record = os.open(f"{self.path}/{name}", os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            content = os.read(record, os.fstat(record).st_size)
        finally:
            os.close(record)
        fields: dict[str, Any] = json.loads(content)
        return fields


class Spool:
    """All jobs of one state folder."""

    def __init__(self, state: Path) -> None:
        self.state = str(state)

    def prepare(self) -> None:
        """Make the folders, for this user's eyes only. Raises OSError."""
        for folder in ("", "/jobs", "/live"):
            os.makedirs(self.state + folder, mode=0o700, exist_ok=True)

    def directory(self, job_id: str) -> JobDirectory | None:
        """The directory that a job of this id has or would have; None if it is not an id.

        An id is a UUID in its usual spelling, so that no id from outside names a path.
        """
        try:
            if str(UUID(job_id)) != job_id:
                return None
        except ValueError:
            return None
        return JobDirectory(self.state, job_id)

    def living(self) -> Iterator[JobDirectory]:
        """The jobs that have not ended, or whose end nobody has written down yet."""
        for job_id in os.listdir(f"{self.state}/live"):
            yield JobDirectory(self.state, job_id)


def is_sealed(mode: int) -> bool:
    """Whether an output with this mode (`st_mode`) grows no more."""
    return mode & 0o777 == _SEALED


def now() -> str:
    """This moment in UTC, as ISO 8601 with a `Z`, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OPEN)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)
