"""The tags of the OpenAPI document: its operations by task, in the order to read them."""

from collections.abc import Sequence
from typing import NamedTuple


class Tag(NamedTuple):
    """A group of operations; `endpoints` are Flask's names of their views."""

    name: str
    description: str
    endpoints: Sequence[str]


TAGS = (
    Tag(
        "Run a job",
        "Send Claude a prompt, and read what it does while it does it. That is a job.",
        ("chat.start", "chat.resume", "chat.cancel"),
    ),
    Tag(
        "Look up jobs",
        "The jobs that are waiting, running or have ended, with their answers and costs.",
        (
            "jobs.newest",
            "jobs.one",
            "jobs.asked",
            "jobs.remove",
            "jobs.processes",
            "stats.stats",
            "whoami.whoami",
            "events.events",
            "usage.usage",
        ),
    ),
    Tag(
        "Talk to a running job",
        "For jobs that were started with `ask` or `keep_alive`: answer Claude's questions, send it"
        " more messages, stop its turn. Any job can be interrupted.",
        (
            "questions.all_questions",
            "questions.of_job",
            "questions.answer",
            "messages.send",
            "jobs.interrupt",
            "control.control",
            "runs.all_runs",
            "runs.end",
        ),
    ),
    Tag(
        "Choose a folder or a session",
        "The folders that a job can run in, and the conversations that it can continue.",
        ("folders.all_folders", "sessions.newest", "sessions.one"),
    ),
    Tag(
        "OpenAI's API",
        "For programs that use OpenAI's API: set their base URL to this gateway's address and"
        " `/v1`, and their API key to one in API_KEYS.",
        (
            "completions.complete",
            "responses.create",
            "responses.one",
            "responses.remove",
            "responses.cancel",
            "responses.input_items",
            "catalog.all_models",
            "catalog.one_model",
            "catalog.create",
            "catalog.all_conversations",
            "catalog.one_conversation",
        ),
    ),
    Tag(
        "Anthropic's API",
        "For programs that use Anthropic's API: set their base URL to this gateway's address, and"
        " their API key to one in API_KEYS.",
        ("anthropic.create", "anthropic.count_tokens"),
    ),
    Tag(
        "Claude-Code-Server's API",
        "For programs that were written for Claude-Code-Server.",
        ("claude.start",),
    ),
    Tag(
        "Operate the gateway",
        "Checks for load balancers, metrics for Prometheus, and what the operator looks at.",
        (
            "health.health",
            "health.ready",
            "metrics.scrape",
            "doctor.doctor",
            "settings.settings",
            "log.log",
        ),
    ),
    Tag(
        "Read about the gateway",
        "These pages, and what they are made from. They need no credentials.",
        (
            "health.root",
            "console.asset",
            "docs.swagger_ui",
            "docs.redoc",
            "docs.openapi",
            "docs.file",
            "docs.favicon",
        ),
    ),
)
