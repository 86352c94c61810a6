"""The environment of a job, and what of the gateway's own it must not contain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.environment import build_environment, left_by_session
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
        "DEBUG_INVOCATION",
        "LISTEN_PIDFDID",
        "MONITOR_UNIT",
        "TRIGGER_UNIT",
        "SERVICE_RESULT",
        "WATCHDOG_ANYTHING_NEW",
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
    ],
)
def test_nothing_of_the_servers_reaches_a_job(name: str) -> None:
    assert build_environment({**OURS, name: "x"}, {}) == OURS


@pytest.mark.parametrize(
    "name",
    [
        "AI_AGENT",
        "CLAUDECODE",
        "CLAUDE_AGENT_SDK_VERSION",
        "CLAUDE_BG_RV_AUTH",
        "CLAUDE_CODE_AGENT",
        "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_EXECPATH",
        "CLAUDE_CODE_MESSAGING_SOCKET",
        "CLAUDE_CODE_MESSAGING_TOKEN",
        "CLAUDE_CODE_PARENT_SESSION_ID",
        "CLAUDE_CODE_REMOTE",
        "CLAUDE_CODE_SESSION_ACCESS_TOKEN",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_CODE_SSE_PORT",
        "CLAUDE_CODE_TASK_LIST_ID",
        "CLAUDE_CODE_TOOL_USE_ID",
        "CLAUDE_CODE_WHAT_COMES_NEXT",
        "CLAUDE_EFFORT",
        "CLAUDE_ENV_FILE",
        "CLAUDE_JOB_DIR",
        "CLAUDE_PID",
        "CLAUDE_PROJECT_DIR",
        "CLAUDE_SESSION_ID",
    ],
)
def test_nothing_of_a_session_that_started_the_gateway_reaches_a_job(name: str) -> None:
    assert build_environment({**OURS, name: "x"}, {}) == OURS
    assert left_by_session({**OURS, name: "x"}, {}) == [name]
    # Unless the operator wrote it down.
    assert build_environment({**OURS, name: "x"}, {name: "y"}) == {**OURS, name: "y"}
    assert left_by_session({**OURS, name: "x"}, {name: "y"}) == []


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_API_KEY",
        "CLAUDE_AUTOCOMPACT_PCT_OVERRIDE",
        "CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
        "CLAUDE_CODE_CLIENT_CERT",
        "CLAUDE_CODE_DISABLE_NESTED_SESSION_ID",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_EFFORT_LEVEL",
        "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS",
        "CLAUDE_CODE_ENABLE_TELEMETRY",
        "CLAUDE_CODE_EXTRA_BODY",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "CLAUDE_CODE_MAX_RETRIES",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_OTEL_FLUSH_TIMEOUT_MS",
        "CLAUDE_CODE_PRINT_BG_WAIT_CEILING_MS",
        "CLAUDE_CODE_SHELL_PREFIX",
        "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
        "CLAUDE_CODE_SUBAGENT_MODEL",
        "CLAUDE_CODE_TMPDIR",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_STREAM_IDLE_TIMEOUT_MS",
        "IS_SANDBOX",
        "TMPDIR",
    ],
)
def test_what_configures_the_cli_reaches_a_job(name: str) -> None:
    assert build_environment({**OURS, name: "x"}, {}) == {**OURS, name: "x"}
    assert left_by_session({**OURS, name: "x"}, {}) == []


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
