"""A completion with OpenAI's SDK, and a streamed one.

Needs OPENAI_BASE_URL and OPENAI_API_KEY in the environment.
"""

from openai import OpenAI

client = OpenAI()
answer = client.chat.completions.create(
    model="sonnet", messages=[{"role": "user", "content": "Which files are here?"}]
)
print(answer.choices[0].message.content, answer.usage)

stream = client.chat.completions.create(
    model="sonnet", messages=[{"role": "user", "content": "Tell a story."}], stream=True
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
