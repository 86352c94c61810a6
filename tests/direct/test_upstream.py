"""The connection to the model's API."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.anthropic_messages import refused
from tests.support.direct_api import Server
from tests.support.direct_client import ask, settings_for
from tests.support.gateway import Gateway, eventually


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A stand-in that speaks TLS, and its certificate, which signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=stand-in"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        capture_output=True,
        check=True,
    )
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server, certificate
    server.shutdown()
    thread.join()
    server.server_close()


def test_only_a_trusted_server_gets_the_key(
    over_tls: tuple[Server, Path], gateway_with: Callable[..., Gateway]
) -> None:
    server, certificate = over_tls
    settings = {**settings_for(server), "ANTHROPIC_BASE_URL": server.url.replace("http", "https")}
    status, _, message = refused(ask(gateway_with(**settings), "say hi"))
    assert status == 503 and "(SSLError)" in message
    assert server.received == []
    gateway = gateway_with(**settings, NODE_EXTRA_CA_CERTS=str(certificate))
    assert ask(gateway, "say hi").status_code == 200
    gateway = gateway_with(**settings, NODE_EXTRA_CA_CERTS="/nonexistent")
    assert refused(ask(gateway, "say hi"))[0] == 503
    assert "cannot use NODE_EXTRA_CA_CERTS" in gateway.log()


def test_connections_stay_open(upstream: Server, start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(**settings_for(upstream), WORKERS="1")
    before = upstream.accepted
    for stream in (True, False, True, False):
        assert ask(gateway, "say hi", stream=stream).status_code == 200
    ask(gateway, "fail 400 invalid_request_error - No", stream=True)
    assert upstream.accepted == before + 1
    # But not after half of an answer.
    ask(gateway, "hang-late", stream=True, claude={"timeout": 0.2})
    eventually(lambda: upstream.hanging == 0)
    assert ask(gateway, "say hi").status_code == 200
    assert upstream.accepted == before + 2


def test_a_folder_that_a_job_has_removed_is_made_anew(
    upstream: Server, gateway_with: Callable[..., Gateway]
) -> None:
    gateway = gateway_with(**settings_for(upstream))
    slots = gateway.state / "direct"
    ask(gateway, "say hi")
    # That of another job may be released after its end.
    eventually(lambda: not list(slots.iterdir()))
    slots.rmdir()
    assert ask(gateway, "say hi").status_code == 200
    slots.rmdir()
    slots.touch()
    assert ask(gateway, "say hi").status_code == 200
    (slots / "no link").touch()
    (slots / "bad").symlink_to("1 2 3 4")
    assert ask(gateway, "say hi").status_code == 200
