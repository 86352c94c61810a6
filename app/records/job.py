"""A job's folder with its records: request, claim, wish, end.

    STATE_DIR/jobs/<id>/job.json   the request; by the worker that accepted it
                        message    what is written to the CLI's standard input: a stream-json line
                        history    the conversation before that, in such lines, if there was one
                        output     the output of the run that serves it, by a hard link
                        stderr     likewise, if that is not the run that was prepared for it
                        claim      a link that names the process that runs or closes the job
                        span       a link that says where the job begins in the output, if that
                                   was not known yet when the job was claimed
                        wish       a link that names what a client wants (`app.records.wish`)
                        ended      how it ended; by the supervisor, or by the process that closes
                                   a job whose supervisor died

A job is one part of a run's output, from `span_start` to `span_end`. A record is written whole (a
temporary file, then a rename), so that a reader sees all of it or none. A job has ended once
`ended` is there and the link in `live/` is not (`app.records.job_links`); its readers are woken
after that.

A job's processes run as the gateway's user and can replace any of these files. So each is opened by
`app.state.files`, and a damaged record is read as None. Links need no room on a full disk. Standard
library alone, because the supervisor imports this (see `app.records.run`).
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from app import processes
from app.cli.lines import read_session
from app.records import session_users, wish
from app.records.claim import Claim, Role, parse_claim, text_of
from app.records.inbox import Inbox
from app.records.job_links import JobLinks
from app.records.job_records import JobEnd, JobRequest
from app.records.output_file import open_output, ring, status_of
from app.records.run import Run, RunStart, read_end
from app.records.wish import Wish
from app.state import files, record_file


class Job:
    """One job's folder, whether or not it exists yet."""

    def __init__(self, state: str, job_id: str) -> None:
        self.id = job_id
        self.state = state
        self.path = f"{state}/jobs/{job_id}"
        self.message = f"{self.path}/message"
        self.history = f"{self.path}/history"
        self.output = f"{self.path}/output"
        self.claim_link = f"{self.path}/claim"
        self._span_link = f"{self.path}/span"
        self.wish_link = f"{self.path}/wish"

    # Made when they are needed: a worker has a Job for each client that waits.

    @property
    def links(self) -> JobLinks:
        """The job's links in the lists of jobs."""
        return JobLinks(self.state, self.id)

    @property
    def prepared(self) -> Run:
        """The run that was prepared for the job, with the job's id; another one may serve it."""
        return Run(self.state, self.id)

    @property
    def run(self) -> Run:
        """The run that serves the job: before its claim, the prepared one."""
        return self.run_of(self.claimed_by())

    def run_of(self, claim: Claim | None) -> Run:
        """The run that serves the job with this claim."""
        return self.prepared if claim is None else Run(self.state, claim.run)

    def create(
        self,
        request: JobRequest,
        start: RunStart,
        message: bytes,
        contents: Mapping[str, bytes],
        history: bytes = b"",
    ) -> None:
        """Make the job and the run that is prepared for it.

        Only a run that talks can be given a history. Raises OSError; the caller removes what was
        made.
        """
        os.mkdir(self.path, mode=0o700)
        self.prepared.create(start, contents)
        os.link(self.prepared.output, self.output)
        files.write_file(self.message, message)
        if history:
            files.write_file(self.history, history)
        if start.talks:
            Inbox(self.path).create()
        # No process reads the job before its link in `live/` exists.
        fields = request._replace(run=self.prepared.id)._asdict()
        files.write_file(f"{self.path}/job.json", json.dumps(fields).encode())
        # A link costs half of what a new file does.
        os.link(f"{self.path}/job.json", self.links.live)

    def request(self) -> JobRequest | None:
        """What the client asked for, or None if there is no such job."""
        return record_file.read_as(JobRequest, f"{self.path}/job.json")

    def end(self) -> JobEnd | None:
        """How the job ended, or None if it has not, or if the record of it is damaged."""
        return record_file.read_as(JobEnd, f"{self.path}/ended")

    def has_ended(self) -> bool:
        """Whether there is a record of the job's end, even a damaged one."""
        return files.is_there(f"{self.path}/ended")

    def end_time(self) -> float:
        """When the job's end was written, in seconds since the epoch, or infinity."""
        try:
            return os.lstat(f"{self.path}/ended").st_mtime
        except OSError:
            return float("inf")

    def restore(self, request: JobRequest, claim: Claim) -> None:
        """Restore the records of a running job, which may have damaged them. Raises OSError.

        Does nothing if the folder was removed: that means a cancellation.
        """
        if not self.exists():
            return
        if self.has_ended():
            files.discard(f"{self.path}/ended")
        if files.read_link(self.claim_link) != text_of(claim):
            files.replace_link(self.claim_link, text_of(claim))
        if self.request() != request:
            record_file.write_record(f"{self.path}/job.json", request._asdict())
            files.discard(self.links.live)
        if not files.is_there(self.links.live):
            os.link(f"{self.path}/job.json", self.links.live)

    def write_end(
        self, end: JobEnd, output: int | None = None, request: JobRequest | None = None
    ) -> None:
        """Write how the job ended, and finish it.

        `output` is the open output and `request` the request, if the caller has them. Raises
        OSError.
        """
        # The CLI has read the message, or never will.
        record_file.write_record(f"{self.path}/ended", end._asdict(), spare=self.message)
        request = request or self.request()
        self.note_owner(end, request)
        if request and request.new_session and not self.prepared.was_started():
            # No CLI has seen the id.
            session_users.forget(self.state, request.new_session)
        self._finish(output)

    def finish(self) -> None:
        """Do what follows from a written end; any process may do it again. Raises OSError."""
        self.note_owner(self.end())
        self._finish(None)

    def _finish(self, output: int | None) -> None:
        """Move the job's link from `live/` to `unlogged/`, and wake the readers of its output."""
        self.links.move_to_unlogged()
        if self.exists():
            ring(self.output, output)

    def note_owner(self, end: JobEnd | None, request: JobRequest | None = None) -> None:
        """Record the user of the session that the job began, if it has ended and began one."""
        if end is None or end.session_id is None:
            return
        request = request or self.request()
        if request is None or end.session_id == request.continues:
            return
        with suppress(OSError):
            # If the disk is full, only the operator can continue the session.
            session_users.remember(self.state, str(end.session_id), request.user)

    def exists(self) -> bool:
        """Whether the folder is there."""
        return files.is_folder(self.path)

    def size(self) -> int:
        """Bytes that the CLI has written so far; 0 if the output was removed."""
        status = status_of(self.output)
        return 0 if status is None else status.st_size

    def claim(self, role: Role, run: Run | None = None) -> Claim:
        """Claim the job, to run it or to close it.

        Another `run` than the prepared one serves it from a place that `begin` says later. The link
        is made once, with the process's name in it. Raises FileExistsError if the job is claimed
        already, and OSError.
        """
        if self.prepared.was_started():
            raise FileExistsError(self.claim_link)
        claim = Claim(role, processes.this_process(), self.prepared.id)
        if run is not None:
            claim = claim._replace(run=run.id, span_start=None)
        files.make_link(self.claim_link, text_of(claim))
        return claim

    def move_to(self, run: Run, claim: Claim) -> Claim:
        """Have another run serve a job that this process has claimed. Raises OSError.

        Readers wait for `begin`, unless it is the prepared run.
        """
        is_prepared = run.id == self.prepared.id
        claim = claim._replace(run=run.id, span_start=0 if is_prepared else None)
        files.discard(self._span_link)
        self.show(run)
        files.replace_link(self.claim_link, text_of(claim))
        return claim

    def show(self, run: Run) -> None:
        """Put the output and standard error of this run into the job's folder. Raises OSError."""
        files.replace_by_link(self.output, run.output)
        stderr = f"{self.path}/stderr"
        try:
            files.replace_by_link(stderr, run.stderr)
        except FileNotFoundError:
            # The run has not been started yet.
            files.discard(stderr)

    def begin(self, span_start: int) -> None:
        """Say where the job begins in its run's output, in bytes. Raises OSError."""
        files.replace_link(self._span_link, str(span_start))

    def wake_readers(self) -> None:
        """Wake the readers of the output, because a record has changed. Raises OSError."""
        ring(self.output)

    def span_start(self) -> int | None:
        """Where the job begins in its run's output, in bytes; None if that is not known yet."""
        claim = self.claimed_by()
        if claim is not None and claim.span_start is not None:
            return claim.span_start
        text = files.read_link(self._span_link) or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def is_claimed(self) -> bool:
        """Whether the job has been claimed, to run it or to close it."""
        return files.is_there(self.claim_link) or self.prepared.was_started()

    def claimed_by(self) -> Claim | None:
        """The claim, or None if there is none in this boot of the machine, or if it is damaged."""
        return parse_claim(files.read_link(self.claim_link) or "")

    def ask(self, wanted: Wish, reason: str = "") -> None:
        """Write a wish, which the supervisor reads when it gets a SIGTERM. Raises OSError."""
        try:
            wish.write(self.wish_link, wanted, reason)
        except FileNotFoundError:
            return
        except OSError:
            # The disk is full. A cancelled job does not need its message.
            self.discard_message()
            wish.write(self.wish_link, wanted, reason)

    def wish(self) -> Wish | None:
        """The wish of a client, if any."""
        return wish.read(self.wish_link)

    def is_to_be_cancelled(self) -> bool:
        """Whether the job has to end: it is cancelled or complete, or the folder was removed."""
        return self.wish() in ("cancel", "complete") or not self.exists()

    def take_interrupt(self) -> bool:
        """Remove the wish for an interrupt; returns whether there was one."""
        return wish.take(self.wish_link, "interrupt")

    def discard_message(self) -> None:
        """Empty the message, to free its room: the CLI has read it, or never will."""
        with suppress(OSError):
            os.close(files.open_file(self.message, os.O_WRONLY | os.O_TRUNC))

    def read_stderr(self, limit: int) -> bytes:
        """The last `limit` bytes of the CLI's standard error; none if it cannot be read."""
        # Jobs of version 1.0 have it in `errors`.
        return (
            read_end(self.prepared.stderr, limit)
            or read_end(f"{self.path}/stderr", limit)
            or read_end(f"{self.path}/errors", limit)
        )

    def read_session(self) -> str | None:
        """The session that the CLI has named in its output, if any."""
        claim, start = self.claimed_by(), self.span_start()
        if claim is not None and start is None:
            return None
        output = open_output(self.output)
        try:
            return read_session(output, start or 0)
        finally:
            os.close(output)
