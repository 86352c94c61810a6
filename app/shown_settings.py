"""The settings in effect as JSON: value, origin and default of each, without secrets."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.setting_sources import Origin
from app.settings import SECRET, Settings, setting_defaults

#: Stands for every secret.
HIDDEN = "***"


def shown_settings(
    settings: Settings,
    origins: Mapping[str, Origin],
    environ: Mapping[str, str],
    clean: Callable[[str], str] = str,
) -> dict[str, list[dict[str, Any]]]:
    """`settings`, and `variables` for the CLI, which all count as secrets.

    `origins` are those of `load_with_origins`. `clean` takes out of a text what no one may read;
    a secret may be in a setting that is none, such as the password of an address.
    """
    defaults = setting_defaults(environ)
    names = [name for name in origins if name not in settings.environment]
    return {
        "settings": [
            {
                **_fields(
                    name, _shown(name, getattr(settings, name.lower()), clean), origins[name]
                ),
                "default": _shown(name, defaults[name], clean),
            }
            for name in names
        ],
        "variables": [
            _fields(name, HIDDEN, origins[name]) for name in settings.environment if name in origins
        ],
    }


def _shown(name: str, value: Any, clean: Callable[[str], str]) -> Any:
    """A setting's value as JSON has it."""
    if name in SECRET:
        return HIDDEN if value else None
    if isinstance(value, Mapping):
        return {clean(key): clean(text) for key, text in value.items()}
    if isinstance(value, tuple):
        return [clean(str(item)) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return clean(str(value)) if isinstance(value, Path | str) else value


def _fields(name: str, value: Any, origin: Origin) -> dict[str, Any]:
    path = None if origin.path is None else str(origin.path)
    return {
        "name": name,
        "value": value,
        "origin": origin.kind,
        "file": path,
        "line": origin.line,
    }
