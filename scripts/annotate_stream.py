"""Show an event stream: `annotate_stream.py WIDTH`, the stream on standard input.

Its lines are long, so each is cut to WIDTH characters, and a line after it says what it contains.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any


def main() -> None:
    """Print the stream as it arrives."""
    width = int(sys.argv[1])
    for line in sys.stdin.buffer:
        text = line.decode(errors="replace").rstrip("\n")
        print(text[:width], flush=True)
        if text.startswith("data: {"):
            for note in notes(json.loads(text.removeprefix("data: "))):
                print(f"      # {note}"[:width], flush=True)


def notes(event: dict[str, Any]) -> Iterator[str]:
    """What an event contains, one sentence for each part."""
    kind = event.get("type")
    if kind == "system":
        yield event.get("subtype", "system")
    elif kind == "result":
        prefix = "result, an error: " if event.get("is_error") else "result: "
        yield prefix + str(event.get("result", event.get("subtype")))
    content = event.get("message", {}).get("content", [])
    for block in content if isinstance(content, list) else []:
        if block.get("type") == "text":
            yield f"the assistant writes: {block['text']}"
        elif block.get("type") == "tool_use":
            yield f"the assistant calls {block['name']}: {json.dumps(block['input'])}"
        elif block.get("type") == "tool_result":
            yield f"the tool returns: {json.dumps(block['content'])}"


if __name__ == "__main__":
    main()
