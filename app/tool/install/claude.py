"""The CLI that the service will find: `python -m app.tool.install.claude [PATH]`.

Prints its path, its version, and the place where it was found. With PATH no other place is
searched.
"""

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from app.cli.locator import locate
from app.errors import ConfigurationError


def main() -> None:
    """Print where the CLI is, for the checkout in the current folder."""
    # A dry run may have the Python of the system. The service will look beside that of venv/.
    packages = Path(sysconfig.get_path("purelib"))
    if sys.prefix == sys.base_prefix:
        version = ".".join(map(str, sys.version_info[:2]))
        packages = Path(f"venv/lib/python{version}/site-packages").absolute()
    try:
        claude_path, environment = _configured()
        found = locate(_argument() or claude_path, environment, packages)
    except ConfigurationError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{found.path}\n{found.version}\n{found.place}\n")


def _argument() -> str | None:
    return sys.argv[1] if len(sys.argv) > 1 else None


def _configured() -> tuple[str | None, Mapping[str, str]]:
    """CLAUDE_PATH, and the CLI's environment. Raises ConfigurationError."""
    files = Path(".env"), Path("claudecode2api.toml")
    if not any(map(Path.exists, files)) or importlib.util.find_spec("dotenv") is None:
        return None, os.environ
    # Not above: they need packages, which a dry run may not have.
    from app.cli.environment import build_environment
    from app.settings import Settings

    settings = Settings.load(os.environ, Path(".env"))
    return settings.claude_path, build_environment(os.environ, settings.environment)


if __name__ == "__main__":
    main()
