"""scripts/release, with programs in place of docker, gh and Python that note what they do."""

import os
import subprocess
from pathlib import Path

import pytest

from app.version import VERSION
from tests.support.gateway import ROOT

pytestmark = pytest.mark.containers

_DOCKER = """#!/bin/sh
printf 'docker %s\\n' "$*" >>"$NOTES"
case $1 in
    version) echo arm64 ;;
    login) cat >/dev/null ;;
esac
"""
_GH = """#!/bin/sh
printf 'gh %s\\n' "$*" >>"$NOTES"
while [ "$1" != --notes-file ]; do shift; done
cat "$2" >>"$NOTES"
"""
# It makes an environment whose pip makes a wheel.
_PYTHON = """#!/bin/sh
[ "$1 $2" != "-m venv" ] || {
    mkdir -p "$3/bin"
    cat >"$3/bin/pip" <<'PIP'
#!/bin/sh
while [ "$1" != --wheel-dir ]; do shift; done
mkdir -p "$2" && touch "$2/claudecode2api-9.whl"
PIP
    chmod +x "$3/bin/pip"
}
"""


def release(folder: Path, *arguments: str, tag: str) -> "subprocess.CompletedProcess[str]":
    """Run scripts/release for a tag."""
    for name, text in (("docker", _DOCKER), ("gh", _GH), ("python", _PYTHON)):
        program = folder / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
    return subprocess.run(
        [ROOT / "scripts/release", *arguments],
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHON": str(folder / "python"),
            "NOTES": str(folder / "notes"),
            "GITHUB_REF_NAME": tag,
            "GITHUB_REPOSITORY": "Someone/claudecode2api",
            "GITHUB_ACTOR": "someone",
            "GITHUB_TOKEN": "a-token-for-tests",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def asked(folder: Path) -> list[str]:
    """What the programs were asked for."""
    notes = folder / "notes"
    return notes.read_text("utf-8").splitlines() if notes.exists() else []


def test_a_tag_of_another_version_is_not_released(tmp_path: Path) -> None:
    for step in ("image", "publish"):
        done = release(tmp_path, step, tag="v0.0.1")
        assert done.returncode == 1
        assert f"app/version.py has {VERSION}" in done.stderr
    assert asked(tmp_path) == []


def test_an_image_is_built_tried_and_pushed_for_one_architecture(tmp_path: Path) -> None:
    done = release(tmp_path, "image", tag=f"v{VERSION}")
    assert done.returncode == 0, done.stderr
    image = f"ghcr.io/someone/claudecode2api:{VERSION}-arm64"
    verbs = [line.split()[1] for line in asked(tmp_path)]
    # The two in front find the architecture, and whether Docker answers.
    assert verbs == ["version", "version", "--version", "build", "run", "run", "login", "push"]
    assert f"--tag {image} " in asked(tmp_path)[verbs.index("build")]
    assert asked(tmp_path)[-1] == f"docker push {image}"
    assert "a-token-for-tests" not in "\n".join(asked(tmp_path))


def test_a_release_joins_the_images_and_has_the_wheel_and_the_changes(tmp_path: Path) -> None:
    done = release(tmp_path, "publish", tag=f"v{VERSION}")
    assert done.returncode == 0, done.stderr
    lines = asked(tmp_path)
    name = f"ghcr.io/someone/claudecode2api:{VERSION}"
    (joined,) = [line for line in lines if "imagetools" in line]
    assert joined.endswith(f"{name}-amd64 {name}-arm64")
    (made,) = [line for line in lines if line.startswith("gh ")]
    assert f"release create v{VERSION}" in made
    assert made.endswith(".whl")
    changes = "\n".join(lines[lines.index(made) + 1 :]).strip()
    assert changes
    assert changes in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [" not in changes
