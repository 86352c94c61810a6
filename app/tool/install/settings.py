"""The settings that the service will use: `python -m app.tool.install.settings`.

Prints HOST, PORT, AUTH_USER, STATE_DIR, the gateway's URL, whether the password stands in `.env`
as it is, so that a shell can read it (yes or no), and where the password is.
"""

import os
import sys
from pathlib import Path

from app.errors import ConfigurationError
from app.settings import load_with_origins
from app.tool.client import own_url


def main() -> None:
    """Print the settings of the checkout in the current folder."""
    env_file = Path(".env")
    try:
        settings, origins = load_with_origins(os.environ, env_file)
    except ConfigurationError as error:
        sys.exit(str(error))
    text = env_file.read_text(encoding="utf-8") if env_file.exists() else ""
    origin = origins["AUTH_PASSWORD"]
    values = (
        settings.host,
        settings.port,
        settings.auth_user,
        settings.state_dir,
        own_url(settings),
        "yes" if _is_plain(text, settings.auth_password) else "no",
        origin._replace(path=origin.path.absolute()) if origin.path else origin,
    )
    sys.stdout.write("".join(f"{value}\n" for value in values))


def _is_plain(text: str, password: str) -> bool:
    """Whether one line of `.env` sets the password, without quotes or a comment.

    >>> _is_plain("AUTH_PASSWORD=x\\n", "x"), _is_plain("AUTH_PASSWORD='x'\\n", "x")
    (True, False)
    """
    lines = [line for line in text.split("\n") if line.startswith("AUTH_PASSWORD=")]
    return lines == [f"AUTH_PASSWORD={password}"]


if __name__ == "__main__":
    main()
