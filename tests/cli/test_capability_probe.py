"""What the probe finds out about a CLI, and what it leaves alone."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from app.cli import capability_probe
from app.cli.capabilities import ALL, FLAGS, PROMPT_SNAPSHOT, PROMPT_SNAPSHOT_FLAG, missing
from app.cli.capability_probe import ProbeFailed, find_capabilities
from tests.support import model_api
from tests.support.probed_claude import NO_TURNS, REFUSED, calls, write_claude

SECRET = "sk-ant-0123456789"  # noqa: S105 - to be seen by no probe
_FLAGS = {**FLAGS, PROMPT_SNAPSHOT: PROMPT_SNAPSHOT_FLAG}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A CLI's environment, with an empty home."""
    (tmp_path / "home").mkdir()
    return {"PATH": os.defpath, "HOME": str(tmp_path / "home")}


@pytest.fixture
def scratch(tmp_path: Path) -> str:
    """An empty folder whose path is too long for sockets in it."""
    folder = tmp_path / ("x" * 150)
    folder.mkdir()
    return str(folder)


def left_behind(tmp_path: Path) -> list[Path]:
    """What is in the home now."""
    return [*(tmp_path / "home").iterdir()]


def having(variable: str) -> list[Path]:
    """The environments of the processes that have this variable."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if variable.encode() in environment.read_bytes().split(b"\0"):
                found.append(environment)
    return found


def test_a_cli_that_can_do_all_is_run_twice(
    tmp_path: Path, environment: dict[str, str], scratch: str
) -> None:
    claude = write_claude(tmp_path / "claude")
    assert find_capabilities(str(claude), environment, scratch) == ALL
    assert len(calls(claude)) == 2
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("field", sorted(_FLAGS))
def test_a_flag_that_it_does_not_know_is_a_field_that_it_lacks(
    tmp_path: Path, environment: dict[str, str], scratch: str, field: str
) -> None:
    claude = write_claude(tmp_path / "claude", lacks=[_FLAGS[field]])
    assert missing(find_capabilities(str(claude), environment, scratch)) == [field]


def test_a_cli_that_knows_no_flag_has_turns_at_most(
    tmp_path: Path, environment: dict[str, str], scratch: str
) -> None:
    lacks = [*_FLAGS.values(), "--await-claim", "--agents"]
    claude = write_claude(tmp_path / "claude", lacks=lacks)
    assert find_capabilities(str(claude), environment, scratch) == {"turns"}


@pytest.mark.parametrize("way", NO_TURNS)
def test_a_turn_whose_end_is_not_reported_is_none(
    tmp_path: Path, environment: dict[str, str], scratch: str, way: str
) -> None:
    claude = write_claude(tmp_path / "claude", turn=NO_TURNS[way])
    assert missing(find_capabilities(str(claude), environment, scratch)) == ["spares", "turns"]


@pytest.mark.parametrize("claim", [REFUSED, ":", "exit 1", "echo 7; exit 3"])
def test_without_an_answer_to_a_claim_there_are_turns_and_no_spares(
    tmp_path: Path, environment: dict[str, str], scratch: str, claim: str
) -> None:
    claude = write_claude(tmp_path / "claude", claim=claim)
    assert missing(find_capabilities(str(claude), environment, scratch)) == ["spares"]
    lacking = write_claude(tmp_path / "claude", lacks=["--await-claim"])
    assert missing(find_capabilities(str(lacking), environment, scratch)) == ["spares"]


@pytest.mark.parametrize(
    "first",
    [
        "exit 0",
        "exit 7",
        "echo usage >&2; exit 1",
        "echo \"error: unknown option '--another'\" >&2; exit 1",
        "head -c 3000000 /dev/zero; exit 1",
    ],
)
def test_a_cli_that_says_nothing_about_its_flags_is_not_known(
    tmp_path: Path, environment: dict[str, str], scratch: str, first: str
) -> None:
    claude = write_claude(tmp_path / "claude", first=first)
    with pytest.raises(ProbeFailed):
        find_capabilities(str(claude), environment, scratch)
    assert left_behind(tmp_path) == []


def test_a_cli_that_does_not_exit_is_ended(
    tmp_path: Path, environment: dict[str, str], scratch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability_probe, "PATIENCE", 0.2)
    claude = write_claude(tmp_path / "claude", first="exec sleep 1000")
    with pytest.raises(ProbeFailed, match="has not exited"):
        find_capabilities(str(claude), {**environment, "PROBED": scratch}, scratch)
    assert not having(f"PROBED={scratch}")
    with pytest.raises(OSError, match="No such file"):
        find_capabilities(str(tmp_path / "missing"), environment, scratch)


def test_no_account_and_no_folder_of_the_clis_is_touched(
    tmp_path: Path, environment: dict[str, str], scratch: str
) -> None:
    account = {
        "ANTHROPIC_API_KEY": SECRET,
        "ANTHROPIC_AUTH_TOKEN": SECRET,
        "ANTHROPIC_BASE_URL": f"https://{SECRET}",
        "CLAUDE_CODE_OAUTH_TOKEN": SECRET,
        "CLAUDE_CODE_USE_BEDROCK": SECRET,
        "CLAUDE_CONFIG_DIR": SECRET,
        "TMPDIR": SECRET,
    }
    claude = write_claude(tmp_path / "claude")
    find_capabilities(str(claude), {**environment, **account, "KEPT": "yes"}, scratch)
    seen = Path(f"{claude}.calls.environment").read_text()
    assert SECRET not in seen
    assert "KEPT=yes" in seen
    assert "127.0.0.1:9\n" in seen


@pytest.mark.real
def test_the_newest_cli_can_do_all(
    claude: Path, tmp_path: Path, environment: dict[str, str], scratch: str
) -> None:
    assert missing(find_capabilities(str(claude), environment, scratch)) == []
    assert left_behind(tmp_path) == []


@pytest.mark.real
def test_an_old_cli_lacks_what_is_new(
    old_claude: Path, tmp_path: Path, environment: dict[str, str], scratch: str
) -> None:
    found = find_capabilities(str(old_claude), environment, scratch)
    assert missing(found) == ["agents_in_file", "prompt_snapshot", "restricted", "spares", "turns"]
    assert left_behind(tmp_path) == []


@pytest.mark.real
@pytest.mark.parametrize("age", ["claude", "old_claude"])
def test_the_model_is_not_asked(
    age: str,
    model: model_api.Server,
    environment: dict[str, str],
    scratch: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capability_probe, "_NOWHERE", f"http://127.0.0.1:{model.server_address[1]}")
    before = len(model.asked)
    assert "max_turns" in find_capabilities(str(request.getfixturevalue(age)), environment, scratch)
    assert len(model.asked) == before
