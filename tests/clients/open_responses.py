"""What a client of the Open Responses specification finds at the gateway.

Each answer and each event is checked against the types that are generated from the specification.
"""

import json
import os
from typing import Any

import openresponses_types as types
import requests
from pydantic import BaseModel, ValidationError
from stories import tell

URL = os.environ["OPENAI_BASE_URL"] + "/responses"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQ"
    "DwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}
EVENTS: list[type[BaseModel]] = [
    getattr(types, name) for name in dir(types) if name.endswith("StreamingEvent")
]


def message(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def post(**body: Any) -> requests.Response:
    types.CreateResponseBody.model_validate({"model": "sonnet", **body})
    answer = requests.post(URL, json={"model": "sonnet", **body}, headers=HEADERS, timeout=50)
    assert answer.status_code == 200, answer.text
    return answer


def response(**body: Any) -> dict[str, Any]:
    found: dict[str, Any] = post(**body).json()
    types.ResponseResource.model_validate(found)
    assert found["status"] == "completed", found
    assert found["output"], found
    return found


def check(event: dict[str, Any]) -> None:
    """Raise an error unless the specification has this event."""
    complaints = []
    for model in EVENTS:
        try:
            model.model_validate(event)
        except ValidationError as error:
            complaints.append(error)
        else:
            return
    raise AssertionError(event, min(map(str, complaints), key=len))


def a_text_is_answered() -> None:
    response(input=[message("user", "Say hello in three words.")])


def a_stream_has_the_events_of_the_specification() -> None:
    for said in ("Count from 1 to 5.", "think: hello", 'call: weather {"city": "Oslo"}'):
        text = post(input=[message("user", said)], tools=[WEATHER], stream=True).text
        events = [
            json.loads(line.removeprefix("data: "))
            for line in text.split("\n")
            if line.startswith("data: ")
        ]
        for event in events:
            check(event)
        assert events[-1]["type"] == "response.completed"
        types.ResponseResource.model_validate(events[-1]["response"])


def a_system_message_is_heeded() -> None:
    response(input=[message("system", "You are a pirate."), message("user", "Say hello.")])


def a_tool_is_called() -> None:
    said = [message("user", 'call: weather {"city": "San Francisco"}')]
    output = response(input=said, tools=[WEATHER])["output"]
    assert "function_call" in [item["type"] for item in output]


def an_image_is_an_input() -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
    text = {"type": "input_text", "text": "What do you see? One sentence."}
    response(input=[message("user", [text, image])])


def a_conversation_has_several_turns() -> None:
    said = [
        message("user", "My name is Alice."),
        message("assistant", "Hello Alice!"),
        message("user", "What is my name?"),
    ]
    response(input=said)


def a_response_continues_another_one() -> None:
    first = response(input="My name is Alice.")
    second = response(input="What is my name?", previous_response_id=first["id"])
    assert second["previous_response_id"] == first["id"]


tell(globals())
