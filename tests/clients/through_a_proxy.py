"""What the SDKs find behind a LiteLLM proxy, whose models are those of the gateway."""

import anthropic
import openai
from stories import tell

MODELS = ("by-openai", "by-anthropic")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
QUESTION = {"role": "user", "content": 'call: weather {"city": "Oslo"}'}


def openais_sdk_calls_a_tool() -> None:
    client = openai.OpenAI(max_retries=0)
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    for model in MODELS:
        ask = {"model": model, "tools": tools}
        message = client.chat.completions.create(messages=[QUESTION], **ask).choices[0].message
        (call,) = message.tool_calls
        result = {"role": "tool", "tool_call_id": call.id, "content": "it rains"}
        messages = [QUESTION, message.model_dump(exclude_none=True), result]
        stream = client.chat.completions.create(messages=messages, stream=True, **ask)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert "it rains" in text, text


def anthropics_sdk_calls_a_tool() -> None:
    client = anthropic.Anthropic(max_retries=0)
    tools = [{"name": "weather", "description": "The weather", "input_schema": SCHEMA}]
    for model in MODELS:
        ask = {"model": model, "tools": tools, "max_tokens": 1000}
        first = client.messages.create(messages=[QUESTION], **ask)
        (call,) = [block for block in first.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "it rains"}
        messages = [
            QUESTION,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [result]},
        ]
        with client.messages.stream(messages=messages, **ask) as stream:
            text = stream.get_final_text()
        assert "it rains" in text, text


tell(globals())
