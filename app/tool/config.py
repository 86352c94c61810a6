"""`claudecode2api config`: the settings in effect, and where each comes from."""

import argparse
import sys
from pathlib import Path
from typing import Any

from app.setting_sources import Origin
from app.settings import SECRET
from app.tool.checkout import Checkout
from app.tool.screen import print_json
from app.tool.table import cell, table

#: Stands for every secret.
HIDDEN = "***"


def config(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Print them, secrets and the CLI's variables without their values."""
    settings, origins = checkout.settings_with_origins()
    shown = {
        name: _shown(name, getattr(settings, name.lower()))
        for name in origins
        if name not in settings.environment
    }
    variables = dict.fromkeys(settings.environment, HIDDEN)
    if arguments.json:
        print_json(
            {
                "settings": [_fields(name, shown[name], origins[name]) for name in shown],
                "variables": [_fields(name, HIDDEN, origins[name]) for name in variables],
            }
        )
        return 0
    rows = [("SETTING", "FROM", "VALUE"), *_rows(shown, origins)]
    sys.stdout.write(table(rows))
    if variables:
        sys.stdout.write("\n")
        sys.stdout.write(table([("CLI VARIABLE", "FROM", "VALUE"), *_rows(variables, origins)]))
    return 0


def _shown(name: str, value: Any) -> Any:
    """A setting's value as JSON has it."""
    if name in SECRET:
        return HIDDEN if value else None
    if isinstance(value, tuple):
        return [str(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return str(value) if isinstance(value, Path) else value


def _fields(name: str, value: Any, origin: Origin) -> dict[str, Any]:
    path = None if origin.path is None else str(origin.path)
    return {
        "name": name,
        "value": value,
        "origin": origin.kind,
        "file": path,
        "line": origin.line,
    }


def _rows(values: dict[str, Any], origins: dict[str, Origin]) -> list[tuple[str, ...]]:
    return [(name, cell(str(origins[name])), cell(_text(value))) for name, value in values.items()]


def _text(value: Any) -> str:
    """A value as it would be written in `.env`.

    >>> _text(["a", "b"]), _text(True), _text(None), _text(8)
    ('a,b', 'true', '', '8')
    """
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
