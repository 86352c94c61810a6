"""A machine with a real systemd, for tests: a Debian in a folder, booted by systemd-nspawn.

`python -m tests.support.systemd` makes what every machine starts from, once, and prints where
it is: a root of the suite and mirror that this machine's own apt uses, and a folder with the
wheels of the gateway's requirements. scripts/test does that, and hands the path over in
TEST_MACHINE.
"""

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.gateway import ROOT, eventually

PACKAGES = (
    "bubblewrap,ca-certificates,curl,dbus,procps,python3,python3-venv,sudo,systemd,systemd-sysv"
)
#: The user that the gateway is installed for.
USER = "me"
HOME = f"/home/{USER}"
CHECKOUT = f"{HOME}/claudecode2api"
SERVICE = "claudecode2api.service"
#: pip's settings there: it has the wheels and no network. Most modules are never imported.
PIP = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels", "PIP_NO_COMPILE": "1"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FAKE = '#!/bin/sh\nexec /usr/bin/python3 -I -S /srv/fake_claude.py "$@"\n'


class Machine:
    """One machine of its own, with no network but loopback; what it writes is in memory.

    It ends with the test process, whatever ends that.
    """

    def __init__(self, base: Path) -> None:
        """`base` is what `prepare` made."""
        self._base = base
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._groups = [group / f"machine-{uuid4()}" for group in _control_groups()]
        for group in self._groups:
            group.mkdir()
        # Namespaces of its own: the mounts go with them, and all processes when the first,
        # which waits for our end, has ended.
        self._holder = subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--fork", "--mount-proc"),
                *("sh", "-ec", _MOUNTS, "sh", str(base)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"mounted\n"
        self._first = _child_of(self._holder.pid)

    def folder(self) -> Path:
        """Its root, as this machine sees it."""
        return Path(f"/proc/{self._first}/root{self._base}/mnt/root")

    def boot(self) -> None:
        """Switch it on; returns when all that starts by itself has started."""
        command = [
            *("nsenter", f"--target={self._first}", "--mount", "--pid"),
            *("systemd-nspawn", "--quiet", f"--directory={self._base}/mnt/root", "--boot"),
            *("--register=no", "--keep-unit", "--console=pipe", "--private-network"),
            *("--link-journal=no", "--resolv-conf=off", "--timezone=off"),
            f"--bind-ro={self._base}/wheels:/srv/wheels",
            # The real CLI, if there is one: too large to be copied.
            *(
                f"--bind-ro={claude}:/srv/claude"
                for claude in [os.environ.get("TEST_CLAUDE")]
                if claude
            ),
        ]
        # A control group of its own: systemd takes all processes that it finds in one for its own.
        enter = 'for group; do echo $$ >"$group/cgroup.procs"; done; '
        self._nspawn = subprocess.Popen(
            ["sh", "-ec", f"{enter} exec {shlex.join(command)}", "sh", *map(str, self._groups)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._has_booted, lambda: "the machine does not boot", patience=100)

    def _has_booted(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, "systemd-nspawn ended"
        self._init = _child_of(_child_of(self._nspawn.pid))
        if not self._init:
            return False
        state = self.try_("systemctl", "is-system-running", "--wait")
        return state.stdout.strip() in ("running", "degraded")

    def shut_down(self) -> None:
        """Switch it off in order, as for a reboot."""
        assert self._nspawn is not None
        # SIGRTMIN+4: power off (systemd(1)).
        os.kill(self._init, signal.SIGRTMIN + 4)
        self._nspawn.wait(60)

    def destroy(self) -> None:
        """Switch it off at once, and forget what it has written."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()
        if self._nspawn is not None:
            self._nspawn.wait()
        for group in self._groups:
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()

    def try_(
        self, *command: str, user: str = "root", text: str | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command there, as in a fresh login without a terminal."""
        home = "/root" if user == "root" else f"/home/{user}"
        become = [] if user == "root" else ["/usr/sbin/runuser", "-u", user, "--"]
        environment = {"PATH": _PATH, "HOME": home, "USER": user, "LANG": "C.UTF-8", **variables}
        pairs = [f"{name}={value}" for name, value in environment.items()]
        return subprocess.run(
            [
                *("nsenter", f"--target={self._init}", "--mount", "--uts", "--ipc", "--net"),
                *("--pid", "--cgroup", "--root", "--wd"),
                *("env", "-i", *pairs, *become, "env", "-C", home, *command),
            ],
            input=text or "",
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def run(self, *command: str, **named: Any) -> str:
        """The same, of a command that must succeed; its output."""
        done = self.try_(*command, **named)
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{output_of(done)}"
        return done.stdout

    def sh(self, script: str, **named: Any) -> str:
        """Run a script of sh there; its output."""
        return self.run("sh", "-ec", script, **named)

    def write(self, path: str, content: str, mode: str = "644", user: str = "root") -> None:
        """Write a file there, and the folder that it is in."""
        folder = str(Path(path).parent)
        self.run("mkdir", "-p", folder, user=user)
        self.run(
            "sh", "-ec", 'cat >"$1"; chmod "$2" "$1"', "sh", path, mode, user=user, text=content
        )

    def copy(self, source: Path, path: str) -> None:
        """Copy a file of ours there."""
        self.write(path, source.read_text(encoding="utf-8"))

    def install(self, *options: str, **named: Any) -> "subprocess.CompletedProcess[str]":
        """Run install.sh there, as its user if no other is named."""
        named = {"user": USER, **PIP, **named}
        return self.try_(f"{CHECKOUT}/install.sh", *options, **named)

    def show(self, name: str) -> str:
        """One property of the service."""
        return self.run("systemctl", "show", f"--property={name}", "--value", SERVICE).strip()

    def password(self) -> str:
        """The password in .env."""
        return self.sh(f"sed -n s/^AUTH_PASSWORD=//p {CHECKOUT}/.env").strip()

    def curl(self, path: str, *arguments: str) -> str:
        """The body of the response to a request that is signed in."""
        config = f'user = "admin:{self.password()}"'
        url = f"http://127.0.0.1:9876{path}"
        return self.run("curl", "-sS", "--max-time", "60", "-K", "-", url, *arguments, text=config)

    def start_job(self, *verbs: str, cwd: str = HOME) -> str:
        """Start a detached job of the fake CLI's; its id."""
        body = json.dumps({"prompt": "\n".join(verbs), "cwd": cwd})
        arguments = ["-H", "Content-Type: application/json", "-H", "Prefer: respond-async"]
        answer: dict[str, str] = json.loads(self.curl("/chat", *arguments, "-d", body))
        return answer["process_id"]

    def job(self, job_id: str, wait: float = 0) -> dict[str, Any]:
        """A job's record, of its end if that comes within so many seconds."""
        record: dict[str, Any] = json.loads(self.curl(f"/jobs/{job_id}?wait={wait:g}"))
        return record

    def output(self, job_id: str) -> list[str]:
        """The lines that a job has printed, once it has ended."""
        return self.curl(f"/chat/{job_id}", "-H", "Accept: application/x-ndjson").splitlines()

    def answers(self) -> bool:
        """Whether /health answers."""
        return self.try_("curl", "-fsS", "http://127.0.0.1:9876/health").returncode == 0

    def workers(self) -> list[int]:
        """The pids of the gateway's workers, as the machine sees them; of those that still run."""
        master = self.show("MainPID")
        # One that has ended is a child until the master looks, which may be now.
        running = (
            f"for pid in $(cat /proc/{master}/task/{master}/children); do"
            " if grep -q '^State:[[:space:]]*[^ZX]' /proc/$pid/status 2>/dev/null;"
            " then echo $pid; fi; done"
        )
        return [int(pid) for pid in self.sh(running).split()]

    def journal(self) -> str:
        """All that the service has logged."""
        return self.run("journalctl", "--unit", SERVICE, "--no-pager", "--output", "cat")


_MOUNTS = """
    mount -t tmpfs tmpfs "$1/mnt"
    mkdir "$1/mnt/upper" "$1/mnt/work" "$1/mnt/root"
    mount -t overlay overlay \\
        -o "lowerdir=$1/root,upperdir=$1/mnt/upper,workdir=$1/mnt/work" "$1/mnt/root"
    echo mounted
    cat
"""


def _control_groups() -> Iterator[Path]:
    """Our own control group, in each hierarchy that a systemd would use."""
    own = dict(
        line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text("ascii").splitlines()
    )
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup2":
            yield Path(folder + own[""])
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            yield Path(folder + own["name=systemd"])


def _child_of(pid: int) -> int:
    """The first child of a process, or 0."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return 0
    return int(children[0]) if children else 0


def output_of(done: "subprocess.CompletedProcess[str]") -> str:
    """The output of a command."""
    return done.stdout + done.stderr


@contextlib.contextmanager
def running_machine() -> Iterator[Machine]:
    """A booted machine with a user who may use sudo, a checkout, and the fake CLI."""
    base = os.environ.get("TEST_MACHINE")
    assert base, (
        "set TEST_MACHINE to what python -m tests.support.systemd prints, or run scripts/test"
    )
    machine = Machine(Path(base))
    try:
        machine.boot()
        machine.run("useradd", "--create-home", "--shell", "/bin/bash", USER)
        machine.write(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", "440")
        # sudo wants to know its own machine.
        machine.sh('echo "127.0.1.1 $(hostname)" >>/etc/hosts')
        machine.copy(ROOT / "tests/support/fake_claude.py", "/srv/fake_claude.py")
        machine.write(f"{HOME}/.local/bin/claude", _FAKE, "755", USER)
        copy_checkout(machine)
        yield machine
    finally:
        machine.destroy()


def copy_checkout(machine: Machine) -> None:
    """Copy what git knows, or would take, as the user's own."""
    listed = [
        "git",
        "-C",
        str(ROOT),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    names = subprocess.run(listed, capture_output=True, check=True).stdout
    packed = subprocess.run(
        ["tar", "-C", ROOT, "--null", "--files-from=-", "--create"],
        input=names,
        capture_output=True,
        check=True,
    ).stdout
    # By way of a file: what is run there speaks text.
    with (machine.folder() / "srv/checkout.tar").open("wb") as archive:
        archive.write(packed)
    machine.run("mkdir", CHECKOUT, user=USER)
    machine.run("tar", "-C", CHECKOUT, "--no-same-owner", "-xf", "/srv/checkout.tar", user=USER)


def write_wheel(folder: Path, requirement: str) -> None:
    """A small wheel with the name of the one that carries the CLI; it holds the fake."""
    name, _, version = requirement.partition("==")
    name = name.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo(f"{name}/_bundled/claude")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, _FAKE)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


# --- What every machine starts from ---


def prepare() -> Path:
    """Make the root and the wheels, if they are not there; the folder that holds them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "/var/cache")) / "claudecode2api-tests"
    suite, mirror = _source()
    requirements = (ROOT / "requirements.txt").read_bytes()
    known = "\n".join([suite, mirror, PACKAGES, _FORMAT]).encode()
    root = cache / f"root-{hashlib.sha256(known).hexdigest()[:12]}"
    base = cache / f"base-{hashlib.sha256(known + requirements).hexdigest()[:12]}"
    if not base.exists():
        cache.mkdir(parents=True, exist_ok=True)
        if not root.exists():
            _debootstrap(root, suite, mirror)
        new = Path(f"{base}.new")
        shutil.rmtree(new, ignore_errors=True)
        for made in (new, new / "wheels", new / "mnt"):
            made.mkdir()
        (new / "root").symlink_to(root)
        _download_wheels(root, new / "wheels")
        new.rename(base)
    return base


# To be changed when a root is made in another way.
_FORMAT = "1"


def _source() -> tuple[str, str]:
    """The suite of this machine's system, and the mirror that its apt takes that from."""
    system = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text("utf-8").splitlines()
        if line
    )
    suite = system["VERSION_CODENAME"].strip('"')
    for path in sorted(Path("/etc/apt").glob("sources.list*")):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            for mirror, suites in _entries(file.read_text("utf-8")):
                if suite in suites:
                    return suite, mirror
    sys.exit(f"cannot find where apt takes {suite} from")


def debian_mirror() -> str:
    """The mirror that this machine's apt takes its system from."""
    return _source()[1]


def _entries(text: str) -> Iterator[tuple[str, list[str]]]:
    """The mirror and the suites of each entry, in either of the formats of sources.list(5)."""
    for paragraph in text.split("\n\n"):
        fields = {}
        for line in paragraph.splitlines():
            words = [word for word in line.split() if not word.startswith(("[", "signed", "arch"))]
            if words[:1] == ["deb"] and len(words) > 2:
                yield words[1], [words[2]]
            elif words and words[0].endswith(":"):
                fields[words[0]] = words[1:]
        if "deb" in fields.get("Types:", []) and fields.get("URIs:"):
            yield fields["URIs:"][0], fields.get("Suites:", [])


def _debootstrap(root: Path, suite: str, mirror: str) -> None:
    print(f"making a machine for the tests in {root}, once; it takes a minute", file=sys.stderr)  # noqa: T201
    new = Path(f"{root}.new")
    shutil.rmtree(new, ignore_errors=True)
    _logged("debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(new), mirror)
    # So that apt there can install again what is in its archive, without a network.
    _logged("chroot", str(new), "apt-get", "update")
    new.rename(root)


def _download_wheels(root: Path, folder: Path) -> None:
    """Fetch what the Python of that system can use, by the pip of this one."""
    asked = """
import glob, sys
sys.path.insert(0, glob.glob("/usr/share/python-wheels/pip-*.whl")[0])
from pip._vendor.packaging.tags import platform_tags
print("%d.%d" % sys.version_info[:2], *platform_tags())
"""
    version, *platforms = _logged("chroot", str(root), "python3", "-c", asked).split()
    _logged(
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet"),
        *("--only-binary=:all:", f"--python-version={version}", f"--dest={folder}"),
        *(f"--platform={platform}" for platform in platforms),
        *("--requirement", str(ROOT / "requirements.txt")),
    )


def _logged(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"{output_of(done)}\ncannot go on: this command failed: {' '.join(command)}")
    return done.stdout


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(prepare())  # noqa: T201
