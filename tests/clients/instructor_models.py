"""What Instructor finds at the gateway, by default: a call of a tool that must be called."""

import anthropic
import instructor
import openai
from pydantic import BaseModel
from stories import tell


class Number(BaseModel):
    """A number."""

    n: int


ASK = {"model": "sonnet", "messages": [{"role": "user", "content": 'call: Number {"n": 7}'}]}


def a_model_of_pydantic_comes_from_openais_sdk() -> None:
    client = instructor.from_openai(openai.OpenAI(max_retries=0))
    number = client.chat.completions.create(**ASK, response_model=Number, max_retries=1)
    assert number.n == 7, number


def a_model_of_pydantic_comes_from_anthropics_sdk() -> None:
    client = instructor.from_anthropic(anthropic.Anthropic(max_retries=0))
    number = client.create(**ASK, response_model=Number, max_tokens=1000, max_retries=1)
    assert number.n == 7, number


def parts_of_the_model_come_as_a_stream() -> None:
    client = instructor.from_openai(openai.OpenAI(max_retries=0))
    asked = {**ASK, "messages": [{"role": "user", "content": 'call: PartialNumber {"n": 7}'}]}
    *_, last = client.chat.completions.create_partial(**asked, response_model=Number, max_retries=1)
    assert last.n == 7, last


tell(globals())
