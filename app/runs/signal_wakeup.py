"""The descriptor that wakes the launcher or a supervisor at a signal.

Standard library alone, because the supervisor imports this.
"""

import os
import signal


def handle_signals() -> None:
    """Set the signal handlers of this process and its children, for `watch_signals`."""
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGIO):
        signal.signal(number, lambda *_: None)
    # A terminal that is closed, or Ctrl-C in it, does not cancel jobs.
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def watch_signals() -> int:
    """A descriptor from which the number of each received signal can be read.

    `handle_signals` must be called before, here or in the process that forked this one.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader
