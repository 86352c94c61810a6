"""Checks of the gateway's Python, its packages, and the user that runs this."""

import re
import sys
from collections.abc import Iterator
from importlib import metadata

from app.tool.check import Check, failed, ok, warning
from app.tool.checkout import Checkout
from app.tool.local_users import own_name

_OLDEST = (3, 11)
# A line like `gunicorn[gevent]==27.0.1`.
_PINNED = re.compile(r"([\w.-]+)(?:\[[^\]]*\])?==(\S+)")


def check(checkout: Checkout) -> Iterator[Check]:
    """Python, the packages, and the user."""
    yield _python()
    yield _packages(checkout)
    yield _user(checkout)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        return failed("python", version, "make venv/ again with Python 3.11 or newer")
    return ok("python", f"{version}, {sys.executable}")


def _packages(checkout: Checkout) -> Check:
    requirements = checkout.folder / "requirements.txt"
    pinned = _PINNED.findall(requirements.read_text(encoding="utf-8"))
    wrong = []
    for name, wanted in pinned:
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            wrong.append(f"{name} {found} (wanted: {wanted})")
    if wrong:
        install = f"{sys.executable} -m pip install -r {requirements}"
        if checkout.is_package:
            install = "install claudecode2api again, in an environment of its own (pipx, uv)"
        return failed("packages", ", ".join(wrong), install)
    return ok("packages", f"the {len(pinned)} of requirements.txt, in its versions")


def _user(checkout: Checkout) -> Check:
    """Another user has another home, and so may have another CLI and login than the gateway."""
    me = own_name()
    service_user = checkout.gateway_user()
    if service_user != me:
        return warning(
            "user",
            f"you are {me}, but the gateway runs as {service_user}: some rows may not apply to it",
            f"sudo -u {service_user} claudecode2api doctor",
        )
    return ok("user", me)
