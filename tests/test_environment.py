"""What a job's environment holds, and what of the gateway's own it must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.environment import build_environment
from app.settings import setting_names

PRIVATE = "s3cret"
OURS = {"HOME": "/home/someone", "PATH": "/opt/bin:/bin", "LANG": "C.UTF-8"}


@pytest.mark.parametrize("name", sorted(setting_names()))
def test_no_setting_reaches_a_job(name: str) -> None:
    assert build_environment({**OURS, name: PRIVATE}, {}) == OURS


@pytest.mark.parametrize(
    "name",
    [
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "LISTEN_PID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "MAINPID",
        "MANAGERPID",
        "SYSTEMD_EXEC_PID",
        "STATE_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "CACHE_DIRECTORY",
        "LOGS_DIRECTORY",
        "CONFIGURATION_DIRECTORY",
        "CREDENTIALS_DIRECTORY",
        "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE",
    ],
)
def test_nothing_of_systemds_reaches_a_job(name: str) -> None:
    assert build_environment({**OURS, name: "x"}, {}) == OURS


@pytest.mark.parametrize(
    "name",
    [
        "GUNICORN_CMD_ARGS",
        "SERVER_SOFTWARE",
        "WEB_CONCURRENCY",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_CODE_SSE_PORT",
    ],
)
def test_nothing_of_the_servers_reaches_a_job(name: str) -> None:
    assert build_environment({**OURS, name: "x"}, {}) == OURS


def test_the_rest_of_the_file_is_there_and_the_environment_wins() -> None:
    environ = {**OURS, "BOTH": "environment"}
    others = {"ANTHROPIC_API_KEY": PRIVATE, "BOTH": "file", "LANG": "file", "EMPTY": ""}
    assert build_environment(environ, others) == {
        **OURS,
        "ANTHROPIC_API_KEY": PRIVATE,
        "BOTH": "environment",
        "EMPTY": "",
    }


@pytest.mark.parametrize(
    ("environ", "others", "expected"),
    [
        ({}, {}, "/usr/local/bin:/usr/bin:/bin"),
        ({"PATH": "/a"}, {}, "/a"),
        ({}, {"PATH": "/b"}, "/b"),
        ({"PATH": "/a"}, {"PATH": "/b"}, "/a"),
    ],
)
def test_there_is_always_a_path(
    environ: dict[str, str], others: dict[str, str], expected: str
) -> None:
    assert build_environment(environ, others)["PATH"] == expected


NAMES = st.one_of(
    st.sampled_from(sorted(setting_names())),
    st.sampled_from(["PATH", "HOME", "NOTIFY_SOCKET", "MY_AUTH_PASSWORD", "auth_password"]),
    st.text(min_size=1, max_size=5),
)


@given(st.dictionaries(NAMES, st.text(max_size=5)), st.dictionaries(NAMES, st.text(max_size=5)))
def test_the_environment_is_built_and_its_sources_are_left_alone(
    environ: dict[str, str], others: dict[str, str]
) -> None:
    before = (dict(environ), dict(others))
    others = {name: text for name, text in others.items() if name not in setting_names()}
    built = build_environment(environ, others)
    assert (environ, before[1]) == before
    assert not setting_names() & set(built)
    assert set(built) <= set(environ) | set(others) | {"PATH"}
    assert set(others) <= set(built)
