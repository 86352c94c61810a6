"""Every error that the gateway can report: its HTTP status, its stable code, its words."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.text import shortened


class ConfigurationError(Exception):
    """The gateway cannot start with these settings; the message is one plain line."""


class GatewayError(Exception):
    """An error that is answered to a client. `detail` is for people, `code` for programs.

    `hint` says what would help, where `detail` must stay as clients know it. `header_names`
    are those of `headers` that a client needs. The first line of each class's docstring is
    also in the OpenAPI document.
    """

    status = 500
    code = "internal_error"
    header_names: tuple[str, ...] = ()
    hint: str | None = None

    def __init__(self, detail: str | Sequence[Mapping[str, Any]] = "Internal Server Error") -> None:
        super().__init__(detail)
        self.detail = detail

    def headers(self) -> dict[str, str]:
        """Headers that belong to this error's answer."""
        return {}


class InternalError(GatewayError):
    """A mistake of the gateway's; its log has the `request_id`."""


class NotAuthenticated(GatewayError):
    """There is no Authorization header, or it cannot be read."""

    status = 401
    code = "not_authenticated"
    header_names = ("WWW-Authenticate",)

    def __init__(self, detail: str = "Not authenticated", hint: str | None = None) -> None:
        super().__init__(detail)
        self.hint = hint

    def headers(self) -> dict[str, str]:
        """The challenge of RFC 7617."""
        return {"WWW-Authenticate": 'Basic realm="claudecode2api", charset="UTF-8"'}


class InvalidCredentials(NotAuthenticated):
    """The user, password or key is wrong."""

    code = "invalid_credentials"

    def __init__(self, hint: str | None = None) -> None:
        super().__init__("Invalid credentials", hint)


class TooManyAttempts(GatewayError):
    """Too many failed attempts came from this address.

    `retry_after` is in seconds.
    """

    status = 429
    code = "too_many_attempts"
    header_names = ("Retry-After",)

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many failed attempts; try again in {retry_after} s")
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        """When to come back (RFC 9110, section 10.2.3)."""
        return {"Retry-After": str(self.retry_after)}


class HostNotAllowed(GatewayError):
    """The Host header names none of ALLOWED_HOSTS."""

    status = 400
    code = "host_not_allowed"

    def __init__(self) -> None:
        super().__init__(
            "This host name is not served here; the operator can add it to ALLOWED_HOSTS"
        )


class CrossSite(GatewayError):
    """A browser sent this request for a page of another site."""

    status = 403
    code = "cross_site_request"

    def __init__(self) -> None:
        super().__init__(
            "Requests from pages of other sites are refused;"
            " the operator can name the page's origin in CORS_ORIGINS"
        )


class UnsupportedMediaType(GatewayError):
    """The body is not declared as JSON, or it is compressed."""

    status = 415
    code = "unsupported_media_type"

    def __init__(
        self,
        detail: str = (
            "The request body must be JSON: send the header Content-Type: application/json"
        ),
    ) -> None:
        super().__init__(detail)


class InvalidRequest(GatewayError):
    """A body that does not fit the schema; `detail` is a list of `type`, `loc`, `msg`."""

    status = 422
    code = "invalid_request"

    def __init__(self, complaints: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(complaints)
        self.complaints = complaints

    @classmethod
    def of(cls, kind: str, location: Sequence[str | int], message: str) -> "InvalidRequest":
        """An error in one place of the request."""
        return cls([{"type": kind, "loc": list(location), "msg": message}])


class BodyTooLarge(GatewayError):
    """The body exceeds MAX_BODY."""

    status = 413
    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body exceeds {limit} bytes (MAX_BODY)")


class BadRequest(GatewayError):
    """The request is malformed HTTP."""

    status = 400
    code = "bad_request"

    def __init__(self, detail: str = "Bad Request") -> None:
        super().__init__(detail)


class UriTooLong(GatewayError):
    """The request line is too long."""

    status = 414
    code = "uri_too_long"

    def __init__(self) -> None:
        super().__init__("URI Too Long")


class HeadersTooLarge(GatewayError):
    """The headers are too long, or too many."""

    status = 431
    code = "headers_too_large"

    def __init__(self) -> None:
        super().__init__("Request Header Fields Too Large")


class ExpectationFailed(GatewayError):
    """The Expect header asks for something the server does not support."""

    status = 417
    code = "expectation_failed"

    def __init__(self) -> None:
        super().__init__("Expectation Failed")


class TransferCodingNotSupported(GatewayError):
    """The Transfer-Encoding is not supported."""

    status = 501
    code = "transfer_coding_not_supported"

    def __init__(self) -> None:
        super().__init__("Not Implemented")


class BadBody(BadRequest):
    """The body was cut off, or its chunks are malformed."""

    def __init__(self) -> None:
        super().__init__("The request body is broken off, or its chunks are malformed")

    def headers(self) -> dict[str, str]:
        """Where the next request begins is not known."""
        return {"Connection": "close"}


class BodyTooSlow(GatewayError):
    """The body did not arrive in time."""

    status = 408
    code = "body_too_slow"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request body did not arrive within {seconds:g} s")

    def headers(self) -> dict[str, str]:
        """What is left of the body may still be on its way (RFC 9110, section 15.5.9)."""
        return {"Connection": "close"}


class BadDirectory(GatewayError):
    """`cwd` is not a usable directory."""

    status = 400
    code = "bad_directory"


class DirectoryNotAllowed(GatewayError):
    """`cwd` lies outside CWD_ROOTS."""

    status = 403
    code = "directory_not_allowed"


class BadIdempotencyKey(GatewayError):
    """The Idempotency-Key header is malformed."""

    status = 400
    code = "bad_idempotency_key"

    def __init__(self) -> None:
        super().__init__("Idempotency-Key must be 1 to 255 visible ASCII characters")


class IdempotencyKeyReused(GatewayError):
    """The Idempotency-Key was sent with another request."""

    status = 409
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was sent with another request; take a new one for this request"
        )


