"""The check that the gateway can listen on HOST and PORT."""

import errno
import socket
import time

from app.errors import ConfigurationError

_PAUSE = 0.1
_CHOICES = "use 127.0.0.1 for this machine only, 0.0.0.0 for all, or an address of this machine"


def check_address(host: str, port: int, patience: float) -> None:
    """Raises ConfigurationError, which names the setting and a remedy.

    Retries for `patience` seconds while the port is in use: the workers of a killed gateway
    release theirs a moment later.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            _listen(host, port)
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise ConfigurationError(_message(host, port, error)) from None
        except (TypeError, ValueError):
            # The name cannot even be looked up.
            raise ConfigurationError(_message(host, port, socket.gaierror())) from None
        time.sleep(_PAUSE)


def _listen(host: str, port: int) -> None:
    """Listen for a moment, as gunicorn does. Raises OSError, TypeError and ValueError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()


def _message(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"cannot use HOST: {host!r} is not an address or a known host name; {_CHOICES}"
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"cannot use HOST: {host} is not an address of this machine; {_CHOICES}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot listen on {host}, port {port}: the port is in use; stop the program that uses"
            f" it (ss -ltnp 'sport = :{port}' shows it), or set another PORT"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"cannot listen on {host}, port {port}: this user may not use a port that low;"
            " set PORT to 1024 or more"
        )
    return f"cannot listen on {host}, port {port}: {error.strerror}; set HOST or PORT"
