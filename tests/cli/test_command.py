"""What each field of a request becomes: an argument, a file, or a line of standard input."""

import json
import os
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli import control
from app.cli.capabilities import ALL, Capabilities
from app.cli.command import (
    LONGEST_ARGUMENT,
    LONGEST_COMMAND,
    Command,
    Defaults,
    Extras,
    build,
)
from app.cli.request_fields import ChatRequest, read_request
from app.errors import InvalidRequest

NONE = Defaults(model=None, permission_mode=None)
NEW = ALL
OLD = ALL - {"agents_in_file"}

ALWAYS = ["--print", "--output-format=stream-json", "--input-format=stream-json", "--verbose"]
SKIP = "--dangerously-skip-permissions"

PRIVATE = "sk-ant-0123"
JSON_TEXT = json.dumps({"env": {"KEY": PRIVATE}})
#: The settings about messages between sessions, for a request without settings and with some.
QUIET = '--settings={"crossSessionInbound":"refuse"}'
MERGED = JSON_TEXT.replace("{", '{"crossSessionInbound": "refuse", ', 1)


def command(
    fields: dict[str, Any], defaults: Defaults = NONE, capabilities: Capabilities = NEW
) -> Command:
    """The command of a request that has come as JSON, as every request does."""
    body = json.dumps({"prompt": "hi", "cwd": "/", **fields}).encode()
    return build(read_request(body), defaults, capabilities)


def flags(found: Command) -> list[str]:
    """The arguments beyond those of every command; `=<…>` stands for a file's content."""
    arguments = [
        argument
        if isinstance(argument, str)
        else f"{argument['flag']}=<{found.files[argument['file']].decode()}>"
        for argument in found.arguments
    ]
    assert arguments[: len(ALWAYS)] == ALWAYS
    return [argument for argument in arguments[len(ALWAYS) :] if argument not in (SKIP, QUIET)]


@pytest.mark.parametrize("capabilities", [NEW, NEW - {"prompt_snapshot"}, None])
def test_a_new_system_prompt_holds_where_a_session_keeps_its_first(
    capabilities: Capabilities,
) -> None:
    request = read_request(b'{"prompt": "hi", "cwd": "/"}')
    found = build(request, NONE, capabilities, Extras(new_system_prompt=True))
    can = capabilities is not None and "prompt_snapshot" in capabilities
    assert ("--system-prompt-snapshot=off" in found.arguments) is can


def refusal(fields: dict[str, Any], capabilities: Capabilities = NEW) -> list[str | int]:
    """The place that the one error names."""
    with pytest.raises(InvalidRequest) as refused:
        command(fields, capabilities=capabilities)
    assert refused.value.status == 422
    assert not isinstance(refused.value.detail, str)
    (error,) = refused.value.detail
    assert set(error) == {"type", "loc", "msg"}
    location: list[str | int] = error["loc"]
    return location


