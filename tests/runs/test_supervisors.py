"""The pool of supervisors."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.runs.supervisor.job_loop import JOBS_EACH
from tests.support.gateway import ROOT, Gateway


# One job after the other, as many as a supervisor has.
@pytest.mark.timeout(240)
def test_a_supervisor_is_replaced_after_a_number_of_jobs_and_no_job_fails(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    claude = tmp_path / "quick"
    claude.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo 1.0; exit; fi\n'
        'echo \'{"type":"result","is_error":false}\'\n',
        encoding="utf-8",
    )
    claude.chmod(0o755)
    gateway = start_gateway(claude)
    supervisors = set()
    for _ in range(JOBS_EACH + 50):
        done = gateway.chat("hello").done()
        assert done["status"] == "succeeded"
        supervisors.add(gateway.processes_of(done["process_id"]).supervisor.pid)
    assert len(supervisors) >= 2
    assert "Traceback" not in gateway.log()


def test_a_supervisor_loads_nothing_that_costs_it_memory() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import app.runs.launcher.server;"
    program += "print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", program, str(ROOT)]
    loaded = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().split()
    assert "app.runs.supervisor.supervise" in loaded
    # Each is 20 to 100 pages in every supervisor.
    assert not {"dataclasses", "inspect", "logging", "pathlib", "uuid"} & set(loaded)
