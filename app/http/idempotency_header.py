"""The Idempotency-Key header of a request."""

import hashlib
import json
import re

from flask import Request

from app.errors import BadIdempotencyKey
from app.jobs.idempotency import Key

_VALID = re.compile(r"[!-~]{1,255}")


def idempotency_key_of(request: Request, body: bytes) -> Key | None:
    """The request's Idempotency-Key, or None if it has none. Raises BadIdempotencyKey."""
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    if not _VALID.fullmatch(text):
        raise BadIdempotencyKey
    return Key(text, request_digest(request, body))


def request_digest(request: Request, body: bytes) -> str:
    """A digest of all that decides what a request's job does."""
    headers = sorted(
        (name.lower(), value)
        for name, value in request.headers.items()
        if name.lower().startswith("x-claude-") or name.lower() == "x-session-id"
    )
    target = json.dumps([request.path, request.query_string.decode("latin-1"), headers])
    return hashlib.sha256(target.encode() + b"\0" + body).hexdigest()
