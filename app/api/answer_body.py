"""The body of `POST /jobs/{process_id}/questions/{question_id}`. Pure."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.cli.permission import answered_input, questions_in, rules_for_run
from app.errors import InvalidRequest
from app.json_body import read_object, validate
from app.records.inbox import Answer, Question
from app.timestamps import now

#: Characters of a text, and questions of one AskUserQuestion.
LONGEST_TEXT = 10_000
MOST_ANSWERS = 100


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul_character", "Text must not contain a NUL")
    return text


AnswerText = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_without_nul)]
Choices = Annotated[list[AnswerText], Field(max_length=MOST_ANSWERS)]


class AnswerBody(BaseModel):
    """The answer to a question."""

    model_config = ConfigDict(extra="forbid")

    behavior: Literal["allow", "deny"] = Field(
        description="`allow`: Claude may use the tool, carry out the plan, or gets your `answers`."
        " `deny`: it may not, or gets none."
    )
    message: AnswerText | None = Field(
        None,
        description="With `deny`: what Claude reads in place of the tool's result.",
    )
    updated_input: dict[str, Any] | None = Field(
        None,
        description="With `allow`: other input for the tool, in place of the question's `input`.",
    )
    answers: Annotated[dict[str, AnswerText | Choices], Field(max_length=MOST_ANSWERS)] | None = (
        Field(
            None,
            description="Needed for `allow` if the question's `kind` is `question`: the answer to"
            " each question in its `input.questions`, by the question's text. An answer is a text"
            " or a list of texts.",
            examples=[{"Which color?": "blue"}],
        )
    )
    remember: Literal["run"] | None = Field(
        None,
        description="With `allow`: also allow what the question's `suggestions` name, without"
        " further questions, until the CLI's process ends. The project's settings do not change.",
    )


def read_answer(body: bytes) -> AnswerBody:
    """The answer in a JSON body. Raises InvalidRequest."""
    answer = validate(AnswerBody, read_object(body))
    wrong = ("message",) if answer.behavior == "allow" else ("updated_input", "answers", "remember")
    for name in wrong:
        if getattr(answer, name) is not None:
            raise _refusal(name, f"Must not be sent with {answer.behavior}")
    if answer.updated_input is not None and answer.answers is not None:
        raise _refusal("answers", "Send either answers or updated_input")
    return answer


def answer_for(question: Question, body: AnswerBody, user_id: str) -> Answer:
    """The record of a user's answer to this question. Raises InvalidRequest if it does not fit."""
    updated_input = body.updated_input
    if body.answers is not None:
        _check_answers(question, body.answers)
        updated_input = answered_input(question.input, body.answers)
    elif question.kind == "question" and body.behavior == "allow" and updated_input is None:
        raise _refusal("answers", "Needed to answer a question")
    return Answer(
        behavior=body.behavior,
        at=now(),
        user=user_id,
        message=body.message or None,
        updated_input=updated_input,
        rules=rules_for_run(question.suggestions) if body.remember else [],
    )


def _check_answers(question: Question, answers: dict[str, Any]) -> None:
    if question.kind != "question":
        raise _refusal("answers", f"Must not be sent for a {question.tool_name}")
    asked = questions_in(question.input)
    if any(text not in asked for text in answers):
        raise _refusal("answers", "Each name must be the text of a question in input.questions")
    if any(text not in answers for text in asked):
        raise _refusal("answers", "Must answer each question in input.questions")


def _refusal(field: str, message: str) -> InvalidRequest:
    return InvalidRequest.of("wrong_answer", ("body", field), message)
