"""A line of the log for every request, when its answer has been sent or broken off."""

import logging
import time

from flask import Flask, Response, g, request

log = logging.getLogger(__name__)

#: Requested again and again by machines; `/` by each worker, which proves to systemd that the
#: gateway answers, and by load balancers.
_QUIET = {"/", "/health", "/ready", "/metrics"}


def install(app: Flask) -> None:
    """Log each request once. The query is left out: it may hold a prompt's fields."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def remember(response: Response) -> Response:
        fields = {
            "request_id": g.get("request_id"),
            "job": response.headers.get("X-Process-ID"),
            "user": g.user.name if "user" in g else None,
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
        }
        began = g.get("began", time.monotonic())
        level = logging.DEBUG if request.path in _QUIET else logging.INFO

        def tell() -> None:
            duration = round(time.monotonic() - began, 3)
            log.log(
                level,
                # What the client chose comes last: what it holds cannot pass for the rest.
                "%d for %s in %.3f s%s: %s %s",
                fields["status"],
                fields["user"] or "nobody",
                duration,
                f", job {fields['job']}" if fields["job"] else "",
                fields["method"],
                fields["path"],
                extra={**fields, "duration_seconds": duration},
            )

        response.call_on_close(tell)
        return response
