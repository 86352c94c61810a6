"""The CLI's settings for one job: those of the request, its `env`, and ours. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from app.errors import InvalidRequest
from app.json_body import read_json

# Keeps messages of other jobs out of a job's conversation: by default (2.1.224 on), every session
# of the same user can send some.
_MESSAGES = {"crossSessionInbound": "refuse"}
_PLACE = ("body", "settings")
# The CLI skips a byte order mark, too.
_OBJECT = re.compile(r"[\s\ufeff]*\{")

#: The settings of a job whose request has none.
DEFAULT = json.dumps(_MESSAGES, separators=(",", ":"))


def is_json(text: str) -> bool:
    """Whether the CLI takes the value of an option for JSON, and not for a path."""
    return _OBJECT.match(text) is not None


def with_env(settings: str | None, env: Mapping[str, str] | None) -> str:
    """Settings that have `env`, and refuse messages of other sessions unless they say otherwise.

    `settings` is a JSON object. A later --settings would replace an earlier one as a whole, so all
    is in one. Raises InvalidRequest.

    >>> with_env('{"model": "opus", "env": {"A": "1"}}', {"B": "2"})
    '{"crossSessionInbound": "refuse", "model": "opus", "env": {"A": "1", "B": "2"}}'
    """
    found = {**_MESSAGES, **_parsed(settings or "{}")}
    if env:
        found["env"] = {**_env_of(found), **env}
    return json.dumps(found)


def env_of(settings: str) -> Mapping[str, Any]:
    """The environment variables in settings, a JSON object. Raises InvalidRequest."""
    return _env_of(_parsed(settings))


def _parsed(settings: str) -> dict[str, Any]:
    try:
        found = read_json(settings.encode())
    except InvalidRequest as error:
        raise error.relocated(lambda _: _PLACE) from None
    if not isinstance(found, dict):
        raise InvalidRequest.of("settings", _PLACE, "Must be a JSON object, or a path to one")
    return found


def _env_of(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    env = settings.get("env")
    if env is None:
        return {}
    if not isinstance(env, dict):
        raise InvalidRequest.of("settings", (*_PLACE, "env"), "Must be an object")
    return env
