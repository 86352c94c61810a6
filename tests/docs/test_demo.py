"""What the README says to try first works: `scripts/demo`, with its environments made already."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import ROOT, page


def checkout(folder: Path) -> Path:
    """A checkout whose venv/ is the tests' own."""
    folder.mkdir()
    for name in ("app", "vendored", "console", "gunicorn.conf.py", "requirements.txt", "tests"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    venv = folder / "venv"
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    # As make_environment writes it (scripts/environments.sh).
    files = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    version = platform.python_version()
    (venv / "stamp").write_text(f"Python {version}\n{folder}\n{files}", encoding="utf-8")
    return folder


def test_the_readme_names_the_demo() -> None:
    (block,) = page("README.md").blocks("sh")[:1]
    assert block.text.splitlines()[1:] == ["cd claudecode2api", "scripts/demo"]
    assert os.access(ROOT / "scripts/demo", os.X_OK)


@pytest.mark.real
@pytest.mark.timeout(120)
def test_the_demo_runs_a_job(tmp_path: Path, claude: Path) -> None:
    done = subprocess.run(
        [checkout(tmp_path / "checkout") / "scripts/demo"],
        env={
            **{"PATH": os.defpath, "HOME": str(tmp_path), "LANG": "C.UTF-8"},
            **{"PYTHON": sys.executable, "CLAUDE_PATH": str(claude), "TMPDIR": str(tmp_path)},
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "making" not in done.stderr
    assert "# the tool returns:" in done.stdout
    assert "docs/install.md" in done.stderr
