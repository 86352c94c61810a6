"""The control requests that clients may send to a CLI that runs. Pure.

Shapes of the CLI's versions 2.1.330 to 2.1.332.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.errors import ControlNotAllowed, InvalidRequest

#: Characters of a text in a request.
LONGEST_TEXT = 1000


class _Kind(NamedTuple):
    """A kind of request: the fields that a client must and may send, and those that we add.

    `spoils` means that it changes what the next job of the run would start with.
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    added: Mapping[str, Any] = {}
    spoils: bool = False


class ControlRequest(NamedTuple):
    """A request for the CLI; after one that `spoils` its run, the run serves no other job."""

    fields: dict[str, Any]
    spoils: bool


_KINDS: dict[str, _Kind] = {
    # Otherwise it counts by some 25 requests to the model's API.
    "get_context_usage": _Kind(added={"detail": "summary"}),
    # Otherwise it reads all transcripts of a week, those of other users too.
    "get_usage": _Kind(added={"skip_behaviors": True}),
    "get_session_cost": _Kind(),
    "get_plan": _Kind(),
    "get_workspace_diff": _Kind(),
    "mcp_status": _Kind(),
    "list_models": _Kind(),
    "list_permission_rules": _Kind(),
    "export_conversation": _Kind(),
    "get_task_output": _Kind(needed=("task_id",)),
    "background_tasks": _Kind(optional=("tool_use_id",)),
    "stop_task": _Kind(needed=("task_id",)),
    "set_model": _Kind(needed=("model",), spoils=True),
    "set_permission_mode": _Kind(needed=("mode",), spoils=True),
    "rename_session": _Kind(needed=("title",)),
}
#: The kinds that every client may send.
ALLOWED = tuple(_KINDS)


def control_request(fields: Mapping[str, Any], more_allowed: Sequence[str]) -> ControlRequest:
    """The request in a client's body; `more_allowed` are kinds that the operator has added.

    Raises ControlNotAllowed and InvalidRequest.
    """
    subtype = fields.get("subtype")
    if not isinstance(subtype, str) or not subtype:
        raise _refusal("missing", "subtype", "Must be the kind of the request, such as get_plan")
    kind = _KINDS.get(subtype)
    if kind is None:
        if subtype not in more_allowed:
            raise ControlNotAllowed(subtype, (*ALLOWED, *more_allowed))
        # What it changes is unknown.
        return ControlRequest(dict(fields), spoils=True)
    for name, value in fields.items():
        if name == "subtype":
            continue
        if name not in (*kind.needed, *kind.optional):
            raise _refusal("extra_forbidden", name, f"Not a field of {subtype}")
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT or "\0" in value:
            message = f"Must be a text of 1 to {LONGEST_TEXT} characters without NUL"
            raise _refusal("string_type", name, message)
    for name in kind.needed:
        if name not in fields:
            raise _refusal("missing", name, f"Needed by {subtype}")
    return ControlRequest({**fields, **kind.added}, kind.spoils)


def _refusal(kind: str, field: str, message: str) -> InvalidRequest:
    return InvalidRequest.of(kind, ("body", field[:LONGEST_TEXT]), message)
