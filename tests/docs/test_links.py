"""The links of the documentation lead somewhere, and every page can be reached."""

import subprocess
from pathlib import Path

import pytest

from tests.support.pages import PAGES, ROOT, Page

NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


def targets(page: Page) -> list[tuple[Path, str]]:
    """The files and anchors of the relative links of a page."""
    found = []
    for link in page.links():
        if not link.startswith(("http://", "https://")):
            path, _, anchor = link.partition("#")
            found.append(((page.path.parent / path).resolve() if path else page.path, anchor))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_relative_links_lead_to_files_and_headings(name: str) -> None:
    page = Page(ROOT / name)
    for path, anchor in targets(page):
        assert path.exists(), f"{name} links to {path}"
        assert path.is_relative_to(ROOT)
        if anchor:
            assert anchor in Page(path).anchors(), f"{name} links to {path.name}#{anchor}"


@pytest.mark.parametrize("name", NAMES)
def test_links_to_other_sites_are_encrypted(name: str) -> None:
    for link in Page(ROOT / name).links():
        assert not link.startswith("http://"), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = set(), [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path not in reached and path.suffix == ".md":
            reached.add(path)
            left += [target for target, _ in targets(Page(path))]
    assert set(PAGES) <= reached


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = {path for path, _ in targets(Page(ROOT / "docs/README.md"))}
    assert {path for path in PAGES if path.parent.name == "docs"} - listed == {
        ROOT / "docs/README.md"
    }


def test_linked_files_are_in_the_repository() -> None:
    kept = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for path in PAGES:
        for target, _ in targets(Page(path)):
            inside = str(target.relative_to(ROOT))
            assert any(file == inside or file.startswith(f"{inside}/") for file in kept), inside
