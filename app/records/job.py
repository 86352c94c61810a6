"""One job's directory: what is in it, and how each fact is written and read.

    STATE_DIR/jobs/<id>/job.json   what was asked; by the gateway, before the start
                        input      the CLI's standard input: stream-json messages, one a line
                        claim      a link that names the process that runs or closes the job
                        errors     the CLI's standard error
                        output     the CLI's standard output, written by the CLI itself
                        running    who runs it; by the supervisor
                        temporary  a link to its folder for temporary files; by the supervisor
                        ended      how it ended; by the supervisor, or by who finds that it died
    STATE_DIR/live/<id>            a link to job.json, until `ended` is written
    STATE_DIR/untold/<id>          the same link from then on, until its end is logged
    STATE_DIR/unindexed/<id>       the same link from then on, until it is in the index of jobs

The mode of its `input` says what should become of a running job (0600: run; 0400: end;
0500: end the turn), because a mode can be changed when the disk is full.

A record is written whole (a temporary file, then a rename), so that a reader sees all of it
or none. The output is sealed (mode 0400) last of all: a sealed output grows no more, and
`ended` lies beside it. A job runs as our user and can put anything in the place of any of these
files: so each is opened by `app.state.files`, and read as what it should be or not at all.

Standard library alone and little of it, because the supervisor imports this: every page of
memory that it touches after its fork costs time and space. So paths are plain strings, and
records are named tuples.
"""

import json
import os
import re
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from app import processes
from app.cli.lines import read_session
from app.processes import Process
from app.records import session_owners
from app.state import files, record_file

Status = Literal["succeeded", "failed", "cancelled", "timed_out", "lost"]

# Two, because readers notice only a change, and a job may have set the first one itself.
_SEALED = (0o400, 0o440)
_OPEN = 0o600
_TO_END = 0o400
# A mode with which the supervisor can still read it.
_TO_INTERRUPT = 0o500
# Bytes of a hole that the CLI cannot have written, and how many smaller ones are looked at.
_HOLE = 1 << 24
_MOST_HOLES = 1000
_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class JobRequest(NamedTuple):
    """What was asked, in `job.json`.

    `arguments` are the CLI's, without its path; one of the form `{"flag": …, "file": …}`
    stands for `flag=<the job's directory>/file`. `starter` is the gateway's process that
    created the job. `kill_grace` and the two limits of time are in seconds, `max_output` in
    bytes, `prompt_length` in characters; None is no limit. `continues` is the session that the
    job writes to: `session_id`, unless it is forked. `request_id` is the request's. `roots` are
    the folders that `cwd` must be in at the start, too; none: it may be anywhere. `title` is what
    people know the job by.
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
    roots: list[str] = []  # noqa: RUF012 - of a named tuple
    title: str | None = None


class Claim(NamedTuple):
    """The process that claimed a job, to run it (`supervisor`) or to close it (`closer`)."""

    role: str
    process: Process


class Running(NamedTuple):
    """Who runs the job, in `running`."""

    supervisor: Process
    cli: Process
    boot_id: str


class JobEnd(NamedTuple):
    """How the job ended, in `ended`.

    `exit_code` or `signal` (a name) is the CLI's own end, both None if it never started.
    `stop_signal` is the highest signal the supervisor used, `killed` how many processes it
    ended with one. `result` holds what the CLI's last `result` line said, without its text;
    `result_at` is that line's offset and length in the output, in bytes. `error` is a
    sentence that says why the job did not succeed, `left` how many processes could not be
    ended. `reason` is the same for programs, if it is one that they can know.
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

    @property
    def never_started(self) -> bool:
        """Whether the CLI could not be started: `error` says why."""
        return self.status == "failed" and self.exit_code is None and self.signal is None


