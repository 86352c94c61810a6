"""What an installed CLI can do. Pure; uses only the standard library.

The capabilities of a CLI are names: of fields of a chat request whose flag it knows, and

    turns            it reports when a turn begins and ends, so that one process can serve several
    spares           it can be started before its working directory is known
    agents_in_file   it reads custom agents from a file
    prompt_snapshot  it can be kept from sending a session's first system prompt for ever
"""

from collections.abc import Collection

#: The capabilities of a CLI; None if they are unknown yet, or could not be found out.
Capabilities = frozenset[str] | None

#: Without this, agents are JSON on the command line, which others can read.
AGENTS_IN_FILE = "agents_in_file"
#: With this, a session keeps its first system prompt unless the CLI gets the flag.
PROMPT_SNAPSHOT = "prompt_snapshot"
PROMPT_SNAPSHOT_FLAG = "--system-prompt-snapshot"
#: The flag of each field that not every CLI knows.
FLAGS = {
    "max_turns": "--max-turns",
    "max_budget_usd": "--max-budget-usd",
    "effort": "--effort",
    "include_partial_messages": "--include-partial-messages",
    "include_hook_events": "--include-hook-events",
    "agent": "--agent",
    "name": "--name",
    "new_session_id": "--session-id",
    "resume_session_at": "--resume-session-at",
    "session_persistence": "--no-session-persistence",
    "setting_sources": "--setting-sources",
    "restricted": "--restricted",
    "betas": "--betas",
    "disable_slash_commands": "--disable-slash-commands",
    "ask": "--permission-prompt-tool",
}
#: All capabilities that a CLI can have.
ALL = frozenset(FLAGS) | {"turns", "spares", AGENTS_IN_FILE, PROMPT_SNAPSHOT}


def missing(capabilities: Collection[str]) -> list[str]:
    """The capabilities that a CLI lacks, in alphabetical order."""
    return sorted(ALL - set(capabilities))
