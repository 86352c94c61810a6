"""Each field of POST /chat, as the CLI receives it from a running gateway."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.cli.request_fields import ChatRequest
from tests.support.gateway import Gateway

SESSION = "f9645fec-cdad-4505-8f73-2b22a415a890"
OTHER = "1f1c3a0e-5a0c-4d53-9a5e-0c8e4f0f6b11"
# No messages from other sessions; a request's own settings are in its place.
QUIET = '--settings={"crossSessionInbound":"refuse"}'
ENV = '{"crossSessionInbound": "refuse", "env": {"A": "\\u00fc"}}'
ALWAYS = [
    "--print",
    "--output-format=stream-json",
    "--input-format=stream-json",
    "--verbose",
    "--model=sonnet",
    QUIET,
    "--dangerously-skip-permissions",
]


def received(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    """What the fake CLI was given: argv, cwd, and the files that argv names."""
    (line,) = gateway.chat("arguments", **fields).messages()
    seen: dict[str, Any] = json.loads(line)
    return seen


def test_without_options_all_is_allowed_and_the_default_model_is_used(gateway: Gateway) -> None:
    seen = received(gateway)
    assert seen["argv"] == ALWAYS
    assert seen["cwd"] == str(gateway.project)


# What each field adds to the CLI's arguments.
FLAGS: list[tuple[str, object, list[str]]] = [
    ("model", "-opus", ["--model=-opus"]),
    ("fallback_model", "-haiku", ["--fallback-model=-haiku"]),
    ("session_id", SESSION, [f"--resume={SESSION}"]),
    ("fork_session", True, ["--fork-session"]),
    ("tools", ["-a", "Bash"], ["--tools=-a,Bash"]),
    ("tools", [], ["--tools="]),
    (
        "allowed_tools",
        ["-a", "Bash(x, y)"],
        ["--allowed-tools=-a", "--allowed-tools=Bash(x, y)"],
    ),
    ("disallowed_tools", ["-a", "b"], ["--disallowed-tools=-a", "--disallowed-tools=b"]),
    ("permission_mode", "-plan", ["--permission-mode=-plan"]),
    ("mcp_config", ["-a.json", "b"], ["--mcp-config=-a.json", "--mcp-config=b"]),
    ("strict_mcp_config", True, ["--strict-mcp-config"]),
    ("settings", "-path", ["--settings=-path"]),
    ("add_dir", ["-a", "b c"], ["--add-dir=-a", "--add-dir=b c"]),
    ("plugin_dir", ["-a", "b"], ["--plugin-dir=-a", "--plugin-dir=b"]),
    ("debug", True, ["--debug"]),
    ("debug", "-api", ["--debug=-api"]),
    ("debug", False, []),
    ("verbose", True, []),
    ("new_session_id", OTHER, [f"--session-id={OTHER}"]),
    ("session_persistence", False, ["--no-session-persistence"]),
    ("setting_sources", ["project", "user"], ["--setting-sources=project,user"]),
    ("max_turns", 7, ["--max-turns=7"]),
    ("max_budget_usd", 0.25, ["--max-budget-usd=0.25"]),
    ("effort", "low", ["--effort=low"]),
    ("betas", ["-a", "b"], ["--betas=-a", "--betas=b"]),
    ("agent", "-a", ["--agent=-a"]),
    ("name", "-a b", ["--name=-a b"]),
    ("disable_slash_commands", True, ["--disable-slash-commands"]),
    ("restricted", True, ["--restricted"]),
    ("include_partial_messages", True, ["--include-partial-messages"]),
    ("include_hook_events", True, ["--include-hook-events"]),
    ("keep_alive", 0, []),
    ("background_wait", 0, []),
    ("ask_timeout", 5, []),
    ("json_schema", {"-a": "ü"}, ['--json-schema={"-a": "\\u00fc"}']),
    ("title", "-a", []),
    ("detach", False, []),
    ("timeout", 60, []),
    ("idle_timeout", 60, []),
]
# What the CLI reads in a file for each field.
FILES: list[tuple[str, object, str, str]] = [
    ("system_prompt", "-be brief\n", "--system-prompt-file", "-be brief\n"),
    ("append_system_prompt", "-and ü", "--append-system-prompt-file", "-and ü"),
    ("settings", '{"a": 1}', "--settings", '{"crossSessionInbound": "refuse", "a": 1}'),
    ("env", {"A": "ü"}, "--settings", ENV),
    ("mcp_config", ['{"mcpServers": {}}'], "--mcp-config", '{"mcpServers": {}}'),
    ("agents", {"-a": {"prompt": "p"}}, "--agents", '{"-a": {"prompt": "p"}}'),
]
# Fields that have tests of their own here.
OTHERS = {"prompt", "cwd", "ask", "resume_session_at"}


def test_each_field_has_a_test_of_what_the_cli_receives() -> None:
    tried = {field for field, *_ in (*FLAGS, *FILES)}
    assert tried | OTHERS == set(ChatRequest.model_fields)


@pytest.mark.parametrize(("field", "value", "arguments"), FLAGS)
def test_a_field_becomes_a_flag_and_its_value_stays_one(
    gateway: Gateway, field: str, value: object, arguments: list[str]
) -> None:
    argv = received(gateway, **{field: value})["argv"]
    others = [word for word in argv if word not in ALWAYS]
    assert others == arguments


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({"ask": True}, ["--permission-prompt-tool=stdio", "--permission-mode=default"]),
        (
            {"ask": True, "permission_mode": "plan"},
            ["--permission-prompt-tool=stdio", "--permission-mode=plan"],
        ),
        (
            {"session_id": SESSION, "resume_session_at": OTHER},
            [f"--resume={SESSION}", f"--resume-session-at={OTHER}"],
        ),
    ],
)
def test_some_fields_depend_on_others(
    gateway: Gateway, fields: dict[str, Any], arguments: list[str]
) -> None:
    lines = map(json.loads, gateway.chat("arguments", **fields).messages())
    argv = next(line["argv"] for line in lines if "argv" in line)
    assert sorted(word for word in argv if word not in ALWAYS) == sorted(arguments)
    assert ("--dangerously-skip-permissions" in argv) is ("ask" not in fields)


@pytest.mark.parametrize("fields", [{"keep_alive": 60}, {"ask": True}])
def test_only_a_cli_that_is_spoken_with_reports_its_states(
    gateway: Gateway, fields: dict[str, Any]
) -> None:
    lines = map(json.loads, gateway.chat("environment", **fields).messages())
    environment = next(line for line in lines if "PATH" in line)
    assert environment["CLAUDE_CODE_SDK_READS_SESSION_STATE"] == "1"
    (plain,) = map(json.loads, gateway.chat("environment").messages())
    assert "CLAUDE_CODE_SDK_READS_SESSION_STATE" not in plain


@pytest.mark.parametrize(("field", "value", "flag", "content"), FILES)
def test_what_others_must_not_read_goes_by_a_file(
    gateway: Gateway, field: str, value: object, flag: str, content: str
) -> None:
    assert received(gateway, **{field: value})["files"] == {flag: content}


def settings_of(gateway: Gateway, value: str) -> str:
    """The settings that the CLI reads for these ones of a request."""
    files = received(gateway, settings=value)["files"]
    return str(files["--settings"])


def test_a_file_of_settings_is_read_and_messages_are_refused_in_it_too(
    gateway: Gateway, tmp_path: Path
) -> None:
    path = tmp_path / "settings.json"
    path.write_text('\ufeff {"env": {}}', encoding="utf-8")
    merged = '{"crossSessionInbound": "refuse", "env": {}}'
    assert settings_of(gateway, str(path)) == merged
    (gateway.project / "here.json").symlink_to(path)
    assert settings_of(gateway, "here.json") == merged
    # A choice of the request's own stays.
    for text in ('{"crossSessionInbound": "accept"}',):
        path.write_text(text)
        assert settings_of(gateway, str(path)) == text
        assert settings_of(gateway, text) == text
    # What is missing stays a path: the CLI reports that.
    assert "--settings=/missing" in received(gateway, settings="/missing")["argv"]


def test_what_is_no_file_of_settings_is_refused_without_waiting_for_it(
    gateway: Gateway, tmp_path: Path
) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    large.touch()
    os.truncate(large, 1 << 40)
    for path in (pipe, large, tmp_path, Path("/dev/zero")):
        answer = gateway.post("arguments", settings=str(path))
        assert answer.status_code == 422
        (error,) = answer.json()["detail"]
        assert error["loc"] == ["body", "settings"]
        assert "at most 1048576 bytes" in error["msg"]
    # The CLI would run without them.
    for content in (b"", b"[]", b"no JSON", b"{broken", b'{"a": "\xff"}', b'{"a": 1} // why'):
        path = tmp_path / "broken"
        path.write_bytes(content)
        answer = gateway.post("arguments", settings=str(path))
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "settings"]


def test_a_prompt_as_text_has_the_other_fields_in_the_query(gateway: Gateway) -> None:
    query = {
        "cwd": str(gateway.project),
        "max_turns": "3",
        "max_budget_usd": "0.5",
        "effort": "high",
        "betas": ["a", "b"],
        "restricted": "true",
        "session_persistence": "false",
        "setting_sources": ["user"],
        "env": '{"A": "ü"}',
        "keep_alive": "0",
        "ask": "false",
    }
    headers = {"Content-Type": "text/plain"}
    answer = gateway.ask(
        "POST", "/chat", params=query, data=b"arguments", headers=headers, stream=True
    )
    seen = json.loads(gateway.opened(answer).messages()[0])
    expected = [
        *("--max-turns=3", "--max-budget-usd=0.5", "--effort=high", "--betas=a", "--betas=b"),
        *("--restricted", "--no-session-persistence", "--setting-sources=user"),
    ]
    assert set(expected) <= set(seen["argv"])
    assert seen["files"] == {"--settings": ENV}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"new_session_id": OTHER, "session_id": SESSION}, "new_session_id"),
        ({"resume_session_at": OTHER}, "resume_session_at"),
        ({"restricted": True, "permission_mode": "bypassPermissions"}, "restricted"),
        ({"keep_alive": "5m", "session_persistence": False}, "keep_alive"),
    ],
)
def test_fields_that_exclude_each_other_are_a_400(
    gateway: Gateway, fields: dict[str, Any], param: str
) -> None:
    answer = gateway.post("arguments", **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, "conflicting_fields")
    assert param in answer.json()["detail"]
    assert gateway.running() == []


@pytest.mark.parametrize("field", ["tools", "allowed_tools"])
def test_a_list_of_tools_keeps_permissions_as_they_are(gateway: Gateway, field: str) -> None:
    argv = received(gateway, **{field: ["Bash"]})["argv"]
    assert "--dangerously-skip-permissions" not in argv


def test_no_model_leaves_it_to_the_cli(gateway: Gateway) -> None:
    for model in (None, ""):
        argv = received(gateway, model=model)["argv"]
        assert not [word for word in argv if word.startswith("--model")]


def test_the_prompt_is_never_an_argument(gateway: Gateway) -> None:
    argv = gateway.chat("arguments", "--version PROMPT").messages()[0]
    assert b"PROMPT" not in argv


def test_a_directory_of_any_name_can_be_worked_in(gateway: Gateway) -> None:
    folder = gateway.project / "-ünïcode name\n"
    folder.mkdir(exist_ok=True)
    assert received(gateway, cwd=str(folder))["cwd"] == str(folder)
