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


def test_a_folder_that_is_removed_file_by_file_ends_its_job(tmp_path: Path) -> None:
    job = Job(str(tmp_path), "a-job")
    output = Path(job.output)
    output.parent.mkdir(parents=True)
    output.touch()
    asked, ended = Event(), Event()
    endings: list[Ending | None] = []

    def hang() -> UpstreamResponse:
        asked.set()
        Event().wait()
        raise AssertionError

    def finish(answer: Answer, ending: Ending | None, failure: object) -> None:
        endings.append(ending)
        ended.set()

    exchange = Exchange(job, Work(hang, finish, is_stream=True, timeout=None), PATIENCE)
    exchange.start()
    assert asked.wait(PATIENCE)
    with _noticed(job.output) as noticed:
        output.unlink()
        assert noticed.wait(PATIENCE)
    # By now the exchange has noticed, too.
    assert not ended.is_set()
    shutil.rmtree(job.path)
    assert ended.wait(PATIENCE)
    assert endings == [Ending("cancelled")]


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
