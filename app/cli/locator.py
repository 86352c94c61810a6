"""The search for a claude binary that runs."""

import os
import re
import shutil
import stat
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import ConfigurationError

#: Seconds for `claude --version`; a cold start from a slow disk takes several.
VERSION_PATIENCE = 60.0
_NPM_PATIENCE = 20.0
# Characters that are shown of a failing binary's message.
_SHOWN = 200

_CHECKOUT = Path(__file__).parents[2]
_HELP = "set CLAUDE_PATH, or install it (claudecode2api doctor shows how)"
# Where the claude-agent-sdk wheel has it.
_BUNDLED = "claude_agent_sdk/_bundled/claude"


#: Changes when a binary is replaced: the path without links, and its device, inode, time and size.
Identity = tuple[str, int, int, int, int]

# "2.1.330 (Claude Code)", but not a line that a wrapper prints before it.
_NUMBER = re.compile(r"v?(\d+(?:\.\d+)*)")
_VERSION = re.compile(r"v?\d+(\.\d+)+[\w.+-]*( \(.*\))?")


@dataclass(frozen=True)
class Claude:
    """A claude binary that runs: its path, the output of `--version`, and where it was found.

    `identity` changes when the binary does.
    """

    path: str
    version: str
    place: str
    identity: Identity | None = field(default=None, compare=False)

    @property
    def since(self) -> float:
        """When the binary was written, in seconds since the epoch; 0 if that is unknown."""
        return self.identity[3] / 1e9 if self.identity else 0.0


def number_in(version: str) -> tuple[int, ...]:
    """A version as numbers to compare, empty if it has none.

    >>> number_in("2.1.330 (Claude Code)")
    (2, 1, 330)
    """
    match = _NUMBER.match(version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def version_in(printed: bytes) -> str:
    """The version in the output of `--version`: the line that looks like one, else the first.

    >>> version_in(b"Using Node 22\\n2.1.330 (Claude Code)\\n")
    '2.1.330 (Claude Code)'
    """
    lines = [line.strip() for line in printed.decode(errors="replace").split("\n")]
    lines = [line for line in lines if line]
    likely = (line for line in lines if _VERSION.fullmatch(line))
    return next(likely, lines[0] if lines else "")


def identity(path: str) -> Identity | None:
    """The identity of the binary at this path; None if there is none."""
    try:
        real = os.path.realpath(path, strict=True)
        found = os.stat(real)  # noqa: PTH116 - a path may hold anything
    except (OSError, ValueError):
        return None
    return real, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def is_still(known: Identity | None, path: str) -> bool:
    """Whether the binary at this path is the one with this identity; one look at the disk."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a path may hold anything
    except (OSError, ValueError):
        return False
    status = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
    return known is not None and known[1:] == status


def locate(
    claude_path: str | None,
    environ: Mapping[str, str],
    beside: Path | None = None,
    checkout: Path = _CHECKOUT,
) -> Claude:
    """The first usable claude binary.

    If `claude_path`, the setting, is given, no other place is searched: a wrong path must be
    noticed. `environ` is the CLI's environment. `beside` is the interpreter's folder of packages,
    and `checkout` the gateway's folder. Raises ConfigurationError, which lists every place and
    why it was not used.
    """
    if claude_path:
        places: Iterator[tuple[str, Callable[[], str | None]]] = iter(
            [("CLAUDE_PATH", lambda: claude_path)]
        )
    else:
        places = _places(environ, beside or Path(sysconfig.get_path("purelib")), checkout)
    refused = []
    for place, find in places:
        path = find()
        if path is None:
            refused.append(f"{place} (none)")
            continue
        # Without following links: an update of the CLI changes the link.
        path = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - they never fail
        # Before the binary is run: if it changes meanwhile, its version is read again later.
        found = identity(path)
        version, error = _version(path, environ)
        if version is not None:
            return Claude(path, version, place, found)
        refused.append(f"{place} ({path}: {error})")
    help_ = "correct CLAUDE_PATH" if claude_path else _HELP
    raise ConfigurationError(f"cannot find claude; {help_}. Looked in: {'; '.join(refused)}")


def _places(
    environ: Mapping[str, str], packages: Path, checkout: Path
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    home = Path(environ.get("HOME", "/nonexistent"))
    yield "PATH", lambda: shutil.which("claude", path=environ.get("PATH", ""))
    yield "~/.local/bin", lambda: str(home / ".local/bin/claude")
    yield "~/.claude/local", lambda: str(home / ".claude/local/claude")
    yield "npm's global folder", lambda: _npm_global(environ)
    yield (
        "claude-agent-sdk beside this Python",
        lambda: str(packages / _BUNDLED),
    )
    # Made by scripts/demo.
    yield "venv-claude/ beside the gateway", lambda: _in_environment(checkout / "venv-claude")


def _in_environment(folder: Path) -> str | None:
    """The claude in a virtual environment; of several, the one for the newest Python."""
    found = sorted(folder.glob(f"lib/python3*/site-packages/{_BUNDLED}"))
    return str(found[-1]) if found else None


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
    """The output of `--version`; or None, and why the binary is unusable. Opens no credentials."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path may hold anything
    except FileNotFoundError:
        return None, "no such file"
    except (OSError, ValueError) as error:
        return None, f"cannot be read: {getattr(error, 'strerror', error)}"
    if not stat.S_ISREG(mode):
        return None, "not a file"
    if not os.access(path, os.X_OK):
        return None, "not executable"
    try:
        answer = subprocess.run(  # noqa: S603 - the binary that the gateway is for
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
    version = version_in(answer.stdout)
    if answer.returncode != 0 or not version:
        return None, f"--version {_ending(answer.returncode)}{_message(answer)}"
    return version, ""


def _ending(status: int) -> str:
    return f"exited with status {status}" if status >= 0 else f"was killed by signal {-status}"


def _message(answer: "subprocess.CompletedProcess[bytes]") -> str:
    """The last line that a failing binary printed, like `env: 'node': No such file`."""
    printed = (answer.stderr.strip() or answer.stdout.strip()).decode(errors="replace")
    return f": {printed.splitlines()[-1][:_SHOWN]}" if printed else " and printed nothing"
