"""The gateway over HTTP, as its user sees it."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from requests.auth import HTTPBasicAuth

from app.settings import Settings
from app.tool.failure import Failure, Refused, Unreachable

#: Seconds that a connection may take, and an answer that waits for nothing.
CONNECT_PATIENCE = 10.0
PATIENCE = 60.0

_START = (
    "start it (claudecode2api serve, or systemctl start claudecode2api);"
    " claudecode2api doctor looks further"
)


class Client:
    """Asks one gateway, signed in as the settings say.

    With a `url` of its own it goes by the environment's proxies and certificates, else
    straight to the address that the settings have the gateway listen on.
    """

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        self.url = (url or own_url(settings)).rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise Failure(f"cannot use {self.url!r} as --url: write http://… or https://…")
        # Without a byte for so many seconds, a stream is taken for broken.
        self._silence = max(PATIENCE, 4 * settings.heartbeat)
        # As bytes: requests would send letters that are not ASCII as Latin-1.
        self._auth = HTTPBasicAuth(settings.auth_user.encode(), settings.auth_password.encode())
        self._user = settings.auth_user
        # A body that is compressed on the way would be held back.
        self._headers = {"Accept-Encoding": "identity"}
        if url is None and settings.allowed_hosts:
            self._headers["Host"] = settings.allowed_hosts[0]
        self._environment = url is not None
        self._help = _START if url is None else "is --url right, and does it run there?"

    def ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> dict[str, Any]:
        """The object that the gateway answers. Raises Refused and Unreachable."""
        answer = self._request(method, path, params=params, timeout=(CONNECT_PATIENCE, patience))
        with answer, self._breaks_told():
            return self._object(answer)

    def open(
        self, method: str, path: str, silence: float | None = None, **named: Any
    ) -> requests.Response:
        """A stream, its head read; reading it fails after `silence` in seconds.

        Raises Refused and Unreachable.
        """
        timeout = (CONNECT_PATIENCE, silence or self._silence)
        answer = self._request(method, path, stream=True, timeout=timeout, **named)
        kind = answer.headers.get("Content-Type", "")
        if not kind.startswith("text/event-stream"):
            answer.close()
            raise self._no_gateway()
        return answer

    def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **named: Any
    ) -> requests.Response:
        with requests.Session() as session, self._breaks_told():
            session.trust_env = self._environment
            answer = session.request(
                method,
                self.url + path,
                headers={**self._headers, **(headers or {})},
                auth=self._auth,
                allow_redirects=False,
                **named,
            )
        if answer.status_code >= 300:
            with answer, self._breaks_told():
                raise self._refused(answer)
        return answer

    def _object(self, answer: requests.Response) -> dict[str, Any]:
        try:
            fields = answer.json()
        except requests.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict) or (not answer.ok and "detail" not in fields):
            raise self._no_gateway()
        return fields

    def _refused(self, answer: requests.Response) -> Failure:
        try:
            fields = self._object(answer)
        except Failure as error:
            # A proxy's own page, while the gateway behind it is away.
            if answer.status_code in (502, 503, 504):
                return Unreachable(
                    f"cannot reach the gateway behind {self.url}: the answer is"
                    f" {answer.status_code}; {self._help}"
                )
            return error
        detail = _told(fields["detail"])
        message = f"the gateway refuses this: {detail}"
        if answer.status_code == 401:
            message = (
                f"cannot sign in as {self._user}: {detail}; AUTH_USER and AUTH_PASSWORD must be"
                " those that the gateway was started or reloaded with last"
            )
        return Refused(message, answer.status_code, str(fields.get("code")))

    def _no_gateway(self) -> Failure:
        return Failure(f"cannot use {self.url}: what answers there is not this gateway")

    @contextmanager
    def _breaks_told(self) -> Iterator[None]:
        """Tell what goes wrong with a connection in words of our own."""
        try:
            yield
        except requests.exceptions.SSLError as error:
            raise Unreachable(
                f"cannot trust {self.url}: {reason(error)}; if the certificate is one of your"
                " own, name its authority's file in REQUESTS_CA_BUNDLE"
            ) from None
        except (requests.exceptions.InvalidURL, UnicodeError) as error:
            raise Failure(f"cannot use {self.url!r} as --url: {error}") from None
        except requests.RequestException as error:
            raise Unreachable(
                f"cannot reach the gateway at {self.url}: {reason(error)}; {self._help}"
            ) from None


def _told(detail: Any) -> str:
    """An error's `detail`, which for a body that does not fit is a list.

    >>> _told([{"type": "x", "loc": ["body", "timeout"], "msg": "Too small"}])
    'timeout: Too small'
    """
    if not isinstance(detail, list):
        return str(detail)
    places = (".".join(map(str, each["loc"][1:])) for each in detail)
    pairs = zip(places, (each["msg"] for each in detail), strict=True)
    return "; ".join(f"{place}: {said}" if place else said for place, said in pairs)


def reason(error: BaseException) -> str:
    """What the system said, of all that the libraries wrapped around it."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return inner.verify_message
        if isinstance(inner, TimeoutError):
            return "it took too long"
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return type(error).__name__


def own_url(settings: Settings) -> str:
    """Where a gateway with these settings can be reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
