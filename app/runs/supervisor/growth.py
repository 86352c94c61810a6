"""The notice that a run's output has grown: a SIGIO of dnotify (fcntl(2), F_NOTIFY).

The signal wakes the supervisor through the descriptor that wakes it at other signals, so it needs
no further memory. Where the file system has no such notice, the supervisor looks 50 times a second.
Standard library alone, because the supervisor imports this.
"""

import fcntl
import os

#: Seconds between two looks without a notice.
LOOK_INTERVAL = 0.02
#: Seconds between two looks although notices come: they may be lost.
SAFE_INTERVAL = 1.0


class Growth:
    """Watches the folder of a run. `close` must be called."""

    def __init__(self, folder: str) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._folder: int | None = os.open(folder, flags)
        #: Seconds after which to look without a notice.
        self.patience = SAFE_INTERVAL
        self.arm()

    def arm(self) -> None:
        """Ask for one notice of the next write. Look after this call, not before it."""
        if self._folder is None:
            return
        try:
            fcntl.fcntl(self._folder, fcntl.F_NOTIFY, fcntl.DN_MODIFY)
        except OSError:
            # Not in this kernel, or too many are asked for.
            self.patience = LOOK_INTERVAL
            self.close()

    def close(self) -> None:
        """Ask for no more notices."""
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
