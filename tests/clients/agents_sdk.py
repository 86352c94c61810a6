"""What OpenAI's Agents SDK finds at the gateway, with the API that it uses by default."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from agents import Agent, Runner, RunResult, SQLiteSession, function_tool, set_tracing_disabled
from pydantic import BaseModel
from stories import tell

set_tracing_disabled(True)
# The client of OpenAI's API belongs to one loop.
LOOP = asyncio.new_event_loop()
SAID = 'call: weather {"city": "Oslo"}'


class Number(BaseModel):
    """A number."""

    n: int


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"it rains in {city}"


def run(agent: Agent[Any], said: str, **named: Any) -> RunResult:
    return done(Runner.run(agent, said, **named))


def done(task: Coroutine[Any, Any, Any]) -> Any:
    return LOOP.run_until_complete(task)


CLERK = Agent(name="clerk", instructions="Be brief.", model="sonnet", tools=[weather])


def a_tool_is_run_and_its_result_answered() -> None:
    assert "it rains in Oslo" in run(CLERK, SAID).final_output


def a_run_is_streamed() -> None:
    async def read() -> str:
        streamed = Runner.run_streamed(CLERK, SAID)
        kinds = {event.type async for event in streamed.stream_events()}
        assert {"raw_response_event", "run_item_stream_event"} <= kinds, kinds
        return str(streamed.final_output)

    assert "it rains in Oslo" in done(read())


def a_task_is_handed_off() -> None:
    desk = Agent(name="desk", instructions="Pass it on.", model="sonnet", handoffs=[CLERK])
    handed = run(desk, "call: transfer_to_clerk {}")
    assert handed.last_agent is CLERK, handed


def an_output_has_its_type() -> None:
    agent = Agent(name="counter", model="sonnet", output_type=Number)
    assert run(agent, 'json: {"n": 7}').final_output == Number(n=7)


def a_conversation_goes_on() -> None:
    agent = Agent(name="clerk", model="sonnet")
    session = SQLiteSession("one")
    run(agent, "one", session=session)
    assert run(agent, "two", session=session).final_output == "You said: two"
    first = run(agent, "one")
    second = run(agent, "two", previous_response_id=first.last_response_id)
    assert second.final_output == "You said: two"


tell(globals())
