"""The console's form that starts jobs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import NewPage
from tests.support.console import sign_in
from tests.support.gateway import PASSWORD, PATIENCE, Gateway, eventually
from tests.support.two_users import ALICE, KEYS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

#: A prompt for the fake CLI with what shells, Python and JavaScript would read otherwise.
AWKWARD = 'line it\'s "quoted" \\n $HOME `id` %s {x}\nline ä\u2028\U0001f642 \\'
PRINTED = ['it\'s "quoted" \\n $HOME `id` %s {x}', "ä\u2028\U0001f642 \\"]


@pytest.fixture
def gateway(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with two users beside the operator; jobs of other tests have ended."""
    return gateway_with(API_KEYS=KEYS)


@pytest.fixture
def form(page: Page, gateway: Gateway) -> Page:
    """The form, with the project's folder in it."""
    sign_in(page, gateway.url, "admin", PASSWORD, "#/new")
    page.get_by_label("Folder", exact=True).fill(str(gateway.project))
    return page


def prompt_of(page: Page) -> Any:
    """The field of the prompt."""
    return page.get_by_label("Prompt", exact=True)


def job_of(page: Page) -> str:
    """The id of the job whose page is shown."""
    page.wait_for_url(re.compile(r"#/jobs/[-0-9a-f]{36}$"))
    return page.url.rpartition("/")[2]


def test_a_job_is_started_with_a_preset_and_is_in_the_list(form: Page, gateway: Gateway) -> None:
    prompt_of(form).fill("arguments\nresult ok")
    form.get_by_label("Edits", exact=True).check()
    form.get_by_label("Title").fill("From the form")
    prompt_of(form).press("Control+Enter")
    job = job_of(form)
    eventually(lambda: gateway.ask("GET", f"/jobs/{job}").json()["status"] == "succeeded")
    record = gateway.ask("GET", f"/jobs/{job}").json()
    assert (record["title"], record["detached"]) == ("From the form", True)
    lines = gateway.ask("GET", f"/chat/{job}", headers={"Accept": "application/x-ndjson"}).text
    arguments = next(line for line in map(json.loads, lines.splitlines()) if "argv" in line)["argv"]
    assert "--permission-mode=acceptEdits" in arguments
    assert "--permission-prompt-tool=stdio" in arguments
    assert "--include-partial-messages" in arguments
    form.get_by_role("link", name="Jobs", exact=True).click()
    expect(form.get_by_role("link", name="From the form")).to_be_visible()


def test_what_was_not_sent_is_still_there_after_a_reload_and_not_after_a_start(
    form: Page, gateway: Gateway
) -> None:
    prompt_of(form).fill("result ok")
    # It is kept once it is shown.
    eventually(lambda: "result ok" in form.evaluate("JSON.stringify({...sessionStorage})"))
    form.reload()
    expect(prompt_of(form)).to_have_value("result ok")
    expect(form.get_by_label("Folder", exact=True)).to_have_value(str(gateway.project))
    form.get_by_role("button", name="Start", exact=True).click()
    job_of(form)
    form.get_by_role("link", name="Start", exact=True).click()
    expect(prompt_of(form)).to_have_value("")


def test_what_is_refused_is_shown_at_its_field(form: Page, gateway: Gateway) -> None:
    form.get_by_role("button", name="Start", exact=True).click()
    expect(prompt_of(form)).to_have_attribute("aria-invalid", "true")
    prompt_of(form).fill("result ok")
    form.get_by_text("All other fields").click()
    form.get_by_label("Search in the fields").fill("max turns")
    form.get_by_label("max_turns").fill("0")
    form.get_by_role("button", name="Start", exact=True).click()
    expect(form.locator("#problem-max_turns")).to_contain_text("greater than or equal to 1")
    form.get_by_label("max_turns").fill("")
    form.get_by_label("Folder", exact=True).fill("/there/is/no/such/folder")
    form.get_by_role("button", name="Start", exact=True).click()
    expect(form.locator("#problem-cwd")).to_contain_text("/there/is/no/such/folder")
    assert "#/new" in form.url


