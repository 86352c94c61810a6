"""Programs of venv-containers/ that judge files, and a reader of YAML."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.gateway import ROOT
from tests.support.podman import ENVIRONMENT


def judge(*command: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of venv-containers/, or another one by its path."""
    program, *arguments = map(str, command)
    return subprocess.run(
        [ENVIRONMENT / "bin" / program, *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def is_quiet(done: "subprocess.CompletedProcess[str]") -> bool:
    """Whether a judge has found nothing; otherwise what it has found is the test's output."""
    print(done.stdout, done.stderr)  # noqa: T201
    return done.returncode == 0


def documents(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    load = "list(yaml.load_all(sys.stdin, yaml.BaseLoader))"
    script = f"import json, sys, yaml; print(json.dumps({load}))"
    done = subprocess.run(
        [ENVIRONMENT / "bin/python", "-c", script],
        input=path.read_bytes(),
        capture_output=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
