"""A CLI in a few lines of shell, for tests of the probe of its capabilities."""

from collections.abc import Collection
from pathlib import Path

_SCRIPT = """#!/bin/sh
[ "$*" != --version ] || { echo "@VERSION@ (Probed)"; exit; }
[ "$1" != auth ] || { echo '{"loggedIn": true}'; exit; }
echo "$*" >>@CALLS@
env >>@CALLS@.environment
@FIRST@
for option; do
    case " @LACKS@ " in
        *" ${option%%=*} "*) echo "error: unknown option '${option%%=*}'" >&2; exit 1 ;;
    esac
    case $option in
        --claudecode2api-end)
            printf "error: unknown option '%s'\\n(Did you mean --this?)\\n" "$option" >&2
            exit 1
            ;;
        --await-claim) claimed=yes ;;
        --agents=*/agents.json) agents=yes ;;
    esac
done
if [ "${claimed:-}" ]; then
    read -r claim
    @CLAIM@
fi
read -r message
id=${message#*'"uuid": "'}
id=${id%%'"'*}
[ -z "${agents:-}" ] || echo '{"subtype":"init","agents":["claudecode2api-agent"]}'
@TURN@
"""
ANSWERED = (
    'echo \'{"type":"control_response","response":'
    '{"subtype":"success","request_id":"claim","response":{"status":"ok"}}}\''
)
REFUSED = ANSWERED.replace("success", "error")
_STARTED = (
    'echo "{\\"type\\":\\"command_lifecycle\\",\\"command_uuid\\":\\"$id\\",'
    '\\"state\\":\\"started\\"}"'
)
RESULT = 'echo \'{"type":"result","subtype":"success","is_error":false,"session_id":"s"}\''
_IDLE = 'echo \'{"type":"system","subtype":"session_state_changed","state":"idle"}\''
#: A turn that is reported, and the ways in which it is not.
TURN = "\n".join([_STARTED, RESULT, _STARTED.replace("started", "completed"), _IDLE])
NO_TURNS = {
    "only a result": RESULT,
    "nothing": ":",
    "no end": "\n".join([_STARTED, RESULT, _IDLE]),
    "no idle": "\n".join([_STARTED, RESULT, _STARTED.replace("started", "completed")]),
    "another turn": TURN.replace("$id", "another"),
    "it runs on": "\n".join([TURN, _IDLE.replace("idle", "running")]),
    "no JSON": f"echo '[[[[' ; echo '[]'; echo 7; {RESULT}",
}


def write_claude(
    path: Path,
    *,
    lacks: Collection[str] = (),
    claim: str = ANSWERED,
    turn: str = TURN,
    first: str = "",
    version: str = "9.9.9",
) -> Path:
    """A CLI that lacks these flags, put in place of another one as updates do it.

    It does `claim` when it is to be claimed, and `turn` for a message; both are shell, and so is
    what it does `first`. Beside it, `<name>.calls` has its command lines, without those of
    `--version` and `auth`.
    """
    script = _SCRIPT
    for name, value in {
        "VERSION": version,
        "CALLS": f"{path}.calls",
        "FIRST": first,
        "LACKS": " ".join(lacks),
        "CLAIM": claim,
        "TURN": turn,
    }.items():
        script = script.replace(f"@{name}@", value)
    new = path.with_suffix(".new")
    new.write_text(script, encoding="utf-8")
    new.chmod(0o755)
    return new.rename(path)


def calls(path: Path) -> list[str]:
    """The command lines that this CLI got so far."""
    written = Path(f"{path}.calls")
    return written.read_text(encoding="utf-8").splitlines() if written.exists() else []
