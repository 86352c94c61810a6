"""The title, folder, turns and cost of a session, from the ends of its transcript."""

import pytest

from app.cli.transcript_summary import LONGEST_TITLE, Summary, summary_of
from tests.support.transcripts import line, prompt

FIRST = prompt("The first prompt", "/srv/a")


def summary(*lines: str, tail: str | None = None) -> Summary:
    return summary_of("".join(lines).encode(), None if tail is None else tail.encode())


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ([FIRST], "The first prompt"),
        ([prompt([{"type": "image"}, {"type": "text", "text": "Look"}])], "Look"),
        ([FIRST, line("last-prompt", lastPrompt="The last one")], "The first prompt"),
        ([FIRST, line("summary", summary="A summary")], "A summary"),
        ([line("ai-title", aiTitle="By the model"), FIRST], "By the model"),
        ([line("ai-title", aiTitle="A"), line("custom-title", customTitle="Mine"), FIRST], "Mine"),
        ([line("custom-title", customTitle="Old"), line("custom-title", customTitle="New")], "New"),
        # A title that was taken away.
        ([FIRST, line("custom-title", customTitle="")], "The first prompt"),
        ([prompt("Do this", isMeta=True), FIRST], "The first prompt"),
        ([prompt("Caveat: The messages below were made"), FIRST], "The first prompt"),
        ([prompt("<local-command-stdout>x</local-command-stdout>"), FIRST], "The first prompt"),
        ([prompt("[Request interrupted by user]"), FIRST], "The first prompt"),
        ([prompt("<command-name>/review</command-name> <command-args></command-args>")], "/review"),
        ([prompt(" a\n\n  b\t")], "a b"),
        ([prompt("x" * 500)], "x" * LONGEST_TITLE + "…"),
        ([prompt("half \ud83d")], "half ?"),
        ([line("custom-title", customTitle=7), line("ai-title", aiTitle=["x"]), prompt(8)], None),
        ([], None),
    ],
)
def test_the_title_is_the_best_that_there_is(lines: list[str], title: str | None) -> None:
    assert summary(*lines).title == title


def test_a_title_at_the_end_of_a_long_transcript_counts() -> None:
    end = "of a line\n" + line("custom-title", customTitle="Mine")
    assert summary(FIRST, tail=end).title == "Mine"
    # The first prompt may be longer than what is read.
    assert summary(FIRST[:20], tail=line("last-prompt", lastPrompt="The last one")) == Summary(
        "The last one"
    )
    assert summary("x" * 100, tail="y").is_session


def test_the_turns_are_counted_by_the_cli_or_here() -> None:
    assert summary(FIRST, prompt("Another", isMeta=True), prompt("A third")).turns == 2
    results = [{"type": "tool_result", "content": "x"}]
    assert summary(FIRST, prompt(results, toolUseResult={})).turns == 1
    last = prompt("x", turnPosition={"promptIndex": 0, "turnIndex": 41})
    assert summary(FIRST, tail=last).turns == 41
    assert summary(FIRST, tail="").turns is None
    for wrong in (0, -1, True, "9", 1e9, 10**12, None):
        odd = prompt("x", turnPosition={"turnIndex": wrong})
        assert summary(FIRST, tail=odd).turns is None


def test_the_cost_is_what_the_cli_wrote_last() -> None:
    lines = [line("cost-state", totalCostUSD=cost) for cost in (1, 2.5)]
    assert summary(FIRST, *lines).cost == 2.5
    for wrong in (-1, True, "9", 1e300, None):
        assert summary(FIRST, line("cost-state", totalCostUSD=wrong)).cost is None


def test_the_folder_is_that_of_the_first_message() -> None:
    assert summary(FIRST, prompt("x", "/srv/b")).cwd == "/srv/a"
    for wrong in ("srv", "/" + "x" * 5000, ""):
        assert summary(prompt("x", wrong), FIRST).cwd == "/srv/a"


def test_a_transcript_of_a_subagent_or_without_a_prompt_is_no_session() -> None:
    assert summary(FIRST).is_session
    assert summary(prompt("x", isSidechain=False), prompt("y", isSidechain=True)).is_session
    assert not summary(prompt("x", isSidechain=True), FIRST).is_session
    assert not summary(line("mode", mode="x")).is_session
    assert not summary("").is_session
