"""The path of a transcript of the CLI: `<home>/.claude/projects/<folder>/<session id>.jsonl`. Pure.

As in the versions 2.1.197 to 2.1.330. Standard library alone, because the supervisor imports this.
"""

import re

#: The CLI shortens the name of a folder that is longer than this.
LONGEST_NAME = 200


def projects_folder(home: str, config: str | None) -> str:
    """The folder of all transcripts; `config` is CLAUDE_CONFIG_DIR."""
    return f"{config or f'{home}/.claude'}/projects"


def transcript_path(projects: str, session_id: str, cwd: str) -> str | None:
    """The path of a session's transcript; None if its folder's name is shortened.

    `cwd` is the working directory, without links.

    >>> transcript_path("/p", "id", "/srv/a b")
    '/p/-srv-a-b/id.jsonl'
    """
    name = re.sub(r"[^A-Za-z0-9]", "-", cwd)
    return f"{projects}/{name}/{session_id}.jsonl" if len(name) <= LONGEST_NAME else None
