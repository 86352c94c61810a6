"""The end of one job at a signal, such as Ctrl-C, or when its output is no longer read."""

import os
import signal
import threading

from app.tool.client import Client
from app.tool.failure import CANCELLED, Failure, RequestRefused
from app.tool.screen import note

#: Seconds for the end of a job, in addition to KILL_GRACE.
END_PATIENCE = 60.0


class Interruption:
    """Interrupts or cancels one job.

    An interrupted job stops its turn; where its run is kept, that goes on. A cancelled job ends
    with all its processes. `patience` is in seconds.
    """

    def __init__(self, client: Client, job_id: str, patience: float) -> None:
        self.job_id = job_id
        self._client = client
        self._patience = patience
        self._is_interrupting = False
        self._is_cancelling = False

    def on_signals(self) -> None:
        """From now on, Ctrl-C interrupts the job, and again cancels it; other signals cancel it.

        Reading goes on to the job's last lines. A signal after the cancellation exits at once.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Programs ignore SIGHUP under nohup, and SIGINT in the background of a shell.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def cancel(self) -> None:
        """Cancel the job, and wait for its end."""
        self._request("DELETE", f"/chat/{self.job_id}")

    def interrupt(self) -> None:
        """Interrupt the job; cancel it if the gateway cannot interrupt."""
        if not self._request("POST", f"/jobs/{self.job_id}/interrupt"):
            self.cancel()

    def _request(self, method: str, path: str) -> bool:
        """Whether the gateway has this route. A job that has ended needs no more."""
        try:
            self._client.ask(method, path, patience=self._patience)
        except RequestRefused as error:
            if error.code == "process_not_found":
                return True
            if error.http_status in (404, 405):
                return False
            note(str(error))
        except Failure as error:
            note(str(error))
        return True

    def _on_signal(self, number: int, _: object) -> None:
        # In a thread, because the signal interrupts the main thread, which reads the stream.
        if self._is_cancelling:
            os._exit(CANCELLED)
        elif self._is_interrupting or number != signal.SIGINT:
            self._is_cancelling = True
            note("cancelling the job; press Ctrl-C again to exit at once")
            threading.Thread(target=self.cancel, daemon=True).start()
        else:
            self._is_interrupting = True
            note("interrupting the job; press Ctrl-C again to cancel it")
            threading.Thread(target=self.interrupt, daemon=True).start()
