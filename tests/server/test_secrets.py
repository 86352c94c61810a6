"""Secrets are in no job, log, command line or error."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from tests.support.gateway import (
    PASSWORD,
    Gateway,
    eventually,
)


def test_the_job_sees_nothing_of_the_gateways(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(
        API_KEYS="key-that-is-secret", NOTIFY_SOCKET="/run/x", STATE_DIRECTORY="/var/lib/x"
    )
    (line,) = gateway.chat("environment").messages()
    environment = json.loads(line)
    assert environment["HOME"] == str(gateway.home)
    assert "CLAUDECODE2API_JOB" in environment
    for name in ("AUTH_PASSWORD", "API_KEYS", "STATE_DIR", "NOTIFY_SOCKET", "STATE_DIRECTORY"):
        assert name not in environment
    for secret in (PASSWORD, "key-that-is-secret"):
        assert secret not in line.decode()


def test_no_log_no_command_line_and_no_error_shows_a_prompt_or_a_secret(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(API_KEYS="SECRET-key-of-a-client")
    stream = gateway.chat(
        "silent",
        "SECRET-prompt",
        system_prompt="SECRET-system",
        append_system_prompt="SECRET-append",
        settings='{"env":{"TOKEN":"SECRET-settings"}}',
        mcp_config=['{"mcpServers":{"x":{"env":{"TOKEN":"SECRET-mcp"}}}}'],
        agents={"helper": {"description": "d", "prompt": "SECRET-agent"}},
    )
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            # It may end while we look.
            with contextlib.suppress(OSError):
                assert b"SECRET" not in (entry / "cmdline").read_bytes()
    stream.close()
    headers = {"Authorization": "Bearer SECRET-wrong", "X-Request-ID": "SECRET x"}
    errors = [
        gateway.ask("GET", "/processes", auth=None, headers=headers),
        gateway.post("SECRET-prompt", cwd="/nowhere"),
        gateway.post("SECRET-prompt\0"),
        gateway.post("x", tools="SECRET"),
    ]
    assert all("SECRET" not in error.text for error in errors)
    eventually(lambda: not gateway.running())
    assert "SECRET" not in gateway.log()
    assert PASSWORD not in gateway.log()
