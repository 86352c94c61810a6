"""Whether the CLI refuses what the gateway asks of it, because it runs as root. Pure."""

import os
from collections.abc import Mapping

from app.settings import Settings

#: What is refused, and what helps.
REFUSES_ROOT = (
    "the CLI refuses to skip its permissions as root, so each request that names no permission_mode"
    " and no tools fails; run the gateway as another user, set DEFAULT_PERMISSION_MODE, or, in a"
    " container that holds nothing you care for, IS_SANDBOX=1"
)


def refuses_root(
    environment: Mapping[str, str], settings: Settings, uid: int | None = None
) -> bool:
    """Whether every default request fails with this environment for the CLI (2.1.330)."""
    is_root = (os.geteuid() if uid is None else uid) == 0
    mode = settings.default_permission_mode or "bypassPermissions"
    return is_root and mode == "bypassPermissions" and environment.get("IS_SANDBOX") != "1"
