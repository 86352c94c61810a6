"""A real gateway for tests: gunicorn with its workers, a scratch home, and a client for it."""

import contextlib
import fcntl
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import requests

from app import processes
from app.api.described.jobs import Done, StreamError
from app.records.job import Job
from app.records.run import Running
from tests.support.credentials import basic
from tests.support.described import check_answer, check_body

ROOT = Path(__file__).parents[2]
PASSWORD = "p:äss wörd"  # noqa: S105 - a colon, a space and letters that are not ASCII
AUTH = ("admin", PASSWORD.encode())
T = TypeVar("T")
#: Seconds for what comes true in a moment, on a machine with much other work.
PATIENCE = 40.0
#: The exit status of a gateway that cannot use its settings (sysexits.h).
EX_CONFIG = 78


class Event(NamedTuple):
    """One event of a stream, or a comment, whose name is `:`."""

    name: str
    data: bytes
    id: str | None


class Stream:
    """The events of an open response, read by the standard: bytes, line by line."""

    def __init__(self, response: requests.Response) -> None:
        self.response = response
        self.job_id: str = response.headers["X-Process-ID"]
        #: Bytes, also of events that are not complete yet.
        self.received = 0
        self._chunks = response.raw.stream(65536, decode_content=False)
        self._events = self._read()

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def next(self) -> Event:
        """The next event."""
        return next(self._events)

    def messages(self) -> list[bytes]:
        """The data of all `message` events; the last event must be `done`."""
        *messages, done = (event for event in self._events if event.name != ":")
        assert done.name == "done", done
        assert {event.name for event in messages} <= {"message"}, messages
        return [event.data for event in messages]

    def done(self) -> dict[str, Any]:
        """The data of `event: done`, after all events before it."""
        last = list(self._events)[-1]
        assert last.name == "done", last
        check_body(Done, last.data)
        fields: dict[str, Any] = json.loads(last.data)
        return fields

    def close(self) -> None:
        """Hang up."""
        self.response.close()

    def _read(self) -> Iterator[Event]:
        name, identity = "message", None
        data: list[bytes] = []
        pieces: list[bytes] = []
        for chunk in self._chunks:
            self.received += len(chunk)
            pieces.append(chunk)
            if b"\n" not in chunk:
                # Joined once at its end, however long the line is.
                continue
            *lines, rest = b"".join(pieces).split(b"\n")
            pieces = [rest]
            for line in lines:
                field, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if not line:
                    if data:
                        if name == "error":
                            check_body(StreamError, b"\n".join(data))
                        yield Event(name, b"\n".join(data), identity)
                    name, identity, data = "message", None, []
                elif not field:
                    yield Event(":", value, None)
                elif field == b"data":
                    data.append(value)
                elif field == b"event":
                    name = value.decode()
                elif field == b"id":
                    identity = value.decode()


