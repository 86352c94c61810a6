"""The modules that workers inherit from gunicorn's master, imported before gevent's patches."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.gateway import PASSWORD, ROOT, free_port

# Prints the names in these modules that refer to what gevent replaces afterwards. The standard
# library and gunicorn, whose modules gevent knows, are left out, and so are locks: they are held
# only while no other greenlet can run.
PROGRAM = """\
import json, runpy, sys, threading
from types import ModuleType

import gunicorn.app.wsgiapp

PATCHED = ["os", "queue", "select", "signal", "socket", "ssl", "subprocess", "threading", "time"]
LOCKS = (threading.Lock, threading.RLock, threading.local)

runpy.run_path("gunicorn.conf.py")
modules = [
    (name, module)
    for name, module in sys.modules.items()
    if isinstance(module, ModuleType)
    and name.partition(".")[0] not in {*sys.stdlib_module_names, "gevent", "gunicorn", "__main__"}
]
before = {name: dict(vars(__import__(name))) for name in PATCHED}
from gevent import monkey
monkey.patch_all()
replaced = {
    id(value): f"{module}.{name}"
    for module, names in before.items()
    for name, value in names.items()
    if callable(value) and value not in LOCKS
    and vars(sys.modules[module]).get(name) is not value
}
print(json.dumps({
    "modules": [name for name, _ in modules],
    "replaced": sorted(replaced.values()),
    "held": [
        f"{module_name}.{name} is {replaced[id(found)]}"
        for module_name, module in modules
        for name, value in vars(module).items()
        for found in (value, *(value.__mro__ if isinstance(value, type) else ()))
        if id(found) in replaced
    ],
}))
"""


def test_no_module_refers_to_what_gevent_replaces(tmp_path: Path, fake_claude: Path) -> None:
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "PORT": str(free_port()),
        "AUTH_PASSWORD": PASSWORD,
        "CLAUDE_PATH": str(fake_claude),
        "STATE_DIR": str(tmp_path / "state"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    found = json.loads(done.stdout)
    assert {"app.application", "flask", "pydantic", "werkzeug"} <= set(found["modules"])
    assert {"time.sleep", "socket.socket", "select.poll"} <= set(found["replaced"])
    assert found["held"] == []
