"""The transcripts of sessions, read in native threads, with a cache of their summaries."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar

from app.cli.transcript_files import TranscriptFile, TranscriptFiles
from app.cli.transcript_page import Page, read_page
from app.cli.transcript_summary import Summary, summary_of
from app.errors import DiskTooSlow
from app.server.native_thread import NativeThreads

# Bytes at the beginning and at the end of a transcript that its summary is made of.
_HEAD = 1 << 16
_TAIL = 1 << 18
# Seconds for a scan's result to be used again, and for a disk that does not answer.
_FRESH = 5.0
_PATIENCE = 10.0
_MOST_CACHED = 2_000

Found = TypeVar("Found")
Version = tuple[int, int, int, int]


class SessionTranscripts:
    """The transcripts of the CLI. Each method raises DiskTooSlow."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._files = TranscriptFiles(environment)
        self._threads = NativeThreads()
        self._scanned: tuple[float, dict[str, TranscriptFile] | None] = (0.0, None)
        self._summaries: dict[Version, Summary] = {}

    def all(self) -> dict[str, TranscriptFile] | None:
        """The transcript of each session; None if the folder of transcripts cannot be read."""
        until, found = self._scanned
        if time.monotonic() >= until:
            found = self._call(partial(_scan, self._files))
            self._scanned = (time.monotonic() + _FRESH, found)
        return found

    def find(self, session: str) -> TranscriptFile | None:
        """The transcript of a session, in any folder."""
        return self._call(partial(_find, self._files, session))

    def find_all(self, folders: Mapping[str, str]) -> dict[str, TranscriptFile]:
        """The transcripts of sessions, each with its working directory; some may be missing."""
        return self._call(partial(_find_all, self._files, folders))

    def summaries(self, files: list[TranscriptFile]) -> dict[str, Summary]:
        """The summary of each session; those of transcripts that cannot be read are missing."""
        found = self._call(partial(_summaries, self._files, files, self._summaries))
        while len(self._summaries) > _MOST_CACHED:
            del self._summaries[next(iter(self._summaries))]
        self._summaries.update(
            {file.version: found[file.session] for file in files if file.session in found}
        )
        return found

    def page(self, file: TranscriptFile, before: int | None, limit: int, notes: bool) -> Page:
        """A page of a transcript, as `app.cli.transcript_page`; empty if it cannot be read."""
        return self._call(partial(_page, self._files, file, before, limit, notes))

    def _call(self, work: Callable[[], Found]) -> Found:
        try:
            return self._threads.call(work, _PATIENCE)
        except TimeoutError:
            raise DiskTooSlow from None


def _scan(files: TranscriptFiles) -> dict[str, TranscriptFile] | None:
    try:
        return files.scan()
    except OSError:
        return None


def _find(files: TranscriptFiles, session: str) -> TranscriptFile | None:
    try:
        return files.find(session)
    except OSError:
        return None


def _find_all(files: TranscriptFiles, folders: Mapping[str, str]) -> dict[str, TranscriptFile]:
    found: dict[str, TranscriptFile] = {}
    for session, cwd in folders.items():
        with suppress(OSError):
            file = files.find_in(session, cwd)
            if file:
                found[session] = file
    return found


def _summaries(
    files: TranscriptFiles, wanted: list[TranscriptFile], known: Mapping[Version, Summary]
) -> dict[str, Summary]:
    found: dict[str, Summary] = {}
    for file in wanted:
        summary = known.get(file.version) or _summary(files, file)
        if summary:
            found[file.session] = summary
    return found


def _summary(files: TranscriptFiles, file: TranscriptFile) -> Summary | None:
    try:
        with files.opened(file) as descriptor:
            head = os.pread(descriptor, _HEAD, 0)
            size = os.fstat(descriptor).st_size
            tail = None
            if size > len(head):
                tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    except OSError:
        return None
    return summary_of(head, tail)


def _page(
    files: TranscriptFiles, file: TranscriptFile, before: int | None, limit: int, notes: bool
) -> Page:
    try:
        with files.opened(file) as descriptor:
            return read_page(descriptor, before, limit, notes)
    except OSError:
        return Page([], None)
