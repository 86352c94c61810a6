"""The sessions that live processes of the CLI have open in a terminal or an editor.

Each process has a file `<home>/.claude/sessions/<pid>.json`, which names its session, also after
/clear (as in 2.1.330). Two processes on one session would lose half of the conversation.
"""

import os
from collections.abc import Mapping
from contextlib import suppress

from app import processes
from app.cli.lines import parse
from app.state.files import read_file

#: The most files that are looked at; each live process has one.
MOST_FILES = 1000
_LARGEST = 1 << 16
# The entrypoint of a process that a program runs, like the gateway.
_PROGRAM = "sdk-"


class OpenSessions:
    """The open sessions of a CLI with this environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111
        base = environment.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude"
        self._folder = f"{base}/sessions"

    def has(self, session_id: str) -> bool:
        """Whether a live process has the session open for a person, as far as can be found out.

        A process that an older CLI runs may not be found.
        """
        with suppress(OSError), os.scandir(self._folder) as entries:
            for _, entry in zip(range(MOST_FILES), entries, strict=False):
                if entry.name.endswith(".json") and self._is_open(entry.path, session_id):
                    return True
        return False

    def _is_open(self, path: str, session_id: str) -> bool:
        try:
            content = read_file(path, _LARGEST)
        except OSError:
            # The process has ended just now.
            return False
        if session_id.encode() not in content:
            return False
        fields = parse(content)
        entrypoint, pid = fields.get("entrypoint"), fields.get("pid")
        if fields.get("sessionId") != session_id or not isinstance(pid, int):
            return False
        if not isinstance(entrypoint, str) or entrypoint.startswith(_PROGRAM):
            return False
        # A process that was killed leaves its file, and another one may have its number by now.
        found = processes.identify(pid)
        return found is not None and str(found.started) == fields.get("procStart")
