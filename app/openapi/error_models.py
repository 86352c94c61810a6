"""How an error is told on our own faces, as models; what all such models have in common."""

from pydantic import BaseModel, ConfigDict, Field


class Told(BaseModel):
    """Something that the gateway tells. Keys may be added."""

    # Most processes never look at the schemas.
    model_config = ConfigDict(defer_build=True)


class Problem(Told):
    """One thing that is wrong with a request."""

    type: str = Field(description="What kind of mistake it is.", examples=["missing"])
    loc: list[str | int] = Field(
        description="Where: `body` or `query`, and the way down from there.",
        examples=[["body", "prompt"]],
    )
    msg: str = Field(description="For people.", examples=["Field required"])


class ErrorBody(Told):
    """An error."""

    detail: str | list[Problem] = Field(
        description="For people: a sentence, or a list for a request that does not fit."
    )
    code: str = Field(description="For programs: these do not change.")
    hint: str = Field("", description="What would help; only where `detail` does not say it.")
    request_id: str = Field(description="The same as the header X-Request-ID.")
