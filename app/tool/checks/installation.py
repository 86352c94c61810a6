"""Whether the gateway's Python and its packages are those that it needs."""

import re
import sys
from collections.abc import Iterator
from importlib import metadata

from app.tool.check import Check, failed, ok, warning
from app.tool.checkout import Checkout
from app.tool.owner import own_name, owner_of

_OLDEST = (3, 11)
# A line like `gunicorn[gevent]==27.0.1`.
_PINNED = re.compile(r"([\w.-]+)(?:\[[^\]]*\])?==(\S+)")


def check(checkout: Checkout) -> Iterator[Check]:
    """Python, packages, and whether we are the user that matters."""
    yield _python()
    yield _packages(checkout)
    yield _user(checkout)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        return failed("python", version, "make venv/ anew with Python 3.11 or newer")
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
        return failed("packages", ", ".join(wrong), install)
    return ok("packages", f"the {len(pinned)} of requirements.txt, as pinned")


def _user(checkout: Checkout) -> Check:
    """Another user has another home, and so another CLI and login than the gateway."""
    me = own_name()
    if checkout.unit.is_of(checkout.folder):
        gateways = checkout.unit.value("User") or "root"
    elif checkout.env_file.exists():
        gateways = owner_of(checkout.env_file)
    else:
        gateways = me
    if gateways != me:
        return warning(
            "user",
            f"you are {me}, and the gateway is {gateways}'s: some rows below may not be true of it",
            f"sudo -u {gateways} claudecode2api doctor",
        )
    return ok("user", me)
