"""The tools in the body of `POST /v1/chat/completions`. Pure."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool


class FunctionTool(BaseModel):
    """A function that the client carries out."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(description="The name by which the model calls it.", examples=["weather"])
    description: str | None = Field(
        None,
        description="What it does, and when the model should call it.",
        examples=["The weather in a city"],
    )
    parameters: dict[str, Any] | None = Field(
        None,
        description="The JSON Schema of its arguments, which are an object.",
        examples=[{"type": "object", "properties": {"city": {"type": "string"}}}],
    )
    strict: StrictBool | None = Field(
        None,
        description="true: the arguments of a call follow the schema, or the request fails.",
    )


class Tool(BaseModel):
    """A tool of the client."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["function"] = Field(description="Always `function`.")
    function: FunctionTool = Field(description="The function.")


class NamedFunction(BaseModel):
    """The name of a function."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(description="The name of a function in `tools`.", examples=["weather"])


class Choice(BaseModel):
    """Which tools the model may or must call; `function` belongs to the type `function`."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["none", "auto", "required", "function"] = Field(
        description="`none`: no tool. `auto`: the model decides. `required`: at least one tool."
        " `function`: the one in `function`."
    )
    function: NamedFunction | None = Field(
        None, description="The function to call, if `type` is `function`."
    )


def as_choice(value: object) -> object:
    """A text is the type of a choice."""
    return {"type": value} if isinstance(value, str) else value
