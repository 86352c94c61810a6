"""Checks whether the gateway runs, and accepts the password."""

import errno
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from app.server.gateway_lock import master_pid
from app.settings import Settings
from app.tool.check import Check, failed, ok, skipped
from app.tool.client import CONNECT_PATIENCE, Client
from app.tool.failure import Failure, RequestRefused, Unreachable

_START = "claudecode2api serve, or sudo systemctl start claudecode2api"
_RELOAD = "reload the gateway, so that it reads the password in .env"


def check(settings: Settings, client: Client) -> Iterator[Check]:
    """The port, and the gateway."""
    address = urlsplit(client.url)
    host = address.hostname or ""
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), CONNECT_PATIENCE).close()
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            yield ok("port", f"{port} of {host} is free")
        else:
            fix = "correct HOST in .env"
            yield failed("port", f"cannot reach {host}, port {port}: {error}", fix)
        yield failed("gateway", f"does not run: nothing answers at {client.url}", _START)
        return
    try:
        client.ask("GET", "/")
    except Failure as error:
        fix = f"stop the program (ss -ltnp 'sport = :{port}' shows it), or set another PORT"
        yield failed("port", f"{port} of {host} is taken: {error}", fix)
        yield skipped("gateway", "another program uses its port")
        return
    master = master_pid(str(settings.state_dir))
    process = f", process {master}" if master else ""
    yield ok("port", f"{port} of {host} is the gateway's{process}")
    yield _gateway(client)


def _gateway(client: Client) -> Check:
    try:
        health = client.ask("GET", "/health")
    except Failure as error:
        fix = f"curl {client.url}/health shows which check has failed"
        return failed("gateway", f"jobs cannot run: {error}", fix)
    try:
        count = client.ask("GET", "/processes")["count"]
    except RequestRefused as error:
        return failed("gateway", str(error), _RELOAD)
    except (Unreachable, Failure) as error:
        return failed("gateway", str(error), _START)
    jobs = "1 job runs" if count == 1 else f"{count} jobs run"
    return ok("gateway", f"accepts the password; {jobs}; uses {health.get('claude_path')}")
