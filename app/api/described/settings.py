"""The JSON of `/settings`, as models for the OpenAPI document."""

from typing import Any, Literal

from pydantic import Field

from app.openapi.response_model import ResponseModel

_ORIGIN = "Where it was given."
_FILE = "The file that it is in; for a secret in a file, that file."
_LINE = "The line, in claudecode2api.toml."

Origin = Literal["default", "environment", "env_file", "toml", "secret_file"]


class Setting(ResponseModel):
    """A setting in effect."""

    name: str = Field(description="Its name.", examples=["MAX_JOBS"])
    value: Any = Field(description="Its value; `***` for a secret that is set.", examples=[4])
    origin: Origin = Field(description=_ORIGIN)
    file: str | None = Field(description=_FILE)
    line: int | None = Field(description=_LINE)
    default: Any = Field(description="What it is if it is not set; null without a default.")


class Variable(ResponseModel):
    """A variable for the CLI, given beside the settings."""

    name: str = Field(description="Its name.", examples=["HTTPS_PROXY"])
    value: Literal["***"] = Field(description="Always `***`.")
    origin: Origin = Field(description=_ORIGIN)
    file: str | None = Field(description=_FILE)
    line: int | None = Field(description=_LINE)


class RefusedReload(ResponseModel):
    """A reload that was refused, because the gateway could not have started again."""

    at: str = Field(description="When.", examples=["2026-11-21T12:00:00.000Z"])
    error: str = Field(
        description="Why.", examples=["cannot use PORT: 'x' is not a whole number from 1 to 65535"]
    )


class SettingsInEffect(ResponseModel):
    """The settings that the gateway has read, at its start or the last reload."""

    settings: list[Setting] = Field(description="Each setting.")
    variables: list[Variable] = Field(description="What jobs get from `.env` beside them.")
    last_refused_reload: RefusedReload | None = Field(
        description="The last reload that was refused; null if none was since the gateway has read"
        " its settings."
    )
