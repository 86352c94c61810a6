"""Every error is JSON with detail, code and request id, and contains no secret."""

import base64
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.gateway import AUTH, Gateway


def shape(answer: dict[str, object]) -> set[str]:
    """The keys that every error has."""
    return {"detail", "code", "request_id"} & set(answer)


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nowhere", 404, "Not Found"),
        ("GET", "/chat/", 404, "Not Found"),
        ("GET", "/chat", 405, "Method Not Allowed"),
        ("PUT", "/processes", 405, "Method Not Allowed"),
    ],
)
def test_unknown_paths_and_methods(
    gateway: Gateway, method: str, path: str, status: int, detail: str
) -> None:
    answer = gateway.ask(method, path)
    assert answer.status_code == status
    assert answer.json()["detail"] == detail
    assert len(shape(answer.json())) == 3
    if status == 405:
        assert answer.headers["Allow"]


def test_a_missing_directory_is_named(gateway: Gateway) -> None:
    answer = gateway.post("result ok", cwd="/does/not/exist")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "Directory does not exist: /does/not/exist"


def test_a_file_is_no_directory(gateway: Gateway) -> None:
    answer = gateway.post("result ok", cwd="/etc/passwd")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "Path is not a directory: /etc/passwd"


def test_a_relative_directory_is_refused(gateway: Gateway) -> None:
    answer = gateway.post("result ok", cwd="tmp")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_directory")