def test_files_become_blocks_of_the_prompt_and_images_do_not(form: Page, tmp_path: Path) -> None:
    text, image = tmp_path / "notes.md", tmp_path / "a.png"
    text.write_text("```\ncode\n```\n", encoding="utf-8")
    image.write_bytes(b"\x89PNG\r\n")
    prompt_of(form).fill("Look:")
    with form.expect_file_chooser() as chooser:
        form.get_by_role("button", name="Add a file").click()
    chooser.value.set_files([text, image])
    expect(prompt_of(form)).to_have_value("Look:\n\nnotes.md:\n\n````\n```\ncode\n```\n````\n")
    expect(form.get_by_text("a.png is an image")).to_be_visible()
    dropped = form.evaluate_handle(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["dropped"], "b.txt"));
            return data;
        }"""
    )
    prompt_of(form).dispatch_event("drop", {"dataTransfer": dropped})
    expect(prompt_of(form)).to_have_value(re.compile("b.txt:\n\n```\ndropped\n```\n$"))


def test_a_link_continues_or_forks_a_session(form: Page) -> None:
    session = "6a1f5a52-0d3a-4f0e-9d55-1f4ed2a3c001"
    page = form
    page.evaluate(f"location.hash = '#/new?session={session}&cwd=/srv&fork=1'")
    expect(page.get_by_text("Continues a copy of the session")).to_be_visible()
    expect(page.get_by_label("Folder", exact=True)).to_have_value("/srv")
    page.get_by_text("The same as code").click()
    code = page.get_by_label("The request in curl")
    expect(code).to_contain_text('"fork_session": true')
    page.get_by_label("Fork: leave the session").uncheck()
    expect(code).not_to_contain_text("fork_session")
    expect(code).to_contain_text(session)


def test_folders_are_completed_below_the_roots(
    page: Page, start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    root = tmp_path / "roots"
    for name in ("alpha", "album", "beta"):
        (root / name).mkdir(parents=True)
    gateway = start_gateway(CWD_ROOTS=str(root))
    sign_in(page, gateway.url, "admin", PASSWORD, "#/new")
    # The only root is the first guess.
    expect(page.get_by_label("Folder", exact=True)).to_have_value(str(root))
    page.get_by_label("Folder", exact=True).fill(f"{root}/al")
    for name, count in (("alpha", 1), ("album", 1), ("beta", 0)):
        expect(page.locator(f'#folders option[value="{root}/{name}"]')).to_have_count(count)


def test_a_job_that_is_not_detached_ends_with_its_tab(new_page: NewPage, gateway: Gateway) -> None:
    page = new_page()
    sign_in(page, gateway.url, "", ALICE, "#/new")
    page.get_by_label("Folder", exact=True).fill(str(gateway.project))
    prompt_of(page).fill("silent")
    page.get_by_label("Go on when this tab is closed").uncheck()
    page.get_by_role("button", name="Start", exact=True).click()
    job = job_of(page)
    # To look at another page is no reason to end it.
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_role("link", name="silent").first).to_be_visible()
    assert gateway.ask("GET", f"/jobs/{job}").json()["status"] == "running"
    page.close()
    eventually(lambda: gateway.ask("GET", f"/jobs/{job}").json()["status"] == "cancelled")


@pytest.mark.parametrize("language", ["curl", "Python"])
def test_the_code_does_what_the_form_does(form: Page, gateway: Gateway, language: str) -> None:
    prompt_of(form).fill(AWKWARD)
    form.get_by_label("Everything", exact=True).check()
    form.get_by_text("The same as code").click()
    form.get_by_role("button", name=language).click()
    code = form.get_by_label(f"The request in {language}").inner_text()
    if language == "curl":
        # It would ask a terminal for the password.
        program = [
            "sh",
            "-c",
            code.replace("-u admin", '-u "admin:$AUTH_PASSWORD" --no-progress-meter'),
        ]
    else:
        program = [sys.executable, "-c", code]
    done = subprocess.run(
        program,
        env={"PATH": os.environ["PATH"], "AUTH_PASSWORD": PASSWORD, "HOME": str(gateway.home)},
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    data = re.findall("^data: ([^{].*)$", done.stdout.decode(), re.MULTILINE)
    assert data == PRINTED, done.stdout
