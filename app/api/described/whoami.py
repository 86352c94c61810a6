"""The JSON of `/whoami`, as a model for the OpenAPI document."""

from pydantic import Field

from app.openapi.response_model import ResponseModel


class Identity(ResponseModel):
    """The user whose credentials the request has."""

    user: str = Field(
        description="AUTH_USER, or the name of a key in API_KEYS.", examples=["admin"]
    )
    operator: bool = Field(
        description="Whether this is the operator, who may see and change everything."
    )
