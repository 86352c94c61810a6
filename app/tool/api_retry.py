"""A retry of the model's API, as a line of the CLI's reports it. Pure.

Lines are as in the CLI's version 2.1.330; 2.1.197 has none.
"""

from typing import NamedTuple

from app.cli.lines import parse


class ApiRetry(NamedTuple):
    """The number of the attempt, and the status that the API answered; None if it did not."""

    attempt: int
    status: int | None

    def problem(self) -> str:
        """What is wrong, as a sentence."""
        if self.status is None:
            return "the model's API cannot be reached"
        return f"the model's API answers with status {self.status}"


def api_retry(line: bytes) -> ApiRetry | None:
    """The retry that a line reports, if it does.

    >>> line = b'{"type":"system","subtype":"api_retry","attempt":2,"error_status":null}'
    >>> api_retry(line)
    ApiRetry(attempt=2, status=None)
    >>> api_retry(b'{"type":"system","subtype":"init"}') is None
    True
    """
    fields = parse(line) if b'"api_retry"' in line else {}
    attempt, status = fields.get("attempt"), fields.get("error_status")
    if fields.get("subtype") != "api_retry" or not isinstance(attempt, int):
        return None
    return ApiRetry(attempt, status if isinstance(status, int) else None)
