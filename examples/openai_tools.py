"""A chat in which the model calls a function of this program.

Needs OPENAI_BASE_URL and OPENAI_API_KEY in the environment. PROMPT is another question.
"""

import json
import os

from openai import OpenAI

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def weather(city):
    """What the model gets as the result of its call."""
    return f"It is sunny in {city}."


client = OpenAI()
messages = [{"role": "user", "content": os.environ.get("PROMPT", "How is the weather in Paris?")}]
while True:
    answer = client.chat.completions.create(model="sonnet", messages=messages, tools=TOOLS)
    message = answer.choices[0].message
    messages.append(message)
    if not message.tool_calls:
        break
    for call in message.tool_calls:
        result = weather(**json.loads(call.function.arguments))
        print(f"{call.function.name}: {call.function.arguments} -> {result}")
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
print(message.content)