SESSION = "f9645fec-cdad-4505-8f73-2b22a415a890"
ENV = json.dumps({"crossSessionInbound": "refuse", "env": {"A": PRIVATE}})
ANSWER = "1f1c3a0e-5a0c-4d53-9a5e-0c8e4f0f6b11"
# What reads a path, and what asks for another field, is below.
FLAGS: list[tuple[str, Any, list[str]]] = [
    ("prompt", "-p --help", []),
    ("cwd", "--version", []),
    ("model", "opus", ["--model=opus"]),
    ("fallback_model", "haiku", ["--fallback-model=haiku"]),
    ("session_id", SESSION, [f"--resume={SESSION}"]),
    ("fork_session", True, ["--fork-session"]),
    ("fork_session", False, []),
    ("new_session_id", SESSION, [f"--session-id={SESSION}"]),
    ("session_persistence", False, ["--no-session-persistence"]),
    ("session_persistence", True, []),
    ("system_prompt", "Be brief.", ["--system-prompt-file=<Be brief.>"]),
    ("append_system_prompt", "Be kind.", ["--append-system-prompt-file=<Be kind.>"]),
    ("tools", ["Bash", "Read"], ["--tools=Bash,Read"]),
    ("tools", [], ["--tools="]),
    (
        "allowed_tools",
        ["Bash(git log:*,x)", "Read"],
        ["--allowed-tools=Bash(git log:*,x)", "--allowed-tools=Read"],
    ),
    ("allowed_tools", [], []),
    ("disallowed_tools", ["Bash", "Web"], ["--disallowed-tools=Bash", "--disallowed-tools=Web"]),
    ("permission_mode", "plan", ["--permission-mode=plan"]),
    ("restricted", False, []),
    (
        "mcp_config",
        ["/etc/mcp.json", JSON_TEXT, f"\n {JSON_TEXT}"],
        [
            "--mcp-config=/etc/mcp.json",
            f"--mcp-config=<{JSON_TEXT}>",
            f"--mcp-config=<\n {JSON_TEXT}>",
        ],
    ),
    ("strict_mcp_config", True, ["--strict-mcp-config"]),
    ("strict_mcp_config", False, []),
    ("settings", "/etc/claude.json", ["--settings=/etc/claude.json"]),
    ("settings", JSON_TEXT, [f"--settings=<{MERGED}>"]),
    ("setting_sources", ["user", "local"], ["--setting-sources=user,local"]),
    ("setting_sources", [], ["--setting-sources="]),
    ("env", {"A": PRIVATE}, [f"--settings=<{ENV}>"]),
    ("env", {}, []),
    ("add_dir", ["/a", "/b c"], ["--add-dir=/a", "--add-dir=/b c"]),
    ("plugin_dir", ["/p", "/q"], ["--plugin-dir=/p", "--plugin-dir=/q"]),
    ("debug", True, ["--debug"]),
    ("debug", False, []),
    ("debug", "api,hooks", ["--debug=api,hooks"]),
    ("verbose", True, []),
    ("verbose", False, []),
    ("max_turns", 3, ["--max-turns=3"]),
    ("max_budget_usd", 5, ["--max-budget-usd=5"]),
    ("max_budget_usd", 0.000001, ["--max-budget-usd=0.000001"]),
    ("max_budget_usd", 1_000_000, ["--max-budget-usd=1000000"]),
    ("max_budget_usd", 0.25, ["--max-budget-usd=0.25"]),
    ("effort", "xhigh", ["--effort=xhigh"]),
    ("betas", ["a", "b c"], ["--betas=a", "--betas=b c"]),
    ("agent", "helper", ["--agent=helper"]),
    ("name", "night run", ["--name=night run"]),
    ("disable_slash_commands", True, ["--disable-slash-commands"]),
    ("disable_slash_commands", False, []),
    ("json_schema", {"type": "object"}, ['--json-schema={"type": "object"}']),
    ("json_schema", {}, ["--json-schema={}"]),
    ("agents", {"a": {"prompt": "x"}}, ['--agents=<{"a": {"prompt": "x"}}>']),
    ("include_partial_messages", True, ["--include-partial-messages"]),
    ("include_partial_messages", False, []),
    ("include_hook_events", True, ["--include-hook-events"]),
    ("include_hook_events", False, []),
    # A job's title is in no command line.
    ("title", "--help", []),
    ("detach", True, []),
    ("timeout", 5, []),
    ("idle_timeout", 5, []),
    ("ask", False, []),
    ("ask_timeout", 5, []),
    ("keep_alive", "5m", []),
    ("background_wait", 5, []),
]
TOGETHER: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"session_id": SESSION, "resume_session_at": ANSWER},
        [f"--resume={SESSION}", f"--resume-session-at={ANSWER}"],
    ),
    (
        {"session_id": SESSION, "fork_session": True, "new_session_id": ANSWER},
        [f"--resume={SESSION}", "--fork-session", f"--session-id={ANSWER}"],
    ),
    ({"ask": True}, ["--permission-prompt-tool=stdio", "--permission-mode=default"]),
    (
        {"ask": True, "permission_mode": "plan"},
        ["--permission-prompt-tool=stdio", "--permission-mode=plan"],
    ),
    ({"restricted": True}, ["--restricted"]),
    (
        {"settings": '{"a": 1, "env": {"A": "0", "B": "1"}}', "env": {"A": PRIVATE}},
        [
            '--settings=<{"crossSessionInbound": "refuse", "a": 1,'
            f' "env": {{"A": "{PRIVATE}", "B": "1"}}}}>'
        ],
    ),
    ({"settings": "", "env": {"A": PRIVATE}}, [f"--settings=<{ENV}>"]),
]