class Gateway:
    """A running gateway and its client."""

    def __init__(self, folder: Path, claude: Path, **settings: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.home = folder / "home"
        self.project = folder / "project"
        for made in (self.home, self.project):
            made.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / "log"
        #: The folder of the gateway's code.
        self.code = ROOT
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "AUTH_PASSWORD": PASSWORD,
            "CLAUDE_PATH": str(claude),
            "STATE_DIR": str(self.state),
            # As by default: a CLI that is not scheduled for a second still ends by SIGINT.
            "KILL_GRACE": "8",
            # A test that leaves a job wants it to end.
            "RETRY_GRACE": "0",
            # The fake CLI prints no line by itself, and tests kill it.
            "START_RETRIES": "0",
            "MAX_JOBS": "100",
            "LOG_LEVEL": "DEBUG",
            **settings,
        }
        #: What gunicorn is started with, for example prlimit and its options.
        self.prefix: list[str] = []
        #: Its standard error, if that is not the log.
        self.stderr: int | None = None
        self.auth = ("admin", self.environment["AUTH_PASSWORD"].encode())
        self.process: subprocess.Popen[bytes] | None = None
        self._streams: list[Stream] = []
        self._may_lack_workers = False

    def start(self) -> "Gateway":
        """Start gunicorn, and wait until it responds."""
        # The workers of a killed master serve on until they notice.
        eventually(self._port_is_free)
        self.process = self.launch()
        eventually(self._answers, lambda: f"the gateway does not start:\n{self.log()}")
        self._may_lack_workers = not self.prefix
        return self

    def copy_code(self) -> None:
        """Run a copy of the code, which a test can change."""
        self.code = self.folder / "checkout"
        self.code.mkdir()
        shutil.copytree(ROOT / "app", self.code / "app")
        shutil.copy(ROOT / "gunicorn.conf.py", self.code)
        for name in ("vendored", "console"):
            (self.code / name).symlink_to(ROOT / name)

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start gunicorn; its output is in the log."""
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [
                    *self.prefix,
                    str(Path(sys.executable).parent / "gunicorn"),
                    "-c",
                    str(self.code / "gunicorn.conf.py"),
                ],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log if self.stderr is None else self.stderr,
                start_new_session=True,
            )

    def check(self) -> "subprocess.CompletedProcess[str]":
        """What systemd runs before it reloads the gateway."""
        return subprocess.run(
            [
                *(Path(sys.executable).parent / "gunicorn", "-c"),
                *(self.code / "gunicorn.conf.py", "--check-config"),
            ],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def stop(self) -> int:
        """Stop it as systemd would; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End gunicorn and its workers, whatever they do; they are a process group."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    def log(self) -> str:
        """Its log."""
        return self.log_file.read_text(encoding="utf-8")

    def workers(self) -> list[int]:
        """The pids of its workers; all of them, the first time."""
        if self._may_lack_workers:
            # It responds as soon as one of them does.
            self._may_lack_workers = False
            count = int(self.environment.get("WORKERS", "2"))
            eventually(lambda: len(self.workers()) >= count)
        assert self.process is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        # One that has ended is a child until the master looks.
        return [int(child) for child in children.split() if processes.identify(int(child))]

    @property
    def authorization(self) -> str:
        """The header with its user and password."""
        user, password = self.auth
        return basic(user.encode() + b":" + password)

    def launcher(self) -> int:
        """The pid of the launcher, once there is one."""
        # A start does not wait for it. And a signal to 0 would reach the group of the test.
        return eventually(self._launcher)

    def _launcher(self) -> int:
        """The holder of the launcher's lock, 0 for none (F_GETLK of fcntl(2))."""
        layout = "hhqqi4x"
        try:
            lock = (self.state / "launcher.lock").open("rb")
        except FileNotFoundError:
            return 0
        with lock:
            asked = struct.pack(layout, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            pid: int = struct.unpack(layout, fcntl.fcntl(lock, fcntl.F_GETLK, asked))[4]
        return pid

    def reload(self) -> None:
        """Have all workers replaced in order, and wait until they are."""
        assert self.process is not None
        before = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        self._await_others_than(before)

    def kill_workers(self, *pids: int) -> None:
        """End these workers, or all, with SIGKILL; wait until there are others."""
        killed = set(pids or self.workers())
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        self._await_others_than(killed)

    def kill_master(self) -> None:
        """End gunicorn's master with SIGKILL, and wait until its launcher has noticed."""
        assert self.process is not None
        launcher = self.launcher()
        self.process.kill()
        self.process.wait(PATIENCE)
        eventually(lambda: not alive(launcher))

    def ask(self, method: str, path: str, **named: Any) -> requests.Response:
        """One request, signed in, on a connection of its own."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method, self.url + path, **{"auth": self.auth, "timeout": PATIENCE, **named}
            )
        check_answer(answer, whole=not named.get("stream"))
        return answer

    def post(self, prompt: str, **fields: Any) -> requests.Response:
        """POST /chat; the response's body is not read."""
        body = {"prompt": prompt, "cwd": str(self.project), **fields}
        return self.ask("POST", "/chat", json=body, stream=True)

    def chat(self, *verbs: str, **fields: Any) -> Stream:
        """Start a job with the fake CLI; returns its stream."""
        return self.opened(self.post("\n".join(verbs), **fields))

    def resume(self, job_id: str, after: str | None = None) -> Stream:
        """The stream of a job, from after an event or from the start."""
        headers = {} if after is None else {"Last-Event-ID": after}
        return self.opened(self.ask("GET", f"/chat/{job_id}", headers=headers, stream=True))

    def close_streams(self) -> None:
        """Close every stream that was opened here."""
        while self._streams:
            self._streams.pop().close()

    def hang_up(self) -> None:
        """Close every stream that was opened here, wait until no job runs, and end kept runs."""
        self.close_streams()
        for live in (self.state / "live").iterdir():
            # A link to the job's record, which is there also if its folder was removed.
            # A job may have put anything there.
            with contextlib.suppress(OSError, ValueError):
                if json.loads(live.read_bytes() or b"{}").get("detached"):
                    self.ask("DELETE", f"/chat/{live.name}")
        eventually(lambda: not any((self.state / "live").iterdir()))
        for kept in (self.state / "kept").iterdir():
            self.ask("DELETE", f"/runs/{kept.name}")

    def forget_flags(self) -> None:
        """Remove the files that tests have put beside its folders, for its jobs to wait for."""
        for path in self.folder.iterdir():
            if path.is_file() and path != self.log_file:
                path.unlink()

    def record(self, job_id: str, name: str) -> dict[str, Any]:
        """One record of a job's directory."""
        content: dict[str, Any] = json.loads((self.state / "jobs" / job_id / name).read_bytes())
        return content

    def processes_of(self, job_id: str) -> Running:
        """The supervisor and the CLI of a running job."""
        job = Job(str(self.state), job_id)
        # A client may read the first line before the supervisor has written who prints it.
        found = eventually(job.run.running)
        assert found is not None
        return found

    def running(self) -> list[dict[str, Any]]:
        """The rows of GET /processes."""
        rows: list[dict[str, Any]] = self.ask("GET", "/processes").json()["processes"]
        return rows

    def opened(self, response: requests.Response) -> Stream:
        """The stream of a response; `hang_up` closes it."""
        assert response.status_code == 200, response.text
        stream = Stream(response)
        self._streams.append(stream)
        return stream

    def _await_others_than(self, pids: set[int]) -> None:
        count = int(self.environment.get("WORKERS", "2"))
        eventually(lambda: len(self.workers()) == count and not pids & set(self.workers()))

    def _port_is_free(self) -> bool:
        with socket.socket() as probe:
            # As gunicorn does: what is left of old connections is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return False
        return True

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        return answers(self.url)


@contextlib.contextmanager
def running_gateway(folder: Path, claude: Path, *prefix: str, **settings: str) -> Iterator[Gateway]:
    """A gateway that is stopped at the end; no process of it or its jobs may be left."""
    gateway = Gateway(folder, claude, **settings)
    gateway.prefix += prefix
    try:
        yield gateway.start()
    finally:
        try:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.hang_up()
                gateway.stop()
        finally:
            gateway.close_streams()
            gateway.kill()
    left = marked_in(gateway.state)
    assert not left, f"these outlived their gateway: {left}"


def answers(url: str) -> bool:
    """Whether a gateway at this address responds to /health."""
    # Until it does, this client costs much less than others.
    client = HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    try:
        client.request("GET", "/health")
        return client.getresponse().status in (200, 503)
    except OSError:
        return False
    finally:
        client.close()


def write_fake(folder: Path, program: Path = ROOT / "tests/support/fake_claude.py") -> Path:
    """An executable that runs the fake CLI."""
    wrapper = folder / "claude"
    # Each start of a gateway asks for the version, and for the first flag that is not known
    # (app/cli/capability_probe.py): here without the start of an interpreter.
    wrapper.write_text(
        "#!/bin/sh\n"
        "[ \"$*\" != --version ] || { echo '9.9.9 (Fake Code)'; exit; }\n"
        "case $* in *' --claudecode2api-end')"
        " echo \"error: unknown option '--claudecode2api-end'\" >&2; exit 1 ;; esac\n"
        f'exec {sys.executable} -I -S {program} "$@"\n',
        encoding="utf-8",
    )
    wrapper.chmod(0o755)
    return wrapper


def marked_in(state: Path) -> list[int]:
    """The pids of all processes of the jobs in this state folder."""
    jobs = state / "jobs"
    if not jobs.exists():
        return []
    wanted = {f"{processes.MARK}={job.name}".encode() for job in jobs.iterdir()}
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and wanted & set((entry / "environ").read_bytes().split(b"\0")):
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    """Whether this process runs; a zombie does not."""
    return processes.identify(pid) is not None


def kill_all(*pids: int, number: int = signal.SIGKILL) -> None:
    """Send these processes a signal; one may end by itself, or because another has."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def eventually(
    fact: Callable[[], T],
    otherwise: Callable[[], str] = lambda: "it never came true",
    patience: float = PATIENCE,
) -> T:
    """Wait for a fact, and return it: another look may not find it. Fails if it does not come."""
    deadline = time.monotonic() + patience
    pause = 0.005
    while not (found := fact()):
        assert time.monotonic() < deadline, otherwise()
        time.sleep(pause)
        # Most facts come true soon; to ask for the others costs time that they need.
        pause = min(pause * 1.2, 0.05)
    return found


def _ports() -> Iterator[int]:
    """Ports that the system gives to no process by itself, one after the other, without an end."""
    path = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(path.read_text(encoding="ascii").split()[0]) if path.exists() else 32_000
    # Where the system gives away nearly all ports, it gives away these as well.
    ports = range(12_000, min(32_000, lowest)) or range(12_000, 32_000)
    # Other processes that run tests begin elsewhere.
    begin = secrets.randbelow(len(ports))
    return itertools.cycle((*ports[begin:], *ports[:begin]))


_PORTS = _ports()


def free_port() -> int:
    """A port on which no process listens.

    It is none of those that the system chooses for a process that listens on any port, or that
    connects: it could choose one at the moment when a gateway is about to listen there.
    """
    for port in itertools.islice(_PORTS, 20_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("there is no port")
