"""A run's folder with its records: start, processes, exit. A run is one process of the CLI.

    STATE_DIR/runs/<id>/start.json  what the CLI is started with; by a worker, before the start
                        <name>      a file that the CLI reads at its start; likewise
                        output      standard output, written by the CLI itself
                        stderr      standard error, likewise
                        running     a link that names the supervisor and the CLI; by the supervisor
                        wish        a link that a worker makes to have a kept run end
                        temporary   a link to the folder for temporary files; by the supervisor
                        exited      how the process exited; by the supervisor, or by the process
                                    that closes a run whose supervisor died

A run's processes have its id in their environment (`app.processes.MARK`). Standard library
alone, because the supervisor imports this: every page of memory that it touches after its fork
costs time and space. So paths are plain strings, and records are named tuples.
"""

import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from app import processes
from app.processes import Process
from app.state import files, record_file


class RunStart(NamedTuple):
    """What a run is started with, in `start.json`.

    `arguments` are the CLI's, without its path; one of the form `{"flag": …, "file": …}` stands
    for `flag=<the run's folder>/file`. `roots` are the folders that `cwd` must be in at the
    start; without any, it may be anywhere. `kill_grace` is in seconds. With `talks`, the supervisor
    speaks with the CLI, which stays for further turns. `stamps` are those of the files that the
    arguments name (`app.records.start_stamps`), where another job's process may be used.
    `variables` are added to the CLI's environment. With `client_tools`, the run's folder has the
    file of that name: tools of the client (`app.runs.supervisor.client_tools`). A CLI that ends
    without a line is started again up to `start_retries` times.
    """

    cwd: str
    arguments: list[str | dict[str, str]]
    kill_grace: float
    roots: list[str] = []  # noqa: RUF012 - of a named tuple
    talks: bool = False
    stamps: list[str] = []  # noqa: RUF012 - of a named tuple
    variables: dict[str, str] = {}  # noqa: RUF012 - of a named tuple
    client_tools: bool = False
    start_retries: int = 0


class Running(NamedTuple):
    """The processes of a run, in `running`, and the boot of the machine in which they run."""

    supervisor: Process
    cli: Process
    boot_id: str


class RunExit(NamedTuple):
    """How a run's process exited, in `exited`.

    `exit_code` or `signal` (a name) is the CLI's own end, both None if it never started or if
    its supervisor died. `stop_signal` is the highest signal that the supervisor used, `killed`
    how many processes it ended with signals, `left` how many could not be ended.
    """

    exit_code: int | None = None
    signal: str | None = None
    stop_signal: str | None = None
    killed: int = 0
    left: int = 0


class Run:
    """One run's folder, whether or not it exists yet."""

    def __init__(self, state: str, run_id: str) -> None:
        self.id = run_id
        self.path = f"{state}/runs/{run_id}"
        self.output = f"{self.path}/output"
        self.stderr = f"{self.path}/stderr"
        self.client_tools = f"{self.path}/client_tools"
        self._running = f"{self.path}/running"
        self._wish = f"{self.path}/wish"

    def create(self, start: RunStart, contents: Mapping[str, bytes]) -> None:
        """Make the folder with all files that the supervisor needs. Raises OSError."""
        os.mkdir(self.path, mode=0o700)
        for name, content in contents.items():
            files.write_file(f"{self.path}/{name}", content)
        files.write_file(self.output, b"")
        files.write_file(f"{self.path}/start.json", json.dumps(start._asdict()).encode())

    def exists(self) -> bool:
        """Whether the folder is there."""
        return files.is_folder(self.path)

    def start(self) -> RunStart | None:
        """What the run is started with, or None if there is no such run."""
        return record_file.read_as(RunStart, f"{self.path}/start.json")

    def discard_contents(self, start: RunStart) -> None:
        """Remove the files that the CLI read at its start: they may hold a client's secrets."""
        for argument in start.arguments:
            if not isinstance(argument, str):
                files.discard(f"{self.path}/{argument['file']}")
        if start.client_tools:
            files.discard(self.client_tools)

    def open_stderr(self) -> int:
        """Create and open standard error. Raises OSError, and FileExistsError if it exists."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        return files.open_file(self.stderr, flags)

    def running(self) -> Running | None:
        """The processes of the run, or None if the CLI was never started."""
        text = files.read_link(self._running) or ""
        try:
            pid, started, cli, cli_started, boot_id = text.split(" ")
            supervisor = Process(int(pid), int(started))
            return Running(supervisor, Process(int(cli), int(cli_started)), boot_id)
        except ValueError:
            return None

    def set_running(self, running: Running) -> None:
        """Write the processes of the run. Raises OSError."""
        files.replace_link(self._running, _text_of(running))

    def was_started(self) -> bool:
        """Whether the CLI was started, even if the record of its processes is damaged."""
        return files.is_there(self._running)

    def restore(self, running: Running) -> None:
        """Restore the record of the processes, which the job may have damaged. Raises OSError."""
        if files.read_link(self._running) != _text_of(running):
            self.set_running(running)

    def exit(self) -> RunExit | None:
        """How the process exited, or None if it has not, or if the record is damaged."""
        return record_file.read_as(RunExit, f"{self.path}/exited")

    def write_exit(self, run_exit: RunExit) -> None:
        """Write how the process exited. Raises OSError."""
        record_file.write_record(f"{self.path}/exited", run_exit._asdict())

    def ask_to_close(self) -> None:
        """Write the wish that the run ends once it is idle. Raises OSError."""
        files.replace_link(self._wish, "close")

    def is_to_close(self) -> bool:
        """Whether a client wishes that the run ends."""
        return files.read_link(self._wish) is not None

    def supervisor(self) -> Process | None:
        """The run's supervisor, if it was started in this boot of the machine."""
        running = self.running()
        if running is None or running.boot_id != processes.boot_id():
            return None
        return running.supervisor


def read_end(path: str, limit: int) -> bytes:
    """The last `limit` bytes of a file; none if it cannot be read."""
    try:
        descriptor = files.open_file(path)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, limit, max(0, os.fstat(descriptor).st_size - limit))
    finally:
        os.close(descriptor)


def _text_of(running: Running) -> str:
    supervisor, cli, boot_id = running
    return f"{supervisor.pid} {supervisor.started} {cli.pid} {cli.started} {boot_id}"