@pytest.mark.parametrize(("field", "value", "expected"), FLAGS)
def test_a_field_becomes_its_flag(field: str, value: Any, expected: list[str]) -> None:
    assert flags(command({field: value})) == expected


@pytest.mark.parametrize(("fields", "expected"), TOGETHER)
def test_fields_that_depend_on_each_other_become_flags(
    fields: dict[str, Any], expected: list[str]
) -> None:
    assert flags(command(fields)) == expected


def test_the_tables_above_have_every_field_of_the_contract() -> None:
    fields = {field for field, _, _ in FLAGS} | {field for both, _ in TOGETHER for field in both}
    assert fields == set(ChatRequest.model_fields)
    assert len(fields) == 44


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("model", "--version", ["--model=--version"]),
        ("fallback_model", "--help", ["--fallback-model=--help"]),
        ("system_prompt", "--help", ["--system-prompt-file=<--help>"]),
        ("append_system_prompt", "-p", ["--append-system-prompt-file=<-p>"]),
        ("tools", ["--help", "-x"], ["--tools=--help,-x"]),
        ("allowed_tools", ["--help", "-x"], ["--allowed-tools=--help", "--allowed-tools=-x"]),
        ("disallowed_tools", ["--", "-x"], ["--disallowed-tools=--", "--disallowed-tools=-x"]),
        ("permission_mode", "--help", ["--permission-mode=--help"]),
        ("mcp_config", ["--help", "-x"], ["--mcp-config=--help", "--mcp-config=-x"]),
        ("settings", "--help", ["--settings=--help"]),
        ("add_dir", ["-a", "--help"], ["--add-dir=-a", "--add-dir=--help"]),
        ("plugin_dir", ["-a", "--help"], ["--plugin-dir=-a", "--plugin-dir=--help"]),
        ("betas", ["-a", "--help"], ["--betas=-a", "--betas=--help"]),
        ("agent", "--help", ["--agent=--help"]),
        ("name", "-p", ["--name=-p"]),
        ("debug", "--help", ["--debug=--help"]),
        ("json_schema", {"--help": "-x"}, ['--json-schema={"--help": "-x"}']),
        ("agents", {"--help": "-x"}, ['--agents=<{"--help": "-x"}>']),
    ],
)
def test_a_value_that_begins_with_a_dash_stays_a_value(
    field: str, value: Any, expected: list[str]
) -> None:
    assert flags(command({field: value})) == expected


VALUES = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text)


@given(VALUES)
def test_any_text_is_one_element_behind_its_flag(text: str) -> None:
    found = flags(command({"model": text, "add_dir": [text], "permission_mode": text}))
    assert found == [
        f"--model={text}",
        f"--add-dir={text}",
        f"--permission-mode={text}",
    ]


@pytest.mark.parametrize("field", sorted(set(ChatRequest.model_fields) - {"prompt", "cwd"}))
def test_null_leaves_every_field_to_the_cli(field: str) -> None:
    assert command({field: None}) == command({})


@pytest.mark.parametrize(
    "field",
    [
        "fallback_model",
        "session_id",
        "system_prompt",
        "append_system_prompt",
        "permission_mode",
        "settings",
        "debug",
    ],
)
def test_an_empty_text_leaves_the_field_to_the_cli(field: str) -> None:
    assert command({field: ""}) == command({})


@pytest.mark.parametrize(
    ("fields", "default", "expected"),
    [
        ({}, "sonnet", ["--model=sonnet"]),
        ({}, None, []),
        ({"model": None}, "sonnet", []),
        ({"model": ""}, "sonnet", []),
        ({"model": "opus"}, "sonnet", ["--model=opus"]),
        ({"model": "opus"}, None, ["--model=opus"]),
    ],
)
def test_the_default_model_is_for_requests_that_do_not_say(
    fields: dict[str, Any], default: str | None, expected: list[str]
) -> None:
    assert flags(command(fields, Defaults(default, None))) == expected


