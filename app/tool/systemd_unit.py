"""The gateway's systemd unit, and how the installed one differs from the repository's."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "claudecode2api.service"

#: Seconds for systemctl.
_PATIENCE = 10.0
# The beginnings of the lines that the installer fills in.
_PATH = 'Environment="PATH='
_FILLED_IN = ("User=", "Group=", "WorkingDirectory=", "ExecStart=", 'ExecReload="', _PATH)


@dataclass(frozen=True)
class Unit:
    """A unit file, which may be missing."""

    path: Path

    def text(self) -> str:
        """The text of the file; empty if there is none. Raises OSError if it cannot be read."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def value(self, key: str) -> str:
        """The value of the last line with this key; empty if there is none."""
        lines = [line for line in _lines(self.text()) if line.startswith(f"{key}=")]
        return lines[-1].partition("=")[2] if lines else ""

    def is_of(self, folder: Path) -> bool:
        """Whether the unit runs the gateway in this folder."""
        return self.value("WorkingDirectory") == str(folder)

    def environment(self) -> dict[str, str]:
        """STATE_DIRECTORY and PATH as systemd sets them for the gateway."""
        added = {}
        # The first of several (systemd.exec(5)).
        if state := self.value("StateDirectory").partition(" ")[0].partition(":")[0]:
            added["STATE_DIRECTORY"] = f"/var/lib/{state}"
        for line in _lines(self.text()):
            if line.startswith(_PATH):
                added["PATH"] = line.removeprefix(_PATH).rstrip('"')
        return added

    def enabled(self) -> str:
        """The output of `systemctl is-enabled`, such as `enabled` or `disabled`."""
        answer = subprocess.run(  # noqa: S603 - the name is constant
            ["systemctl", "is-enabled", self.path.name],  # noqa: S607 - its path varies
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        return answer.stdout.strip() or answer.stderr.strip().partition("\n")[0]


#: The unit that the installer writes.
INSTALLED = Unit(Path("/etc/systemd/system") / NAME)


def differences(template: str, installed: str) -> list[str]:
    r"""The lines in which an installed unit differs from the one in the repository.

    Lines of the repository's are marked with a minus, the others with a plus. Comments do not
    count, nor do the values that the installer fills in.

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
    """The unit's lines, continued ones joined, without comments (systemd.syntax(7))."""
    joined = re.sub(r"\\\n(?:[ \t]*[#;].*\n)*", " ", text)
    lines = [line.strip() for line in joined.split("\n")]
    return [line for line in lines if line and line[0] not in "#;"]
