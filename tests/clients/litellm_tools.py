"""What LiteLLM finds at the gateway, as a library, with both APIs."""

import asyncio
import os

import litellm
from stories import tell

litellm.suppress_debug_info = True
# Otherwise it asks OpenAI's models by the Responses API.
litellm.use_chat_completions_url_for_anthropic_messages = True
MODELS = ("openai/sonnet", "anthropic/claude-sonnet-4-5")
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
QUESTION = {"role": "user", "content": 'call: weather {"city": "Oslo"}'}


def a_tool_is_called_and_its_result_answered() -> None:
    for model in MODELS:
        first = litellm.completion(model, [QUESTION], tools=[WEATHER], max_retries=0)
        message = first.choices[0].message
        (call,) = message.tool_calls
        assert call.function.name == "weather", call
        result = {"role": "tool", "tool_call_id": call.id, "content": "it rains"}
        messages = [QUESTION, message.model_dump(), result]
        last = litellm.completion(model, messages, tools=[WEATHER], max_retries=0)
        assert "it rains" in last.choices[0].message.content, last


def a_call_is_streamed() -> None:
    for model in MODELS:
        chunks = list(litellm.completion(model, [QUESTION], tools=[WEATHER], stream=True))
        whole = litellm.stream_chunk_builder(chunks, messages=[QUESTION])
        (call,) = whole.choices[0].message.tool_calls
        assert call.function.arguments == '{"city": "Oslo"}', whole


def a_message_of_anthropics_api_is_answered_by_the_other_api() -> None:
    asked = [{"role": "user", "content": "hello"}]
    for model in MODELS:
        message = asyncio.run(
            litellm.anthropic.messages.acreate(
                model=model, messages=asked, max_tokens=100, api_key=os.environ["OPENAI_API_KEY"]
            )
        )
        assert message["content"][0]["text"] == "You said: hello", message


tell(globals())
