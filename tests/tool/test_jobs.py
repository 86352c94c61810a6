"""`claudecode2api ps`, `logs` and `cancel`."""

import contextlib
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from app.tool.logs import CAUGHT_UP
from tests.support.gateway import PATIENCE, Gateway, eventually
from tests.support.tool import Tool


@pytest.fixture
def ended(gateway: Gateway) -> Iterator[str]:
    """The id of a job that has ended."""
    done = gateway.chat("say Hello", "line {}", "result ok").done()
    yield str(done["process_id"])


def test_ps_lists_what_runs(gateway: Gateway, tool: Tool) -> None:
    assert tool.run("ps").stderr == b"no job is running; try --all\n"
    job_id = gateway.chat("silent", model="opus", title="a\x1b[31m\ntitle" + "!" * 100).job_id
    head, row = tool.run("ps").stdout.decode().splitlines()
    assert head.split() == ["ID", "STATUS", "STARTED", "MODEL", "USER", "FOLDER", "TITLE"]
    cells = re.split("  +", row)
    assert cells[:2] == [job_id[:8], "running"]
    title = "a\ufffd[31m\ufffdtitle" + "!" * 48
    assert cells[3:] == ["opus", "admin", str(gateway.project), title]


def test_ps_all_lists_what_ran_too(gateway: Gateway, tool: Tool, ended: str) -> None:
    rows = tool.run("ps", "--all").stdout.decode().splitlines()
    assert rows[1].startswith(f"{ended[:8]}  succeeded")


def test_ps_prints_json_for_programs(gateway: Gateway, tool: Tool, ended: str) -> None:
    assert json.loads(tool.run("ps", "--json").stdout) == {"jobs": []}
    job_id = gateway.chat("silent", title="ü\u009b").job_id
    (row,) = json.loads(tool.run("ps", "--json").stdout)["jobs"]
    assert (row["process_id"], row["title"]) == (job_id, "ü\u009b")
    rows = json.loads(tool.run("ps", "--json", "--all").stdout)["jobs"]
    assert [row["process_id"] for row in rows][:2] == [job_id, ended]
    assert tool.run("ps", "--json").stdout.isascii()


def test_a_folder_of_any_name_is_one_row(gateway: Gateway, tool: Tool) -> None:
    odd = tool.folder / "a\n\x1b[2J"
    odd.mkdir()
    gateway.chat("silent", cwd=str(odd))
    assert len(tool.run("ps").stdout.splitlines()) == 2
    assert b"\x1b" not in tool.run("ps").stdout


def test_logs_of_an_ended_job(gateway: Gateway, tool: Tool, ended: str) -> None:
    done = tool.run("logs", ended[:8])
    assert (done.returncode, done.stdout) == (0, b"Hello\n")
    raw = tool.run("logs", "--raw", ended.upper()).stdout
    assert raw == (gateway.state / "jobs" / ended / "output").read_bytes()


def test_logs_of_a_running_job_are_what_it_has_printed_so_far(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("lines 100000", "silent")
    output = gateway.state / "jobs" / stream.job_id / "output"
    eventually(lambda: output.read_bytes().count(b"\n") == 100_000)
    done = tool.run("logs", "--raw", stream.job_id)
    assert done.stdout.count(b"\n") == 100_000
    assert done.stderr == b"the job is still running: claudecode2api logs --follow %b\n" % (
        stream.job_id[:8].encode()
    )
    assert gateway.running()


def test_logs_of_a_busy_gateway_begin_late(gateway: Gateway, tool: Tool, ended: str) -> None:
    with CuttingProxy(gateway.port, 1 << 30, CAUGHT_UP + 0.5) as proxy:
        done = tool.run("logs", "--url", f"http://127.0.0.1:{proxy.port}", ended)
    assert (done.returncode, done.stdout) == (0, b"Hello\n")
    assert done.stderr.startswith(b"succeeded, ")


def test_following_goes_on_to_the_end_and_reports_it(gateway: Gateway, tool: Tool) -> None:
    flag = tool.folder / "flag"
    stream = gateway.chat("say one", f"await {flag}", "say two", "exit 3")
    with tool.start("logs", "--follow", stream.job_id) as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline() == b"one\n"
        flag.touch()
        assert logs.communicate()[0] == b"two\n"
    assert logs.returncode == 1


def test_who_leaves_the_logs_leaves_the_job(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("say one", "silent")
    with tool.start("logs", "--follow", stream.job_id) as logs:
        assert logs.stdout is not None
        logs.stdout.readline()
        logs.send_signal(signal.SIGINT)
        assert logs.wait(PATIENCE) == 130
    assert gateway.running()


def test_a_stream_that_breaks_anywhere_is_put_together(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("lines 2000", "big 200000", "lines 100", "result ok")
    output = b"\n".join(stream.messages()) + b"\n"
    with CuttingProxy(gateway.port, 70_001) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        # It never comes whole through this one, so it must be put together from 70 kB at a time.
        with tool.start("logs", "--url", url, "--raw", "--follow", stream.job_id) as logs:
            assert logs.stdout is not None
            shown = logs.stdout.read(len(b"".join(output.partition(b"line 1999\n")[:2])))
            eventually(lambda: proxy.cuts > 5)
            proxy.most = 1 << 30
            shown += logs.communicate()[0]
    assert shown == output
    assert logs.returncode == 0


def test_cancel_ends_a_job_by_the_beginning_of_its_id(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("child", "silent")
    stream.next()
    done = tool.run("cancel", stream.job_id[:8])
    assert done.returncode == 0
    assert done.stdout.startswith(f"cancelled job {stream.job_id}: ".encode())
    assert stream.done()["status"] == "cancelled"
    again = tool.run("cancel", stream.job_id)
    assert again.returncode == 1
    assert b"it has ended already (cancelled)" in again.stderr


@pytest.mark.parametrize("command", ["logs", "cancel"])
@pytest.mark.parametrize(
    "given", ["zzz", "", "../x", "00000000-0000-4000-8000-000000000000", "fffffffffffe"]
)
def test_a_job_that_is_not_there(tool: Tool, command: str, given: str) -> None:
    done = tool.run(command, given)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr


def test_an_id_that_fits_many_is_refused(gateway: Gateway, tool: Tool) -> None:
    ids: list[str] = []
    while len({job_id[0] for job_id in ids}) == len(ids):
        ids.append(gateway.chat("result ok").done()["process_id"])
    done = tool.run("logs", ids[-1][0])
    assert done.returncode == 1
    assert b"is ambiguous; type more of it" in done.stderr


class CuttingProxy:
    """Passes connections on to a port, and cuts each after `most` bytes of the answer.

    The answers begin `delay` seconds late.
    """

    def __init__(self, port: int, most: int, delay: float = 0.0) -> None:
        self.most = most
        self.delay = delay
        self.cuts = 0
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> "CuttingProxy":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._pass_on, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _pass_on(self, client: socket.socket) -> None:
        left = self.most
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            # The client has gone once it has read the last event.
            with contextlib.suppress(ConnectionError):
                server.sendall(client.recv(65536))
                time.sleep(self.delay)
                while left > 0 and (received := server.recv(min(left, 4096))):
                    client.sendall(received)
                    left -= len(received)
            self.cuts += left <= 0
