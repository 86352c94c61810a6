"""Machines with and without an installed gateway."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.support.installed import UNIT
from tests.support.systemd import (
    CHECKOUT,
    SERVICE,
    USER,
    Machine,
    output_of,
    running_machine,
)


@pytest.fixture(scope="module")
def _installed() -> Iterator[Machine]:
    with running_machine() as machine:
        done = machine.install()
        assert done.returncode == 0, output_of(done)
        machine.write("/srv/printed", done.stdout)
        yield machine


@pytest.fixture
def machine(_installed: Machine) -> Iterator[Machine]:
    """A machine on which the gateway was installed as its user; no job runs on it."""
    yield _installed
    if (_installed.folder() / f"{UNIT}.d".lstrip("/")).exists():
        _installed.sh(f"rm -r {UNIT}.d; systemctl daemon-reload; systemctl restart {SERVICE}")
    for row in json.loads(_installed.curl("/processes"))["processes"]:
        _installed.curl(f"/chat/{row['process_id']}", "-X", "DELETE")


@pytest.fixture
def fresh() -> Iterator[Machine]:
    """A machine on which nothing was installed yet."""
    with running_machine() as machine:
        yield machine


@pytest.fixture
def packed(_installed: Machine, fresh: Machine) -> Machine:
    """The same, but its venv/ is there, to save the time that pip takes."""
    archive = _installed.folder() / "srv/venv.tar"
    if not archive.exists():
        _installed.run("tar", "-C", CHECKOUT, "-cf", "/srv/venv.tar", "--exclude=loaded", "venv")
    shutil.copyfile(archive, fresh.folder() / "srv/venv.tar")
    fresh.run("tar", "-C", CHECKOUT, "-xf", "/srv/venv.tar", user=USER)
    return fresh
