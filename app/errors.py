"""Every error that the gateway reports: its HTTP status, its stable code and its message."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.text import shortened

#: A job that has started and gives no result (RFC 4918). Clients do not retry this status.
FAILED_DEPENDENCY = 424


class ConfigurationError(Exception):
    """The gateway cannot start with these settings; the message is one plain line."""


class GatewayError(Exception):
    """An error that ends a request: `detail` is for people, `code` for programs.

    `detail` is the class's `message` unless another is given. `hint` is advice, for errors whose
    `detail` must not change. `header_names` are the headers that a client can rely on. The first
    line of each docstring is published in the OpenAPI document.
    """

    status = 500
    code = "internal_error"
    message = "Internal Server Error"
    hint: str | None = None
    header_names: tuple[str, ...] = ()

    def __init__(self, detail: str | Sequence[Mapping[str, Any]] | None = None) -> None:
        self.detail = self.message if detail is None else detail
        super().__init__(self.detail)

    def headers(self) -> dict[str, str]:
        """The headers that this error adds to the response."""
        return {}


class InternalError(GatewayError):
    """The gateway failed; its log has details under the same `request_id`."""


# The request as HTTP


class BadRequest(GatewayError):
    """The request is malformed HTTP."""

    status = 400
    code = "bad_request"
    message = "Bad Request"


class UriTooLong(GatewayError):
    """The request line is too long."""

    status = 414
    code = "uri_too_long"
    message = "URI Too Long"


class HeadersTooLarge(GatewayError):
    """The headers are too long, or there are too many."""

    status = 431
    code = "headers_too_large"
    message = "Request Header Fields Too Large"


class ExpectationFailed(GatewayError):
    """The Expect header asks for something the server does not support."""

    status = 417
    code = "expectation_failed"
    message = "Expectation Failed"


class TransferCodingNotSupported(GatewayError):
    """The Transfer-Encoding is not supported."""

    status = 501
    code = "transfer_coding_not_supported"
    message = "Not Implemented"


class NotFound(GatewayError):
    """The path does not exist."""

    status = 404
    code = "not_found"
    message = "Not Found"


class TooManyConnections(GatewayError):
    """All connections that this gateway process can serve at once are in use."""

    status = 503
    code = "too_many_connections"
    message = (
        "Too many connections are open; close some, or raise the gateway's limit of open files"
    )
    header_names = ("Retry-After",)

    def headers(self) -> dict[str, str]:
        """When to retry, on a new connection: it may reach another process."""
        return {"Retry-After": "1", "Connection": "close"}


# Who sends the request


class NotAuthenticated(GatewayError):
    """The Authorization header is missing or malformed."""

    status = 401
    code = "not_authenticated"
    message = "Not authenticated"
    header_names = ("WWW-Authenticate",)

    def __init__(self, hint: str | None = None) -> None:
        super().__init__()
        self.hint = hint

    def headers(self) -> dict[str, str]:
        """The challenge of RFC 7617."""
        return {"WWW-Authenticate": 'Basic realm="claudecode2api", charset="UTF-8"'}


class InvalidCredentials(NotAuthenticated):
    """The user, password or key is wrong."""

    code = "invalid_credentials"
    message = "Invalid credentials"


class TooManyAttempts(GatewayError):
    """Too many logins from this address failed.

    `retry_after` is in seconds.
    """

    status = 429
    code = "too_many_attempts"
    header_names = ("Retry-After",)

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many failed attempts; try again in {retry_after} s")
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        """When to retry (RFC 9110, section 10.2.3)."""
        return {"Retry-After": str(self.retry_after)}


class HostNotAllowed(GatewayError):
    """The Host header is not in ALLOWED_HOSTS."""

    status = 400
    code = "host_not_allowed"
    message = "This host name is not served here; the operator can add it to ALLOWED_HOSTS"


class CrossSite(GatewayError):
    """A page of another site sent this request from a browser."""

    status = 403
    code = "cross_site_request"
    message = (
        "Requests from pages of other sites are refused;"
        " the operator can add the page's origin to CORS_ORIGINS"
    )


class OperatorOnly(GatewayError):
    """The user is not the operator."""

    status = 403
    code = "operator_only"
    message = "This is for the operator (AUTH_USER) alone"


# The body and its fields


class UnsupportedMediaType(GatewayError):
    """The Content-Type is not supported, or the body is compressed."""

    status = 415
    code = "unsupported_media_type"
    message = "The request body must be JSON: send the header Content-Type: application/json"


class BodyTooLarge(GatewayError):
    """The body exceeds MAX_BODY."""

    status = 413
    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body exceeds {limit} bytes (MAX_BODY)")


class BadBody(BadRequest):
    """The request is malformed HTTP, or its body was cut off."""

    message = "The request body was cut off, or its chunks are malformed"

    def headers(self) -> dict[str, str]:
        """Where the next request begins is unknown."""
        return {"Connection": "close"}


class BodyTooSlow(GatewayError):
    """The body did not arrive in time."""

    status = 408
    code = "body_too_slow"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request body did not arrive within {seconds:g} s")

    def headers(self) -> dict[str, str]:
        """The rest of the body may still arrive (RFC 9110, section 15.5.9)."""
        return {"Connection": "close"}


class InvalidRequest(GatewayError):
    """The request does not match the schema; `detail` is a list of `type`, `loc` and `msg`."""

    status = 422
    code = "invalid_request"

    def __init__(self, problems: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(problems)
        self.problems = problems

    @classmethod
    def of(cls, kind: str, location: Sequence[str | int], message: str) -> "InvalidRequest":
        """A single problem."""
        return cls([{"type": kind, "loc": list(location), "msg": message}])

    def relocated(
        self, relocate: Callable[[Sequence[str | int]], Sequence[str | int]]
    ) -> "InvalidRequest":
        """The same problems in other places, for a request that was translated from another."""
        return InvalidRequest([{**each, "loc": [*relocate(each["loc"])]} for each in self.problems])


class ConflictingFields(GatewayError):
    """Two fields of the request exclude each other, or one needs another.

    `param` is the field to change.
    """

    status = 400
    code = "conflicting_fields"

    def __init__(self, param: str, detail: str) -> None:
        super().__init__(detail)
        self.param = param


class UnsupportedField(GatewayError):
    """The installed CLI lacks what a field of the request needs.

    `param` is the field.
    """

    status = 400
    code = "field_not_supported"

    def __init__(self, param: str, version: str) -> None:
        super().__init__(
            f"The installed CLI, {version}, does not support {param}; leave it out, or update the"
            " CLI"
        )
        self.param = param


class CapabilitiesUnknown(GatewayError):
    """It is not known yet whether the installed CLI can do what the request needs."""

    status = 503
    code = "capabilities_unknown"
    header_names = ("Retry-After",)

    def __init__(self) -> None:
        super().__init__(
            "The gateway is finding out what the installed CLI can do; send the request again"
        )

    def headers(self) -> dict[str, str]:
        """When that is known, as a rule."""
        return {"Retry-After": "5"}


class BadDirectory(GatewayError):
    """`cwd` is not a usable directory."""

    status = 400
    code = "bad_directory"


class DirectoryNotAllowed(GatewayError):
    """`cwd` is outside of CWD_ROOTS."""

    status = 403
    code = "directory_not_allowed"


class BadIdempotencyKey(GatewayError):
    """The Idempotency-Key header is malformed."""

    status = 400
    code = "bad_idempotency_key"
    message = "Idempotency-Key must be 1 to 255 visible ASCII characters"


class IdempotencyKeyReused(GatewayError):
    """The Idempotency-Key was already used for a different request."""

    status = 409
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was already used for a different request; use a new one"


class BadEventId(GatewayError):
    """Last-Event-ID is not an event of this job."""

    status = 400
    code = "bad_event_id"

    def __init__(self, event_id: str, job_id: str) -> None:
        super().__init__(f"Last-Event-ID is not an event of job {job_id}: {event_id[:100]!r}")


# A job that does not start


class QueueFull(GatewayError):
    """All job slots and queue places are taken."""

    status = 429
    code = "queue_full"
    header_names = ("Retry-After",)

    def __init__(self, waiting: int) -> None:
        super().__init__(
            f"All job slots are taken (MAX_JOBS), and {waiting} jobs are waiting (QUEUE_SIZE)"
        )

    def headers(self) -> dict[str, str]:
        """When to retry; when a job will end is unknown."""
        return {"Retry-After": "10"}


class DiskFull(GatewayError):
    """The disk of STATE_DIR has less than MIN_FREE_DISK left."""

    status = 507
    code = "insufficient_storage"
    message = "No job can start: the disk of STATE_DIR is nearly full (MIN_FREE_DISK)"


class JobNotStarted(GatewayError):
    """The gateway could not start the CLI."""

    status = 503
    code = "job_not_started"


class Unavailable(GatewayError):
    """Jobs cannot run; `detail` names the checks that failed."""

    status = 503
    code = "unavailable"


class DiskTooSlow(GatewayError):
    """The disk did not answer in time."""

    status = 503
    code = "disk_too_slow"
    message = "The disk did not answer in time; try again in a minute"


class ShuttingDown(GatewayError):
    """This gateway process is shutting down; retry the same URL."""

    status = 503
    code = "gateway_stops"
    header_names = ("Retry-After",)

    def __init__(self, path: str) -> None:
        super().__init__(f"The gateway is shutting down or reloading; retry {path}")

    def headers(self) -> dict[str, str]:
        """When to retry, on a new connection."""
        return {"Retry-After": "1", "Connection": "close"}


# A job that the request has started


class JobContinues(GatewayError):
    """The gateway failed after it had started the job, which continues.

    A 424, because a client that retries the request would start another job.
    """

    status = FAILED_DEPENDENCY
    header_names = ("X-Process-ID",)

    def __init__(self, job_id: str) -> None:
        super().__init__(f"{self.message}; the job continues: read it at /chat/{job_id}")
        self.job_id = job_id

    def headers(self) -> dict[str, str]:
        """The job's id."""
        return {"X-Process-ID": self.job_id}


