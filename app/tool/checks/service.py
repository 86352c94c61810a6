"""Checks whether systemd starts the gateway at boot, with the repository's unit."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from app.tool.check import Check, ok, skipped, warning
from app.tool.checkout import Checkout
from app.tool.systemd_unit import NAME, differences

#: Exists if systemd is the init of this machine (sd_booted(3)).
BOOTED = Path("/run/systemd/system")
#: Lines of a difference that are shown.
_SHOWN = 4


def check(checkout: Checkout, booted: Path = BOOTED) -> Iterator[Check]:
    """Whether the unit is installed, enabled, and the same as the repository's."""
    if checkout.is_package:
        yield skipped("unit", "an installed package has none; install.sh of a checkout makes one")
        return
    unit, install = checkout.unit, f"{checkout.folder}/install.sh"
    if not booted.is_dir():
        yield skipped("unit", "this machine does not run systemd")
        return
    if not unit.text():
        yield warning("unit", f"{unit.path} is not installed: nothing starts at boot", install)
        return
    if not unit.is_of(checkout.folder):
        other = unit.value("WorkingDirectory")
        yield warning("unit", f"{unit.path} runs another checkout: {other}", install)
        return
    yield ok("unit", f"{unit.path}, as {unit.value('User') or 'root'}")
    try:
        enabled = unit.enabled()
    except (OSError, subprocess.SubprocessError) as error:
        enabled = f"unknown: {error}"
    if enabled == "enabled":
        yield ok("unit enabled", "the gateway starts at boot")
    else:
        yield warning("unit enabled", enabled, f"sudo systemctl enable {unit.path.stem}")
    template = checkout.folder / NAME
    if not template.exists():
        yield skipped("unit current", f"{template} does not exist")
    elif found := differences(template.read_text(encoding="utf-8"), unit.text()):
        detail = "; ".join(found[:_SHOWN]) + ("; …" if len(found) > _SHOWN else "")
        yield warning("unit current", f"differs from the repository's: {detail}", install)
    else:
        yield ok("unit current", "as in the repository")
