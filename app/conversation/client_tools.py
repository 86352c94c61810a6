"""The tools that a client brings, in the form in which they are offered to the CLI. Pure.

Written for version 2.1.330 of the CLI, which drops the whole list of an MCP server without a word
if one tool's schema is not `"type": "object"` at its top.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from app.conversation.errors import BadParameter
from app.conversation.json_schema import schema_error

#: The most tools of a request.
MOST = 512
#: Characters of a result that reach the model whole; the CLI writes a longer one to a file, which a
# model without tools cannot read.
LARGEST_RESULT = 500_000
# What the model's API accepts as a tool's name.
_NAME = re.compile("[a-zA-Z0-9_-]{1,128}")
# What it accepts as the name of an argument; the CLI leaves out a tool with any other one.
_ARGUMENT = re.compile("[a-zA-Z0-9_.-]{1,64}")
_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}


class ClientTool(NamedTuple):
    """A tool. `parameters` is the JSON Schema of its arguments, if the client gives one.

    If it is `strict`, the arguments of each call follow that schema, or the answer fails.
    """

    name: str
    description: str | None
    parameters: Mapping[str, Any] | None
    strict: bool = False


class ToolChoice(NamedTuple):
    """Which tools the model may or must call; `name` belongs to `named`."""

    kind: Literal["auto", "none", "required", "named"] = "auto"
    name: str | None = None

    @property
    def must_call(self) -> bool:
        """Whether an answer without a call is no answer."""
        return self.kind in ("required", "named")


class ClientTools(NamedTuple):
    """The tools of a request, and what the model does with them."""

    tools: Sequence[ClientTool]
    choice: ToolChoice = ToolChoice()
    #: Whether the client accepts several calls in one answer.
    parallel: bool = True
    #: The names of the CLI's own tools that the model has beside these.
    own: Sequence[str] = ()

    def offered(self) -> list[ClientTool]:
        """The tools that the model gets."""
        if self.choice.kind == "none":
            return []
        return [t for t in self.tools if self.choice.name in (None, t.name)]

    def names(self) -> frozenset[str]:
        """The names of the tools that the model gets."""
        return frozenset(tool.name for tool in self.offered())

    def definition(self) -> bytes:
        """What the supervisor offers to the CLI, as JSON."""
        found = [_mcp_tool(tool) for tool in self.offered()]
        return json.dumps({"tools": found, "must_call": self.choice.must_call}).encode()


def check_tools(tools: ClientTools, name_place: str, schema_place: str) -> None:
    """Check names, schemas and the choice.

    `name_place` and `schema_place` are the places of a tool's name and schema, with `{}` for the
    tool's index. Raises BadParameter.
    """
    seen: set[str] = set()
    for index, tool in enumerate(tools.tools):
        if not _NAME.fullmatch(tool.name):
            raise BadParameter(
                name_place.format(index),
                f"A tool's name has 1 to 128 letters, digits, underscores and dashes, not"
                f" {tool.name[:100]!r}",
            )
        if tool.name in seen:
            raise BadParameter(
                name_place.format(index),
                f"There are two tools {tool.name!r}: each must have another name",
            )
        seen.add(tool.name)
        wrong = schema_error(_object_schema(tool.parameters))
        if wrong is not None:
            raise BadParameter(
                schema_place.format(index),
                f"The schema of the tool {tool.name!r} is not valid JSON Schema: {wrong}",
            )
        for name in _object_schema(tool.parameters)["properties"]:
            if not _ARGUMENT.fullmatch(name):
                raise BadParameter(
                    schema_place.format(index),
                    f"The name of an argument has 1 to 64 letters, digits, underscores, dots and"
                    f" dashes, not {name[:100]!r}",
                )
    choice = tools.choice
    if choice.name is not None and choice.name not in seen:
        raise BadParameter("tool_choice", f"There is no tool {choice.name[:100]!r} in tools")
    if choice.must_call and not seen:
        raise BadParameter("tool_choice", "A tool must be called, but there are no tools")


def _mcp_tool(tool: ClientTool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description or "",
        "inputSchema": _object_schema(tool.parameters),
        # Calls of a tool that only reads are made side by side.
        "annotations": {"readOnlyHint": True},
        "_meta": {
            "anthropic/alwaysLoad": True,
            "anthropic/maxResultSizeChars": LARGEST_RESULT,
        },
    }


def _object_schema(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The schema with `"type": "object"` at its top.

    >>> _object_schema({"type": ["object", "null"], "properties": {}})
    {'type': 'object', 'properties': {}}
    >>> _object_schema(None)
    {'type': 'object', 'properties': {}}
    """
    found = {**_SCHEMA, **(schema or {}), "type": "object"}
    return found if isinstance(found["properties"], dict) else {**found, "properties": {}}
