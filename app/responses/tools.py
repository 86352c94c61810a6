"""The tools in a request for a response, as functions that the model calls. Pure.

A tool of the type `custom` takes one text, so it becomes a function with one argument. The
functions in a namespace become functions like any other.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from app.conversation.client_tools import ClientTool, ClientTools, ToolChoice, check_tools
from app.conversation.errors import BadParameter
from app.text import shortened

#: The argument of a function that stands for a tool of the type `custom`.
CUSTOM_ARGUMENT = "input"
_CUSTOM_SCHEMA = {
    "type": "object",
    "properties": {CUSTOM_ARGUMENT: {"type": "string"}},
    "required": [CUSTOM_ARGUMENT],
    "additionalProperties": False,
}
# Between a namespace and a name, where the name alone is that of several functions.
_SEPARATOR = "__"


class ResponseTool(BaseModel):
    """A tool. Those that OpenAI's servers would carry out are left out."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="`function`, `custom`, or `namespace`, which has functions in `tools`. Other"
        " tools are left out, and `X-Claude-Ignored` names their types.",
        examples=["function"],
    )
    name: str | None = Field(
        None, description="The name by which the model calls it.", examples=["weather"]
    )
    description: str | None = Field(
        None,
        description="What it does, and when the model should call it.",
        examples=["The weather in a city"],
    )
    parameters: dict[str, Any] | None = Field(
        None,
        description="The JSON Schema of a function's arguments, which are an object.",
        examples=[{"type": "object", "properties": {"city": {"type": "string"}}}],
    )
    strict: StrictBool | None = Field(
        None,
        description="true: the arguments of a call follow the schema, or the request fails.",
    )
    format: dict[str, Any] | None = Field(
        None, description="The format of a custom tool's text. A grammar is described to the model."
    )
    tools: list["ResponseTool"] | None = Field(
        None, max_length=512, description="The functions of a namespace."
    )


class ResponseToolChoice(BaseModel):
    """Which tools the model may or must call."""

    model_config = ConfigDict(extra="ignore")

    type: str = Field(
        description="`none`: no tool. `auto`: the model decides. `required`: at least one tool."
        " `function` or `custom`: the one with the `name`. `allowed_tools`: one of `tools`, as"
        " `mode` says.",
        examples=["function"],
    )
    name: str | None = Field(None, description="The tool to call.", examples=["weather"])
    mode: Literal["auto", "required"] | None = Field(
        None, description="With `allowed_tools`: whether one of them must be called."
    )
    tools: list[dict[str, Any]] | None = Field(
        None, max_length=512, description="With `allowed_tools`: each with `type` and `name`."
    )


class CalledTool(NamedTuple):
    """A tool as the client knows it."""

    name: str
    namespace: str | None
    is_custom: bool


class RequestTools(NamedTuple):
    """The tools of a request.

    `offered` has those that the model gets, `called` the client's tool for each name by which the
    model calls it, and `left_out` the types of the others.
    """

    offered: ClientTools
    called: Mapping[str, CalledTool]
    left_out: Sequence[str]

    def offered_name(self, name: str, namespace: str | None) -> str:
        """The name by which the model calls a tool of the client."""
        for offered, tool in self.called.items():
            if (tool.name, tool.namespace) == (name, namespace):
                return offered
        return name

    def client_tool(self, offered: str) -> CalledTool:
        """The client's tool that the model calls by this name."""
        return self.called.get(offered) or CalledTool(offered, None, False)


class _Flat(NamedTuple):
    """A tool that the client carries out, its namespace, and its place in the request."""

    tool: ResponseTool
    namespace: str | None
    place: str


def request_tools(
    tools: Sequence[ResponseTool], choice: ResponseToolChoice | None, *, parallel: bool
) -> RequestTools:
    """The tools that the model gets. Raises BadParameter."""
    flat: list[_Flat] = []
    left_out: set[str] = set()
    for index, tool in enumerate(tools):
        inside = tool.tools or [] if tool.type == "namespace" else [tool]
        for number, each in enumerate(inside):
            is_nested = tool.type == "namespace"
            place = f"tools[{index}].tools[{number}]" if is_nested else f"tools[{index}]"
            if each.type in ("function", "custom"):
                flat.append(_Flat(each, tool.name if is_nested else None, place))
            else:
                left_out.add(each.type)
    uses = Counter(one.tool.name for one in flat)
    called: dict[str, CalledTool] = {}
    found: list[ClientTool] = []
    for one in flat:
        name = one.tool.name
        if name is None:
            raise BadParameter(f"{one.place}.name", "A tool must have a name")
        is_doubled = uses[name] > 1 and one.namespace is not None
        offered = f"{one.namespace}{_SEPARATOR}{name}" if is_doubled else name
        called[offered] = CalledTool(name, one.namespace, one.tool.type == "custom")
        found.append(_client_tool(one.tool, offered))
    chosen = _chosen(choice, found)
    offered_tools = ClientTools(chosen, _choice(choice), parallel)
    _check(ClientTools(found), [one.place for one in flat])
    _check(offered_tools, [one.place for one in flat])
    return RequestTools(offered_tools, called, sorted(left_out))


def custom_arguments(text: str) -> str:
    """The arguments of the function that stands for a custom tool, with this input."""
    return json.dumps({CUSTOM_ARGUMENT: text})


def custom_input(arguments: str) -> str:
    """The input of a custom tool in the arguments of the function that stands for it.

    >>> custom_input('{"input": "ls"}'), custom_input("not JSON")
    ('ls', 'not JSON')
    """
    try:
        found = json.loads(arguments)
    except ValueError:
        return arguments
    text = found.get(CUSTOM_ARGUMENT) if isinstance(found, dict) else None
    return text if isinstance(text, str) else arguments


def _client_tool(tool: ResponseTool, name: str) -> ClientTool:
    if tool.type == "function":
        return ClientTool(name, tool.description, tool.parameters, bool(tool.strict))
    grammar = (tool.format or {}).get("definition")
    texts = [tool.description or ""]
    if isinstance(grammar, str):
        texts.append(f"The input follows this grammar:\n{grammar}")
    return ClientTool(name, "\n\n".join(filter(None, texts)), _CUSTOM_SCHEMA)


def _chosen(choice: ResponseToolChoice | None, tools: list[ClientTool]) -> list[ClientTool]:
    if choice is None or choice.type != "allowed_tools":
        return tools
    names = {each.get("name") for each in choice.tools or []}
    return [tool for tool in tools if tool.name in names]


def _choice(choice: ResponseToolChoice | None) -> ToolChoice:
    if choice is None:
        return ToolChoice()
    if choice.type in ("none", "auto", "required"):
        return ToolChoice(choice.type)  # type: ignore[arg-type]  # it is one of these
    if choice.type == "allowed_tools":
        return ToolChoice(choice.mode or "auto")
    if choice.type not in ("function", "custom"):
        raise BadParameter(
            "tool_choice", f"Tools of the type {shortened(choice.type)!r} are not supported"
        )
    if choice.name is None:
        raise BadParameter("tool_choice.name", "A choice of a tool must name it")
    return ToolChoice("named", choice.name)


def _check(tools: ClientTools, places: Sequence[str]) -> None:
    try:
        check_tools(tools, "{}.name", "{}.parameters")
    except BadParameter as error:
        number, dot, field = error.param.partition(".")
        if not dot:
            raise
        raise BadParameter(f"{places[int(number)]}.{field}", str(error.detail)) from None
