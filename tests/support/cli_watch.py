"""A watch over the machine's processes: no session may have two CLIs at any time."""

import re
import threading
import time
from pathlib import Path
from types import TracebackType

from app import processes
from tests.support.gateway import eventually

_SESSION = re.compile(rb"\0--(?:session-id|resume)=([0-9a-f-]{36})\0")
#: Seconds between two looks.
_INTERVAL = 0.002
#: Seconds in which a process that was forked executes its program.
_EXEC_TIME = 1.0


class CliWatch(threading.Thread):
    """Looks all the time for two CLIs with one of these sessions. A context manager."""

    def __init__(self, sessions: set[str]) -> None:
        super().__init__(daemon=True)
        self._sessions = sessions
        self._done = threading.Event()
        #: The session of each living process that has one of them, by its pid.
        self.found: dict[int, str] = {}
        # Others, with the time of the first look at each.
        self._others: dict[int, float] = {}
        #: The sessions that two CLIs had at once, with their pids.
        self.doubled: list[tuple[str, int, int]] = []
        self.looks = 0

    def __enter__(self) -> "CliWatch":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            # However short the context was for a thread that was not scheduled.
            eventually(lambda: self.looks > 1)
        self._done.set()
        self.join()
        if error is None:
            assert not self.doubled

    def run(self) -> None:
        """Look until the context ends."""
        while not self._done.wait(_INTERVAL):
            self._look()
            self.looks += 1

    def _look(self) -> None:
        present = {int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()}
        self.found = {pid: self.found[pid] for pid in self.found if pid in present}
        self._others = {pid: self._others[pid] for pid in self._others if pid in present}
        moment = time.monotonic()
        for pid in present - self.found.keys():
            first_seen = self._others.setdefault(pid, moment)
            if moment - first_seen < _EXEC_TIME and (session := self._session_of(pid)):
                self.found[pid] = session
        by_session: dict[str, int] = {}
        for pid, session in sorted(self.found.items()):
            other = by_session.setdefault(session, pid)
            # In this order, both lived while the second was looked at.
            if other != pid and _lives(other) and _lives(pid) and _lives(other):
                self.doubled.append((session, other, pid))

    def _session_of(self, pid: int) -> str | None:
        try:
            match = _SESSION.search(Path(f"/proc/{pid}/cmdline").read_bytes())
        except OSError:
            return None
        session = match.group(1).decode() if match else None
        return session if session in self._sessions else None


def _lives(pid: int) -> bool:
    return processes.identify(pid) is not None
