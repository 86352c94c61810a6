"""What a request asks of the CLI's process beyond its turn. Pure."""

from typing import NamedTuple

from app.cli.capabilities import Capabilities
from app.cli.field_types import FOREVER
from app.cli.request_fields import ChatRequest
from app.errors import CapabilitiesUnknown, UnsupportedField


class TurnDefaults(NamedTuple):
    """The operator's choices; all in seconds."""

    ask_timeout: float
    keep_alive: float
    max_keep_alive: float


class TurnOptions(NamedTuple):
    """What holds for one job; times are in seconds.

    With `ask`, the CLI's questions come to the client, each for `ask_timeout`. The process stays
    for `keep_alive` after the job. Commands in the background may go on for `background_wait` after
    the answer; None leaves it to the operator. With `talks`, the gateway speaks with the CLI while
    the job runs.
    """

    ask: bool
    ask_timeout: float
    keep_alive: float
    background_wait: float | None
    talks: bool


def turn_options(
    request: ChatRequest, defaults: TurnDefaults, capabilities: Capabilities, version: str
) -> TurnOptions:
    """The options of a request, for a CLI of this version.

    A CLI that cannot stay ends with its job. Raises UnsupportedField for questions to a CLI that
    cannot ask them, and CapabilitiesUnknown if that is not known.
    """
    has_turns = capabilities is not None and "turns" in capabilities
    ask = bool(request.ask)
    if ask and capabilities is None:
        raise CapabilitiesUnknown
    if ask and not has_turns:
        raise UnsupportedField("ask", version)
    keep_alive = _keep_alive(request, defaults) if has_turns else 0.0
    return TurnOptions(
        ask,
        defaults.ask_timeout if request.ask_timeout is None else request.ask_timeout,
        # The CLI counts what all its jobs cost: the next one would pay for this one.
        0.0 if request.max_budget_usd else keep_alive,
        request.background_wait,
        talks=ask or keep_alive > 0,
    )


def wants_to_stay(request: ChatRequest) -> bool:
    """Whether the request asks for what only some CLIs can do: questions, further jobs, agents.

    A default of the operator's is not worth a wait.
    """
    return bool(request.ask or request.keep_alive or request.agents)


def _keep_alive(request: ChatRequest, defaults: TurnDefaults) -> float:
    if request.session_persistence is False:
        # Without a saved session, the next job could not continue it.
        return 0.0
    asked = defaults.keep_alive if request.keep_alive is None else request.keep_alive
    return defaults.max_keep_alive if asked == FOREVER else min(asked, defaults.max_keep_alive)
