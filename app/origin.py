"""Origins of web pages (RFC 6454) in CORS_ORIGINS, as patterns for the Origin header. Pure."""

import re

#: Entries that match pages of anyone. Browsers send `null` for a sandboxed frame, a file and a
#: data URL.
ANYONE = ("*", "null")

_NAME = re.compile(
    r"([a-z][a-z0-9+.-]*)://"
    r"(\*|(?:\*\.)?[a-z0-9._~-]+|\[[0-9a-f:.]+\])"
    r"(:(?:\d{1,5}|\*))?"
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def pattern(name: str) -> re.Pattern[str]:
    """A pattern for the origins, in lower case, that this entry allows. Raises ValueError.

    A `*` matches any host (`vscode-webview://*`), any subdomain (`https://*.example.org`) or any
    port (`http://localhost:*`).

    >>> bool(pattern("https://*.example.org").fullmatch("https://a.b.example.org"))
    True
    >>> bool(pattern("https://*.example.org").fullmatch("https://example.org"))
    False
    """
    lower = name.lower()
    if lower == "*":
        return re.compile(r"[^\s]+")
    if lower == "null":
        return re.compile("null")
    match = _NAME.fullmatch(lower)
    if match is None:
        raise ValueError(
            f"{name!r} is not an origin like https://example.org, https://*.example.org,"
            " app://obsidian.md or null"
        )
    scheme, host, port = match.groups(default="")
    if host == "*" and scheme in _DEFAULT_PORTS:
        raise ValueError(f"{name!r} allows the pages of anyone: write * if you mean that")
    labels = host.removeprefix("*.")
    before = "" if labels == host else r"(?:[a-z0-9_-]+\.)+"
    hosts = r"[^\s/:]+|\[[0-9a-f:.]+\]" if host == "*" else before + re.escape(labels)
    # Browsers omit the default port.
    given = "" if port == _DEFAULT_PORTS.get(scheme) else port
    ports = r"(?::\d+)?" if given == ":*" else re.escape(given)
    return re.compile(f"{re.escape(scheme)}://(?:{hosts}){ports}")
