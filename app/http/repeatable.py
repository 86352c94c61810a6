"""A request that its client may repeat: an SDK sends it again if no response has come."""

import hashlib
import json
from typing import NamedTuple

from flask import Request

from app.auth.users import User
from app.http.idempotency_header import request_digest

# With this header, the SDKs that Stainless makes count how often they have sent a request again.
_COUNT = "X-Stainless-Retry-Count"


class Repeatable(NamedTuple):
    """The digest of a user's request, and whether an equal one came before."""

    digest: str
    is_repeat: bool


def repeatable(request: Request, body: bytes, user: User) -> Repeatable:
    """The request, whose `body` this is, as one that may be repeated."""
    text = json.dumps([user.id, request_digest(request, body)])
    count = request.headers.get(_COUNT, "")
    is_repeat = count.isascii() and count.isdigit() and count.strip("0") != ""
    return Repeatable(hashlib.sha256(text.encode()).hexdigest(), is_repeat)
