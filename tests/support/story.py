"""A stand-in for the model that plays stories: several messages to one prompt, with its tools.

A story is a list of messages, each a list of content blocks; the n-th request about a prompt gets
the n-th of them. Prompts without a story are answered as by `tests.support.model_api`.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from tests.support import model_api

Block = dict[str, Any]

_numbers = count(1)


def text(words: str, **more: Any) -> Block:
    """A block of text; `pause` may be the seconds before each of its words."""
    return {"type": "text", "text": words, **more}


def thinking(words: str) -> Block:
    """A block of thoughts."""
    return {"type": "thinking", "thinking": words, "signature": "c2lnbmVk"}


def call(name: str, **given: Any) -> Block:
    """A call of a tool."""
    return {"type": "tool_use", "id": f"toolu_s{next(_numbers):05}", "name": name, "input": given}


class StoryApi(model_api.ModelApi):
    """One request of the CLI's."""

    def reply(self, asked: dict[str, Any]) -> None:
        """Answer with the next message of a story, if the prompt has one."""
        assert isinstance(self.server, StoryServer)
        message = self.server.next_message(asked.get("messages", []))
        if message is None or not asked.get("stream"):
            super().reply(asked)
        else:
            self.send_events(_events(message, asked.get("model", "stand-in"), self.server.pause))


class StoryServer(model_api.Server):
    """A server on the loopback address; `pause` is the seconds before each word."""

    def __init__(self, stories: dict[str, list[list[Block]]], pause: float = 0.0) -> None:
        super().__init__(0)
        self.RequestHandlerClass = StoryApi
        self.stories = stories
        self.pause = pause

    def next_message(self, messages: list[dict[str, Any]]) -> list[Block] | None:
        """The message that comes next in the story of the last prompt that has one."""
        for end in range(len(messages) - 1, -1, -1):
            prompt = _prompt(messages[end])
            if prompt in self.stories:
                step = sum(each["role"] == "assistant" for each in messages[end:])
                story = self.stories[prompt]
                return story[step] if step < len(story) else None
        return None


@contextmanager
def telling(stories: dict[str, list[list[Block]]], pause: float = 0.0) -> Iterator[StoryServer]:
    """A server that plays these stories by their prompts."""
    server = StoryServer(stories, pause)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _prompt(message: dict[str, Any]) -> str:
    if message["role"] != "user":
        return ""
    content = message["content"]
    blocks = [text(content)] if isinstance(content, str) else content
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    # The CLI adds reminders of its own, each in a block that begins with a tag.
    return next((each for each in texts if not each.startswith("<")), "")


def _events(blocks: list[Block], model: str, pause: float) -> Iterator[dict[str, Any]]:
    size = sum(len(json.dumps(block)) for block in blocks)
    usage = {"input_tokens": 900 + size, "output_tokens": size // 4}
    head = {"id": f"msg_s{next(_numbers):05}", "type": "message", "role": "assistant"}
    message = {**head, "model": model, "content": [], "stop_reason": None, "usage": usage}
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(blocks):
        empty, deltas = _deltas(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            time.sleep(block.get("pause", pause))
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    calls = any(block["type"] == "tool_use" for block in blocks)
    reason = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": reason, "usage": usage}
    yield {"type": "message_stop"}


def _deltas(block: Block) -> tuple[Block, list[dict[str, Any]]]:
    """A block without its content, and the deltas that add it."""
    if block["type"] == "text":
        words = block["text"].split(" ")
        pieces = [words[0], *(f" {word}" for word in words[1:])]
        return text(""), [{"type": "text_delta", "text": piece} for piece in pieces]
    if block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [thought, signed]
    given = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    return {**block, "input": {}}, [given]
