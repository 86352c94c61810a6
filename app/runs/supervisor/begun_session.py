"""The session that a CLI is to begin, which another job may have begun meanwhile.

Two requests at once can begin a conversation of the same name. The launcher has the second one wait
for the first, and then the CLI would refuse to begin the session (2.1.330). Standard library alone,
because the supervisor imports this.
"""

import os
from collections.abc import Mapping

from app.cli.transcript_path import projects_folder, transcript_path

_FOLDERS = (b"HOME", b"CLAUDE_CONFIG_DIR")
_BEGIN, _RESUME = "--session-id=", "--resume="


def resumed_if_begun(
    arguments: list[str], environment: Mapping[bytes, bytes], cwd: str
) -> list[str]:
    """The CLI's arguments; a session that has messages by now is resumed instead of begun."""
    begins = [each for each in arguments if each.startswith(_BEGIN)]
    if len(begins) != 1 or any(each.startswith(_RESUME) for each in arguments):
        return arguments
    home, config = (os.fsdecode(environment.get(name, b"")) for name in _FOLDERS)
    session = begins[0].removeprefix(_BEGIN)
    path = transcript_path(projects_folder(home, config), session, cwd)
    if path is None or not os.access(path, os.F_OK):
        return arguments
    return [_RESUME + session if each == begins[0] else each for each in arguments]
