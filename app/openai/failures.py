"""Why a completion failed: how its job ended and what the CLI's last `result` said. Pure.

Shapes as seen in the CLI's version 2.1.330: a failed call of the model's API is a `result` with
`is_error`, `api_error_status` and the CLI's own words.
"""

from collections.abc import Mapping
from typing import Any

from app.errors import GatewayError, JobNotStarted
from app.openai.errors import CompletionFailed

_NO_SESSION = ("No conversation found with session ID", "--resume requires a valid session ID")
_NO_SCHEMA = "--json-schema is not a valid JSON Schema"
# Clients know this case by OpenAI's words.
_TOO_LONG = "This model's maximum context length is exceeded."
#: Characters of the CLI's words that are told.
LONGEST_WORDS = 2000


def failure_of(end: Mapping[str, Any], result: Mapping[str, Any]) -> GatewayError | None:
    """The error of a job that ended so (as `event: done` tells it), or None for a success."""
    if "error" in end:
        return JobNotStarted(str(end["error"]))
    status = end["status"]
    if status == "succeeded":
        return None
    if status == "timed_out":
        return CompletionFailed(
            504, "timeout", f"The job ran into a limit: {end['reason'] or 'timeout'}"
        )
    if status == "cancelled":
        return CompletionFailed(409, "cancelled", "The job was cancelled")
    if status == "lost":
        return CompletionFailed(500, "job_lost", "The process that watched over the job was killed")
    return _cli_failure(end, result)


def _cli_failure(end: Mapping[str, Any], result: Mapping[str, Any]) -> CompletionFailed:
    words = _words(end, result)
    upstream = result.get("api_error_status")
    if result.get("terminal_reason") == "prompt_too_long" or words.startswith("Prompt is too long"):
        return CompletionFailed(400, "context_length_exceeded", f"{_TOO_LONG} {words}", "messages")
    if upstream == 429:
        return CompletionFailed(429, "rate_limit_exceeded", words, again=True)
    if upstream in (503, 529):
        return CompletionFailed(503, "overloaded", words, again=True)
    if upstream in (401, 403):
        return CompletionFailed(503, "upstream_unauthorized", words)
    if upstream == 404:
        return CompletionFailed(404, "model_not_found", words, "model")
    if upstream == 400:
        return CompletionFailed(400, "invalid_request", words)
    if upstream == 413:
        return CompletionFailed(413, "request_too_large", words, "messages")
    if words.startswith("Not logged in"):
        return CompletionFailed(
            503,
            "cli_not_logged_in",
            "The Claude Code CLI is not logged in on the gateway's machine;"
            " its operator can run claude there, or set ANTHROPIC_API_KEY",
        )
    if _NO_SCHEMA in words:
        return CompletionFailed(400, "invalid_json_schema", words, "response_format")
    if any(sign in words for sign in _NO_SESSION):
        return CompletionFailed(404, "session_not_found", words, "session_id")
    subtype = result.get("subtype")
    code = subtype if isinstance(subtype, str) and subtype.startswith("error_max") else "cli_failed"
    return CompletionFailed(502, code, words)


def _words(end: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What the CLI said of its failure: in the result, else on standard error."""
    errors = result.get("errors")
    told = [error for error in errors if isinstance(error, str)] if isinstance(errors, list) else []
    text = result.get("result")
    words = text if isinstance(text, str) and text else "; ".join(told)
    words = words or str(end.get("stderr") or "").strip()
    if not words:
        words = f"The CLI gave no answer (exit code {end['exit_code']}, signal {end['signal']})"
    return words[:LONGEST_WORDS]
