"""The package for tests: a wheel, and an environment that has it and what it requires alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tests.support.gateway import ROOT

#: The environment of tools that build and install.
_ENVIRON = {"PATH": os.defpath, "LANG": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def build_wheel(folder: Path) -> Path:
    """Build a wheel from the source distribution, as `python -m build` does."""
    _build("sdist", ROOT, folder)
    (archive,) = folder.glob("*.tar.gz")
    (folder / "source").mkdir()
    # Python's own tarfile needs other arguments in each version.
    subprocess.run(["tar", "-xzf", archive, "-C", folder / "source"], check=True)
    (source_folder,) = (folder / "source").iterdir()
    _build("wheel", source_folder, folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _build(target: str, source: Path, folder: Path) -> None:
    _call("hatchling", "build", "--target", target, "--directory", folder, cwd=source)


def _call(*command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**_ENVIRON, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Package:
    """The installed package, whose command is run with an environment from nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheel = build_wheel(folder)
        self.python = folder / "venv/bin/python"
        self.program = folder / "venv/bin/claudecode2api"
        _call("venv", "--without-pip", folder / "venv")
        (self.packages,) = (folder / "venv/lib").glob("python3*/site-packages")
        (distribution,) = metadata.distributions(path=[str(self.wheel)])
        self.metadata = distribution.metadata
        for name in set(_requirements(distribution.requires or [])):
            self._link(name)
        # Without --no-deps: it fails if what is linked is not what the wheel requires.
        _call("pip", "--python", self.python, "install", "--no-index", self.wheel)

    def _link(self, name: str) -> None:
        """Have what is installed for the tests in this environment, too."""
        for file in metadata.files(name) or []:
            top, target = file.parts[0], self.packages / file.parts[0]
            if top not in ("..", "__pycache__") and not target.is_symlink():
                here = Path(str(file.locate()))
                target.symlink_to([here, *here.parents][len(file.parts) - 1])

    def command(self, home: Path, **more: str) -> dict[str, Any]:
        """Options of subprocess for the command of the user with this home."""
        return {"env": {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8", **more}}

    def run(
        self, *arguments: str, cwd: Path, home: Path, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end."""
        return subprocess.run(
            [self.program, *arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            **self.command(home, **more),
        )


def _requirements(lines: list[str], extras: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names of all that is required, directly or not."""
    for line in lines:
        required = Requirement(line)
        marker = required.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield required.name
            below = metadata.requires(required.name) or []
            yield from _requirements(below, frozenset(required.extras))
