"""The probe that finds out what the installed CLI can do, whatever its version is.

It needs no account and sends no request to a model, and the CLI runs with a scratch folder instead
of its own ones. Ordinary blocking Python, which gevent turns into waiting for
others.

    1. The CLI gets each flag, and at the end one that no CLI knows. It starts nothing, and names
       the first flag that it does not know; that flag is left out of the next try.
    2. The CLI gets the command /cost as the message of a turn, which it answers by itself. Its
       lines show whether it reports when the turn begins and ends, and whether it has read an agent
       from a file. If it can be started before its working directory is known, it is started like
       that.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.cli import control
from app.cli.capabilities import (
    AGENTS_IN_FILE,
    FLAGS,
    PROMPT_SNAPSHOT,
    PROMPT_SNAPSHOT_FLAG,
)
from app.cli.probe import Probe

#: Seconds for each run of the CLI; a cold start from a slow disk takes several.
PATIENCE = 60.0
#: Bytes of what the CLI prints that are read.
LARGEST_OUTPUT = 1 << 20

# A flag that no CLI knows.
_UNKNOWN = "--claudecode2api-end"
_AWAIT_CLAIM = "--await-claim"
_CLAIM = "claim"
_AGENTS = "--agents"
# The name of an agent that no CLI has.
_AGENT = "claudecode2api-agent"
_REFUSED = re.compile(rb"unknown option '(--[a-z0-9-]+)")
# Valid values, for those flags whose value the CLI validates first.
_VALUES = {
    "--effort": "low",
    "--max-budget-usd": "1",
    "--max-turns": "1",
    "--permission-prompt-tool": "stdio",
    "--setting-sources": "user",
    PROMPT_SNAPSHOT_FLAG: "off",
}
_SWITCHES = {
    _AWAIT_CLAIM,
    "--disable-slash-commands",
    "--include-hook-events",
    "--include-partial-messages",
    "--no-session-persistence",
    "--restricted",
}
# What the turn is done with, as far as the CLI knows it: no settings, servers, tools or files.
_BARE = {
    "--no-session-persistence": "--no-session-persistence",
    "--setting-sources": "--setting-sources=",
}
_PLAIN = (
    "--print",
    "--output-format=stream-json",
    "--input-format=stream-json",
    "--verbose",
    "--strict-mcp-config",
    "--tools=",
)
# What would lead the CLI to an account.
_ACCOUNT = re.compile("ANTHROPIC_.*|CLAUDE_CODE_(USE|OAUTH|API)_.*")
# A port of this machine that is for discarding (RFC 863): should the CLI send anything, it fails.
_NOWHERE = "http://127.0.0.1:9"


class ProbeFailed(Exception):
    """The CLI did not answer, or in a way that says nothing."""


def find_capabilities(claude: str, environment: Mapping[str, str], scratch: str) -> frozenset[str]:
    """The capabilities of the CLI at this path (`app.cli.capabilities`).

    `environment` is the CLI's, `scratch` an empty folder, which the caller removes. Raises
    ProbeFailed and OSError.
    """
    prober = _Prober(claude, _probe_environment(environment, scratch))
    flags = prober.known_flags({*FLAGS.values(), _AWAIT_CLAIM, _AGENTS, PROMPT_SNAPSHOT_FLAG})
    found = {field for field, flag in FLAGS.items() if flag in flags}
    if PROMPT_SNAPSHOT_FLAG in flags:
        found.add(PROMPT_SNAPSHOT)
    with_claim = prober.turn(flags, scratch, is_claimed=True) if _AWAIT_CLAIM in flags else set()
    if "turns" in with_claim:
        return frozenset(found | with_claim | {"spares"})
    return frozenset(found | prober.turn(flags, scratch))


def _probe_environment(environment: Mapping[str, str], scratch: str) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not _ACCOUNT.fullmatch(name)}
    return {
        **kept,
        "ANTHROPIC_API_KEY": "none",
        "ANTHROPIC_BASE_URL": _NOWHERE,
        "CLAUDE_CONFIG_DIR": f"{scratch}/config",
        "CLAUDE_CODE_TMPDIR": scratch,
        "TMPDIR": scratch,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "CLAUDE_CODE_SDK_READS_SESSION_STATE": "1",
    }


class _Prober:
    """Runs of one CLI."""

    def __init__(self, claude: str, environment: Mapping[str, str]) -> None:
        self._claude = claude
        self._environment = environment

    def known_flags(self, flags: Collection[str]) -> set[str]:
        """Those of these flags that the CLI knows. Raises ProbeFailed and OSError."""
        known = set(flags)
        while True:
            options = [_with_value(flag) for flag in sorted(known)]
            _, printed = self._run(["--print", *options, _UNKNOWN], b"")
            refused = _REFUSED.search(printed)
            name = refused[1].decode() if refused else ""
            if name == _UNKNOWN:
                return known
            if name not in known:
                raise ProbeFailed("it does not say which option it does not know")
            known.remove(name)

    def turn(self, flags: Collection[str], scratch: str, is_claimed: bool = False) -> set[str]:
        """What a turn shows: `turns`, `agents_in_file`. Raises OSError.

        With `is_claimed`, the CLI gets `scratch` as its working directory after its start.
        """
        options = [option for flag, option in _BARE.items() if flag in flags]
        if _AGENTS in flags:
            options.append(f"{_AGENTS}={scratch}/agents.json")
            agent = {_AGENT: {"description": "-", "prompt": "-"}}
            Path(f"{scratch}/agents.json").write_text(json.dumps(agent), encoding="ascii")
        message_id = str(uuid4())
        lines = [control.message("/cost", uuid=message_id, priority="later")]
        if is_claimed:
            options.append(_AWAIT_CLAIM)
            lines.insert(0, control.request(_CLAIM, "claim_session", cwd=scratch))
        printed, _ = self._run([*_PLAIN, *options], b"".join(lines))
        found = list(_objects(printed))
        shown = set()
        if _reports_turn(found, message_id) and (not is_claimed or any(map(_is_claim, found))):
            shown.add("turns")
        if any(_has_agent(each) for each in found):
            shown.add(AGENTS_IN_FILE)
        return shown

    def _run(self, arguments: Sequence[str], stdin: bytes) -> tuple[bytes, bytes]:
        """What the CLI prints on standard output and error. Raises ProbeFailed and OSError."""
        probe = Probe([self._claude, *arguments], self._environment, stdin=stdin)
        try:
            if not probe.wait(PATIENCE):
                raise ProbeFailed(f"it has not exited within {PATIENCE:g} s")
            return probe.stdout(LARGEST_OUTPUT), probe.stderr()
        finally:
            # It may still run: it is late, or the worker stops.
            probe.kill()
            probe.close()


def _with_value(flag: str) -> str:
    return flag if flag in _SWITCHES else f"{flag}={_VALUES.get(flag, uuid4())}"


def _objects(printed: bytes) -> Iterator[dict[str, Any]]:
    for line in printed.split(b"\n"):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _is_claim(line: Mapping[str, Any]) -> bool:
    answered = control.answered(line)
    return answered is not None and (answered[0], answered[1].get("subtype")) == (_CLAIM, "success")


def _has_agent(line: Mapping[str, Any]) -> bool:
    agents = line.get("agents")
    return line.get("subtype") == "init" and isinstance(agents, list) and _AGENT in agents


def _reports_turn(lines: Sequence[Mapping[str, Any]], message_id: str) -> bool:
    """Whether the lines say that the turn of a message has begun and ended, and nothing runs."""
    states = [line.get("state") for line in lines if line.get("command_uuid") == message_id]
    last = [line.get("state") for line in lines if line.get("subtype") == "session_state_changed"][
        -1:
    ]
    return {"started", "completed"} <= {*states} and last == ["idle"]
