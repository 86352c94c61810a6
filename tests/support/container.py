"""A container with the gateway, started by scripts/container; its model is a stand-in in it."""

import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from tests.support.gateway import PASSWORD, PATIENCE, ROOT, eventually, free_port
from tests.support.podman import Podman

SCRIPT = str(ROOT / "scripts/container")
#: A client's key, in the file API_KEYS_FILE.
KEY = "a-key-for-tests-of-containers"
_MODEL_PORT = "9999"


class Container:
    """One container; another one with the same volumes can follow it."""

    def __init__(self, podman: Podman, folder: Path) -> None:
        self.podman = podman
        self.name = f"gateway-{uuid4()}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._variables = {"NAME": self.name, "PORT": str(self.port)}
        for name, text in (
            ("AUTH_PASSWORD", PASSWORD),
            ("API_KEYS", KEY),
            ("ANTHROPIC_API_KEY", "dummy"),
        ):
            file = folder / name.lower()
            file.write_text(text, encoding="utf-8")
            # The container's user is of root's group.
            file.chmod(0o640)
            self._variables[f"{name}_FILE"] = str(file)

    def start(self, *options: str, **variables: str) -> None:
        """Start it with more of the engine's options; returns when it answers."""
        model = ROOT / "tests/support/model_api.py"
        done = self.script(
            "run",
            f"--volume={model}:/srv/model_api.py:ro",
            f"--env=ANTHROPIC_BASE_URL=http://127.0.0.1:{_MODEL_PORT}",
            *("--env=CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "--env=DISABLE_TELEMETRY=1"),
            *options,
            **variables,
        )
        assert done.returncode == 0, done.stderr
        self.podman.run(
            *("exec", "--detach", self.name, "python3", "/srv/model_api.py", "--port", _MODEL_PORT)
        )
        asked = f"curl --silent --head --output /dev/null 127.0.0.1:{_MODEL_PORT}"
        eventually(lambda: self.podman.try_("exec", self.name, *asked.split()).returncode == 0)

    def script(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run scripts/container."""
        return self.podman.program(SCRIPT, *arguments, **{**self._variables, **variables})

    def file_of(self, secret: str) -> str:
        """The path of the file that has a secret."""
        return self._variables[f"{secret}_FILE"]

    def remove(self) -> None:
        """Remove it and its volumes."""
        self.podman.try_("rm", "--force", "--time=0", self.name)
        for kind in ("home", "state", "projects"):
            self.podman.try_("volume", "rm", "--force", f"{self.name}-{kind}")

    def sh(self, script: str) -> str:
        """Run a script of sh in it, beside the gateway; its output."""
        return self.podman.run("exec", self.name, "sh", "-ec", script)

    def ask(self, method: str, path: str, **named: Any) -> requests.Response:
        """One request, signed in."""
        with requests.Session() as session:
            session.trust_env = False
            auth = ("admin", PASSWORD.encode())
            return session.request(
                method, self.url + path, **{"auth": auth, "timeout": PATIENCE, **named}
            )

    def finish(self, prompt: str, **fields: Any) -> dict[str, Any]:
        """The record of a job that has ended."""
        body = {"prompt": prompt, "cwd": "/projects", **fields}
        headers = {"Accept": "application/json"}
        answer = self.ask("POST", "/chat", json=body, headers=headers, timeout=90)
        assert answer.status_code == 200, answer.text
        record: dict[str, Any] = answer.json()
        return record

    def begin(self, prompt: str) -> str:
        """Start a detached job; its id."""
        body = {"prompt": prompt, "cwd": "/projects"}
        answer = self.ask("POST", "/chat", json=body, headers={"Prefer": "respond-async"})
        job_id: str = answer.json()["process_id"]
        return job_id

    def job(self, job_id: str, wait: float = 0) -> dict[str, Any]:
        """The record of a job, of its end if that comes within so many seconds."""
        record: dict[str, Any] = json.loads(self.ask("GET", f"/jobs/{job_id}?wait={wait:g}").text)
        return record

    def processes(self) -> str:
        """The command lines of all processes in it, with their states."""
        return self.sh("ps -eo pid,ppid,stat,args")