class JobContinuesAfterShutdown(JobContinues):
    """This gateway process is shutting down; the job continues and can be read again."""

    code = "gateway_stops"
    message = "The gateway is shutting down or reloading"

    def headers(self) -> dict[str, str]:
        """The job's id; the next request needs a new connection."""
        return {**super().headers(), "Connection": "close"}


# A job of an earlier request


class NothingFound(GatewayError):
    """Nothing has the name that the request gives, or it belongs to another user.

    The name takes the place of the braces in `message`.
    """

    status = 404
    message = "Not found: {}"

    def __init__(self, name: str) -> None:
        super().__init__(self.message.format(shortened(name)))


class JobNotFound(NothingFound):
    """The job does not exist or belongs to another user; an ended job cannot be cancelled."""

    code = "process_not_found"
    message = "Process not found: {}"


class SessionNotFound(NothingFound):
    """The session does not exist, or belongs to another user."""

    code = "session_not_found"
    message = "Session not found: {}"
    param = "session_id"


class SessionExists(GatewayError):
    """A session with the id `new_session_id` exists already."""

    status = 409
    code = "session_exists"
    param = "new_session_id"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"There is a session {session_id} already: continue it with session_id, or send"
            " another new_session_id"
        )


class SessionInUse(GatewayError):
    """The session is open in a terminal or an editor on the gateway's machine."""

    status = 409
    code = "session_in_use"
    param = "session_id"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"The session {session_id} is open in a terminal: close it there, or set fork_session"
            " to continue a copy of it"
        )


