"""The JSON of errors, as models for the OpenAPI document."""

from pydantic import Field

from app.openapi.response_model import ResponseModel


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
        description="A message for people; a list of problems if the request does not match the"
        " schema."
    )
    code: str = Field(description="A stable code for programs.")
    hint: str = Field("", description="Advice. Only some errors have it.")
    request_id: str = Field(
        description="The request's id, as in the header X-Request-ID and in the log."
    )
