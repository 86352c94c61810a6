"""Find the claude binary, and make sure that it is one that runs."""

import os
import re
import shutil
import stat
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import ConfigurationError

#: Seconds that `claude --version` may take; a cold start from a slow disk takes several.
VERSION_PATIENCE = 60.0
_NPM_PATIENCE = 20.0


@dataclass(frozen=True)
class Claude:
    """A claude binary that runs: its path, what `--version` printed, and which place won."""

    path: str
    version: str
    place: str

    @property
    def number(self) -> tuple[int, ...]:
        """The version for comparing, empty if it holds no number.

        >>> Claude("/bin/claude", "2.1.330 (Claude Code)", "PATH").number
        (2, 1, 330)
        """
        match = re.match(r"\d+(\.\d+)*", self.version)
        return tuple(int(part) for part in match.group().split(".")) if match else ()


def locate(
    claude_path: str | None, environ: Mapping[str, str], beside: Path | None = None
) -> Claude:
    """The first usable claude binary.

    `claude_path` is the setting: if it is set, no other place is looked at, because a wrong
    path is a mistake to be told and not to be covered. `environ` is the CLI's environment.
    `beside` is our interpreter's folder of packages. Raises ConfigurationError, which names
    every place and why it was not used.
    """
    if claude_path:
        places: Iterator[tuple[str, Callable[[], str | None]]] = iter(
            [("CLAUDE_PATH", lambda: claude_path)]
        )
    else:
        places = _places(environ, beside or Path(sysconfig.get_path("purelib")))
    refused = []
    for place, find in places:
        path = find()
        if path is None:
            refused.append(f"{place} (none)")
            continue
        # Not what a link points to: the CLI's own updates change the link.
        path = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - they never fail
        version, why_not = _version(path, environ)
        if version is not None:
            return Claude(path, version, place)
        refused.append(f"{place} ({path}: {why_not})")
    help_ = "correct CLAUDE_PATH" if claude_path else "set CLAUDE_PATH, or install it"
    raise ConfigurationError(f"cannot find claude; {help_}. Looked in: {'; '.join(refused)}")


def _places(
    environ: Mapping[str, str], packages: Path
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    home = Path(environ.get("HOME", "/nonexistent"))
    yield "PATH", lambda: shutil.which("claude", path=environ.get("PATH", ""))
    yield "~/.local/bin", lambda: str(home / ".local/bin/claude")
    yield "~/.claude/local", lambda: str(home / ".claude/local/claude")
    yield "npm's global folder", lambda: _npm_global(environ)
    yield (
        "claude-agent-sdk beside this Python",
        lambda: str(packages / "claude_agent_sdk/_bundled/claude"),
    )


def _npm_global(environ: Mapping[str, str]) -> str | None:
    npm = shutil.which("npm", path=environ.get("PATH", ""))
    if npm is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - npm's path is from the operator's PATH
            [npm, "prefix", "--global"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_NPM_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    folder = os.fsdecode(answer.stdout.strip())
    return f"{folder}/bin/claude" if folder.startswith("/") else None


def _version(path: str, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """What `--version` prints, or None and why it is not usable. Opens no credentials."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path may hold anything
    except FileNotFoundError:
        return None, "no such file"
    except (OSError, ValueError) as error:
        return None, f"cannot be looked at: {getattr(error, 'strerror', error)}"
    if not stat.S_ISREG(mode):
        return None, "not a file"
    if not os.access(path, os.X_OK):
        return None, "not executable"
    try:
        answer = subprocess.run(  # noqa: S603 - this is the binary that we exist to run
            [path, "--version"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"--version took more than {VERSION_PATIENCE:g} s"
    except OSError as error:
        return None, f"cannot be run: {error.strerror}"
    version = answer.stdout.decode(errors="replace").strip().partition("\n")[0]
    if answer.returncode != 0 or not version:
        return None, f"--version ended with {answer.returncode} and printed {version[:80]!r}"
    return version, ""
