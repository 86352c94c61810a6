"""The access log: one line for each request, when its response was sent or cut off."""

import logging
import time

from flask import Flask, Response, g, request

log = logging.getLogger(__name__)

#: Paths that machines poll: load balancers, Prometheus, and on `/` each worker, which proves to
#: systemd that the gateway answers.
_POLLED = {"/", "/health", "/ready", "/metrics"}


def install(app: Flask) -> None:
    """Log each request once, without its query: that may hold a prompt's fields."""

    @app.before_request
    def start_timer() -> None:
        g.started = time.monotonic()

    @app.after_request
    def log_when_closed(response: Response) -> Response:
        fields = {
            "request_id": g.get("request_id"),
            "job": response.headers.get("X-Process-ID"),
            "user": g.user.name if "user" in g else None,
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
        }
        started = g.get("started", time.monotonic())
        level = logging.DEBUG if request.path in _POLLED else logging.INFO

        def log_request() -> None:
            duration = round(time.monotonic() - started, 3)
            log.log(
                level,
                # What the client chose comes last, where it cannot pass for another field.
                "%d for %s in %.3f s%s: %s %s",
                fields["status"],
                fields["user"] or "anonymous",
                duration,
                f", job {fields['job']}" if fields["job"] else "",
                fields["method"],
                fields["path"],
                extra={**fields, "duration_seconds": duration},
            )

        response.call_on_close(log_request)
        return response
