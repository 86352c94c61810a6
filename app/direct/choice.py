"""The choice of the direct backend for a request. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, get_args

from app.cli.field_types import LONGEST_TIME, LONGEST_TITLE, Effort
from app.conversation.errors import BadParameter
from app.conversation.models import Models
from app.conversation.options import Options
from app.text import shortened

# The options that a request to the direct backend can have.
_OPTIONS = {"effort", "timeout", "title"}
# Names that the CLI gives to models; the model's API does not know them.
_OF_THE_CLI = {"", "best", "claude-code", "default", "fable", "haiku", "opus", "opusplan", "sonnet"}


class DirectOptions(NamedTuple):
    """The options of a request to the direct backend. `timeout` is in seconds."""

    timeout: float | None
    title: str | None
    effort: str | None


class DirectChoice:
    """Decides by the model and the option `backend`; `patterns` are those of DIRECT_MODELS."""

    def __init__(self, patterns: Sequence[str], models: Models) -> None:
        self._patterns = patterns
        self._models = models

    def model_for(self, name: object, options: Options) -> str | None:
        """The model's name for the model's API; None if the CLI serves the request.

        `name` is the model that the client asks for. Raises BadParameter if the request cannot
        have the backend that it asks for, and for options of the CLI.
        """
        model = self._models.full_name(name) if isinstance(name, str) else ""
        is_allowed = model not in _OF_THE_CLI and any(
            fnmatchcase(model, pattern) for pattern in self._patterns
        )
        if options.backend == "direct" and not is_allowed:
            raise BadParameter(
                "claude.backend",
                f"The operator has not allowed the model {shortened(model)!r} for the direct"
                " backend (DIRECT_MODELS)",
            )
        if options.backend == "cli" or not is_allowed:
            return None
        if wrong := _of_the_cli(options):
            raise BadParameter(
                f"claude.{wrong[0]}",
                f"The model {shortened(model)!r} is served without the CLI (DIRECT_MODELS), so"
                f" {wrong[0]} cannot be used; leave it out, or set claude.backend to cli",
            )
        return model

    def values_of(self, options: Options) -> DirectOptions:
        """The values of the options. Raises BadParameter for a value of the wrong type."""
        timeout, title = options.fields.get("timeout"), options.fields.get("title")
        if title is not None and not isinstance(title, str):
            raise BadParameter("claude.title", "Must be a text")
        if timeout is not None:
            is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
            if not is_number or not 0 < timeout <= LONGEST_TIME:
                raise BadParameter(
                    "claude.timeout",
                    f"Must be a number of seconds, more than 0 and at most {LONGEST_TIME}",
                )
        effort = options.fields.get("effort")
        if effort is not None and effort not in get_args(Effort):
            raise BadParameter("claude.effort", f"Must be one of {', '.join(get_args(Effort))}")
        return DirectOptions(timeout, title and title[:LONGEST_TITLE], effort)


def _of_the_cli(options: Options) -> list[str]:
    """The options that only the CLI can obey, sorted."""
    names = [
        name for name, value in options.fields.items() if name not in _OPTIONS and value is not None
    ]
    others = {
        "mode": options.mode == "agent",
        "workspace": options.workspace is not None,
        "events": options.events,
    }
    return sorted([*names, *(name for name, is_given in others.items() if is_given)])
