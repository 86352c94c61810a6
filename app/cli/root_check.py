"""The check whether the CLI refuses requests because it runs as root. Pure."""

import os
from collections.abc import Mapping

from app.settings import Settings

#: What the CLI refuses, and what helps.
REFUSES_ROOT = (
    "the CLI refuses to skip its permissions as root, so each request without permission_mode and"
    " tools fails; run the gateway as another user, set DEFAULT_PERMISSION_MODE, or, in a container"
    " without anything of value, IS_SANDBOX=1"
)


def refuses_root(
    environment: Mapping[str, str], settings: Settings, uid: int | None = None
) -> bool:
    """Whether requests without permission_mode and tools fail in this environment (2.1.330)."""
    is_root = (os.geteuid() if uid is None else uid) == 0
    mode = settings.default_permission_mode or "bypassPermissions"
    return is_root and mode == "bypassPermissions" and environment.get("IS_SANDBOX") != "1"
