"""Two users with keys of their own."""

from typing import Any

from app.auth.api_keys import hashed
from tests.support.gateway import Gateway, Stream

ALICE, BOB = "a-key-of-alices-own", "a-key-of-bobs-own-1"
KEYS = f"alice:{ALICE},{hashed('bob', BOB)}"


def by(key: str) -> dict[str, Any]:
    """What signs a request with a key."""
    return {"auth": None, "headers": {"Authorization": f"Bearer {key}"}}


def chat(gateway: Gateway, key: str, *verbs: str, **fields: Any) -> Stream:
    """A job of a key's user."""
    body = {"prompt": "\n".join(verbs), "cwd": str(gateway.project), **fields}
    return gateway.opened(gateway.ask("POST", "/chat", json=body, stream=True, **by(key)))