class JobStillRunning(GatewayError):
    """The job has not ended: it is running or queued."""

    status = 409
    code = "job_running"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"The job has not ended: {job_id}; cancel it first (DELETE /chat/{job_id})"
        )


class JobNotEnded(GatewayError):
    """Some processes of the job could not be killed: another user's, or stuck in the kernel."""

    status = 504
    code = "job_not_ended"


# Talking to a job that runs


class JobHasEnded(GatewayError):
    """The job has ended; continue its session with another job."""

    status = 409
    code = "job_ended"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"The job has ended: {job_id}; send a new one, with its session_id to go on with it"
        )


class PlainJob(GatewayError):
    """The job was started without `ask` and `keep_alive`, so it takes no messages."""

    status = 409
    code = "plain_job"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"The job takes no messages and no control requests: {job_id}; only a job that was"
            " started with ask or keep_alive does"
        )


class TooManyMessages(GatewayError):
    """The job has reached the limit of messages, control requests and answers."""

    status = 409
    code = "too_many_messages"

    def __init__(self, most: int) -> None:
        super().__init__(f"The job has got {most} messages, control requests and answers already")


class QuestionNotFound(NothingFound):
    """The job has no question with this id."""

    code = "question_not_found"
    message = "Question not found: {}"


class AlreadyAnswered(GatewayError):
    """The question has an answer; `detail` names the answer and its user."""

    status = 409
    code = "already_answered"

    def __init__(self, behavior: str, user: str, moment: str) -> None:
        super().__init__(f"The question was answered at {moment} by {user}: {behavior}")


class QuestionClosed(GatewayError):
    """The question has expired, or its job was interrupted or has ended."""

    status = 409
    code = "question_closed"

    def __init__(self, why: str) -> None:
        super().__init__(f"The question needs no answer any more: {why}")


class ControlNotAllowed(GatewayError):
    """Clients may not send the CLI control requests of this kind."""

    status = 400
    code = "control_not_allowed"

    def __init__(self, subtype: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"Control requests {shortened(subtype)!r} are not allowed; allowed are"
            f" {', '.join(allowed)}; the operator can add others to CONTROL_ALLOWED"
        )


class ControlFailed(GatewayError):
    """The CLI refused the control request or failed; `detail` is its own message."""

    status = FAILED_DEPENDENCY
    code = "control_failed"


class ControlTimeout(GatewayError):
    """The CLI has not answered the control request in time; it may still carry it out."""

    status = 504
    code = "control_timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The CLI has not answered within {seconds:g} s; it may still carry the request out"
        )


# Runs


class RunNotFound(NothingFound):
    """The run does not exist, belongs to another user, or has ended."""

    code = "run_not_found"
    message = "Run not found: {}"


class RunNotEnded(GatewayError):
    """The run has not ended in time; it may still do so."""

    status = 504
    code = "run_not_ended"
    message = "The run has not ended in time; it may still do so"


# Folders


class FolderNotFound(NothingFound):
    """The folder does not exist, cannot be read, or is outside of CWD_ROOTS."""

    code = "folder_not_found"
    message = "Folder not found: {}"
