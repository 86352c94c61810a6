"""The base of the models that describe responses in the OpenAPI document."""

from pydantic import BaseModel, ConfigDict


class ResponseModel(BaseModel):
    """A response, or a part of one. Later versions may add keys."""

    # Most processes never build the schemas.
    model_config = ConfigDict(defer_build=True)
