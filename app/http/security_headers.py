"""The security headers of every response."""

from flask import Flask, Response


def install(app: Flask) -> None:
    """Add the headers, where a view has not set them."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        # A browser must not take a job's output for a page or a script.
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response
