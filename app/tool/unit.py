"""The systemd unit of the gateway: what is installed, and how it differs from ours."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "claudecode2api.service"

#: Seconds that systemctl may take.
_PATIENCE = 10.0
# How the lines begin that the installer fills in.
_PATH = 'Environment="PATH='
_FILLED_IN = ("User=", "Group=", "WorkingDirectory=", "ExecStart=", 'ExecReload="', _PATH)


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
        """What the last line with this key says; empty if there is none."""
        lines = [line for line in _lines(self.text()) if line.startswith(f"{key}=")]
        return lines[-1].partition("=")[2] if lines else ""

    def is_of(self, folder: Path) -> bool:
        """Whether the unit runs the gateway of this checkout."""
        return self.value("WorkingDirectory") == str(folder)

    def environment(self) -> dict[str, str]:
        """What systemd adds to the gateway's environment, of what matters to us."""
        added = {}
        # The first of several (systemd.exec(5)).
        if state := self.value("StateDirectory").partition(" ")[0].partition(":")[0]:
            added["STATE_DIRECTORY"] = f"/var/lib/{state}"
        for line in _lines(self.text()):
            if line.startswith(_PATH):
                added["PATH"] = line.removeprefix(_PATH).rstrip('"')
        return added

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
    r"""The lines in which an installed unit differs from the one in the repository.

    Those of the repository's are marked with a minus, the others with a plus. Comments do not
    count, nor does what the installer fills in.

    >>> differences("# ours\n[Service]\nUser=x\nRestart=always", "[Service]\nUser=me")
    ['-Restart=always']
    """
    left = _comparable(installed)
    missing = []
    for line in _comparable(template):
        if line in left:
            left.remove(line)
        else:
            missing.append(f"-{line}")
    return missing + [f"+{line}" for line in left]


def _comparable(text: str) -> list[str]:
    lines = _lines(text)
    return [next((key for key in _FILLED_IN if line.startswith(key)), line) for line in lines]


def _lines(text: str) -> list[str]:
    """The unit's lines, each whole, without comments (systemd.syntax(7))."""
    whole = re.sub(r"\\\n(?:[ \t]*[#;].*\n)*", " ", text)
    lines = [line.strip() for line in whole.split("\n")]
    return [line for line in lines if line and line[0] not in "#;"]
