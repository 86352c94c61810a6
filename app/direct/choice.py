"""The choice of the direct backend for a request. Pure."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from app.cli.field_types import LONGEST_TIME, LONGEST_TITLE
from app.conversation import options
from app.conversation.errors import BadParameter
from app.conversation.models import Models
from app.text import shortened

#: The option that names a backend.
BACKEND = "backend"
#: The options that a request to the direct backend can have.
_OPTIONS = {BACKEND, "timeout", "title"}
# There is no agent.
_MODE = ("mode", "model")
# Headers that Claude Code sends as a client (2.1.330); they are no options.
_CLAUDE_CODE = "X-CLAUDE-CODE-"
# Names that the CLI gives to models; the model's API does not know them.
_OF_THE_CLI = {"", "best", "claude-code", "default", "fable", "haiku", "opus", "opusplan", "sonnet"}


class DirectChoice:
    """Decides by the model and the option `backend`; `patterns` are those of DIRECT_MODELS."""

    def __init__(self, patterns: Sequence[str], models: Models) -> None:
        self._patterns = patterns
        self._models = models

    def model_for(self, name: object, found: Mapping[str, Any]) -> str | None:
        """The model's name for the model's API; None if the CLI serves the request.

        `name` is the model that the client asks for and `found` has its options. Raises
        BadParameter for a backend that the request cannot have, and for options of the CLI.
        """
        backend = found.get(BACKEND)
        if backend not in (None, "cli", "direct"):
            raise BadParameter(f"claude.{BACKEND}", "Must be cli or direct")
        model = self._models.full_name(name) if isinstance(name, str) else ""
        is_allowed = model not in _OF_THE_CLI and any(
            fnmatchcase(model, pattern) for pattern in self._patterns
        )
        if backend == "direct" and not is_allowed:
            raise BadParameter(
                f"claude.{BACKEND}",
                f"The operator has not allowed the model {shortened(model)!r} for the direct"
                " backend (DIRECT_MODELS)",
            )
        if backend == "cli" or not is_allowed:
            return None
        for option, value in found.items():
            if option not in _OPTIONS and (option, value) != _MODE and value is not None:
                raise BadParameter(
                    f"claude.{option}",
                    f"The model {shortened(model)!r} is served without the CLI (DIRECT_MODELS), so"
                    f" {option} cannot be used; leave it out, or set claude.{BACKEND} to cli",
                )
        return model


class DirectOptions(NamedTuple):
    """The options of a request to the direct backend. `timeout` is in seconds."""

    timeout: float | None
    title: str | None


def options_in(body: Mapping[str, Any], headers: Mapping[str, str], where: str) -> dict[str, Any]:
    """The options in a request's body and headers. Raises InvalidRequest.

    Those in the object `where` of the body override the headers.
    """
    found = options.from_headers(
        (name, value)
        for name, value in headers.items()
        if not name.upper().startswith(_CLAUDE_CODE)
    )
    given = body.get(where)
    if isinstance(given, dict):
        found.update(options.from_json(given, where))
    return found


def direct_options(found: Mapping[str, Any]) -> DirectOptions:
    """The values of these options. Raises BadParameter for a value of the wrong type."""
    timeout, title = found.get("timeout"), found.get("title")
    if title is not None and not isinstance(title, str):
        raise BadParameter("claude.title", "Must be a text")
    if timeout is not None:
        is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
        if not is_number or not 0 < timeout <= LONGEST_TIME:
            raise BadParameter(
                "claude.timeout",
                f"Must be a number of seconds, more than 0 and at most {LONGEST_TIME}",
            )
    return DirectOptions(timeout, title and title[:LONGEST_TITLE])
