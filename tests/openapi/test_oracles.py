"""Two programs check the API: its document is OpenAPI, and a gateway conforms to it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.openapi.document import make_document
from tests.support.described import application
from tests.support.gateway import ROOT, Gateway

pytestmark = [pytest.mark.oracles, pytest.mark.timeout(400)]

ORACLES = ROOT / "tests/oracles"
#: What is put on a command line and must need no quoting.
PASSWORD = "plain-password"  # noqa: S105
#: Cases of each operation and phase, beside those at the limits of what is valid.
EXAMPLES = 10


@pytest.fixture
def programs() -> Path:
    """The folder of the programs, which scripts/test makes."""
    path = os.environ.get("TEST_ORACLES")
    assert path, "set TEST_ORACLES to venv-oracles/bin, or run scripts/test, which makes it"
    return Path(path)


def run(home: Path, *command: object, **environment: str) -> None:
    """Run a program that must find nothing."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=home,
        env={"PATH": os.defpath, "HOME": str(home), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_document_is_openapi(programs: Path, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(make_document(application())), encoding="utf-8")
    run(tmp_path, programs / "openapi-spec-validator", "--schema", "3.1", document)


def test_schemathesis_finds_nothing(
    programs: Path, start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    # It tries wrong credentials, too, many times.
    gateway = start_gateway(AUTH_PASSWORD=PASSWORD, AUTH_MAX_FAILURES="0", JOB_TIMEOUT="30")
    run(
        tmp_path,
        programs / "schemathesis",
        "--config-file",
        ORACLES / "schemathesis.toml",
        "run",
        f"{gateway.url}/openapi.json",
        f"--url={gateway.url}",
        f"--auth=admin:{PASSWORD}",
        # The same cases each time, however fast the machine is.
        f"--max-examples={EXAMPLES}",
        "--generation-deterministic",
        "--request-timeout=20",
        "--continue-on-failure",
        "--warnings=off",
        "--no-color",
        PROJECT=str(gateway.project),
        SCHEMATHESIS_HOOKS=str(ORACLES / "hooks.py"),
    )
    jobs = gateway.ask("GET", "/jobs?limit=500").json()["jobs"]
    assert {job["status"] for job in jobs} >= {"succeeded", "failed"}
    assert "Traceback" not in gateway.log()
    assert " ERROR " not in gateway.log()
