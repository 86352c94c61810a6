"""Origins of web pages (RFC 6454), as browsers send and CORS_ORIGINS names them. Pure."""

import re

#: Names that pages of anyone can have: `null` is what a browser calls the origin of a sandboxed
#: frame, of a file and of a data URL.
ANYONE = ("*", "null")

_NAME = re.compile(
    r"([a-z][a-z0-9+.-]*)://"
    r"(\*|(?:\*\.)?[a-z0-9._~-]+|\[[0-9a-f:.]+\])"
    r"(:(?:\d{1,5}|\*))?"
)
_USUAL_PORTS = {"http": ":80", "https": ":443"}


def pattern(name: str) -> re.Pattern[str]:
    """What matches the origins of this name, in lower case. Raises ValueError for what is none.

    A `*` stands for any host (`vscode-webview://*`), for any names before a host's
    (`https://*.example.org`) or for any port (`http://localhost:*`).

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
    if host == "*" and scheme in _USUAL_PORTS:
        raise ValueError(f"{name!r} names the pages of anyone: write * if that is meant")
    labels = host.removeprefix("*.")
    before = "" if labels == host else r"(?:[a-z0-9_-]+\.)+"
    hosts = r"[^\s/:]+|\[[0-9a-f:.]+\]" if host == "*" else before + re.escape(labels)
    # Browsers leave the usual port out.
    given = "" if port == _USUAL_PORTS.get(scheme) else port
    ports = r"(?::\d+)?" if given == ":*" else re.escape(given)
    return re.compile(f"{re.escape(scheme)}://(?:{hosts}){ports}")
