"""What Pydantic AI finds at the gateway, with the tools that it uses by default."""

from collections.abc import AsyncIterable

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from stories import tell


class Number(BaseModel):
    """A number."""

    n: int


MODELS = (OpenAIChatModel("sonnet"), OpenAIResponsesModel("sonnet"), AnthropicModel("sonnet"))


def an_answer_of_a_type_is_a_call() -> None:
    for model in MODELS:
        run = Agent(model, output_type=Number).run_sync('call: final_result {"n": 7}')
        assert run.output == Number(n=7), run


def a_tool_is_run_and_its_result_answered() -> None:
    for model in MODELS:
        agent = Agent(model, instructions="Be brief.")

        @agent.tool_plain
        def weather(city: str) -> str:
            """The weather in a city."""
            return f"it rains in {city}"

        run = agent.run_sync('call: weather {"city": "Oslo"}')
        assert "it rains in Oslo" in run.output, run
        again = agent.run_sync("and now?", message_history=run.all_messages())
        assert again.output == "You said: and now?", again


def an_answer_is_streamed_through_a_tool() -> None:
    async def read(_: object, events: AsyncIterable[object]) -> None:
        async for event in events:
            kinds.add(type(event).__name__)

    for model in MODELS:
        kinds: set[str] = set()
        agent = Agent(model)

        @agent.tool_plain
        def weather(city: str) -> str:
            """The weather in a city."""
            return f"it rains in {city}"

        run = agent.run_sync('call: weather {"city": "Oslo"}', event_stream_handler=read)
        assert "it rains in Oslo" in run.output, run
        assert {"PartStartEvent", "PartDeltaEvent", "FunctionToolCallEvent"} <= kinds, kinds


tell(globals())
