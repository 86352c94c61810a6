"""The doctor's job, where the model's API does not answer."""

import pytest

from app.tool.check import Check
from app.tool.checkout import Checkout
from app.tool.checks import job
from app.tool.client import Client
from app.tool.remedies import Remedies
from app.tool.systemd_unit import Unit
from tests.support.gateway import Gateway
from tests.support.tool import Tool

RETRY = '{{"type":"system","subtype":"api_retry","attempt":{},"error_status":{}}}'


@pytest.mark.parametrize(
    ("status", "attempts", "detail", "fix"),
    [
        ("null", 3, "the model's API cannot be reached", "HTTPS_PROXY"),
        ("401", 3, "the model's API answers with status 401", "auth login"),
        ("529", 5, "the model's API answers with status 529", "try again later"),
    ],
)
def test_an_api_that_does_not_answer_is_reported_soon(
    gateway: Gateway,
    tool: Tool,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    attempts: int,
    detail: str,
    fix: str,
) -> None:
    lines = [f"line {RETRY.format(attempt, status)}" for attempt in range(1, attempts + 1)]
    row = job_row(tool, monkeypatch, *lines, "silent")
    assert (row.status, row.detail.partition(": ")[2]) == (
        "failed",
        f"{detail}, after {attempts} attempts",
    )
    assert "was given up after" in row.detail
    assert fix in str(row.fix)


def test_a_job_without_any_output_has_a_reason(
    gateway: Gateway, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "PATIENCE", 1)
    row = job_row(tool, monkeypatch, "silent")
    assert row.detail.partition(": ")[2] == "the CLI printed no answer"
    assert "api.anthropic.com" in str(row.fix)


def job_row(tool: Tool, monkeypatch: pytest.MonkeyPatch, *verbs: str) -> Check:
    """The row of a job that the fake CLI runs as if it were the model's."""
    monkeypatch.setattr(job, "PAID", "\n".join(verbs))
    checkout = Checkout(tool.folder, tool.environment(), Unit(tool.folder / "none"))
    settings = checkout.settings()
    return job.JobCheck(settings, Client(settings), Remedies(checkout), None, True).run()
