"""An HTTP client of the gateway."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from requests.auth import HTTPBasicAuth

from app.settings import Settings
from app.tool.checkout import Checkout
from app.tool.failure import Failure, RequestRefused, Unreachable
from app.tool.remedies import Remedies

#: Seconds for a connection, and for a response that waits for nothing.
CONNECT_PATIENCE = 10.0
PATIENCE = 60.0

# The codes of refusals by a gateway that does not have the requested path or method.
_UNKNOWN_ROUTE = ("not_found", "method_not_allowed")


class Client:
    """Sends requests to one gateway, with the user and password of the settings.

    With `url`, it uses the proxies and certificates that the environment names; without, it
    connects directly to the address on which the gateway listens, by the settings.
    """

    def __init__(
        self, settings: Settings, url: str | None = None, remedies: Remedies | None = None
    ) -> None:
        """`remedies` are those of the gateway that these settings are for."""
        self.url = (url or own_url(settings)).rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise Failure(f"cannot use {self.url!r} as --url: write http://… or https://…")
        # A stream without a byte for so many seconds counts as broken.
        self._silence = max(PATIENCE, 4 * settings.heartbeat)
        # As bytes: requests would encode other characters than ASCII as Latin-1.
        self._auth = HTTPBasicAuth(settings.auth_user.encode(), settings.auth_password.encode())
        #: The user of the requests.
        self.user = settings.auth_user
        # A proxy that compresses a stream would buffer it.
        self._headers = {"Accept-Encoding": "identity"}
        if url is None and settings.allowed_hosts:
            self._headers["Host"] = settings.allowed_hosts[0]
        self._trust_env = url is not None
        self._help = "check --url, and whether the gateway runs there"
        if url is None and remedies:
            self._help = f"start it ({remedies.start}); {remedies.command} doctor finds out more"

    def ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
        **named: Any,
    ) -> dict[str, Any]:
        """The object in the response. Raises RequestRefused and Unreachable."""
        timeout = (CONNECT_PATIENCE, patience)
        response = self._request(method, path, params=params, timeout=timeout, **named)
        with response, self._connection_errors():
            return self._object(response)

    def open(
        self, method: str, path: str, silence: float | None = None, **named: Any
    ) -> requests.Response:
        """An event stream; reading it fails after `silence` seconds without a byte.

        Raises RequestRefused and Unreachable.
        """
        timeout = (CONNECT_PATIENCE, self._silence)
        response = self._request(method, path, stream=True, timeout=timeout, **named)
        kind = response.headers.get("Content-Type", "")
        if not kind.startswith("text/event-stream"):
            response.close()
            raise self._not_a_gateway()
        if silence is not None:
            # Not before: a busy gateway may need longer for the first byte. There is no other way
            # to the socket (urllib3 2.8).
            response.raw._fp.fp.raw._sock.settimeout(silence)
        return response

    def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **named: Any
    ) -> requests.Response:
        with requests.Session() as session, self._connection_errors():
            session.trust_env = self._trust_env
            response = session.request(
                method,
                self.url + path,
                headers={**self._headers, **(headers or {})},
                auth=self._auth,
                allow_redirects=False,
                **named,
            )
        if response.status_code >= 300:
            with response, self._connection_errors():
                raise self._refusal(response)
        return response

    def _object(self, response: requests.Response) -> dict[str, Any]:
        try:
            fields = response.json()
        except requests.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict) or (not response.ok and "detail" not in fields):
            raise self._not_a_gateway()
        return fields

    def _refusal(self, response: requests.Response) -> Failure:
        try:
            fields = self._object(response)
        except Failure as error:
            # A page of a proxy, while the gateway behind it is away.
            if response.status_code in (502, 503, 504):
                return Unreachable(
                    f"cannot reach the gateway behind {self.url}: the status is"
                    f" {response.status_code}; {self._help}"
                )
            return error
        detail, code = _sentence(fields["detail"]), str(fields.get("code"))
        message = f"the gateway refused the request: {detail}"
        if response.status_code == 401:
            message = (
                f"cannot sign in as {self.user}: {detail}; AUTH_USER and AUTH_PASSWORD must be"
                " those with which the gateway was last started or reloaded"
            )
        elif code in _UNKNOWN_ROUTE:
            path = str(response.request.path_url).partition("?")[0]
            message = (
                f"cannot do this with the gateway at {self.url}: its version has no"
                f" {response.request.method} {path}"
            )
        return RequestRefused(message, response.status_code, detail, fields)

    def _not_a_gateway(self) -> Failure:
        return Failure(f"cannot use {self.url}: another program answers there")

    @contextmanager
    def _connection_errors(self) -> Iterator[None]:
        """Raise errors of the connection as Unreachable or Failure."""
        try:
            yield
        except requests.exceptions.SSLError as error:
            raise Unreachable(
                f"cannot trust {self.url}: {reason(error)}; if the certificate is your own, set"
                " REQUESTS_CA_BUNDLE to the file of its authority"
            ) from None
        except (requests.exceptions.InvalidURL, UnicodeError) as error:
            raise Failure(f"cannot use {self.url!r} as --url: {error}") from None
        except requests.RequestException as error:
            raise Unreachable(
                f"cannot reach the gateway at {self.url}: {reason(error)}; {self._help}"
            ) from None


def _sentence(detail: Any) -> str:
    """An error's `detail` as text; that of invalid_request is a list.

    >>> _sentence([{"type": "x", "loc": ["body", "timeout"], "msg": "Too small"}])
    'timeout: Too small'
    """
    if not isinstance(detail, list):
        return str(detail)
    places = (".".join(map(str, each["loc"][1:])) for each in detail)
    pairs = zip(places, (each["msg"] for each in detail), strict=True)
    return "; ".join(f"{place}: {text}" if place else text for place, text in pairs)


def reason(error: BaseException) -> str:
    """The system's message, without those of the libraries around it."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return inner.verify_message
        if isinstance(inner, TimeoutError):
            return "timed out"
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return type(error).__name__


def client_of(checkout: Checkout, url: str | None) -> Client:
    """A client of the gateway at this URL; without one, of the one in this folder.

    Raises Failure if the settings cannot be used.
    """
    return Client(checkout.settings(), url, Remedies(checkout))


def own_url(settings: Settings) -> str:
    """The URL of a gateway with these settings, from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
