"""The JSON of `/log`, as a model for the OpenAPI document."""

from pydantic import Field

from app.openapi.response_model import ResponseModel


class LogLines(ResponseModel):
    """The last lines of the gateway's log."""

    lines: list[str] = Field(
        description="The lines, the newest last: text, or objects of JSON with LOG_FORMAT=json.",
        examples=[["2026-11-21T12:00:00.000Z INFO 4711 app: using /usr/local/bin/claude"]],
    )
    count: int = Field(description="How many there are.")