class Job:
    """One job's directory, whether or not it exists yet."""

    def __init__(self, state: str, job_id: str) -> None:
        self.id = job_id
        self.state = state
        self.path = f"{state}/jobs/{job_id}"
        self.input = f"{self.path}/input"
        self.output = f"{self.path}/output"
        self.errors = f"{self.path}/errors"
        self.claim_link = f"{self.path}/claim"
        self.live = f"{state}/live/{job_id}"
        self.untold = f"{state}/untold/{job_id}"
        self.unindexed = f"{state}/unindexed/{job_id}"

    def create(self, request: JobRequest, input_: bytes, contents: Mapping[str, bytes]) -> None:
        """Make the directory with everything that the supervisor will need.

        Raises OSError; the caller removes what was made.
        """
        os.mkdir(self.path, mode=0o700)
        for name, content in contents.items():
            files.write_file(f"{self.path}/{name}", content)
        files.write_file(self.input, input_)
        files.write_file(self.output, b"")
        # Nobody looks at it before the job is on the list of the living.
        files.write_file(f"{self.path}/job.json", json.dumps(request._asdict()).encode())
        # A link costs half of what a new file does.
        os.link(f"{self.path}/job.json", self.live)

    def request(self) -> JobRequest | None:
        """What was asked, or None if there is no such job."""
        return record_file.read_as(JobRequest, f"{self.path}/job.json")

    def running(self) -> Running | None:
        """Who runs the job, or None if the CLI was never started."""
        return record_file.read_as(Running, f"{self.path}/running")

    def end(self) -> JobEnd | None:
        """How the job ended, or None if it has not, or the record of it is damaged."""
        return record_file.read_as(JobEnd, f"{self.path}/ended")

    def has_ended(self) -> bool:
        """Whether it is written how the job ended; says nothing of what is written."""
        return files.is_there(f"{self.path}/ended")

    def end_time(self) -> float:
        """When the job's end was written, in seconds since the epoch; infinity if it was not."""
        try:
            return os.lstat(f"{self.path}/ended").st_mtime
        except OSError:
            return float("inf")

    def set_running(self, running: Running) -> None:
        """Write who runs the job. Raises OSError."""
        record_file.write_record(f"{self.path}/running", running._asdict())

    def mend(self, request: JobRequest, running: Running) -> None:
        """Write anew what a running job may have damaged: without it, the job cannot be found.

        Raises OSError.
        """
        if self.has_ended():
            files.discard(f"{self.path}/ended")
        if self.running() != running:
            self.set_running(running)
        if self.request() != request:
            record_file.write_record(f"{self.path}/job.json", request._asdict())
            files.discard(self.live)
        if not files.is_there(self.live):
            os.link(f"{self.path}/job.json", self.live)

    def write_end(self, ended: JobEnd, output: int | None = None) -> None:
        """Write how the job ended, take it off the list of the living, seal its output.

        `output` is the open output, if the caller has it. Raises OSError.
        """
        record_file.write_record(f"{self.path}/ended", ended._asdict())
        self.note_owner(ended)
        self._seal(output)

    def seal(self) -> None:
        """What follows the writing of `ended`; any process that finds it undone may do it again.

        Raises OSError.
        """
        self.note_owner(self.end())
        self._seal(None)

    def _seal(self, output: int | None) -> None:
        """Take the job off the list of the living, and wake the readers of its output.

        If the job has put something else in its place, an empty file takes that.
        """
        self._leave_the_living()
        if output is not None:
            os.fchmod(output, _sealed_mode(os.fstat(output).st_mode))
            if self.is_output(output):
                return
        status = self._output_status()
        if status is None and self.exists():
            files.replace_file(self.output, b"")
            status = self._output_status()
        if status is not None:
            files.change_mode(self.output, _sealed_mode(status.st_mode))

    def note_owner(self, ended: JobEnd | None) -> None:
        """Remember whose the session is that the job began, if it has ended and began one."""
        request = self.request() if ended is not None and ended.session_id is not None else None
        if request is None or ended is None or ended.session_id == request.continues:
            return
        with suppress(OSError):
            # With the disk full, the operator alone can go on with the session.
            session_owners.note(self.state, str(ended.session_id), request.user)

    def _leave_the_living(self) -> None:
        try:
            os.rename(self.live, self.untold)
        except OSError:
            # Done before, or the job was removed by hand, or a folder was.
            if files.is_there(self.live):
                for folder in (self.live, self.untold):
                    files.make_folder(os.path.dirname(folder))
                with suppress(OSError):
                    os.rename(self.live, self.untold)
        # It is still there if both were links to one file: then a rename does nothing.
        files.discard(self.live)

    def take_untold(self) -> bool:
        """Whether the end is the caller's to tell: one is told so, once."""
        # Linked first: if the process dies in between, the index does not lack the job.
        self._link_unindexed()
        try:
            os.unlink(self.untold)
        except OSError:
            files.discard(self.untold)
            return False
        return True

    def _link_unindexed(self) -> None:
        try:
            os.link(self.untold, self.unindexed, follow_symlinks=False)
        except OSError:
            # Another process did it, or a job removed the folder.
            if files.is_there(self.untold) and not files.is_there(self.unindexed):
                with suppress(OSError):
                    files.make_folder(os.path.dirname(self.unindexed))
                    os.link(self.untold, self.unindexed, follow_symlinks=False)

    def exists(self) -> bool:
        """Whether it is still there."""
        try:
            return stat.S_ISDIR(os.lstat(self.path).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def size(self) -> int:
        """Bytes that the CLI has written so far; 0 if the output was removed."""
        status = self._output_status()
        return 0 if status is None else status.st_size

    def _output_status(self) -> os.stat_result | None:
        """The output's status, or None if it is no regular file any more."""
        try:
            status = os.lstat(self.output)
        except OSError:
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def is_output(self, descriptor: int) -> bool:
        """Whether this open file is still the job's output."""
        status = self._output_status()
        return status is not None and os.path.samestat(status, os.fstat(descriptor))

    def open_output(self, flags: int = os.O_RDONLY) -> int:
        """The open output; an empty one in place of what a job has removed or replaced."""
        try:
            return files.open_file(self.output, flags)
        except OSError:
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def cut_holes(self) -> None:
        """Cut the output off where it has a hole: the CLI writes none, but a job can make one.

        To look for the last line in a hole of 300 GB takes minutes.
        """
        with suppress(OSError):
            output = files.open_file(self.output, os.O_RDWR)
            try:
                end = data_end(output, 0)
                if end < os.fstat(output).st_size:
                    os.ftruncate(output, end)
            finally:
                os.close(output)

    def claim(self, role: Literal["supervisor", "closer"]) -> int:
        """Make the job the caller's to run or to close; returns its open standard error.

        The link is made once, and names the process from the beginning. Raises FileExistsError if
        the job is claimed already, and OSError.
        """
        process = processes.this_process()
        text = f"{role} {process.pid} {process.started} {processes.boot_id()}"
        os.symlink(text, self.claim_link)
        # Version 1.0.0 knows no link: there, making this file is the claim.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        try:
            return files.open_file(self.errors, flags, _OPEN)
        except OSError:
            files.discard(self.claim_link)
            raise

    def is_claimed(self) -> bool:
        """Whether the job has been claimed, to run it or to close it."""
        return files.is_there(self.claim_link) or files.is_there(self.errors)

    def claimed_by(self) -> Claim | None:
        """Who has claimed the job in this boot of the machine, if that can be read."""
        try:
            role, pid, started, boot = os.readlink(self.claim_link).split(" ")
            claim = Claim(role, Process(int(pid), int(started)))
        except (OSError, ValueError):
            return None
        return claim if boot == processes.boot_id() else None

    def ask_to_cancel(self, gently: bool = False) -> None:
        """Leave the mark that makes a SIGTERM to the supervisor mean this job.

        Who asks gently does not take back what another wants. A directory that was removed
        says the same.
        """
        wish = self._wish()
        if wish is None or (gently and wish != _OPEN):
            return
        with suppress(FileNotFoundError):
            files.change_mode(self.input, _TO_INTERRUPT if gently else _TO_END)

    def is_to_be_cancelled(self) -> bool:
        """Whether somebody has asked for this job's end, or has removed its directory."""
        return self._wish() in (_TO_END, None)

    def take_interrupt(self) -> bool:
        """Whether somebody has asked for a gentle end since this was last called."""
        if self._wish() != _TO_INTERRUPT:
            return False
        files.change_mode(self.input, _OPEN)
        return True

    def _wish(self) -> int | None:
        try:
            mode = os.lstat(self.input).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        return stat.S_IMODE(mode) if stat.S_ISREG(mode) else None

    def forget_input(self) -> None:
        """Free the room of the CLI's input: the CLI has read it, or never will."""
        with suppress(OSError):
            wish = stat.S_IMODE(os.lstat(self.input).st_mode)
            files.change_mode(self.input, _OPEN)
            os.close(files.open_file(self.input, os.O_WRONLY | os.O_TRUNC))
            files.change_mode(self.input, wish)

    def read_errors(self, limit: int) -> bytes:
        """The last `limit` bytes of the CLI's standard error; none if it cannot be read."""
        try:
            errors = files.open_file(self.errors)
        except OSError:
            return b""
        try:
            return os.pread(errors, limit, max(0, os.fstat(errors).st_size - limit))
        finally:
            os.close(errors)

    def read_session(self) -> str | None:
        """The session that the CLI has named so far, if any."""
        output = self.open_output()
        try:
            return read_session(output)
        finally:
            os.close(output)


def is_job_id(text: str) -> bool:
    """Whether this is a UUID in its usual spelling, so that no id from outside names a path."""
    return _ID.fullmatch(text) is not None


def data_end(descriptor: int, position: int) -> int:
    """Where the next large hole of an open file begins, or its end (lseek(2)).

    Some file systems keep zeros that were written as small holes: those are data.
    """
    size = os.fstat(descriptor).st_size
    hole = position
    for _ in range(_MOST_HOLES):
        hole = _seek(descriptor, position, os.SEEK_HOLE, size)
        position = _seek(descriptor, hole, os.SEEK_DATA, size)
        if position - hole >= _HOLE:
            return hole
        if position >= size:
            return size
    return hole


def _seek(descriptor: int, position: int, whence: int, otherwise: int) -> int:
    try:
        return os.lseek(descriptor, position, whence)
    except OSError:
        # There is none behind this position.
        return otherwise


def is_sealed(mode: int) -> bool:
    """Whether an output with this mode (`st_mode`) grows no more."""
    return mode & 0o777 in _SEALED


def _sealed_mode(mode: int) -> int:
    """The mode that seals an output of this mode: another one, or no reader would notice."""
    return _SEALED[1] if stat.S_IMODE(mode) == _SEALED[0] else _SEALED[0]


def now() -> str:
    """This moment in UTC, as ISO 8601 with a `Z`, to the millisecond."""
    moment = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{seconds}.{int(moment % 1 * 1000):03}Z"
