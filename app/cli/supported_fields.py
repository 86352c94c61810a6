"""The check that the installed CLI supports the fields of a request. Pure."""

from collections.abc import Iterator

from app.cli.capabilities import FLAGS, Capabilities
from app.cli.request_fields import ChatRequest
from app.errors import UnsupportedField


def check_supported(request: ChatRequest, capabilities: Capabilities, version: str) -> None:
    """Check that the CLI of this version knows the flag of each field of a request.

    While the capabilities are unknown, all pass: the CLI itself refuses flags that it does not
    know. Raises UnsupportedField.
    """
    if capabilities is None:
        return
    for field in FLAGS:
        if field not in capabilities and field in _fields_with_flags(request):
            raise UnsupportedField(field, version)


def _fields_with_flags(request: ChatRequest) -> Iterator[str]:
    for field in FLAGS:
        value = getattr(request, field)
        if field == "session_persistence":
            value = value is False
        if value not in (None, False, ""):
            yield field