class BadEventId(GatewayError):
    """The event id is not one of this job."""

    status = 400
    code = "bad_event_id"

    def __init__(self, given: str, job_id: str) -> None:
        super().__init__(f"Not the id of an event of {job_id}: {given[:100]!r}")


class GatewayStops(GatewayError):
    """This gateway process is shutting down; retry the same URL."""

    status = 503
    code = "gateway_stops"
    header_names = ("Retry-After",)

    def __init__(self, path: str) -> None:
        super().__init__(f"The gateway stops or reloads; ask again for {path}")

    def headers(self) -> dict[str, str]:
        """When to come back, on a new connection."""
        return {"Retry-After": "1", "Connection": "close"}


class TooManyConnections(GatewayError):
    """All connections that this process of the gateway can serve at once are in use."""

    status = 503
    code = "too_many_connections"
    header_names = ("Retry-After",)

    def __init__(self) -> None:
        super().__init__(
            "Too many connections are open; close some, or raise the gateway's limit of open files"
        )

    def headers(self) -> dict[str, str]:
        """When to come back, on a new connection: it may reach another process."""
        return {"Retry-After": "1", "Connection": "close"}


class JobGoesOn(GatewayError):
    """This gateway process is shutting down; the job goes on and can be read again.

    Not a GatewayStops, because the same request would start another job.
    """

    status = 424
    code = "gateway_stops"
    header_names = ("X-Process-ID",)

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"The gateway stops or reloads, and the job goes on: read it at /chat/{job_id}"
        )
        self.job_id = job_id

    def headers(self) -> dict[str, str]:
        """Which job it is; the next request needs a new connection."""
        return {"X-Process-ID": self.job_id, "Connection": "close"}


class JobOutOfSight(GatewayError):
    """The gateway failed after it had started the job, which goes on."""

    status = 424
    header_names = ("X-Process-ID",)

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Internal Server Error; the job goes on: read it at /chat/{job_id}")
        self.job_id = job_id

    def headers(self) -> dict[str, str]:
        """Which job it is."""
        return {"X-Process-ID": self.job_id}


class NotFound(GatewayError):
    """There is no such path."""

    status = 404
    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Not Found")


class JobNotFound(GatewayError):
    """There is no such job that this user may see, or it has ended."""

    status = 404
    code = "process_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Process not found: {shortened(job_id)}")


class SessionNotFound(GatewayError):
    """There is no such session that this user may continue."""

    status = 404
    code = "session_not_found"
    param = "session_id"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"Session not found: {session_id[:100]}")


class JobRuns(GatewayError):
    """The job has not ended: it runs, or waits for its turn."""

    status = 409
    code = "job_running"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"The job has not ended: {job_id}; cancel it first (DELETE /chat/{job_id})"
        )


class QueueFull(GatewayError):
    """All job slots and queue places are taken."""

    status = 429
    code = "queue_full"
    header_names = ("Retry-After",)

    def __init__(self, waiting: int) -> None:
        super().__init__(f"No job can start: MAX_JOBS run, and {waiting} wait already (QUEUE_SIZE)")

    def headers(self) -> dict[str, str]:
        """When to come back; when a job will end is not known."""
        return {"Retry-After": "10"}


class DiskFull(GatewayError):
    """Less than MIN_FREE_DISK is left where the jobs are kept."""

    status = 507
    code = "insufficient_storage"

    def __init__(self) -> None:
        super().__init__("No job can start: the disk of STATE_DIR is nearly full (MIN_FREE_DISK)")


class JobNotStarted(GatewayError):
    """The gateway could not start the CLI."""

    status = 503
    code = "job_not_started"


class JobNotEnded(GatewayError):
    """Processes of the job are left: another user's, or stuck in the kernel."""

    status = 504
    code = "job_not_ended"


class Unavailable(GatewayError):
    """Jobs cannot run here now; `detail` names what is not well."""

    status = 503
    code = "unavailable"
