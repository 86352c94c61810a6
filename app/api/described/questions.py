"""The JSON of questions and their answers, as models for the OpenAPI document."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.openapi.response_model import ResponseModel


class OpenQuestion(ResponseModel):
    """A question that needs an answer. Its job waits."""

    question_id: str = Field(description="The question's id.")
    process_id: UUID = Field(description="The id of the job that waits for the answer.")
    kind: Literal["tool", "question", "plan"] = Field(
        description="`tool`: may Claude use this tool with this input? `question`: Claude has"
        " questions, which are in `input.questions`. `plan`: may Claude carry out the plan in"
        " `input`?"
    )
    tool_name: str = Field(
        description="The tool; `AskUserQuestion` for a `question`, `ExitPlanMode` for a `plan`.",
        examples=["Bash"],
    )
    input: dict[str, Any] = Field(
        description="The input of the tool.", examples=[{"command": "npm test"}]
    )
    description: str | None = Field(description="What the tool would do, if the CLI says so.")
    suggestions: list[Any] = Field(
        description="Permission rules that the CLI suggests. An answer with `remember` adds them."
    )
    asked_at: AwareDatetime = Field(description="When it was asked.")
    expires_at: AwareDatetime = Field(description="When it is denied if it has no answer.")


class OpenQuestions(ResponseModel):
    """The questions that need an answer, oldest first."""

    questions: list[OpenQuestion] = Field(description="The questions.")


class ClosedQuestion(ResponseModel):
    """How a question was closed."""

    behavior: str = Field(
        description="The answer: `allow` or `deny`. Or why there is none: `expired`, `cancelled`"
        " (also at the job's end) or `lost`."
    )
    user: str | None = Field(
        description="Who answered: AUTH_USER, or the name of a key in API_KEYS.", examples=["admin"]
    )
    at: AwareDatetime = Field(description="When it was closed.")
    message: str | None = Field(description="What the model read in place of the tool's result.")
    answers: dict[str, Any] | None = Field(description="The answers to a `question`.")
    remembered: bool = Field(
        description="Whether what was allowed is allowed until the CLI's process ends."
    )


class JobQuestion(OpenQuestion):
    """A question of a job, open or closed."""

    # Only with `all=true`.
    closed: ClosedQuestion | None = Field(
        None, description="How it was closed; null if it is open. With `all=true` only."
    )


class JobQuestions(ResponseModel):
    """The questions of one job, oldest first."""

    questions: list[JobQuestion] = Field(description="The questions.")


class AnsweredQuestion(ResponseModel):
    """A question that was answered."""

    question_id: str = Field(description="The question's id.")
    process_id: UUID = Field(description="The job's id.")
    behavior: Literal["allow", "deny"] = Field(description="The answer.")
