"""Whether the service can listen at its address: `python -m app.tool.install.port HOST PORT`."""

import sys

from app.errors import ConfigurationError
from app.server.listen_address import check_address


def main() -> None:
    """Exit with what is wrong, if the gateway could not listen there now."""
    host, port = sys.argv[1:]
    try:
        check_address(host, int(port), patience=0.0)
    except ConfigurationError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
