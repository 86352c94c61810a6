"""The pages of the documentation, taken apart: headings, links, code blocks, tables."""

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
#: Those that are read on the web; the changelog is the history of all of them.
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], key=lambda path: (path.parent, path.name)
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")
_ATTRIBUTE = re.compile(r'\b(?:src|srcset|href)="([^"]+)"')


class Block(NamedTuple):
    """A fenced block of code."""

    language: str
    text: str


class Page:
    """One page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.text = path.read_text(encoding="utf-8")
        #: Without blocks of code.
        self.prose = _FENCE.sub("", self.text)

    def headings(self) -> list[str]:
        """The headings, without their signs."""
        return re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)

    def anchors(self) -> set[str]:
        """What links can point at, as GitHub makes them of headings."""
        found: set[str] = set(re.findall(r'<a id="([^"]+)">', self.prose))
        for heading in self.headings():
            anchor, number = slug(heading), 0
            while anchor in found:
                number += 1
                anchor = f"{slug(heading)}-{number}"
            found.add(anchor)
        return found

    def links(self) -> list[str]:
        """The targets of all links and pictures."""
        plain = re.sub(r"`[^`\n]*`", lambda match: "x" * len(match[0]), self.prose)
        return [*_LINK.findall(plain), *_ATTRIBUTE.findall(plain)]

    def blocks(self, *languages: str) -> list[Block]:
        """The blocks of code in these languages, or all."""
        found = [Block(language, text) for language, text in _FENCE.findall(self.text)]
        return [block for block in found if not languages or block.language in languages]

    def section(self, heading: str) -> str:
        """The text under a heading, with the sections below it. Fails if there is none."""
        match = re.search(rf"^(#+) {re.escape(heading)}\n", self.text, re.MULTILINE)
        assert match, f"{self.name} has no section {heading!r}"
        level, rest = len(match[1]), self.text[match.end() :]
        end = re.search(rf"^#{{1,{level}}} ", _without_fences(rest), re.MULTILINE)
        return rest[: end.start()] if end else rest

    def names(self) -> set[str]:
        """All that stands between backticks."""
        return set(re.findall(r"`([^`\n]+)`", self.prose))


def page(name: str) -> Page:
    """A page by its path in the repository."""
    return Page(ROOT / name)


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of all tables in a text, without their heads."""
    found, before = [], ""
    for line in text.splitlines():
        if line.startswith("|") and before.startswith("|") and not line.startswith("|--"):
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        before = line
    return found


def names_in(cell: str) -> list[str]:
    """What stands between backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading.

    >>> slug("`GET /chat/{process_id}`"), slug("What's new, and why?")
    ('get-chatprocess_id', 'whats-new-and-why')
    """
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return "".join(
        "-" if letter == " " else letter
        for letter in text
        if letter in " -_" or unicodedata.category(letter)[0] in "LN"
    )


def _without_fences(text: str) -> str:
    """The same text with blanks in place of blocks of code."""
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
