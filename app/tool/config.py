"""`claudecode2api config`: the settings in effect, and where each comes from."""

import argparse
import sys
from typing import Any

from app.setting_sources import Origin
from app.shown_settings import shown_settings
from app.tool.checkout import Checkout
from app.tool.screen import print_json
from app.tool.table import cell, table


def config(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Print them, secrets and the CLI's variables without their values."""
    settings, origins = checkout.settings_with_origins()
    shown = shown_settings(settings, origins, checkout.gateway_environ())
    if arguments.json:
        print_json(shown)
        return 0
    sys.stdout.write(table([("SETTING", "FROM", "VALUE"), *_rows(shown["settings"], origins)]))
    if shown["variables"]:
        sys.stdout.write("\n")
        rows = _rows(shown["variables"], origins)
        sys.stdout.write(table([("CLI VARIABLE", "FROM", "VALUE"), *rows]))
    return 0


def _rows(found: list[dict[str, Any]], origins: dict[str, Origin]) -> list[tuple[str, ...]]:
    return [
        (each["name"], cell(str(origins[each["name"]])), cell(_text(each["value"])))
        for each in found
    ]


def _text(value: Any) -> str:
    """A value as it would be written in `.env`.

    >>> _text(["a", "b"]), _text(True), _text(None), _text(8), _text({"a": "b"})
    ('a,b', 'true', '', '8', 'a=b')
    """
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{key}={text}" for key, text in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
