"""Whether the gateway answers: `python -m app.tool.install.health URL SECONDS`.

Waits for an answer from /health. Exits with status 1 if none has come in time.
"""

import sys
import time
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

# Seconds for one request, and between two.
_REQUEST_PATIENCE = 5.0
_PAUSE = 0.1


def main() -> None:
    """Return once the gateway answers."""
    url, patience = sys.argv[1:]
    deadline = time.monotonic() + float(patience)
    # A refused host name is an answer, too.
    while not 0 < _status(url) < 500:
        if time.monotonic() > deadline:
            sys.exit(1)
        time.sleep(_PAUSE)


def _status(url: str) -> int:
    """The status of the answer; 0 if there is none."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=_REQUEST_PATIENCE)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


if __name__ == "__main__":
    main()