@pytest.mark.parametrize(
    ("fields", "default", "expected"),
    [
        ({}, None, SKIP),
        ({"tools": []}, None, SKIP),
        ({"allowed_tools": []}, None, SKIP),
        ({"tools": [], "allowed_tools": []}, None, SKIP),
        ({"tools": None, "allowed_tools": None, "permission_mode": None}, None, SKIP),
        ({"disallowed_tools": ["Bash"]}, None, SKIP),
        ({"permission_mode": ""}, None, SKIP),
        ({"tools": ["Read"]}, None, None),
        ({"allowed_tools": ["Read"]}, None, None),
        ({"tools": [], "allowed_tools": ["Read"]}, None, None),
        ({"permission_mode": "plan"}, None, "--permission-mode=plan"),
        ({"permission_mode": "plan", "tools": ["Read"]}, None, "--permission-mode=plan"),
        ({}, "acceptEdits", "--permission-mode=acceptEdits"),
        ({"permission_mode": None}, "acceptEdits", "--permission-mode=acceptEdits"),
        ({"permission_mode": ""}, "acceptEdits", "--permission-mode=acceptEdits"),
        ({"tools": []}, "acceptEdits", "--permission-mode=acceptEdits"),
        ({"permission_mode": "plan"}, "acceptEdits", "--permission-mode=plan"),
        # The CLI refuses to allow everything in its restricted mode.
        ({"restricted": True}, None, None),
        ({"restricted": True}, "bypassPermissions", None),
        ({"restricted": True}, "acceptEdits", "--permission-mode=acceptEdits"),
        ({"restricted": False}, None, SKIP),
        ({"ask": True}, "acceptEdits", "--permission-mode=default"),
        ({"ask": False}, "acceptEdits", "--permission-mode=acceptEdits"),
    ],
)
def test_permissions_are_skipped_only_for_who_asks_for_nothing_narrower(
    fields: dict[str, Any], default: str | None, expected: str | None
) -> None:
    arguments = command(fields, Defaults(None, default)).arguments
    found = [
        argument
        for argument in arguments
        if isinstance(argument, str) and argument.startswith(("--permission-mode", SKIP))
    ]
    assert found == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (ALL, '--agents=<{"a": 1}>'),
        (OLD, '--agents={"a": 1}'),
        (frozenset(), '--agents={"a": 1}'),
        (None, '--agents={"a": 1}'),
    ],
)
def test_agents_go_by_a_file_where_the_cli_takes_one(
    capabilities: Capabilities, expected: str
) -> None:
    assert flags(command({"agents": {"a": 1}}, capabilities=capabilities)) == [expected]


LONG = "x" * LONGEST_ARGUMENT


@pytest.mark.parametrize(
    ("field", "value", "capabilities"),
    [
        ("model", LONG, NEW),
        ("fallback_model", LONG, NEW),
        ("tools", ["Read", LONG], NEW),
        ("tools", ["Read" * 10] * 4000, NEW),
        ("allowed_tools", ["Read", LONG], NEW),
        ("disallowed_tools", [LONG], NEW),
        ("permission_mode", LONG, NEW),
        ("mcp_config", ["/" + LONG], NEW),
        ("settings", "/" + LONG, NEW),
        ("add_dir", ["/a", "/" + LONG], NEW),
        ("plugin_dir", [LONG], NEW),
        ("debug", LONG, NEW),
        ("json_schema", {"description": LONG}, NEW),
        ("agents", {"a": LONG}, OLD),
    ],
)
def test_what_is_too_long_for_a_command_line_is_refused_by_name(
    field: str, value: Any, capabilities: Capabilities
) -> None:
    assert refusal({field: value}, capabilities)[:2] == ["body", field]


