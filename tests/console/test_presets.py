"""The rights of the console's form, as the real CLI keeps them."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.console import sign_in
from tests.support.gateway import PASSWORD, Gateway, eventually, running_gateway
from tests.support.real_cli import without_network
from tests.support.story import call, telling, text
from tests.support.talk import await_turns

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.timeout(300)]

#: What each preset lets a job do without a question, and what it asks for.
PRESETS = {
    "Ask me": (set(), {"Read", "Write", "Bash"}),
    "Read only": (set(), set()),
    "Edits": ({"written"}, {"Read", "Bash"}),
    "Everything": ({"read", "written", "ran"}, set()),
}


def test_each_preset_allows_and_asks_what_it_says(page: Page, claude: Path, tmp_path: Path) -> None:
    project, secret = tmp_path / "home/project", tmp_path / "home/secret"
    project.mkdir(parents=True)
    (project / "here").write_text("word-inside")
    secret.write_text("word-outside")
    written, ran = project / "written", project / "ran"
    story = [
        [call("Read", file_path=str(project / "here"))],
        [call("Read", file_path=str(secret))],
        [call("Write", file_path=str(written), content="x")],
        [call("Bash", command=f"python3 -c \"open('{ran}', 'w')\"", description="Run")],
        [text("Done.")],
    ]
    with telling({"Go": story}) as model:
        settings = {**without_network(model), "ANTHROPIC_API_KEY": "dummy", "SPARES": "0"}
        with running_gateway(tmp_path, claude, **settings) as gateway:
            await_turns(gateway)
            sign_in(page, gateway.url, "admin", PASSWORD)
            for name, expected in PRESETS.items():
                job = start(page, project, name)
                asked = deny_all(gateway, job)
                answer = gateway.ask(
                    "GET", f"/chat/{job}", headers={"Accept": "application/x-ndjson"}
                )
                assert "word-inside" in answer.text
                found = {path.name for path in (written, ran) if path.exists()}
                found |= {"read"} if "word-outside" in answer.text else set()
                assert (found, asked) == expected, name
                for path in (written, ran):
                    path.unlink(missing_ok=True)
            # The page of the last job is left before its gateway is.
            page.goto("about:blank")


def start(page: Page, folder: Path, preset: str) -> str:
    """Start a job from the form; returns its id."""
    page.evaluate("location.hash = '#/new'")
    page.get_by_label("Prompt", exact=True).fill("Go")
    page.get_by_label("Folder", exact=True).fill(str(folder))
    page.get_by_label(preset, exact=True).check()
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"#/jobs/[-0-9a-f]{36}$"))
    return page.url.rpartition("/")[2]


def deny_all(gateway: Gateway, job: str) -> set[str]:
    """Deny what a job asks for until it has ended; returns the tools that it asked for."""
    tools: set[str] = set()

    def ended() -> bool:
        listed = gateway.ask("GET", f"/jobs/{job}/questions").json()["questions"]
        for question in listed:
            tools.add(question["tool_name"])
            answer = {"behavior": "deny", "message": "no"}
            gateway.ask("POST", f"/jobs/{job}/questions/{question['question_id']}", json=answer)
        return bool(gateway.ask("GET", f"/jobs/{job}").json()["status"] == "succeeded")

    # The CLI asks the model five times.
    eventually(ended, patience=60)
    return tools
