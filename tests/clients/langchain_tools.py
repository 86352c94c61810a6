"""What LangChain finds at the gateway, with its clients for both APIs."""

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from stories import tell

MODELS = (
    ChatOpenAI(model="sonnet", max_retries=0, stream_usage=True),
    ChatAnthropic(model="sonnet", max_retries=0),
)


class Number(BaseModel):
    """A number."""

    n: int


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"it rains in {city}"


def a_tool_is_called_and_its_result_answered() -> None:
    for model in MODELS:
        claude = model.bind_tools([weather])
        messages = [SystemMessage("Be brief."), HumanMessage('call: weather {"city": "Oslo"}')]
        messages.append(claude.invoke(messages))
        (call,) = messages[-1].tool_calls
        messages.append(weather.invoke(call))
        assert isinstance(messages[-1], ToolMessage)
        assert "it rains in Oslo" in claude.invoke(messages).text


def a_call_is_streamed() -> None:
    for model in MODELS:
        chunks = model.bind_tools([weather]).stream('call: weather {"city": "Oslo"}')
        whole = None
        for chunk in chunks:
            whole = chunk if whole is None else whole + chunk
        (call,) = whole.tool_calls
        assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"}), whole
        assert whole.usage_metadata["output_tokens"] > 0


def a_model_of_pydantic_is_the_answer() -> None:
    for model in MODELS:
        asking = model.with_structured_output(Number, method="function_calling")
        assert asking.invoke('call: Number {"n": 7}') == Number(n=7)


tell(globals())
