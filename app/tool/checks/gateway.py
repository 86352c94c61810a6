"""Checks whether the gateway runs, and accepts the password."""

import errno
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from app.server.gateway_lock import master_pid
from app.settings import Settings
from app.tool.check import Check, failed, ok, skipped, warning
from app.tool.client import CONNECT_PATIENCE, Client
from app.tool.failure import Failure, RequestRefused
from app.tool.remedies import Remedies
from app.version import VERSION


def check(settings: Settings, client: Client, remedies: Remedies) -> Iterator[Check]:
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
            fix = f"{remedies.set('HOST')} to an address of this machine"
            yield failed("port", f"cannot reach {host}, port {port}: {error}", fix)
        yield failed("gateway", f"does not run: nothing answers at {client.url}", remedies.start)
        return
    try:
        client.ask("GET", "/", patience=CONNECT_PATIENCE)
    except Failure as error:
        fix = f"stop the program (ss -ltnp 'sport = :{port}' shows it), or set another PORT"
        yield failed("port", f"{port} of {host} is taken: {error}", fix)
        yield skipped("gateway", "another program uses its port")
        return
    master = master_pid(str(settings.state_dir))
    process = f", process {master}" if master else ""
    yield ok("port", f"{port} of {host} is the gateway's{process}")
    yield from _gateway(client, remedies)


def _gateway(client: Client, remedies: Remedies) -> Iterator[Check]:
    try:
        health = client.ask("GET", "/health")
    except Failure as error:
        fix = f"curl {client.url}/health shows which check has failed"
        yield failed("gateway", f"jobs cannot run: {error}", fix)
        return
    try:
        count = client.ask("GET", "/processes")["count"]
    except RequestRefused as error:
        fix = f"reload the gateway, so that it reads the password: {remedies.reload}"
        yield failed("gateway", str(error), fix)
        return
    except Failure as error:
        yield failed("gateway", str(error), remedies.start)
        return
    jobs = "1 job runs" if count == 1 else f"{count} jobs run"
    version = str(health.get("version"))
    yield ok("gateway", f"version {version}; accepts the password; {jobs}")
    if version != VERSION:
        detail = f"the gateway runs version {version}, and this command is version {VERSION}"
        yield warning("version", detail, "stop the gateway, and start it again")
