"""An error as a response, before it is one of Flask's. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from app.errors import GatewayError


class ErrorResponse(NamedTuple):
    """Status, JSON body and headers."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


#: Gives an error the shape that an API's clients expect.
ErrorRenderer = Callable[[GatewayError], ErrorResponse]
