"""Checks whether a job works, from the client to the CLI and back."""

import json
import time

from app.settings import Settings
from app.tool.answer_text import AnswerText
from app.tool.check import Check, failed, ok
from app.tool.client import Client
from app.tool.failure import Failure
from app.tool.stream import JobStream

#: The CLI answers this without the model, logged in or not (2.1.330).
FREE = "/cost"
PAID = "Answer with the one word: ok"
#: The time limit of the job, in seconds.
PATIENCE = 120

# Part of a failed job's output, and what helps.
_FIXES = (
    (
        "--dangerously-skip-permissions cannot be used with root",
        "run the gateway as another user; or set DEFAULT_PERMISSION_MODE in .env; or, in a"
        " container without anything of value, IS_SANDBOX=1",
    ),
    (
        "/login",
        "run the CLI, which the row claude names, in a terminal once and log in as the gateway's"
        " user; or set ANTHROPIC_API_KEY in .env",
    ),
    (
        "timed_out",
        "check the API key and HTTPS_PROXY in .env: the CLI retries for minutes",
    ),
)


def check(settings: Settings, client: Client, ask_the_model: bool) -> Check:
    """Run one job: a free one, or one that asks the model."""
    prompt = PAID if ask_the_model else FREE
    # "/" is no project: it has no instructions and no hooks.
    cwd = str(settings.cwd_roots[0]) if settings.cwd_roots else "/"
    body = {"prompt": prompt, "cwd": cwd, "tools": [], "timeout": PATIENCE}
    began = time.monotonic()
    try:
        response = client.open("POST", "/chat", json=body)
        job_id = response.headers["X-Process-ID"]
        reader, text, done = AnswerText(), "", {}
        with JobStream(client, job_id, lambda _: None, response) as stream:
            for event in stream:
                if event.name == "message":
                    text += reader.read(event.data)
                elif event.name == "done":
                    done = json.loads(event.data)
    except Failure as error:
        return failed("job", str(error), "see the gateway's log")
    took = f"{time.monotonic() - began:.1f} s"
    cost = done.get("total_cost_usd") or 0
    if done["status"] == "succeeded":
        how = "by the model" if ask_the_model else "by the CLI itself (--job asks the model)"
        return ok("job", f"{prompt!r} was answered {how} in {took} for ${cost:.4f}")
    output = f"{done['status']} {text} {done.get('stderr') or ''}"
    fix = next((fix for sign, fix in _FIXES if sign in output), None)
    message = (str(done.get("stderr") or "").strip() or text.strip()).split("\n")[-1][:300]
    return failed(
        "job",
        f"{prompt!r} ended as {done['status'].replace('_', ' ')} after {took}: {message}",
        fix or f"claudecode2api logs --raw {job_id} shows the CLI's output",
    )
