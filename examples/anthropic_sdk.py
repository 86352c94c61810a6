"""A message with Anthropic's SDK, and a streamed one.

Needs ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY in the environment.
"""

from anthropic import Anthropic

client = Anthropic()
message = client.messages.create(
    model="sonnet", max_tokens=1000, messages=[{"role": "user", "content": "Why is the sky blue?"}]
)
print(message.content[0].text, message.usage)

with client.messages.stream(
    model="sonnet", max_tokens=1000, messages=[{"role": "user", "content": "Tell a story."}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
