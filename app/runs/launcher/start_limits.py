"""The limits within which the launcher starts processes.

Standard library alone, because the launcher imports this.
"""

from typing import NamedTuple


class StartLimits(NamedTuple):
    """With less than `min_free` bytes of disk free, no job starts.

    Kept runs and spares have at most `runs_memory` bytes of memory together, and each kept run may
    begin `own_turns` turns by itself between two jobs.
    """

    min_free: int
    runs_memory: int
    own_turns: int
