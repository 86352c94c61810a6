"""`claudecode2api doctor`: one row for each check, and help for each that is not well."""

import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.tool.checkout import Checkout
from app.tool.checks import service
from app.tool.systemd_unit import Unit, differences
from tests.support import model_api
from tests.support.doctor import await_login, installed_checkout, not_well, rows_of
from tests.support.gateway import ROOT, Gateway, eventually, free_port, running_gateway
from tests.support.probed_claude import calls, write_claude
from tests.support.tool import Tool, tool_of

NAMES = [
    *("python", "packages", "user", ".env", "settings", "unit", "claude", "capabilities"),
    *("login", "state folder", "disk", "port", "gateway", "job"),
]


def test_a_gateway_that_is_well(gateway: Gateway, tool: Tool) -> None:
    await_login(gateway)
    rows = rows_of(tool, status=0)
    assert [name for name in rows if not name.startswith("unit ") and name != "root"] == NAMES
    path = gateway.environment["CLAUDE_PATH"]
    assert rows["claude"]["detail"] == f"9.9.9 (Fake Code), {path}, which the gateway uses"
    assert rows["login"]["detail"] == "logged in, as the gateway reports"
    assert gateway.process is not None
    assert rows["port"]["detail"].endswith(f"the gateway's, process {gateway.process.pid}")
    assert rows["job"]["detail"].startswith("'/cost' was answered by the CLI itself")


def test_rows_for_people(tool: Tool) -> None:
    tool.env_file.chmod(0o644)
    report = tool.run("doctor").stdout.decode()
    path = tool.env_file
    assert f"warning  .env          {path} has mode 0644: other users can read" in report
    assert f"\n                       fix: chmod 600 {path}\n" in report
    assert "\nok       job           '/cost'" in report
    assert report.endswith("\n\nall is well\n")
    tool.env_file.write_text("AUTH_PASSWORD=changeme\n", encoding="utf-8")
    assert tool.run("doctor").stdout.decode().endswith("\n\n1 check failed\n")


def test_nothing_is_set_up(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "checkout", tmp_path)
    rows = rows_of(tool)
    assert not_well(rows) == {".env", "settings"}
    assert rows["settings"]["fix"] == f"{tool.program} password"
    assert rows["job"]["status"] == "skipped"
    assert tool.run("password").returncode == 0
    rows = rows_of(tool, CLAUDE_PATH="/nowhere", PORT=str(free_port()))
    assert not_well(rows) == {"claude", "gateway"}


def test_a_copy_of_the_example_needs_a_password_alone(gateway: Gateway, tool: Tool) -> None:
    shutil.copyfile(ROOT / ".env.example", tool.env_file)
    tool.env_file.chmod(0o644)
    rows = rows_of(tool)
    assert not_well(rows) == {"settings"}
    assert rows["settings"]["fix"] == f"{tool.program} password"
    assert tool.run("password").returncode == 0
    rows = rows_of(tool, CLAUDE_PATH=gateway.environment["CLAUDE_PATH"], PORT=str(free_port()))
    assert not_well(rows) == {"gateway"}
    assert rows[".env"]["status"] == "ok"


def test_the_toml_file_is_checked(tool: Tool, tmp_path: Path) -> None:
    toml, secret = tool.folder / "claudecode2api.toml", tmp_path / "secret"
    toml.write_text("shared_jobs = 1\n")
    rows = rows_of(tool)
    assert not_well(rows) == {"settings"}
    assert rows["settings"]["detail"].startswith(f"cannot use 'shared_jobs' in {toml}, line 1: ")
    assert rows["settings"]["fix"] == f"correct {toml}"
    tool.env_file.unlink()
    toml.write_text('auth_password = "a password"\n')
    toml.chmod(0o644)
    rows = rows_of(tool, CLAUDE_PATH="/nowhere", PORT=str(free_port()))
    assert not_well(rows) == {"claude", "gateway"}
    assert rows[".env"]["detail"].endswith(f"does not exist; the password is in {toml}, line 1")
    assert (rows["toml file"]["status"], rows["toml file"]["fix"]) == (
        "warning",
        f"chmod 600 {toml}",
    )
    secret.write_text("a password\n")
    toml.write_text(f'auth_password_file = "{secret}"\n')
    rows = rows_of(tool, CLAUDE_PATH="/nowhere", PORT=str(free_port()))
    assert (rows[".env"]["status"], rows["toml file"]["status"]) == ("ok", "ok")
    secret.unlink()
    rows = rows_of(tool)
    assert not_well(rows) == {".env", "settings"}
    assert rows["settings"]["fix"] == "correct that setting, or the file that it names"


