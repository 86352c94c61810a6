"""A reload takes new settings and code, and changes nothing where it cannot."""

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from tests.support.gateway import (
    EX_CONFIG,
    Gateway,
    eventually,
)


def test_a_reload_takes_new_settings_and_refuses_broken_ones(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    settings = tmp_path / ".env"
    settings.write_text("DEFAULT_MODEL=one\n", encoding="utf-8")
    gateway = start_gateway()
    assert gateway.process is not None

    def model() -> str:
        (line, *_) = gateway.chat("arguments").messages()
        (flag,) = [word for word in json.loads(line)["argv"] if word.startswith("--model")]
        return str(flag)

    assert model() == "--model=one"
    settings.write_text("DEFAULT_MODEL=two\nADDED=new\n", encoding="utf-8")
    gateway.reload()
    assert model() == "--model=two"
    (line,) = gateway.chat("environment").messages()
    assert json.loads(line)["ADDED"] == "new"
    settings.write_text("HEARTBEAT=never\n", encoding="utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: "the reload is refused: cannot use HEARTBEAT" in gateway.log())
    assert model() == "--model=two"
    # The other files are read again, too.
    key, toml = tmp_path / "key", tmp_path / "claudecode2api.toml"
    settings.unlink()
    key.write_text("a key\n", encoding="utf-8")
    toml.write_text(f'default_model = "three"\nanthropic_api_key_file = "{key}"\n')
    gateway.reload()
    assert model() == "--model=three"
    (line,) = gateway.chat("environment").messages()
    variables = json.loads(line)
    assert variables["ANTHROPIC_API_KEY"] == "a key"
    assert "ANTHROPIC_API_KEY_FILE" not in variables
    toml.write_text("heartbeat = true\n", encoding="utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    refused = "the reload is refused: cannot use 'heartbeat' in claudecode2api.toml, line 1: "
    eventually(lambda: refused in gateway.log())
    assert model() == "--model=three"


def test_a_reload_onto_an_address_that_cannot_be_had_changes_nothing(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    del gateway.environment["PORT"]
    gateway.stop()
    settings = tmp_path / ".env"
    settings.write_text(f"PORT={gateway.port}\n", encoding="utf-8")
    gateway.start()
    assert gateway.process is not None
    stream = gateway.chat("silent")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings.write_text(f"PORT={port}\n", encoding="utf-8")
        refused = f"cannot listen on 127.0.0.1, port {port}: the port is in use"
        check = gateway.check()
        assert (check.returncode, check.stderr.count("\n")) == (EX_CONFIG, 1)
        assert refused in check.stderr
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: f"the reload is refused: {refused}" in gateway.log())
        assert [row["process_id"] for row in gateway.running()] == [stream.job_id]
    # Its own port is no obstacle, and another one that is free is taken.
    settings.write_text(f"PORT={gateway.port}\n", encoding="utf-8")
    assert gateway.check().returncode == 0
    gateway.reload()
    settings.write_text(f"PORT={port}\n", encoding="utf-8")
    assert gateway.check().returncode == 0
    gateway.reload()
    gateway.url = f"http://127.0.0.1:{port}"
    assert [row["process_id"] for row in gateway.running()] == [stream.job_id]
    assert gateway.check().returncode == 0
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200


def test_a_reload_of_code_that_cannot_be_imported_changes_nothing(
    tmp_path: Path, fake_claude: Path
) -> None:
    gateway = Gateway(tmp_path, fake_claude)
    gateway.copy_code()
    try:
        gateway.start()
        assert gateway.process is not None
        before = gateway.workers()
        (gateway.code / "app/api/chat.py").write_text("import no_such_module\n")
        assert "no_such_module" in gateway.check().stderr
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the reload is refused: ModuleNotFoundError" in gateway.log())
        assert gateway.workers() == before
        gateway.stop()
    finally:
        gateway.kill()


def test_settings_that_change_between_the_check_and_the_reload_end_no_gateway(
    start_gateway: Callable[..., Gateway], fake_claude: Path, tmp_path: Path
) -> None:
    settings, trap = tmp_path / ".env", tmp_path / "trap"
    claude = tmp_path / "claude"
    # The check asks for its version after it has read the settings. A worker may start it, too.
    claude.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ] && [ -e {trap} ]; then\n'
        f"rm {trap}; echo HEARTBEAT=never >{settings}\nfi\n"
        f'exec {fake_claude} "$@"\n',
        encoding="utf-8",
    )
    claude.chmod(0o755)
    gateway = start_gateway(claude=claude)
    assert gateway.process is not None
    workers, stream = gateway.workers(), gateway.chat("silent")
    trap.touch()
    gateway.process.send_signal(signal.SIGHUP)
    refused = "the reload is refused: the settings or the code were changed after they were checked"
    eventually(lambda: refused in gateway.log())
    assert "cannot use HEARTBEAT" in gateway.log()
    assert gateway.workers() == workers
    assert [row["process_id"] for row in gateway.running()] == [stream.job_id]
    settings.write_text("DEFAULT_MODEL=two\n", encoding="utf-8")
    gateway.reload()
    (line, *_) = gateway.chat("arguments").messages()
    assert "--model=two" in json.loads(line)["argv"]
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
