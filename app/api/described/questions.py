"""The JSON of questions and their answers, as models for the OpenAPI document."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.openapi.response_model import ResponseModel


class OpenQuestion(ResponseModel):
    """A question of the CLI that needs an answer."""

    question_id: str
    process_id: UUID = Field(description="The id of the job that waits for the answer.")
    kind: Literal["tool", "question", "plan"] = Field(
        description="`tool`: may this tool be used? `question`: Claude asks (AskUserQuestion)."
        " `plan`: may this plan be carried out (ExitPlanMode)?"
    )
    tool_name: str = Field(examples=["Bash"])
    input: dict[str, Any] = Field(description="The input of the tool.")
    description: str | None
    suggestions: list[Any] = Field(
        description="Permission rules that the CLI suggests; see `remember` of the answer."
    )
    asked_at: AwareDatetime
    expires_at: AwareDatetime = Field(description="When it is denied unless it was answered.")


class OpenQuestions(ResponseModel):
    """The questions that need an answer, oldest first."""

    questions: list[OpenQuestion]


class AnsweredQuestion(ResponseModel):
    """A question that was answered."""

    question_id: str
    process_id: UUID = Field(description="The job's id.")
    behavior: Literal["allow", "deny"]