def test_options_that_are_too_long_together_are_refused() -> None:
    assert refusal({"add_dir": ["x" * 100_000] * (LONGEST_COMMAND // 100_000 + 1)}) == ["body"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", LONG),
        ("system_prompt", LONG),
        ("append_system_prompt", LONG),
        ("settings", json.dumps({"env": {"A": LONG}})),
        ("mcp_config", [json.dumps({"mcpServers": {"a": LONG}})] * 20),
        ("agents", {"a": {"prompt": LONG}}),
    ],
)
def test_what_goes_by_a_file_or_by_standard_input_may_be_long(field: str, value: Any) -> None:
    found = command({field: value})
    assert all(len(str(argument)) < 200 for argument in found.arguments)
    assert sum(map(len, found.files.values())) + len(found.input) > LONGEST_ARGUMENT


def test_the_longest_argument_is_the_kernels() -> None:
    def run(length: int) -> int:
        child = os.posix_spawn("/bin/true", ["true", "x" * length], {})
        return os.waitpid(child, 0)[1]

    assert run(LONGEST_ARGUMENT - 1) == 0
    with pytest.raises(OSError, match="Argument list too long"):
        run(LONGEST_ARGUMENT)


@given(st.text())
def test_a_message_is_one_line_of_json_whatever_the_text(text: str) -> None:
    line = control.message(text)
    assert line.endswith(b"\n")
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"type": "user", "message": {"role": "user", "content": text}}


def test_the_prompt_goes_by_standard_input_alone() -> None:
    found = command({"prompt": PRIVATE})
    assert found.input == control.message(PRIVATE)
    assert PRIVATE not in str(found.arguments)
    assert found.files == {}


@pytest.mark.parametrize(
    ("settings", "merged"),
    [
        ("{}", {"crossSessionInbound": "refuse"}),
        (" { } ", {"crossSessionInbound": "refuse"}),
        ('{"a":1}', {"crossSessionInbound": "refuse", "a": 1}),
        ('{"b":{"crossSessionInbound":1}}', {"crossSessionInbound": "refuse", "b": ANY}),
        ('{"crossSessionInbound":"hold"}', {"crossSessionInbound": "hold"}),
        ('\ufeff{"a":1}', {"crossSessionInbound": "refuse", "a": 1}),
    ],
)
def test_messages_of_other_sessions_are_refused_unless_the_request_says_otherwise(
    settings: str, merged: dict[str, Any]
) -> None:
    (content,) = command({"settings": settings}).files.values()
    assert json.loads(content) == merged
    assert QUIET in command({}).arguments


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        # The CLI would run without such settings, and report nothing.
        ({"settings": "{broken"}, ["settings"]),
        ({"settings": '{"a": 1} // why'}, ["settings"]),
        ({"settings": "{" * 1000}, ["settings"]),
        ({"settings": '{"env": []}', "env": {"A": "1"}}, ["settings", "env"]),
        # What cannot be read cannot be added to.
        ({"settings": "/no/such/file", "env": {"A": "1"}}, ["settings"]),
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    fields: dict[str, Any], location: list[str]
) -> None:
    assert refusal(fields) == ["body", *location]


def test_no_process_can_read_words_or_secrets_on_the_command_line() -> None:
    found = command(
        {
            "prompt": PRIVATE,
            "system_prompt": PRIVATE,
            "append_system_prompt": PRIVATE,
            "mcp_config": [JSON_TEXT, f"\t\n{JSON_TEXT}"],
            "settings": f" {JSON_TEXT}",
            "env": {"B": PRIVATE},
            "agents": {"a": {"prompt": PRIVATE}},
        }
    )
    assert PRIVATE not in str(found.arguments)
    assert len(found.files) == 6
    assert all(PRIVATE.encode() in content for content in found.files.values())


def test_files_are_plain_names_that_collide_with_nothing_in_a_runs_folder() -> None:
    fields = {"system_prompt": "a", "append_system_prompt": "b", "mcp_config": [JSON_TEXT] * 3}
    names = set(command(fields).files)
    assert len(names) == 5
    assert not names & {"start.json", "output", "stderr", "running", "temporary", "exited"}
    assert not any("/" in name for name in names)
