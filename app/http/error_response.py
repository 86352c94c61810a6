"""An error as a client is told it. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from app.errors import GatewayError


class Told(NamedTuple):
    """Status, JSON body and headers of the answer."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


#: How a face tells an error.
Shape = Callable[[GatewayError], Told]
