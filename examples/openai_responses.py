"""A response with OpenAI's SDK, one that continues it, and one in the background.

Needs OPENAI_BASE_URL and OPENAI_API_KEY in the environment.
"""

import time

from openai import OpenAI

client = OpenAI()
first = client.responses.create(model="sonnet", input="Why is the sky blue?")
print(first.output_text, first.usage)

with client.responses.stream(
    model="sonnet", input="And in the evening?", previous_response_id=first.id
) as stream:
    for event in stream:
        if event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
print()

response = client.responses.create(model="sonnet", input="Tell a story.", background=True)
while response.status in ("queued", "in_progress"):
    time.sleep(1)
    response = client.responses.retrieve(response.id)
print(response.output_text)
