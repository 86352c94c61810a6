"""The rows of the doctor, and a checkout whose unit is installed, for tests."""

import json
from pathlib import Path
from typing import Any

from app.tool.checkout import Checkout
from app.tool.systemd_unit import Unit
from tests.support.gateway import Gateway, eventually
from tests.support.tool import Tool

Rows = dict[str, dict[str, Any]]


def await_login(gateway: Gateway) -> None:
    """Wait until the gateway knows whether its CLI is logged in; the doctor waits 3 seconds."""
    eventually(lambda: gateway.ask("GET", "/health").json()["logged_in"] is not None)


def rows_of(tool: Tool, *options: str, status: int = 1, **more: str) -> Rows:
    """What the doctor finds, by name."""
    done = tool.run("doctor", "--json", *options, **more)
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (status, status == 0), done.stdout
    return {check["name"]: check for check in report["checks"]}


def not_well(rows: Rows) -> set[str]:
    """The names of what has failed."""
    for check in rows.values():
        # Help is printed where there is any, and nowhere else.
        assert (check["fix"] is not None) == (check["status"] in ("warning", "failed"))
    return {name for name, check in rows.items() if check["status"] == "failed"}


UNIT = """\
[Unit]
Description=x

[Service]
# Ours.
User=nobody
WorkingDirectory=/opt/gateway
Environment="PATH=/home/me/.local/bin:/usr/bin"
ExecStart="/opt/gateway/venv/bin/gunicorn"
StateDirectory=claudecode2api
Restart=on-failure
"""


def installed_checkout(tmp_path: Path) -> Checkout:
    """A checkout whose unit is installed, without a systemd."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    (folder / "claudecode2api.service").write_text(UNIT, encoding="utf-8")
    unit = tmp_path / "claudecode2api.service"
    unit.write_text(
        UNIT.replace("/opt/gateway", str(folder)).replace("User=nobody", "User=me"), "utf-8"
    )
    return Checkout(folder, {"AUTH_PASSWORD": "x", "HOME": "/h", "PATH": "/bin"}, Unit(unit))
