"""Access: Basic and bearer, throttling over all workers, web pages, host names."""

import base64
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from app import origin
from tests.support.gateway import AUTH, PASSWORD, PATIENCE, Gateway

BASIC = 'Basic realm="claudecode2api", charset="UTF-8"'


def basic(pair: str) -> dict[str, str]:
    """The header for a user and a password joined by a colon."""
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/chat"), ("DELETE", "/chat/x"), ("GET", "/processes")],
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": "Digest username=x"},
    ],
)
def test_unusable_credentials_are_refused_as_none(
    gateway: Gateway, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = gateway.ask(method, path, auth=None, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Not authenticated"
    assert answer.json()["code"] == "not_authenticated"
    assert answer.headers["WWW-Authenticate"] == BASIC


def test_a_wrong_password_is_refused_as_wrong(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    for pair in ("admin:wrong", "root:" + PASSWORD, ":", "admin:" + PASSWORD + " "):
        answer = gateway.ask("GET", "/processes", auth=None, headers=basic(pair))
        assert answer.status_code == 401
        assert answer.json()["detail"] == "Invalid credentials"
        assert answer.headers["WWW-Authenticate"] == BASIC


def test_auth_is_checked_before_the_body_is_read(gateway: Gateway) -> None:
    answer = gateway.ask("POST", "/chat", auth=None, data=b"not JSON at all")
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/", "/health"])
def test_some_pages_are_open_to_all(gateway: Gateway, path: str) -> None:
    assert gateway.ask("GET", path, auth=None).status_code == 200


def test_keys_are_accepted_as_bearer(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(API_KEYS="a-first-key-for-tests, a-second-key-for-tests")
    for key in ("a-first-key-for-tests", "a-second-key-for-tests"):
        answer = gateway.ask(
            "GET", "/processes", auth=None, headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 200
    answer = gateway.ask("GET", "/processes", auth=None, headers={"Authorization": "Bearer x"})
    assert answer.json()["detail"] == "Invalid credentials"


def test_failed_attempts_are_throttled_over_all_workers(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(AUTH_MAX_FAILURES="3", WORKERS="3")
    statuses = [
        gateway.ask("GET", "/processes", auth=None, headers=basic("admin:no")).status_code
        for _ in range(6)
    ]
    assert statuses == [401, 401, 401, 429, 429, 429]
    # Even the right password has to wait now.
    answer = gateway.ask("GET", "/processes")
    assert answer.status_code == 429
    assert answer.json()["code"] == "too_many_attempts"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert gateway.ask("GET", "/health", auth=None).status_code == 200


def test_the_minute_over_the_address_may_try_again(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(AUTH_MAX_FAILURES="1")
    gateway.ask("GET", "/processes", auth=None, headers=basic("admin:no"))
    assert gateway.ask("GET", "/processes").status_code == 429
    (file,) = (gateway.state / "failures").iterdir()
    file.write_bytes(b"%.3f\nx" % (time.time() - 61))
    assert gateway.ask("GET", "/processes").status_code == 200


def test_a_client_that_is_not_trusted_cannot_choose_an_address(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(AUTH_MAX_FAILURES="1")
    for number in range(3):
        headers = {**basic("admin:no"), "X-Forwarded-For": f"192.0.2.{number}"}
        status = gateway.ask("GET", "/processes", auth=None, headers=headers).status_code
        assert status == (401 if number == 0 else 429)


def test_behind_a_proxy_of_ours_the_clients_address_counts(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(AUTH_MAX_FAILURES="1", FORWARDED_ALLOW_IPS="127.0.0.0/8")

    def attempt(forwarded: str) -> int:
        headers = {**basic("admin:no"), "X-Forwarded-For": forwarded}
        return gateway.ask("GET", "/processes", auth=None, headers=headers).status_code

    assert attempt("192.0.2.1") == 401
    assert attempt("192.0.2.1") == 429
    assert attempt("192.0.2.2") == 401
    # What the client itself wrote before the proxy's word does not count.
    assert attempt("198.51.100.7, 192.0.2.2") == 429


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_other_sites_are_refused(gateway: Gateway, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/chat"), ("GET", "/processes"), ("DELETE", "/chat/x")):
        answer = gateway.ask(method, path, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["code"] == "cross_site_request"
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_pages_of_our_own_are_let_in(gateway: Gateway) -> None:
    headers = {"Origin": gateway.url, "Sec-Fetch-Site": "same-origin"}
    assert gateway.ask("GET", "/processes", headers=headers).status_code == 200


def test_behind_tls_our_own_page_is_known_by_its_host(gateway: Gateway) -> None:
    headers = {"Origin": "https://gateway.example", "Host": "gateway.example"}
    assert gateway.ask("GET", "/processes", headers=headers).status_code == 200


@pytest.mark.parametrize("content_type", [None, "text/html", "application/x-www-form-urlencoded"])
def test_a_post_must_be_declared_as_json(gateway: Gateway, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = gateway.ask("POST", "/chat", data=b'{"prompt":"x","cwd":"/tmp"}', headers=headers)
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"
    assert "application/json" in answer.json()["detail"]


def test_cors_is_off_unless_origins_are_named(gateway: Gateway) -> None:
    preflight = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    answer = gateway.ask("OPTIONS", "/chat", auth=None, headers=preflight)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_a_named_origin_may_use_the_gateway(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(CORS_ORIGINS="https://app.example")
    page = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    preflight = {**page, "Access-Control-Request-Method": "POST"}
    allowed = gateway.ask("OPTIONS", "/chat", auth=None, headers=preflight)
    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    answer = gateway.ask("GET", "/processes", headers=page)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "X-Process-ID" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]
    stranger = gateway.ask("GET", "/processes", headers={"Origin": "https://evil.example"})
    assert stranger.status_code == 403


NAMED = [
    ("app://obsidian.md", "app://obsidian.md", "app://other.md"),
    ("tauri://localhost", "tauri://localhost", "tauri://localhost.evil.example"),
    ("chrome-extension://abcdef", "chrome-extension://abcdef", "chrome-extension://other"),
    ("chrome-extension://*", "chrome-extension://other", "moz-extension://other"),
    ("vscode-webview://*", "vscode-webview://0a1b2c", "https://0a1b2c"),
    ("https://*.example.org", "https://a.b.example.org", "https://example.org"),
    ("https://*.example.org", "https://app.example.org", "https://app.example.org.evil.example"),
    ("https://*.example.org", "https://app.example.org", "https://evilexample.org"),
    ("https://*.example.org", "https://app.example.org", "http://app.example.org"),
    ("http://localhost:*", "http://localhost:3000", "http://localhost.evil.example:3000"),
    ("http://localhost:*", "http://localhost", "https://localhost"),
    ("https://App.Example:443", "https://app.example", "https://app.example:444"),
    ("http://[::1]:3000", "http://[::1]:3000", "http://[::2]:3000"),
]


@pytest.mark.parametrize(("name", "allowed", "refused"), NAMED)
def test_an_origin_is_named_by_its_scheme_and_host(name: str, allowed: str, refused: str) -> None:
    assert origin.pattern(name).fullmatch(allowed)
    assert not origin.pattern(name).fullmatch(refused)


@pytest.mark.parametrize(
    "name",
    [
        *("example.org", "https://", "https://example.org/", "https://a.example.org/path", "//a"),
        *("https://*", "http://*:80", "https://a.*.org", "https://*a.example.org", "ht*://a"),
        *("https://user@a.example", "https://a.example:x", "https://a example", "nul", "**"),
    ],
)
def test_what_is_no_origin_is_not_taken_for_one(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not an origin|pages of anyone"):
        origin.pattern(name)


def test_pages_of_programs_and_subdomains_may_use_the_gateway(
    start_gateway: Callable[..., Gateway],
) -> None:
    names = "app://obsidian.md, https://*.example.org,vscode-webview://*"
    gateway = start_gateway(CORS_ORIGINS=names)
    for sender in ("app://obsidian.md", "https://a.example.org", "vscode-webview://0a1b"):
        page = {"Origin": sender, "Sec-Fetch-Site": "cross-site"}
        preflight = {**page, "Access-Control-Request-Method": "POST"}
        for answer in (
            gateway.ask("OPTIONS", "/chat", auth=None, headers=preflight),
            gateway.ask("GET", "/processes", headers=page),
        ):
            assert answer.status_code in (200, 204)
            assert answer.headers["Access-Control-Allow-Origin"] == sender
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    for sender in ("null", "https://example.org", "app://obsidian.md.evil", "file://"):
        page = {"Origin": sender}
        answer = gateway.ask("GET", "/processes", headers=page)
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        preflight = {**page, "Access-Control-Request-Method": "POST"}
        answer = gateway.ask("OPTIONS", "/chat", headers=preflight)
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("setting", "senders"), [("*", ["https://a.example", "null"]), ("null", ["null"])]
)
def test_pages_of_anyone_use_their_own_credentials_alone(
    start_gateway: Callable[..., Gateway], setting: str, senders: list[str]
) -> None:
    gateway = start_gateway(CORS_ORIGINS=setting, API_KEYS="a-key-of-some-length")
    bearer = {"Authorization": "Bearer a-key-of-some-length"}
    for sender in senders:
        page = {"Origin": sender, "Sec-Fetch-Site": "cross-site"}
        answer = gateway.ask("GET", "/processes", headers=page)
        assert answer.status_code == 200
        # So a browser neither sends the credentials that it has kept, nor shows the answer.
        assert answer.headers["Access-Control-Allow-Origin"] == setting
        assert "Access-Control-Allow-Credentials" not in answer.headers
        text = {**page, "Content-Type": "text/plain"}
        path = f"/chat?cwd={gateway.project}"
        # A browser sends this without asking, with the password that it has kept.
        assert gateway.ask("POST", path, data="x", headers=text).status_code == 403
        answer = gateway.ask("POST", path, data="x", headers={**text, **bearer}, auth=None)
        assert answer.status_code == 200
        body = {"prompt": "result ok", "cwd": str(gateway.project)}
        assert gateway.ask("POST", "/chat", json=body, headers=page).status_code == 200


def test_only_allowed_host_names_are_served(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(ALLOWED_HOSTS="127.0.0.1, gateway.example")
    assert gateway.ask("GET", "/processes").status_code == 200
    for path in ("/", "/health", "/processes"):
        answer = gateway.ask("GET", path, headers={"Host": "rebound.example"})
        assert answer.status_code == 400
        assert answer.json()["code"] == "host_not_allowed"
    assert gateway.ask("GET", "/", headers={"Host": "GATEWAY.example:80"}).status_code == 200


def test_credentials_may_come_from_any_client(gateway: Gateway) -> None:
    with requests.Session() as session:
        session.trust_env = False
        assert (
            session.get(gateway.url + "/processes", auth=AUTH, timeout=PATIENCE).status_code == 200
        )


def test_many_wrong_passwords_at_once_hold_up_no_other(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(WORKERS="1")

    def attempt(number: int) -> int:
        return gateway.ask("GET", "/jobs", auth=("admin", f"wrong {number}")).status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(attempt, range(60))) == {401, 429}
    assert gateway.ask("GET", "/health").status_code == 200
