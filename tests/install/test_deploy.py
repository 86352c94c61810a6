"""The configurations of docs/deploy.md, in a real nginx and a real Caddy, with TLS."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import PASSWORD, ROOT, Gateway, eventually, free_port, running_gateway
from tests.support.tool import tool_of

pytestmark = pytest.mark.proxy

NAME = "gateway.example.org"
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin"
NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
user root;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {block}
}}
"""
CADDY = """\
{{
	admin off
	auto_https disable_redirects
	default_bind 127.0.0.1
}}
{block}
"""


class Proxy:
    """A running proxy, and curl for it."""

    def __init__(self, folder: Path, gateway: Gateway) -> None:
        self.folder = folder
        self.gateway = gateway
        self.port = free_port()
        self.plain_port = free_port()
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self.log = folder / "log"
        _certify(self.certificate, self.key)

    def block(self, language: str) -> str:
        """The configuration in the documentation, with our names, ports and paths."""
        text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
        (block,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for old, new in {
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "gateway.example.org {": f"gateway.example.org:{self.port} {{",
            "/etc/ssl/gateway.example.org.pem": str(self.certificate),
            "/etc/ssl/private/gateway.example.org.key": str(self.key),
            "127.0.0.1:9876": f"127.0.0.1:{self.gateway.port}",
        }.items():
            block = block.replace(old, new)
        return str(block)

    def start(self, language: str) -> "subprocess.Popen[bytes]":
        """Start the program that takes configurations of this language."""
        configuration = self.folder / "configuration"
        if language == "nginx":
            text = NGINX.format(folder=self.folder, block=self.block(language))
            program = ["nginx", "-e", "stderr", "-p", self.folder, "-c", configuration]
        else:
            text = CADDY.format(block=self.block(language))
            program = ["caddy", "run", "--adapter", "caddyfile", "--config", configuration]
        configuration.write_text(text, encoding="utf-8")
        with self.log.open("wb") as log:
            return subprocess.Popen(
                program,
                env={"PATH": PATH, "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def command(self, path: str, *options: str) -> list[str]:
        """curl for this path, signed in."""
        own = ["--silent", "--no-buffer", "--cacert", str(self.certificate), "--noproxy", "*"]
        resolve = ["--resolve", f"{NAME}:{self.port}:127.0.0.1"]
        url = f"https://{NAME}:{self.port}{path}"
        return ["curl", *own, *resolve, "--user", f"admin:{PASSWORD}", *options, url]

    def curl(self, path: str, *options: str, body: bytes = b"") -> str:
        """What curl prints."""
        done = subprocess.run(
            self.command(path, *options),
            env={"PATH": PATH},
            input=body,
            capture_output=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, (done, self.log.read_text(encoding="utf-8"))
        return done.stdout.decode()

    def start_job(self, *verbs: str, version: str = "--http2") -> "subprocess.Popen[bytes]":
        """A job's stream, with its head, as curl prints it."""
        body = json.dumps({"prompt": "\n".join(verbs), "cwd": str(self.gateway.project)})
        options = ["--include", version, "-H", "Content-Type: application/json", "-d", body]
        return subprocess.Popen(
            self.command("/chat", *options), env={"PATH": PATH}, stdout=subprocess.PIPE
        )


@pytest.fixture(scope="module")
def gateway(fake_claude: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the settings that docs/deploy.md names."""
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    settings = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert set(settings) == {"FORWARDED_ALLOW_IPS", "ALLOWED_HOSTS"}
    # The test's own client speaks to it by its address.
    settings["ALLOWED_HOSTS"] += ",127.0.0.1"
    settings["AUTH_MAX_FAILURES"] = "3"
    with running_gateway(tmp_path_factory.mktemp("deploy"), fake_claude, **settings) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=["nginx", "caddyfile"])
def proxy(
    request: pytest.FixtureRequest, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """Each of the two proxies, with the configuration that docs/deploy.md has for it."""
    program, package = {"nginx": ("nginx", "nginx-light"), "caddyfile": ("caddy",) * 2}[
        request.param
    ]
    if shutil.which(program, path=PATH) is None:
        pytest.skip(f"{program} is not installed (Debian: apt-get install {package})")
    proxy = Proxy(tmp_path_factory.mktemp(program), gateway)
    running = proxy.start(request.param)
    try:
        eventually(lambda: _listens(proxy.port), lambda: proxy.log.read_text(encoding="utf-8"))
        yield proxy
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(20)


# Caddy sends plain HTTP to TLS by itself, and answers for its site's name alone.
NGINX_ALONE = pytest.mark.parametrize("proxy", ["nginx"], indirect=True)
VERSIONS = pytest.mark.parametrize("version", ["--http1.1", "--http2"])


@VERSIONS
def test_events_come_before_the_job_ends(proxy: Proxy, version: str, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    with proxy.start_job("line a", f"await {flag}", "line b", "result ok", version=version) as curl:
        assert curl.stdout is not None
        head = _until(curl, b"\r\n").decode().lower()
        assert ("http/2 200" if version == "--http2" else "http/1.1 200") in head
        assert "content-type: text/event-stream; charset=utf-8\r\n" in head
        assert "x-process-id: " in head
        _until(curl, b"data: a\n")
        flag.touch()
        rest = curl.stdout.read()
    assert b"data: b\n" in rest
    assert b'event: done\ndata: {"process_id":' in rest


@VERSIONS
def test_a_client_that_hangs_up_ends_its_job_at_once(proxy: Proxy, version: str) -> None:
    with proxy.start_job("line a", "silent", version=version) as curl:
        _until(curl, b"data: a\n")
        assert len(proxy.gateway.running()) == 1
        curl.kill()
    # Sooner than a heartbeat, after 15 s, at which a write would fail.
    eventually(lambda: proxy.gateway.running() == [], patience=12)


def test_a_stream_is_resumed(proxy: Proxy) -> None:
    with proxy.start_job("line a", "line b", "result ok") as curl:
        assert curl.stdout is not None
        whole = curl.stdout.read().replace(b"\r\n", b"\n").decode()
    job_id = re.findall(r"x-process-id: (.*)\n", whole, re.IGNORECASE)[0]
    first = re.findall(r"^id: (.*)$", whole, re.MULTILINE)[0]
    again = proxy.curl(f"/chat/{job_id}", "-H", f"Last-Event-ID: {first}")
    assert "data: a\n" not in again
    assert again == "retry: 1000\n" + whole.partition(f"id: {first}\n\n")[2]


def test_raw_lines_come_at_once_too(proxy: Proxy, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    body = {"prompt": f"line a\nawait {flag}\nresult ok", "cwd": str(proxy.gateway.project)}
    options = ["-H", "Content-Type: application/json", "-H", "Accept: application/x-ndjson"]
    command = proxy.command("/chat", *options, "-d", json.dumps(body))
    with subprocess.Popen(command, env={"PATH": PATH}, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        assert curl.stdout.readline() == b"a\n"
        flag.touch()
        assert b'"result"' in curl.stdout.read()


def test_bodies_up_to_the_gateways_own_limit_pass(proxy: Proxy) -> None:
    options = ["-H", "Content-Type: text/plain", "--data-binary", "@-", "-H", "Expect:"]
    path = f"/chat?cwd={proxy.gateway.project}"
    verbs = b"result ok\n"
    answer = proxy.curl(path, *options, body=verbs + b"#" * ((32 << 20) - len(verbs)))
    assert '"status":"succeeded"' in answer


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Accept: */*"])
def test_a_large_body_that_the_gateway_refuses_shows_why(proxy: Proxy, framing: str) -> None:
    # Not a 502: the proxy sends the body on, and must come to read the answer. (Over HTTP/2
    # Caddy itself cuts the answer of a request whose body it does not take.)
    headers = [item for text in ("Authorization:", "Expect:", framing) for item in ("-H", text)]
    unsigned = ["--http1.1", *headers, "--data-binary", "@-"]
    body = b"x" * (30 << 20)
    for path in ("/chat?cwd=/", "/v1/chat/completions"):
        answer = json.loads(proxy.curl(path, *unsigned, body=body))
        assert "Not authenticated" in json.dumps(answer)
    # Refused without a look at credentials.
    answer = json.loads(proxy.curl("/nowhere", *unsigned, body=body))
    assert answer["code"] == "not_found"


@NGINX_ALONE
def test_what_is_larger_is_refused(proxy: Proxy) -> None:
    options = ["-H", "Content-Type: text/plain", "--data-binary", "@-", "-H", "Expect:"]
    answer = proxy.curl("/chat?cwd=/", *options, body=b"x" * ((32 << 20) + 1))
    assert "413 Request Entity Too Large" in answer


def test_failed_attempts_count_for_the_client_that_made_them(proxy: Proxy) -> None:
    # Each proxy has clients of its own.
    guilty, innocent = (f"127.{proxy.port >> 8}.{proxy.port & 255}.{last}" for last in (2, 3))

    def status(address: str, *options: str) -> str:
        seen = ["--interface", address, "--output", os.devnull, "--write-out", "%{http_code}"]
        return proxy.curl("/processes", *seen, *options)

    wrong = ["--user", "admin:wrong"]
    assert [status(guilty, *wrong) for _ in range(4)] == ["401", "401", "401", "429"]
    assert status(guilty) == "429"
    assert status(guilty, "-H", "X-Forwarded-For: 192.0.2.1") == "429"
    assert status(innocent) == "200"


def test_pages_of_its_own_may_use_it_and_others_may_not(proxy: Proxy) -> None:
    own = ["-H", f"Origin: https://{NAME}:{proxy.port}"]
    assert json.loads(proxy.curl("/processes", *own))["count"] == 0
    other = proxy.curl("/processes", "-H", "Origin: https://elsewhere.example")
    assert json.loads(other)["code"] == "cross_site_request"


@NGINX_ALONE
def test_the_command_goes_through_it_and_over_a_reload(proxy: Proxy, tmp_path: Path) -> None:
    gateway = proxy.gateway
    assert gateway.process is not None
    tool = tool_of(gateway, tmp_path / "checkout")
    url = f"https://127.0.0.1:{proxy.port}"
    refused = tool.run("ps", "--url", url)
    assert refused.returncode == 69
    assert refused.stderr.startswith(b"cannot trust ")
    trusting = tool.environment(REQUESTS_CA_BUNDLE=str(proxy.certificate))
    flag = tmp_path / "flag"
    job = f"lines 100000\nawait {flag}\nlines 1000\nresult ok"
    with tool.start("run", "--url", url, "--raw", job, env=trusting) as run:
        assert run.stdout is not None
        seen = [run.stdout.readline()]
        reader = threading.Thread(target=lambda: seen.append(run.stdout.read()))
        reader.start()
        before = set(gateway.workers())
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(gateway.workers()) == 2 and not before & {*gateway.workers()})
        flag.touch()
        assert run.wait(30) == 0
        reader.join()
    lines = b"".join(seen).splitlines()
    numbers = [*range(100_000), *range(1000)]
    assert lines[:-1] == [b"line %d" % number for number in numbers]


@NGINX_ALONE
def test_plain_http_is_sent_to_tls(proxy: Proxy) -> None:
    done = subprocess.run(
        ["curl", "--silent", "--head", f"http://127.0.0.1:{proxy.plain_port}/x?y=1"],
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Location: https://127.0.0.1/x?y=1" in done.stdout


def _until(curl: "subprocess.Popen[bytes]", line: bytes) -> bytes:
    """What curl prints up to and with this line."""
    assert curl.stdout is not None
    read: list[bytes] = []
    while not read or read[-1] != line:
        read.append(curl.stdout.readline())
        assert read[-1], read
    return b"".join(read)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _certify(certificate: Path, key: Path) -> None:
    """A certificate that signs itself."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        env={"PATH": PATH},
        capture_output=True,
        check=True,
    )