def test_root_is_warned_that_default_requests_fail(tool: Tool) -> None:
    rows = rows_of(tool, status=0)
    if os.geteuid():
        assert "root" not in rows
        return
    assert rows["root"]["status"] == "warning"
    assert "IS_SANDBOX=1" in rows["root"]["fix"]
    assert "root" not in rows_of(tool, status=0, IS_SANDBOX="1")
    assert "root" not in rows_of(tool, status=0, DEFAULT_PERMISSION_MODE="acceptEdits")


def test_a_login_whose_token_ends_soon_is_not_asked_for(tool: Tool, tmp_path: Path) -> None:
    claude = tmp_path / "claude"
    claude.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo 1.0 && exit\n"
        f"[ $1 != auth ] || touch {tmp_path}/asked\n"
    )
    claude.chmod(0o755)
    oauth = {"expiresAt": int(time.time() * 1000), "refreshToken": "dummy"}
    (tmp_path / ".credentials.json").write_text(json.dumps({"claudeAiOauth": oauth}))
    here = {"CLAUDE_PATH": str(claude), "CLAUDE_CONFIG_DIR": str(tmp_path)}
    rows = rows_of(tool, PORT=str(free_port()), **here)
    assert not_well(rows) == {"gateway"}
    assert rows["claude"]["detail"] == f"1.0, {claude}, found by CLAUDE_PATH"
    assert rows["login"]["detail"] == "logged in"
    assert not (tmp_path / "asked").exists()


def test_a_line_that_cannot_be_read_is_named(tool: Tool) -> None:
    with tool.env_file.open("a", encoding="utf-8") as file:
        file.write("\nHTTP_PROXY\n")
    lines = tool.env_file.read_text(encoding="utf-8").count("\n")
    rows = rows_of(tool)
    assert not_well(rows) == {"settings"}
    assert f"line {lines}: write NAME=value" in rows["settings"]["detail"]


def test_a_package_of_another_version(tool: Tool) -> None:
    requirements = tool.folder / "requirements.txt"
    requirements.unlink()
    requirements.write_text("# Ours.\nFlask==0.1\nno-such-package[x]==2\n", encoding="utf-8")
    rows = rows_of(tool)
    assert not_well(rows) == {"packages"}
    assert "Flask 3.1.3 (wanted: 0.1)" in rows["packages"]["detail"]
    assert "no-such-package missing (wanted: 2)" in rows["packages"]["detail"]
    assert rows["packages"]["fix"].endswith(f"-m pip install -r {requirements}")


def test_a_gateway_that_does_not_run(tool: Tool) -> None:
    rows = rows_of(tool, PORT=str(free_port()))
    assert not_well(rows) == {"gateway"}
    assert rows["port"]["detail"].endswith("is free")
    assert rows["job"]["status"] == "skipped"


