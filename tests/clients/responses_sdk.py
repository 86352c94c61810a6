"""What OpenAI's own Python SDK, and LangChain, find at the gateway's Responses API."""

import json

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai.types.responses import Response
from pydantic import BaseModel
from stories import tell

client = openai.OpenAI(max_retries=0)
WEATHER = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
SAID = 'call: weather {"city": "Oslo"}'


class Number(BaseModel):
    """A number."""

    n: int


@tool
def weather(city: str) -> str:
    """The weather."""
    return f"it rains in {city}"


def a_response_is_what_the_sdk_says() -> None:
    raw = client.responses.with_raw_response.create(model="sonnet", input="hello")
    Response.model_validate(json.loads(raw.text))
    response = raw.parse()
    assert response.output_text == "You said: hello"
    assert response.usage.total_tokens > 0
    assert client.responses.retrieve(response.id) == response
    (item,) = client.responses.input_items.list(response.id)
    assert item.content[0].text == "hello"
    client.responses.delete(response.id)
    try:
        client.responses.retrieve(response.id)
    except openai.NotFoundError as error:
        assert error.code == "response_not_found"
    else:
        raise AssertionError("it is still there")


def a_stream_adds_up_to_the_response() -> None:
    with client.responses.stream(model="sonnet", input=SAID, tools=[WEATHER]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    call = final.output[-1]
    assert json.loads(call.arguments) == {"city": "Oslo"}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "it rains"}
    second = client.responses.create(
        model="sonnet", input=[result], previous_response_id=final.id, tools=[WEATHER]
    )
    assert "it rains" in second.output_text


def an_answer_is_parsed() -> None:
    response = client.responses.parse(model="sonnet", input='json: {"n": 7}', text_format=Number)
    assert response.output_parsed == Number(n=7)


def a_response_in_the_background_is_read_and_cancelled() -> None:
    stream = client.responses.create(
        model="sonnet", input="slow: 200 0.1", background=True, stream=True
    )
    first = next(iter(stream))
    stream.close()
    response_id = first.response.id
    rest = client.responses.retrieve(response_id, stream=True, starting_after=first.sequence_number)
    assert next(iter(rest)).sequence_number == first.sequence_number + 1
    rest.close()
    assert client.responses.retrieve(response_id).status == "in_progress"
    assert client.responses.cancel(response_id).status == "cancelled"


def langchain_calls_a_tool() -> None:
    model = ChatOpenAI(
        model="sonnet", max_retries=0, use_responses_api=True, use_previous_response_id=True
    )
    with_tool = model.bind_tools([weather])
    messages = [HumanMessage(SAID)]
    messages.append(with_tool.invoke(messages))
    (call,) = messages[1].tool_calls
    messages.append(ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]))
    text = "".join(chunk.text for chunk in with_tool.stream(messages))
    assert "it rains in Oslo" in text, text


tell(globals())
