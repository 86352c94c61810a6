"""The file with MCP servers for every job (MCP_CONFIG)."""

import json
from pathlib import Path


def servers_in(path: Path) -> tuple[str, ...]:
    """The names of the servers in such a file. Raises ValueError if the file is not usable."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{str(path)!r} is not JSON") from None
    servers = content.get("mcpServers") if isinstance(content, dict) else None
    if not isinstance(servers, dict):
        raise ValueError(f'{str(path)!r} has no object "mcpServers"')
    for name, server in servers.items():
        if not isinstance(server, dict) or not (server.get("command") or server.get("url")):
            raise ValueError(f"{str(path)!r} has neither a command nor a url for server {name!r}")
    return tuple(servers)
