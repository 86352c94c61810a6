"""The check that the gateway can run here: on Linux, with Python 3.11 or newer.

Older Pythons and other systems must be able to read this file.
"""

import sys


def check_platform() -> None:
    """Exit with status 78 and one sentence if the gateway cannot run here."""
    reason = refusal(sys.platform, sys.version_info[:3])
    if reason:
        sys.stderr.write(reason + "\n")
        sys.exit(78)


def refusal(platform: str, version: "tuple[int, ...]") -> str:
    """Why the gateway cannot run on this platform with this Python; empty if it can.

    >>> refusal("linux", (3, 11, 0))
    ''
    """
    if platform != "linux":
        return (
            f"cannot run on {platform}: claudecode2api needs Linux; use a Linux container or"
            " virtual machine, or WSL 2 on Windows"
        )
    if version < (3, 11):
        found = ".".join(map(str, version))
        return (
            f"cannot run with Python {found}: claudecode2api needs Python 3.11 or newer; install"
            " it, and make the virtual environment with it"
        )
    return ""
