"""The error messages on the page about troubleshooting are those of the gateway or of the CLI."""

import ast
import re

import pytest

from tests.support.pages import ROOT, names_in, page

HEADINGS = [
    text
    for heading in page("docs/troubleshooting.md").headings()
    for text in names_in(heading)
    if " " in text
]
#: What the CLI says.
OF_THE_CLI = (
    "Not logged in · Please run /login",
    "--dangerously-skip-permissions cannot be used with root",
    "option '--permission-mode",
    "No conversation found with session ID",
)
#: What stands in place of a value on the page.
VALUES = (
    r"…|'allowed_tools?'|\d+(?= s$)|AUTH_PASSWORD|STATE_DIR|HOST|API_KEYS"
    r"|\.env, |; |\. |CLAUDE_PATH \("
)


def texts() -> str:
    """All texts in the gateway's code and its programs, one part of a formatted text a line."""
    programs = ("scripts/claudecode2api", "scripts/container")
    found = [(ROOT / name).read_text(encoding="utf-8") for name in programs]
    for path in [*(ROOT / "app").rglob("*.py"), ROOT / "gunicorn.conf.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


ALL = texts()


@pytest.mark.parametrize("text", [text for text in HEADINGS if not text.startswith(OF_THE_CLI)])
def test_a_message_is_in_the_code(text: str) -> None:
    for part in re.split(VALUES, text):
        assert part.strip(" ().;:") in ALL, part
