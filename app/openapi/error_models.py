"""Errors as JSON: the models for the OpenAPI document, and the base of all such models."""

from pydantic import BaseModel, ConfigDict, Field


class ResponseModel(BaseModel):
    """Base of the models that describe responses. Later versions may add keys."""

    # Most processes never build the schemas.
    model_config = ConfigDict(defer_build=True)


class Problem(ResponseModel):
    """One problem of a request."""

    type: str = Field(description="The kind of problem.", examples=["missing"])
    loc: list[str | int] = Field(
        description="Where it is: `body`, `query` or `headers`, then the path from there.",
        examples=[["body", "prompt"]],
    )
    msg: str = Field(description="A message for people.", examples=["Field required"])


class ErrorBody(ResponseModel):
    """An error."""

    detail: str | list[Problem] = Field(
        description="A message for people; a list if the request does not match the schema."
    )
    code: str = Field(description="A stable code for programs.")
    hint: str = Field("", description="Advice; only for some errors.")
    request_id: str = Field(description="The same as the header X-Request-ID.")
