"""Signals as the launcher and the supervisors notice them: by a descriptor that they poll.

Standard library alone: the supervisor imports this.
"""

import os
import signal


def handle_signals() -> None:
    """Have SIGTERM and SIGCHLD noticed, here and in what is forked: see `watch_signals`."""
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    # A terminal's end, or a Ctrl-C in it, is not a cancellation.
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def watch_signals() -> int:
    """A descriptor that becomes readable with the number of each signal that arrives.

    Its signals are those of `handle_signals`, which is called before, once for a family.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader
