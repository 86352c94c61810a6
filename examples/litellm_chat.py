"""Two completions of one conversation with LiteLLM.

Needs OPENAI_BASE_URL and OPENAI_API_KEY in the environment.
"""

import litellm

messages = [{"role": "user", "content": "Remember the number 7."}]
first = litellm.completion(model="openai/sonnet", messages=messages)
messages += [first.choices[0].message, {"role": "user", "content": "Which number was it?"}]
print(litellm.completion(model="openai/sonnet", messages=messages).choices[0].message.content)
