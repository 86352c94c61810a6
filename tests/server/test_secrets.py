"""Secrets are in no job, log, command line or error."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

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
    assert "CLAUDECODE2API_RUN" in environment
    for name in ("AUTH_PASSWORD", "API_KEYS", "STATE_DIR", "NOTIFY_SOCKET", "STATE_DIRECTORY"):
        assert name not in environment
    for secret in (PASSWORD, "key-that-is-secret"):
        assert secret not in line.decode()


def test_no_log_no_command_line_and_no_error_shows_a_prompt_or_a_secret(
    start_gateway: Callable[..., Gateway],
) -> None:
    # No other process of this machine has this word in its arguments.
    secret = f"SECRET-{uuid4().hex}"
    gateway = start_gateway(API_KEYS=f"{secret}-key-of-a-client")
    stream = gateway.chat(
        "silent",
        f"{secret}-prompt",
        system_prompt=f"{secret}-system",
        append_system_prompt=f"{secret}-append",
        settings=json.dumps({"env": {"TOKEN": f"{secret}-settings"}}),
        mcp_config=[json.dumps({"mcpServers": {"x": {"env": {"TOKEN": f"{secret}-mcp"}}}})],
        agents={"helper": {"description": "d", "prompt": f"{secret}-agent"}},
    )
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            # It may end while we look.
            with contextlib.suppress(OSError):
                assert secret.encode() not in (entry / "cmdline").read_bytes()
    stream.close()
    headers = {"Authorization": f"Bearer {secret}-wrong", "X-Request-ID": f"{secret} x"}
    errors = [
        gateway.ask("GET", "/processes", auth=None, headers=headers),
        gateway.post(f"{secret}-prompt", cwd="/nowhere"),
        gateway.post(f"{secret}-prompt\0"),
        gateway.post("x", tools=secret),
    ]
    assert all(secret not in error.text for error in errors)
    eventually(lambda: not gateway.running())
    assert secret not in gateway.log()
    assert PASSWORD not in gateway.log()
