"""A table of text, such as the list of jobs. Pure."""

from datetime import datetime

from app.tool.printable import printable


def table(rows: list[tuple[str, ...]]) -> str:
    r"""Rows as text, their columns aligned.

    >>> table([("ID", "X"), ("a", "b"), ("long", "c")])
    'ID    X\na     b\nlong  c\n'
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def cell(text: str) -> str:
    r"""Text from elsewhere as a cell: the name of a folder may contain any character.

    >>> cell("a\nb")
    'a\ufffdb'
    """
    return printable(text).replace("\n", "\N{REPLACEMENT CHARACTER}")


def age(moment: str, now: datetime) -> float:
    """Seconds since a moment, a timestamp of the gateway's."""
    return (now - datetime.fromisoformat(moment)).total_seconds()


def ago(seconds: float) -> str:
    """A duration in its largest unit.

    >>> ago(59.9), ago(60), ago(7200), ago(172800)
    ('59 s', '1 min', '2 h', '2 d')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(seconds, 0))} s"
