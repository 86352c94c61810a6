"""Checks whether a job works, from the client to the CLI and back."""

import json
import time
from typing import Any

from app.settings import Settings
from app.tool.answer_text import AnswerText
from app.tool.api_retry import ApiRetry, api_retry
from app.tool.check import Check, failed, ok
from app.tool.client import Client
from app.tool.failure import Failure
from app.tool.interruption import END_PATIENCE
from app.tool.remedies import Remedies
from app.tool.stream import JobStream

#: The CLI answers this without the model, logged in or not (2.1.330).
FREE = "/cost"
PAID = "Answer with the one word: ok"
#: The time limit of the job, in seconds.
PATIENCE = 120
#: The retry after which the job is cancelled: some seconds after its start. The CLI goes on for
#: three minutes. Some errors of the API pass.
ENOUGH = 3
ENOUGH_IF_PASSING = 5
_PASSING = (429, 500, 502, 503, 504, 529)

_AS_ROOT = "--dangerously-skip-permissions cannot be used with root"


class JobCheck:
    """One job: a free one, or one that asks the model."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        remedies: Remedies,
        claude: str | None,
        ask_the_model: bool,
    ) -> None:
        """`claude` is the path of the gateway's CLI, if that is known."""
        self._client = client
        self._remedies = remedies
        self._claude = claude
        self._asks_the_model = ask_the_model
        self._end_patience = settings.kill_grace + END_PATIENCE
        # "/" is no project: it has no instructions and no hooks.
        self._cwd = str(settings.cwd_roots[0]) if settings.cwd_roots else "/"
        self._prompt = PAID if ask_the_model else FREE
        self._retry: ApiRetry | None = None
        self._text = ""

    def run(self) -> Check:
        """Run it."""
        body = {"prompt": self._prompt, "cwd": self._cwd, "tools": [], "timeout": PATIENCE}
        began = time.monotonic()
        try:
            done = self._run(body)
        except Failure as error:
            return failed("job", str(error), "see the gateway's log")
        took = f"{time.monotonic() - began:.1f} s"
        if done["status"] == "succeeded":
            cost = done.get("total_cost_usd") or 0
            how = "by the CLI itself (--job asks the model)"
            how = "by the model" if self._asks_the_model else how
            return ok("job", f"{self._prompt!r} was answered {how} in {took} for ${cost:.4f}")
        return self._failed(done, took)

    def _run(self, body: dict[str, Any]) -> dict[str, Any]:
        """The job's `done`. Raises Failure."""
        response = self._client.open("POST", "/chat", json=body)
        job_id = response.headers["X-Process-ID"]
        reader = AnswerText()
        done: dict[str, Any] = {}
        with JobStream(self._client, job_id, lambda _: None, response) as stream:
            for event in stream:
                if event.name == "message":
                    self._text += reader.read(event.data)
                    self._look_for_retry(job_id, event.data)
                elif event.name == "done":
                    done = json.loads(event.data)
        return done

    def _look_for_retry(self, job_id: str, line: bytes) -> None:
        """Cancel the job once it is known that the model does not answer."""
        retry = api_retry(line)
        if retry is None:
            return
        self._retry = retry
        enough = ENOUGH_IF_PASSING if retry.status in _PASSING else ENOUGH
        if retry.attempt == enough:
            self._client.ask("DELETE", f"/chat/{job_id}", patience=self._end_patience)

    def _failed(self, done: dict[str, Any], took: str) -> Check:
        stderr = str(done.get("stderr") or "").strip()
        message = (stderr or self._text.strip()).split("\n")[-1][:300] or str(done.get("error"))
        logs = f"claudecode2api logs --raw {done['process_id']} shows the CLI's output"
        fix = logs
        if _AS_ROOT in stderr:
            fix = (
                "run the gateway as another user; or"
                f" {self._remedies.set('DEFAULT_PERMISSION_MODE')}; or, in a container without"
                " anything of value, IS_SANDBOX=1"
            )
        elif done.get("reason") == "not_logged_in" or "/login" in message:
            fix = self._remedies.log_in(self._claude)
        elif self._retry is not None:
            message = f"{self._retry.problem()}, after {self._retry.attempt} attempts"
            fix = self._help_with(self._retry)
        elif done["status"] == "timed_out" and self._asks_the_model:
            message = "the CLI printed no answer"
            fix = f"{_REACH.format(place=self._remedies.place)}; {logs}"
        ended = done["status"].replace("_", " ")
        how = f"{self._prompt!r} ended as {ended} after {took}: {message}"
        if self._retry is not None and ended == "cancelled":
            how = f"{self._prompt!r} was given up after {took}: {message}"
        return failed("job", how, fix)

    def _help_with(self, retry: ApiRetry) -> str:
        if retry.status is None:
            return _REACH.format(place=self._remedies.place)
        if retry.status in _PASSING:
            return "try again later: the API is overloaded, has an error or limits your account"
        return f"check the API key or the login: {self._remedies.log_in(self._claude)}"


# What helps where nothing answers.
_REACH = (
    "check the network of the gateway's machine: curl -sS https://api.anthropic.com must print an"
    " answer; behind a proxy, set HTTPS_PROXY in {place}; if ANTHROPIC_BASE_URL is set there,"
    " correct it"
)
