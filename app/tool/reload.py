"""`claudecode2api reload`: have the gateway read its settings again, and wait until it has."""

import argparse
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from app.processes import Process, identify, send_signal
from app.server.gateway_lock import master_pid
from app.server.reload_record import Reload, reload_since
from app.server.systemd_notify import is_responding
from app.tool.checkout import Checkout
from app.tool.failure import UNAVAILABLE, Failure
from app.tool.screen import note

#: Seconds until the gateway must serve with the new settings: 90 for its check of them, and 60
#: for its workers. systemd allows 180 (TimeoutStartSec=).
PATIENCE = 150.0
#: Seconds for one response, and between two looks.
_RESPONSE_PATIENCE = 5.0
_PAUSE = 0.05

Found = TypeVar("Found")


def reload(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Reload, and return once no worker serves with the old settings. Raises Failure."""
    state = checkout.state_dir()
    master = _master(checkout, state)
    wait = _Wait(master)
    began = time.monotonic()
    try:
        send_signal(master, signal.SIGHUP)
    except PermissionError:
        raise Failure(
            f"cannot reload: the gateway's process {master.pid} belongs to another user"
        ) from None
    done = wait.until(lambda: reload_since(str(state), began))
    if done.error is not None:
        raise Failure(f"the reload is refused, and the gateway goes on as before: {done.error}")
    wait.until(lambda: not done.workers_left() and _responds(done))
    note("the gateway serves with the new settings and code")
    return 0


class _Wait:
    """Waits for facts about a master, for PATIENCE in all."""

    def __init__(self, master: Process) -> None:
        self._master = master
        self._deadline = time.monotonic() + PATIENCE

    def until(self, find: Callable[[], Found | None]) -> Found:
        """What `find` returns, once that is not false. Raises Failure."""
        while not (found := find()):
            if identify(self._master.pid) != self._master:
                raise Failure(
                    "the gateway has ended during the reload; its log has the reason", UNAVAILABLE
                )
            if time.monotonic() > self._deadline:
                raise Failure(
                    f"the gateway has not finished the reload within {PATIENCE:g} s; its log has"
                    " the reason"
                )
            time.sleep(_PAUSE)
        return found


def _master(checkout: Checkout, state: Path) -> Process:
    """The gateway's first process. Raises Failure."""
    # systemd sets this variable for ExecReload=.
    pid = checkout.environ.get("MAINPID", "")
    found = identify(int(pid)) if pid.isdigit() else None
    if found is None and (holder := master_pid(str(state))) is not None:
        found = identify(holder)
    if found is None:
        raise Failure(
            f"cannot reload: no gateway runs with STATE_DIR {state}; it reads its settings when it"
            " starts, and one that runs with another STATE_DIR must be restarted",
            UNAVAILABLE,
        )
    return found


def _responds(done: Reload) -> bool:
    return is_responding((done.host, done.port), _RESPONSE_PATIENCE)
