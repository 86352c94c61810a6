"""The schema of an event of a stream, for the OpenAPI document."""

from typing import Any

from app.openapi.describe import Model
from app.openapi.json_schema import reference


def event_schema(name: str, what: str, data: dict[str, Any], *needed: str) -> dict[str, Any]:
    """The schema of one kind of event; `data` adds to its data's, `needed` names more keys."""
    return {
        "type": "object",
        "properties": {
            "event": {"const": name, "description": "The name of the event."},
            "data": {"type": "string", "description": what, **data},
            "id": {
                "type": "string",
                "description": "Opaque: send it as `Last-Event-ID` to resume the stream after it.",
            },
        },
        "required": ["event", "data", *needed],
    }


def json_data(model: Model) -> dict[str, Any]:
    """What says of an event's data that it is JSON of this model."""
    return {"contentMediaType": "application/json", "contentSchema": reference(model)}