def test_a_port_that_something_else_has(tool: Tool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        # One connection for /health, one that only looks whether anything listens, one for /.
        thread = threading.Thread(target=lambda: [other.accept()[0].close() for _ in range(3)])
        thread.start()
        rows = rows_of(tool, PORT=str(other.getsockname()[1]))
        thread.join()
    assert not_well(rows) == {"port"}
    assert "is taken" in rows["port"]["detail"]


def test_another_password_than_the_gateways(tool: Tool) -> None:
    rows = rows_of(tool, AUTH_PASSWORD="another")  # noqa: S106 - wrong on purpose
    assert not_well(rows) == {"gateway"}
    assert "reload" in rows["gateway"]["fix"]


def test_a_full_disk(tool: Tool) -> None:
    rows = rows_of(tool, MIN_FREE_DISK=str(1 << 50))
    assert not_well(rows) == {"disk"}


def test_a_state_folder_that_cannot_be_made(tool: Tool) -> None:
    rows = rows_of(tool, STATE_DIR=str(tool.env_file / "state"))
    assert not_well(rows) == {"state folder"}


@pytest.mark.parametrize("is_known", [False, True])
def test_a_cli_that_lacks_what_is_new(
    start_gateway: Callable[..., Gateway], tmp_path: Path, is_known: bool
) -> None:
    claude = write_claude(tmp_path / "old", lacks=["--restricted", "--await-claim"])
    gateway = start_gateway(claude)
    eventually(lambda: (gateway.state / "capabilities.json").exists())
    if not is_known:
        gateway.stop()
        (gateway.state / "capabilities.json").unlink()
    tool = tool_of(gateway, tmp_path / "checkout")
    row = rows_of(tool, status=0 if is_known else 1)["capabilities"]
    assert row["status"] == "warning"
    assert row["detail"] == "the CLI does not support restricted, spares"
    assert "update Claude Code" in row["fix"]
    # One probe is three runs: two flags are refused.
    probes = [call for call in calls(claude) if "claudecode2api-end" in call]
    assert len(probes) == (3 if is_known else 6)


def test_a_job_that_fails(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo 1.0 && exit\n"
        "[ $1 = auth ] && echo '{\"loggedIn\": true}' && exit\n"
        'echo "--dangerously-skip-permissions cannot be used with root/sudo" >&2; exit 1\n',
        encoding="utf-8",
    )
    broken.chmod(0o755)
    gateway = start_gateway(claude=broken)
    rows = rows_of(tool_of(gateway, tmp_path / "checkout"))
    assert not_well(rows) == {"job"}
    assert rows["job"]["detail"].startswith("'/cost' ended as failed after ")
    assert "IS_SANDBOX=1" in rows["job"]["fix"]


@pytest.fixture
def installed(tmp_path: Path) -> Checkout:
    """A checkout whose unit is installed, without a systemd."""
    return installed_checkout(tmp_path)


def units(checkout: Checkout, booted: Path) -> dict[str, tuple[str, str]]:
    return {row.name: (row.status, row.detail) for row in service.check(checkout, booted)}


def test_an_installed_unit_is_the_repositorys_for_any_user(
    installed: Checkout, tmp_path: Path
) -> None:
    rows = units(installed, tmp_path)
    assert rows["unit"][0] == rows["unit current"][0] == "ok"
    assert rows["unit"][1].endswith(", as me")


def test_a_unit_that_differs_is_reported_with_its_lines(
    installed: Checkout, tmp_path: Path
) -> None:
    text = installed.unit.path.read_text(encoding="utf-8")
    installed.unit.path.write_text(text.replace("on-failure", "no \\\n  # Why.\n"), "utf-8")
    status, detail = units(installed, tmp_path)["unit current"]
    assert (status, detail) == (
        "warning",
        "differs from the repository's: -Restart=on-failure; +Restart=no",
    )


def test_a_unit_of_another_checkout(installed: Checkout, tmp_path: Path) -> None:
    other = Checkout(tmp_path, installed.environ, installed.unit)
    assert units(other, tmp_path)["unit"][1].endswith(f"another checkout: {installed.folder}")
    assert str(other.settings().state_dir) == "/h/.local/state/claudecode2api"


def test_no_unit_and_no_systemd(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, {}, Unit(tmp_path / "none"))
    assert units(checkout, tmp_path)["unit"][0] == "warning"
    assert units(checkout, tmp_path / "none")["unit"][0] == "skipped"


def test_the_units_environment_is_the_gateways(installed: Checkout) -> None:
    assert str(installed.settings().state_dir) == "/var/lib/claudecode2api"
    assert installed.gateway_environ()["PATH"] == "/home/me/.local/bin:/usr/bin"


def test_the_order_of_a_units_lines_does_not_count() -> None:
    assert differences("a=1\nb=2\n", "b=2\n\n# x\n; y\na=1") == []
    assert differences("a=1\na=1", "a=1") == ["-a=1"]


@pytest.mark.real
@pytest.mark.timeout(240)
def test_with_the_real_cli_the_doctors_job_asks_no_model(tmp_path: Path) -> None:
    server = model_api.serve()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings = {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_address[1]}",
        "ANTHROPIC_API_KEY": "dummy",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "IS_SANDBOX": "1",
    }
    try:
        with running_gateway(tmp_path, Path(os.environ["TEST_CLAUDE"]), **settings) as gateway:
            tool = tool_of(gateway, tmp_path / "checkout")
            rows = rows_of(tool, status=0)
            assert rows["job"]["detail"].endswith("for $0.0000")
            assert server.asked == []
            asked = rows_of(tool, "--job", status=0)
            assert "was answered by the model" in asked["job"]["detail"]
            assert server.asked
            done = tool.run("run", "hello\nthere")
            assert (done.returncode, done.stdout) == (0, b"You said: hello\nthere\n")
            assert gateway.process is not None
            with tool.start("run", "bash: until [ -e flag ]; do sleep 0.1; done") as run:
                assert run.stdout is not None
                assert run.stdout.readline() == b"I run it.\n"
                before = set(gateway.workers())
                gateway.process.send_signal(signal.SIGHUP)
                eventually(
                    lambda: len(gateway.workers()) == 2 and not before & {*gateway.workers()}
                )
                (tool.project / "flag").touch()
                assert run.communicate()[0].startswith(b"The tool said: ")
            assert run.returncode == 0
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
