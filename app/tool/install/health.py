"""Whether the gateway answers: `python -m app.tool.install.health URL SECONDS`.

Waits for an answer from /health, and prints whether the CLI is logged in (yes, no or unknown).
Exits with status 1 if none has come in time.
"""

import json
import sys
import time
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

#: Seconds to wait for a gateway that answers, and does not know yet about the login.
LOGIN_PATIENCE = 3.0
# Seconds for one request, and between two.
_REQUEST_PATIENCE = 5.0
_PAUSE = 0.1


def main() -> None:
    """Print what the gateway reports about the login, once it answers."""
    url, patience = sys.argv[1:]
    began = time.monotonic()
    while True:
        status, logged_in = _health(url)
        waited = time.monotonic() - began
        # A refused host name is an answer, too.
        if 0 < status < 500 and (status != 200 or logged_in is not None or waited > LOGIN_PATIENCE):
            break
        if waited > float(patience):
            sys.exit(1)
        time.sleep(_PAUSE)
    words = {True: "yes", False: "no", None: "unknown"}
    sys.stdout.write(f"{words[logged_in]}\n")


def _health(url: str) -> tuple[int, bool | None]:
    """The status of the answer, 0 if there is none; and its `logged_in`."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=_REQUEST_PATIENCE)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        status, body = response.status, response.read()
    except (OSError, HTTPException):
        return 0, None
    finally:
        connection.close()
    try:
        logged_in = json.loads(body).get("logged_in")
    except (ValueError, AttributeError):
        logged_in = None
    return status, logged_in if isinstance(logged_in, bool) else None


if __name__ == "__main__":
    main()
