"""The file `.env`, read."""

import io
from pathlib import Path

from dotenv.parser import parse_stream

from app.errors import ConfigurationError


def read_env_file(path: Path) -> dict[str, str]:
    """Every variable of a dotenv file, values taken literally; empty if there is no file.

    Raises ConfigurationError, which names the first line that cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from None
    variables: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            # The parser counts from the blank lines before the binding.
            blank = len(binding.original.string) - len(binding.original.string.lstrip("\r\n"))
            raise ConfigurationError(
                f"cannot read {path}, line {binding.original.line + blank}: write NAME=value,"
                " and put a value that contains # or a quote between single quotes"
            )
        if binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
    return variables
