"""The checkout: its tests run however they are started."""

import signal
import subprocess
import sys

from tests.conftest import LONGEST
from tests.support.gateway import ROOT


def test_signals_that_are_ignored_where_the_tests_were_started_reach_what_they_start() -> None:
    """As with `nohup scripts/test &`."""
    program = (
        "import tests.conftest, subprocess, sys\n"
        "for name in ('HUP', 'INT', 'QUIT'):\n"
        "    done = subprocess.run(['sh', '-c', f'kill -{name} $$; echo ignored'])\n"
        "    print(name, done.returncode, flush=True)\n"
    )
    shell = f"trap '' HUP INT QUIT; exec {sys.executable} -c \"$0\""
    done = subprocess.run(
        ["sh", "-c", shell, program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expected = [(name, -signal.Signals[f"SIG{name}"]) for name in ("HUP", "INT", "QUIT")]
    assert done.stdout == "".join(f"{name} {status}\n" for name, status in expected)


def test_the_files_that_take_longest_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []
