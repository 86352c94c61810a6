"""What LlamaIndex finds at the gateway, with its clients for both APIs."""

import os

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel
from stories import tell


class Number(BaseModel):
    """A number."""

    n: int


MODELS = (
    OpenAILike(
        model="sonnet",
        api_base=os.environ["OPENAI_BASE_URL"],
        api_key=os.environ["OPENAI_API_KEY"],
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
    ),
    Anthropic(model="claude-sonnet-4-5", max_retries=0),
)


def weather(city: str) -> str:
    """The weather in a city."""
    return f"it rains in {city}"


def a_chat_is_answered_and_streamed() -> None:
    for model in MODELS:
        asked = [ChatMessage("Be brief.", role="system"), ChatMessage("hello")]
        assert model.chat(asked).message.content == "You said: hello"
        *_, last = model.stream_chat(asked)
        assert last.message.content == "You said: hello"


def a_tool_is_called_and_its_result_answered() -> None:
    tool = FunctionTool.from_defaults(weather)
    for model in MODELS:
        history = [ChatMessage('call: weather {"city": "Oslo"}')]
        answer = model.chat_with_tools([tool], chat_history=history)
        (call,) = model.get_tool_calls_from_response(answer)
        result = tool(**call.tool_kwargs).content
        extra = {"tool_call_id": call.tool_id}
        history += [answer.message, ChatMessage(result, role="tool", additional_kwargs=extra)]
        last = model.chat_with_tools([tool], chat_history=history)
        assert "it rains in Oslo" in last.message.content, last


def a_model_of_pydantic_is_the_answer() -> None:
    # The one has the model call a tool, the other asks for the format.
    for model, asked in zip(MODELS, ('call: Number {"n": 7}', 'json: {"n": 7}'), strict=True):
        answer = model.as_structured_llm(Number).chat([ChatMessage(asked)])
        assert answer.raw == Number(n=7), answer


tell(globals())
