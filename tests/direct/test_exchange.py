"""One request to the model's API, without a gateway around it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gevent import get_hub
from gevent.event import Event

from app.direct.answer_reader import Answer
from app.direct.exchange import Exchange, Work
from app.direct.record import Ending
from app.direct.upstream import UpstreamResponse
from app.records.job import Job
from tests.support.gateway import PATIENCE


class Hanging:
    """A job whose model never answers, and how it has ended."""

    def __init__(self, folder: Path) -> None:
        self.job = Job(str(folder), "a-job")
        Path(self.job.path).mkdir(parents=True)
        Path(self.job.output).touch()
        self.ended = Event()
        self.endings: list[Ending | None] = []
        self._asked = Event()
        work = Work(self._hang, self._finish, is_stream=True, timeout=None)
        self.exchange = Exchange(self.job, work, PATIENCE)
        self.exchange.start()
        assert self._asked.wait(PATIENCE)

    def _hang(self) -> UpstreamResponse:
        self._asked.set()
        Event().wait()
        raise AssertionError

    def _finish(self, answer: Answer, ending: Ending | None, failure: object) -> None:
        self.endings.append(ending)
        self.ended.set()


def test_a_folder_that_is_removed_file_by_file_ends_its_job(tmp_path: Path) -> None:
    hanging = Hanging(tmp_path)
    with _noticed(hanging.job.output) as noticed:
        Path(hanging.job.output).unlink()
        assert noticed.wait(PATIENCE)
    # By now the exchange has noticed, too.
    assert not hanging.ended.is_set()
    shutil.rmtree(hanging.job.path)
    assert hanging.ended.wait(PATIENCE)
    assert hanging.endings == [Ending("cancelled")]


def test_a_job_that_is_cancelled_for_its_client_has_ended_at_once(tmp_path: Path) -> None:
    hanging = Hanging(tmp_path)
    hanging.exchange.cancel()
    assert hanging.endings == [Ending("cancelled")]
    # Nothing is read any more, and the end is written once.
    assert not list(hanging.exchange.read())
    assert len(hanging.endings) == 1


@contextmanager
def _noticed(path: str) -> Iterator[Event]:
    """Set once libev has noticed a change of this file, for all its watchers."""
    noticed = Event()
    watcher = get_hub().loop.stat(path)
    watcher.start(noticed.set)
    try:
        yield noticed
    finally:
        watcher.stop()
        watcher.close()
