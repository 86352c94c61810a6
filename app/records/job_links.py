"""A job's links in the lists of jobs: each list is a folder with a link for each job.

    STATE_DIR/live/<id>       a link to job.json, until `ended` is written
    STATE_DIR/unlogged/<id>   the same link from then on, until its end is logged
    STATE_DIR/unindexed/<id>  the same link from then on, until it is in the index of jobs

Standard library alone, because the supervisor imports this.
"""

import os
from contextlib import suppress

from app.state import files


class JobLinks:
    """The links of one job, whether or not it is in any list."""

    def __init__(self, state: str, job_id: str) -> None:
        self.live = f"{state}/live/{job_id}"
        self.unlogged = f"{state}/unlogged/{job_id}"
        self.unindexed = f"{state}/unindexed/{job_id}"

    def is_live(self) -> bool:
        """Whether the job is in the list of the jobs that have not ended."""
        return files.is_there(self.live)

    def is_unlogged(self) -> bool:
        """Whether the job is in the list of the jobs whose end is not logged yet."""
        return files.is_there(self.unlogged)

    def move_to_unlogged(self) -> None:
        """Move the link in `live/` to `unlogged/`; any process may do it again."""
        try:
            os.rename(self.live, self.unlogged)
        except OSError:
            # Already moved, or the job or a folder was removed.
            if files.is_there(self.live):
                for folder in (self.live, self.unlogged):
                    files.make_folder(os.path.dirname(folder))
                with suppress(OSError):
                    os.rename(self.live, self.unlogged)
        # A rename does nothing if both are links to the same file.
        files.discard(self.live)

    def take_unlogged(self) -> bool:
        """Remove the link in `unlogged/`; returns True to one caller, which logs the end."""
        # Linked first: if the process dies in between, the index does not lack the job.
        self._link_unindexed()
        try:
            os.unlink(self.unlogged)
        except OSError:
            files.discard(self.unlogged)
            return False
        return True

    def discard(self) -> None:
        """Remove the job from all lists."""
        for link in (self.live, self.unlogged, self.unindexed):
            files.discard(link)

    def _link_unindexed(self) -> None:
        try:
            os.link(self.unlogged, self.unindexed, follow_symlinks=False)
        except OSError:
            # Another process has linked it, or a job removed the folder.
            if files.is_there(self.unlogged) and not files.is_there(self.unindexed):
                with suppress(OSError):
                    files.make_folder(os.path.dirname(self.unindexed))
                    os.link(self.unlogged, self.unindexed, follow_symlinks=False)
