"""The query parameter `wait`: how long a request waits for what it asks for."""

from app.http.query import number_in_query
from app.openapi.describe import Parameter

#: The longest wait, in seconds.
LONGEST_WAIT = 300.0


def wait_parameter(description: str) -> Parameter:
    """The parameter, for the OpenAPI document."""
    schema = {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT, "default": 0}
    return Parameter("wait", "query", schema, description)


def seconds_to_wait() -> float:
    """The value of the current request, in seconds. Raises InvalidRequest."""
    return number_in_query("wait", 0.0, 0.0, LONGEST_WAIT)
