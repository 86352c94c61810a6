"""Whether the gateway runs, takes our password, and brings a job to a good end."""

import errno
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from app.server.gateway_lock import master_pid
from app.settings import Settings
from app.tool.check import Check, failed, ok, skipped
from app.tool.client import CONNECT_PATIENCE, Client
from app.tool.failure import Failure, Refused, Unreachable

_START = "claudecode2api serve, or sudo systemctl start claudecode2api"
_RELOAD = "reload the gateway, so that it takes the password of .env"


def check(settings: Settings, client: Client) -> Iterator[Check]:
    """The port, who answers there, and whether it takes our password."""
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
        yield failed("gateway", f"nothing answers at {client.url}: it does not run", _START)
        return
    try:
        client.ask("GET", "/")
    except Failure as error:
        fix = f"ss -ltnp 'sport = :{port}' shows what it is: end it, or set another PORT in .env"
        yield failed("port", f"{port} of {host} is taken: {error}", fix)
        yield skipped("gateway", "something else has its port")
        return
    master = master_pid(str(settings.state_dir))
    whose = f", process {master}" if master else ""
    yield ok("port", f"{port} of {host} is the gateway's{whose}")
    yield _signed_in(client)


def _signed_in(client: Client) -> Check:
    try:
        health = client.ask("GET", "/health")
    except Failure as error:
        fix = f"curl {client.url}/health shows which of its checks failed"
        return failed("gateway", f"jobs cannot run: {error}", fix)
    try:
        count = client.ask("GET", "/processes")["count"]
    except Refused as error:
        return failed("gateway", str(error), _RELOAD)
    except (Unreachable, Failure) as error:
        return failed("gateway", str(error), _START)
    jobs = "1 job runs" if count == 1 else f"{count} jobs run"
    return ok("gateway", f"takes our password; {jobs}; it uses {health.get('claude_path')}")
