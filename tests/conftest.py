"""Fixtures of all tests: a clean environment, the fake CLI, a gateway with two workers."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.gateway import Gateway, running_gateway, write_fake
from tests.support.talk import await_turns
from tests.support.terminal import Terminal
from tests.support.tool import Tool, tool_of

#: The modules with fixtures that several rooms use.
pytest_plugins = ["tests.support.browser", "tests.support.real_cli"]

# What is ignored here would be ignored in every process that a test starts: `nohup` ignores SIGHUP,
# and a shell's `&` SIGINT and SIGQUIT. What is handled is not inherited.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

# How long an example takes, and the making of one, is decided by what else the machine does.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Programs for the Python of another environment.
collect_ignore = ["clients", "node"]

_KEPT = {
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR"),
    *("TEST_CLAUDE", "TEST_OLD_CLAUDE", "TEST_MACHINE", "TEST_ORACLES", "TEST_CONTAINERS"),
}


#: The files that take longest, longest first. They begin first, so that no process has a long one
#: left at the end.
LONGEST = (
    *("install/test_service.py", "install/test_installer.py", "state/test_hostile_jobs.py"),
    *("openai/test_clients.py", "cli/test_real_cli.py", "runs/test_queue_trouble.py"),
    *("runs/test_queue.py", "openapi/test_oracles.py", "runs/test_true_end.py"),
    *("runs/test_kept_runs.py", "jobs/test_ownership.py", "api/test_browser.py"),
    *("openai/test_real_cli.py", "runs/test_crashes.py", "jobs/test_index.py"),
    *("anthropic/test_clients.py", "anthropic/test_messages.py"),
    *("jobs/test_cancel.py", "server/test_pressure.py", "tool/test_run.py"),
)
# Files with such tests take longer than most.
_LONG = ("root", "real", "oracles", "browser", "proxy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of these tests."""
    parser.addoption(
        "--rounds", type=int, default=2, help="how often each crash comes to kept runs (2)"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    long = {item.path for item in items for name in _LONG if item.get_closest_marker(name)}
    items.sort(key=lambda item: (places.get(item.path, len(places)), item.path not in long))


@pytest.fixture(autouse=True)
def scrubbed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's credentials, settings or home."""
    for name in os.environ:
        if name not in _KEPT and not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How often each crash comes to kept runs."""
    number: int = pytestconfig.getoption("rounds")
    return number


@pytest.fixture(scope="session")
def fake_claude(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake CLI's executable."""
    return write_fake(tmp_path_factory.mktemp("fake"))


@pytest.fixture(scope="session")
def _shared(fake_claude: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway"), fake_claude) as running:
        # What depends on it waits some seconds, and fails then.
        await_turns(running)
        yield running


@pytest.fixture
def gateway(_shared: Gateway) -> Iterator[Gateway]:
    """A gateway with two workers and the fake CLI, shared by all tests; no job of it runs yet."""
    yield _shared
    _shared.hang_up()
    _shared.forget_flags()


@pytest.fixture(scope="session")
def _shared_with(
    fake_claude: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Gateway]]:
    """The gateways of `gateway_with`: the one that was asked for last goes on running."""
    with ExitStack() as stack:
        last: tuple[Path, dict[str, str]] | None = None

        def find(file: Path, settings: dict[str, str]) -> Gateway:
            nonlocal found, last
            if found is None or (file, settings) != last:
                stack.close()
                folder = tmp_path_factory.mktemp("shared")
                found = stack.enter_context(running_gateway(folder, fake_claude, **settings))
                await_turns(found)
                last = (file, settings)
            return found

        found: Gateway | None = None
        yield find


@pytest.fixture
def gateway_with(
    _shared_with: Callable[..., Gateway], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Gateway]]:
    """A gateway with these settings, shared by the tests of a file that ask for them in a row.

    It may have jobs that have ended, of that file: what runs before it is another thing each time.
    A test that stops, kills or reloads it starts its own.
    """
    used: list[Gateway] = []

    def find(**settings: str) -> Gateway:
        used.append(_shared_with(request.path, settings))
        return used[-1]

    yield find
    for gateway in used:
        gateway.hang_up()
        gateway.forget_flags()


@pytest.fixture
def start_gateway(fake_claude: Path, tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway of the test's own, with these settings."""
    with ExitStack() as stack:

        def start(claude: Path = fake_claude, **settings: str) -> Gateway:
            return stack.enter_context(running_gateway(tmp_path, claude, **settings))

        yield start


@pytest.fixture
def tool(gateway: Gateway, tmp_path: Path) -> Tool:
    """The command `claudecode2api` with the settings of `gateway`."""
    return tool_of(gateway, tmp_path / "checkout")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal."""
    with closing(Terminal()) as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A state folder on a disk of 2 MB and few files."""
    state = tmp_path / "small"
    state.mkdir()
    options = "size=2m,nr_inodes=200"
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", state], check=False)
    if mount.returncode != 0:
        pytest.skip("no process may mount on this machine")
    try:
        yield state
    finally:
        subprocess.run(["umount", "-l", state], check=True)


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Where `.env` may be written."""
    return tmp_path / ".env"
