"""Settings for tests: the least that a gateway needs."""

from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.settings import Settings

PRIVATE = "s3cret-0123456789"
LEAST = {"AUTH_PASSWORD": PRIVATE, "HOME": "/home/someone"}


def refusal(environ: dict[str, str], file: Path | None = None) -> str:
    """The one plain line that these settings are refused with."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.load(environ, file)
    message = str(refused.value)
    assert message.startswith("cannot ")
    assert len(message.splitlines()) == 1
    return message
