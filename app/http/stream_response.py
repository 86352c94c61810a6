"""The response of a stream, with the headers that keep proxies from buffering it."""

from collections.abc import Iterator

from flask import Response

#: Its headers for the OpenAPI document.
STREAM_HEADERS = ("X-Process-ID", "Cache-Control", "X-Accel-Buffering")


def stream_response(chunks: Iterator[bytes], content_type: str, job_id: str) -> Response:
    """A response that sends each chunk of a job's output at once."""
    response = unbuffered_response(chunks, content_type)
    response.headers["X-Process-ID"] = job_id
    return response


def unbuffered_response(chunks: Iterator[bytes], content_type: str) -> Response:
    """A response that sends each chunk at once."""
    return Response(
        chunks,
        content_type=f"{content_type}; charset=utf-8",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )
