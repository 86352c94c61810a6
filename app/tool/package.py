"""The package `claudecode2api`, as which pip installs the gateway: the entry of its command.

A wheel has this file as `claudecode2api/__init__.py`, and the gateway's folder beside it. There
`app` is not a package that other programs could import, or that could take the place of theirs.
"""

import os
import sys

#: The gateway's folder, laid out like a checkout.
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checkout")  # noqa: PTH100, PTH118, PTH120 - older Pythons


def main() -> int:
    """Run the command. Returns its exit status."""
    # `claudecode2api` itself is imported by its name already; this is for `app`.
    sys.path.insert(0, FOLDER)
    from app.platform_check import check_platform

    check_platform()
    # Paths are UTF-8, whatever the locale is: with another encoding, many could not be named.
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
    from app.tool.main import main as run

    return run(FOLDER, is_package=True)