def test_only_folders_below_the_roots_are_allowed(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/way out").symlink_to("/tmp")  # noqa: S108 - the way out itself
    gateway = start_gateway(CWD_ROOTS=str(tmp_path / "project"))
    assert gateway.chat("result ok").done()["status"] == "succeeded"
    for cwd in ("/tmp", str(tmp_path / "project/.."), str(tmp_path / "project/way out")):  # noqa: S108
        answer = gateway.post("result ok", cwd=cwd)
        assert (answer.status_code, answer.json()["code"]) == (403, "directory_not_allowed")


@pytest.mark.parametrize(
    ("body", "kind", "location"),
    [
        (b"{not json", "json_invalid", ["body"]),
        (b"\xff", "json_invalid", ["body"]),
        (b'{"prompt": 1e999}', "json_invalid", ["body"]),
        (b"", "json_invalid", ["body"]),
        (b"[]", "model_type", ["body"]),
        (b"{}", "missing", ["body", "prompt"]),
        (b'{"prompt":1,"cwd":"/tmp"}', "string_type", ["body", "prompt"]),
        (b'{"prompt":"x","cwd":"/tmp","tools":"Bash"}', "list_type", ["body", "tools"]),
        (b'{"prompt":"a\\u0000b","cwd":"/tmp"}', "nul_character", ["body", "prompt"]),
    ],
)
def test_bad_bodies_are_refused_by_field(
    gateway: Gateway, body: bytes, kind: str, location: list[str]
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = gateway.ask("POST", "/chat", data=body, headers=headers)
    assert answer.status_code == 422
    (first, *_) = answer.json()["detail"]
    assert first["type"] == kind
    assert first["loc"][: len(location)] == location
    assert set(first) == {"type", "loc", "msg"}
    assert answer.json()["code"] == "invalid_request"
    assert gateway.running() == []


def test_an_unknown_field_is_refused_with_the_nearest_known_one(gateway: Gateway) -> None:
    answer = gateway.post("result ok", alowed_tools=["Bash"])
    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", "alowed_tools"]
    assert "'allowed_tools'" in error["msg"]


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_a_body_is_refused(start_gateway: Callable[..., Gateway], chunked: bool) -> None:
    gateway = start_gateway(MAX_BODY="1000")
    body = json.dumps({"prompt": "x" * 2000, "cwd": "/tmp"}).encode()  # noqa: S108
    data = iter([body]) if chunked else body
    answer = gateway.ask("POST", "/chat", data=data, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert "1000" in answer.json()["detail"]


def test_a_cli_that_cannot_be_started_is_an_error_before_the_first_byte(
    start_gateway: Callable[..., Gateway], fake_claude: Path, tmp_path: Path
) -> None:
    claude = tmp_path / "claude"
    claude.write_bytes(fake_claude.read_bytes())
    claude.chmod(0o755)
    gateway = start_gateway(claude)
    claude.unlink()
    answer = gateway.post("result ok")
    assert answer.status_code == 503
    assert answer.json()["code"] == "job_not_started"
    assert f"cannot start {claude} in" in answer.json()["detail"]
    assert "No such file or directory" in answer.json()["detail"]
    assert gateway.running() == []


def test_the_clients_request_id_is_answered_if_it_is_sane(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/x", headers={"X-Request-ID": "abc-1"}).json()["request_id"] == (
        "abc-1"
    )
    for insane in ("a b", "x" * 200, "<script>"):
        answer = gateway.ask("GET", "/x", headers={"X-Request-ID": insane})
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"] != insane


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nSECRET header: SECRET\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"SECRET" * 3000 + b"\r\n\r\n", 431),
        (b"POST /chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: SECRET\r\n\r\n", 501),
    ],
)
def test_what_is_not_http_is_answered_with_json_too(
    gateway: Gateway, request_: bytes, status: int
) -> None:
    answer = speak(gateway, request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"application/json" in head
    assert len(shape(json.loads(body))) == 3
    assert b"SECRET" not in answer
    assert "SECRET" not in gateway.log()


@pytest.mark.parametrize(
    "body",
    [
        b"SECRET\r\n",
        b"2\r\n{}}\r\n",
        b"2;;=\r\n{}\r\n",
        b"0\r\nSECRET\r\n\r\n",
        b"0\r\nHost: x\r\n\r\n",
    ],
)
def test_a_body_that_is_not_made_of_chunks_is_the_clients_mistake(
    gateway: Gateway, body: bytes
) -> None:
    pair = base64.b64encode(b"admin:" + AUTH[1])
    head = (b"POST /chat HTTP/1.1", b"Host: x", b"Authorization: Basic " + pair)
    framing = (b"Content-Type: application/json", b"Transfer-Encoding: chunked")
    answer = speak(gateway, b"\r\n".join((*head, *framing, b"", body)))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer


def test_what_follows_a_last_request_does_not_cut_off_its_answer(gateway: Gateway) -> None:
    last = b"GET /docs/redoc.standalone.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head, _, body = speak(gateway, last + b"x" * 200_000).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_no_header_of_a_proxys_client_changes_what_is_asked_for(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(FORWARDED_ALLOW_IPS="127.0.0.1")
    for header in (b"SCRIPT_NAME: /x", b"PATH_INFO: /ready", b"Script_Name: /x"):
        head = b"GET /x/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header
        assert speak(gateway, head + b"\r\n\r\n").startswith(b"HTTP/1.1 404 "), header


def test_a_client_that_never_sends_its_headers_is_let_go(
    start_gateway: Callable[..., Gateway],
) -> None:
    # What is awaited here is a deadline; the connection's end is the fact.
    gateway = start_gateway()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        begun = time.monotonic()
        assert connection.recv(100) == b""
        assert time.monotonic() - begun < 29


def speak(gateway: Gateway, request_: bytes) -> bytes:
    """Send bytes and read the answer to its end."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(request_)
        return b"".join(iter(lambda: connection.recv(65536), b""))


BASE_URL = "must end in /v1"
SERVED = "serves POST /v1/chat/completions"


@pytest.mark.parametrize(
    ("method", "path", "status", "hint"),
    [
        ("POST", "/chat/completions", 405, BASE_URL),
        ("GET", "/models", 404, BASE_URL),
        ("GET", "/models/sonnet", 404, BASE_URL),
        ("POST", "/api/v1/chat/completions", 404, BASE_URL),
        ("POST", "/openai/deployments/x/chat/completions", 404, BASE_URL),
        ("POST", "/completions", 404, SERVED),
        ("POST", "/embeddings", 404, SERVED),
    ],
)
def test_a_client_with_another_base_url_is_shown_the_right_one_in_its_own_shape(
    gateway: Gateway, method: str, path: str, status: int, hint: str
) -> None:
    answer = gateway.ask(method, path, json={})
    body = answer.json()
    assert answer.status_code == status
    assert body["detail"] == {404: "Not Found", 405: "Method Not Allowed"}[status]
    assert hint in body["hint"]
    assert body["error"]["message"] == f"{body['detail']}. {body['hint']}"
    assert body["error"]["code"] == body["code"]
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "hint"),
    [
        ("POST", "/v1/v1/chat/completions", 404, "not_found", BASE_URL),
        ("POST", "/v1/chat/completions/chat/completions", 404, "not_found", BASE_URL),
        ("GET", "/v1/v1/models", 404, "not_found", BASE_URL),
        ("POST", "/v1/embeddings", 404, "not_found", SERVED),
        ("POST", "/v1/v1/responses", 404, "not_found", BASE_URL),
        ("GET", "/v1/responses", 405, "method_not_allowed", "takes OPTIONS, POST"),
        ("POST", "/v1/x", 404, "not_found", SERVED),
        ("GET", "/v1", 404, "not_found", SERVED),
        ("POST", "/v1/chat/completions/", 404, "not_found", BASE_URL),
        ("POST", "/v1/models", 405, "method_not_allowed", "takes GET"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed", "takes OPTIONS, POST"),
        ("GET", "/v1/models/no-such", 404, "model_not_found", "GET /v1/models"),
    ],
)
def test_a_path_of_v1_that_is_not_there_is_no_model_that_is_not(
    gateway: Gateway, method: str, path: str, status: int, code: str, hint: str
) -> None:
    answer = gateway.ask(method, path, json={})
    assert (answer.status_code, [*answer.json()]) == (status, ["error"])
    assert answer.json()["error"]["code"] == code
    assert hint in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "hint"),
    [
        ("GET", "/chat", 405, "This path takes OPTIONS, POST"),
        ("PUT", "/jobs", 405, "This path takes GET"),
        ("GET", "/jobs/", 404, "The path is /jobs:"),
        ("GET", "/x", 404, "GET /docs"),
        ("GET", "/" + "x" * 3000, 404, "GET /docs"),
        ("GET", "/x/models", 404, "GET /docs"),
    ],
)
def test_a_path_that_does_not_exist_has_a_hint_to_those_that_do(
    gateway: Gateway, method: str, path: str, status: int, hint: str
) -> None:
    answer = gateway.ask(method, path)
    body = answer.json()
    assert answer.status_code == status
    assert body["detail"] == {404: "Not Found", 405: "Method Not Allowed"}[status]
    assert hint in body["hint"] and len(body["hint"]) < 300
    assert "error" not in body


@pytest.mark.parametrize(
    "path", ["/chat/", "/chat//x", "/v1//chat/completions", "/v1/chat/completions/", "/v1/models/"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_with_too_many_slashes_is_no_redirect(
    gateway: Gateway, method: str, path: str
) -> None:
    answer = gateway.ask(method, path, auth=None, allow_redirects=False)
    assert answer.status_code == 404
    assert "Location" not in answer.headers
    body = answer.json()
    code = body["error"]["code"] if path.startswith("/v1/") else body["code"]
    assert code == "not_found"


def test_slashes_before_a_path_are_one(gateway: Gateway) -> None:
    for path in ("//chat", "///v1/chat/completions"):
        answer = gateway.ask("POST", path, auth=None, allow_redirects=False)
        assert answer.status_code == 401
        assert "Location" not in answer.headers
