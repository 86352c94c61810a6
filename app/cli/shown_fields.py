"""The fields of a chat request as they are shown later: without values that may be secret. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from app.cli.job_settings import is_json
from app.cli.request_fields import ChatRequest
from app.errors import InvalidRequest
from app.json_body import read_json

#: What stands for a value that is not shown.
HIDDEN = "***"
#: Characters of the longest field that is kept, as JSON.
LONGEST_FIELD = 1 << 16

# The parts of `agents` that may hold secrets.
_SECRET_PARTS = ("mcpServers", "env", "hooks", "headers")


def shown_fields(request: ChatRequest) -> tuple[dict[str, Any], list[str]]:
    """The fields that the client sent beside the prompt, and the names of those that are too long.

    Of `env`, and of JSON in `settings` and `mcp_config`, only names are shown.

    >>> shown_fields(ChatRequest(prompt="p", cwd="/", env={"TOKEN": "x"}, settings="s.json"))
    ({'cwd': '/', 'settings': 's.json', 'env': {'TOKEN': '***'}}, [])
    """
    shown: dict[str, Any] = {}
    left_out = []
    for name, value in request.model_dump(exclude_unset=True, exclude={"prompt"}).items():
        value = _shown(name, value)
        if len(json.dumps(value)) > LONGEST_FIELD:
            left_out.append(name)
        else:
            shown[name] = value
    return shown, left_out


def _shown(name: str, value: Any) -> Any:
    if name == "env" and isinstance(value, Mapping):
        return dict.fromkeys(value, HIDDEN)
    if name == "settings" and isinstance(value, str):
        return _names_in(value)
    if name == "mcp_config" and isinstance(value, list):
        return [_names_in(each) if isinstance(each, str) else HIDDEN for each in value]
    if name == "agents":
        return _without_secrets(value)
    return value


def _names_in(text: str) -> str:
    """A path as it is; of a JSON object, the names in it and in its `env` and `mcpServers`.

    >>> _names_in('{"model": "opus", "mcpServers": {"a": {"env": {"KEY": "x"}}}}')
    '{"model": "***", "mcpServers": {"a": "***"}}'
    """
    if not is_json(text):
        return text
    try:
        found = read_json(text.encode())
    except InvalidRequest:
        return HIDDEN
    if not isinstance(found, dict):
        return HIDDEN
    return json.dumps({name: _names_of(name, value) for name, value in found.items()})


def _names_of(name: str, value: Any) -> Any:
    if name in ("env", "mcpServers") and isinstance(value, dict):
        return dict.fromkeys(value, HIDDEN)
    return HIDDEN


def _without_secrets(value: Any) -> Any:
    """A JSON value, in which the parts that may hold secrets are hidden, at any depth.

    >>> _without_secrets({"reviewer": {"prompt": "You review.", "mcpServers": [{"a": {}}]}})
    {'reviewer': {'prompt': 'You review.', 'mcpServers': '***'}}
    """
    if isinstance(value, dict):
        return {
            name: HIDDEN if name in _SECRET_PARTS else _without_secrets(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return value
