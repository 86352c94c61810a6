"""Whether the gateway can listen where HOST and PORT say."""

import errno
import socket
import time

from app.errors import ConfigurationError

_PAUSE = 0.1
_WRITE = "write 127.0.0.1 for this machine alone, 0.0.0.0 for all, or an address of this machine"


def check_address(host: str, port: int, patience: float) -> None:
    """Raises ConfigurationError, which names the setting and what would help.

    A port in use is waited for, up to `patience` seconds: workers of a gateway that was killed
    let go of theirs a moment later.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            _listen(host, port)
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise ConfigurationError(_reason(host, port, error)) from None
        except (TypeError, ValueError):
            # What cannot even be looked up.
            raise ConfigurationError(_reason(host, port, socket.gaierror())) from None
        time.sleep(_PAUSE)


def _listen(host: str, port: int) -> None:
    """Listen for a moment, in the way of gunicorn. Raises OSError, TypeError and ValueError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()


def _reason(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"cannot use HOST: {host!r} is not an address, and no name of one; {_WRITE}"
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"cannot use HOST: {host} is no address of this machine; {_WRITE}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot listen on {host}, port {port}: another program does; end it"
            f" (ss -ltnp 'sport = :{port}' shows which it is), or set another PORT"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"cannot listen on {host}, port {port}: this user may not use a port as low as that;"
            " set PORT to 1024 or more"
        )
    return f"cannot listen on {host}, port {port}: {error.strerror}; set HOST or PORT"
