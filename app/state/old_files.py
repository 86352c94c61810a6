"""The removal of files that have not been written for some time."""

import os
import time
from contextlib import suppress

from app.state.files import discard

# Files between two pauses in which other greenlets run.
_PORTION = 50


def remove_old_files(folder: str, seconds: float) -> None:
    """Remove the files of a folder that were last written more than `seconds` ago."""
    oldest = time.time() - seconds
    # A job may have removed or replaced the folder.
    with suppress(OSError), os.scandir(folder) as entries:
        for number, entry in enumerate(entries, start=1):
            if number % _PORTION == 0:
                time.sleep(0)
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < oldest:
                    discard(entry.path)
