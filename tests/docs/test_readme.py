"""The README: short, in its order, and with a picture of what the command really prints."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.pages import ROOT, page, rows

README = page("README.md")
IMAGES = ROOT / "docs/images"


def test_it_is_short() -> None:
    assert len(README.text.splitlines()) <= 150


def test_its_sections_are_in_the_order_of_a_newcomers_questions() -> None:
    assert README.headings() == [
        "claudecode2api",
        "Why",
        "Try it in 30 seconds",
        "Install",
        "First job",
        "What you can do",
        "Endpoints and settings that matter",
        "Compared with",
        "Security",
        "Platforms",
        "Help",
    ]
    assert len(rows(README.section("What you can do"))) == 11


def shown_in(path: Path) -> list[str]:
    """The lines of a picture."""
    lines: dict[str, str] = {}
    # It is a file of ours.
    for text in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314
        lines[text.attrib["y"]] = lines.get(text.attrib["y"], "") + (text.text or "")
    return list(lines.values())


def masked(lines: list[str]) -> str:
    """Without what is different each time."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f-]+)?|\b\d+(\.\d+)?(?= s\b)|\$\d\.\d+", "x", "".join(lines))
    # The wrapped ends of ids; columns are as wide as what is in them.
    return re.sub(r"\s+", " ", re.sub(r"job [0-9a-fx-]+", "job x", text))


def test_the_pictures_for_light_and_dark_show_the_same_and_fit_on_a_page() -> None:
    light, dark = IMAGES / "run-light.svg", IMAGES / "run-dark.svg"
    assert shown_in(light) == shown_in(dark)
    for path in (light, dark):
        root = ElementTree.parse(path).getroot()  # noqa: S314
        assert int(root.attrib["width"]) <= 800
        assert path.stat().st_size < 10_000


@pytest.mark.real
@pytest.mark.timeout(120)
def test_the_picture_is_what_the_command_prints(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/picture", "--to", tmp_path],
        env={
            **{"PATH": os.defpath, "HOME": str(tmp_path), "LANG": "C.UTF-8"},
            "TEST_CLAUDE": os.environ["TEST_CLAUDE"],
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    now = shown_in(tmp_path / "run-light.svg")
    assert masked(now) == masked(shown_in(IMAGES / "run-light.svg"))
