"""A completion with LangChain, and a streamed one.

Needs OPENAI_BASE_URL and OPENAI_API_KEY in the environment.
"""

from langchain_openai import ChatOpenAI

claude = ChatOpenAI(model="sonnet")
print(claude.invoke("Which files are here?").content)
for chunk in claude.stream("Tell a story."):
    print(chunk.text, end="", flush=True)
