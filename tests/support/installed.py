"""What the tests of an installed gateway check."""

from tests.support.systemd import CHECKOUT, HOME, SERVICE, Machine, output_of

UNIT = f"/etc/systemd/system/{SERVICE}"
COMMAND = "/usr/local/bin/claudecode2api"
STATE = "/var/lib/claudecode2api"


def state_of(machine: Machine) -> str:
    """Every file that the installer could touch, with its times, and the service."""
    folders = f"{CHECKOUT} {HOME}/.local /etc/systemd/system /usr/local/bin"
    files = rf"find {folders} -name __pycache__ -prune -o -printf '%p %m %u %s %T@ %l\n' | sort"
    names = "MainPID,ActiveState,UnitFileState,NRestarts,ActiveEnterTimestamp"
    return machine.sh(f"{files}; systemctl show --property={names} {SERVICE}; ls -d {STATE}* || :")


def assert_refused(machine: Machine, before: str, *words: str, **named: str) -> None:
    """The installer fails, prints these words, and has changed nothing."""
    done = machine.install(**named)
    assert done.returncode == 1, output_of(done)
    for word in words:
        assert word in output_of(done)
    assert "Traceback" not in output_of(done)
    assert state_of(machine) == before
