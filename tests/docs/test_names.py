"""The names that the documentation uses exist: settings, routes, error codes, events, metrics."""

import ast
import json
import re
from functools import cache

import pytest

from app.openapi.document import make_document
from app.settings import setting_names
from tests.support.described import application
from tests.support.pages import PAGES, ROOT, Page, page, rows

#: The pages about this gateway; the others are about its history or its code.
NAMES = [
    str(path.relative_to(ROOT))
    for path in PAGES
    if path.name not in ("CHANGELOG.md", "files.md", "design.md", "coming-from.md")
]
DOCUMENT = make_document(application())
#: The events of all streams.
EVENTS = {*re.findall(r'"event": \{"const": "(\w+)"', json.dumps(DOCUMENT))}
#: Names in capitals that are no settings of ours: variables, and other programs' names.
OTHERS = {
    *("CLAUDECODE2API_ENV_FILE", "XDG_CONFIG_HOME"),
    *("CI", "JOB", "KEY", "GATEWAY", "HOME", "PATH", "PROMPT", "TMPDIR", "IS_SANDBOX"),
    *(
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "HTTPS_PROXY",
        "NODE_EXTRA_CA_CERTS",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "REQUESTS_CA_BUNDLE",
    ),
    *("OPENAI_API_BASE", "OPENAI_API_BASE_URL", "STATE_DIRECTORY", "AI_AGENT", "CLAUDE_EFFORT"),
    *("GIT_SSH_COMMAND", "CLAUDECODE2API_KEY", "REQUESTS_CA_BUNDLE"),
    # Of scripts/container and the Dockerfile.
    *("CLAUDE_VERSION", "CONTAINER_ENGINE", "CONTAINER_USER"),
}


@pytest.mark.parametrize("name", NAMES)
def test_settings_exist(name: str) -> None:
    shown = re.findall(r"(?<![\w$-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w*]|_?…)", text_of(name))
    wrong = {each for each in shown if each not in setting_names() | OTHERS | _placeholders(name)}
    assert not wrong


@pytest.mark.parametrize("name", NAMES)
def test_routes_exist(name: str) -> None:
    for method, path in re.findall(r"`(GET|POST|PUT|DELETE) (/[^` ?]*)[^`]*`", text_of(name)):
        assert method.lower() in DOCUMENT["paths"].get(path, {}), f"{method} {path}"


@pytest.mark.parametrize("name", NAMES)
def test_metrics_exist(name: str) -> None:
    table = {row[0].strip("`") for row in rows(page("docs/operations.md").section("Metrics"))}
    for metric in re.findall(r"\bclaudecode2api_[a-z_]+", text_of(name)):
        assert re.sub("_(bucket|count|sum)$", "", metric) in table, metric


@pytest.mark.parametrize("name", NAMES)
def test_error_codes_in_tables_exist(name: str) -> None:
    for row in rows(Page(ROOT / name).text):
        if re.fullmatch(r"\d{3}(, \d{3})*", row[0]):
            for code in re.findall(r"`([a-z_]+)`", row[1]):
                assert code in literals(), code


@pytest.mark.parametrize("name", NAMES)
def test_events_exist(name: str) -> None:
    for event in re.findall(r"event: (\w+)", text_of(name)):
        assert event in EVENTS


@cache
def literals() -> frozenset[str]:
    """All texts in the gateway's code."""
    return frozenset(
        node.value
        for path in (ROOT / "app").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def text_of(name: str) -> str:
    """A page's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def _placeholders(name: str) -> set[str]:
    """Names that stand for something the reader puts in."""
    return set(re.findall(r"<([A-Z_]+)>", text_of(name)))
