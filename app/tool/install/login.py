"""Whether the CLI that the service will use is logged in: `python -m app.tool.install.login PATH`.

Prints yes, no or unknown.
"""

import os
import sys
from pathlib import Path

from app.cli.environment import build_environment
from app.errors import ConfigurationError
from app.settings import Settings
from app.tool.login_status import ask_cli


def main() -> None:
    """Print the answer of the CLI at PATH, for the checkout in the current folder."""
    try:
        settings = Settings.load(os.environ, Path(".env"))
    except ConfigurationError as error:
        sys.exit(str(error))
    environment = build_environment(os.environ, settings.environment)
    status = ask_cli(sys.argv[1], environment, settings.state_dir)
    words = {True: "yes", False: "no", None: "unknown"}
    sys.stdout.write(f"{words[status.known]}\n")


if __name__ == "__main__":
    main()
