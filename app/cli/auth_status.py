"""What `claude auth status` says. Pure."""

import json

#: Seconds that the CLI may take to answer.
PATIENCE = 30.0


def logged_in(answer: bytes) -> bool | None:
    """The answer as of version 2.1.330: JSON with `loggedIn`; exit 1 when logged out.

    >>> logged_in(b'{"loggedIn": false, "authMethod": "none"}')
    False
    >>> logged_in(b"unknown command") is None
    True
    """
    try:
        fields = json.loads(answer)
    except ValueError:
        return None
    known = fields.get("loggedIn") if isinstance(fields, dict) else None
    return known if isinstance(known, bool) else None
