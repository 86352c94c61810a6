"""The systemd unit of the gateway: what is installed, and how it differs from ours."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "claudecode2api.service"

#: Seconds that systemctl may take.
_PATIENCE = 10.0
# What the installer fills in, like @USER@.
_PLACEHOLDER = re.compile(r"@[A-Z_]+@")


@dataclass(frozen=True)
class Unit:
    """A unit file, which may be missing."""

    path: Path

    def text(self) -> str:
        """What the file holds; empty if there is none. Raises OSError if it cannot be read."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def value(self, key: str) -> str:
        """What a line of the unit says, without quotes; empty if none does."""
        found = ""
        for line in _lines(self.text()):
            name, separator, value = line.partition("=")
            if separator and name == key:
                found = value
        return found.strip('"')

    def is_of(self, folder: Path) -> bool:
        """Whether the unit runs the gateway of this checkout."""
        return self.value("WorkingDirectory").lstrip("-") == str(folder)

    def state_directory(self) -> str:
        """The folder that systemd keeps for the unit's state (systemd.exec(5)), or nothing."""
        first = self.value("StateDirectory").partition(" ")[0].partition(":")[0]
        return f"/var/lib/{first}" if first else ""

    def enabled(self) -> str:
        """What `systemctl is-enabled` says, such as `enabled` or `disabled`."""
        answer = subprocess.run(  # noqa: S603 - a name of our own
            ["systemctl", "is-enabled", self.path.name],  # noqa: S607 - where it lies varies
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        return answer.stdout.strip() or answer.stderr.strip().partition("\n")[0]


#: Where the installer puts it.
INSTALLED = Unit(Path("/etc/systemd/system") / NAME)


def differences(template: str, installed: str) -> list[str]:
    """The lines in which an installed unit differs from the one in the repository.

    Those of the repository's are marked with a minus, the other ones with a plus. Comments do
    not count, and what the installer fills in may be anything.

    >>> differences("[Service]\\nUser=@USER@\\nRestart=always", "[Service]\\nUser=me")
    ['-Restart=always']
    """
    left = _lines(installed)
    missing = []
    for line in _lines(template):
        parts = [re.escape(part) for part in _PLACEHOLDER.split(line)]
        pattern = re.compile(".*".join(parts))
        same = next((other for other in left if pattern.fullmatch(other)), None)
        if same is None:
            missing.append(f"-{line}")
        else:
            left.remove(same)
    return missing + [f"+{line}" for line in left]


def _lines(text: str) -> list[str]:
    """The unit's lines, each whole, without comments (systemd.syntax(7))."""
    whole = re.sub(r"\\\n(?:[ \t]*[#;].*\n)*", " ", text)
    lines = [line.strip() for line in whole.split("\n")]
    return [line for line in lines if line and line[0] not in "#;"]
