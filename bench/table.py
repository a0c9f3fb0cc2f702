"""One aligned table of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.rounds import PeerResult

NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """`title` may have two lines; `cell` makes the text of one row."""

    title: str
    cell: Callable[[PeerResult], str]


def number(value: float | None, digits: int = 0) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"


def spread(ends: tuple[float, float] | None, digits: int = 0) -> str:
    return NOTHING if ends is None else f"{ends[0]:,.{digits}f}..{ends[1]:,.{digits}f}"


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value * 100:.0f}%"


def render(columns: Sequence[Column], results: Sequence[PeerResult]) -> str:
    """The first column is the peer's name, the others are right-aligned; a peer without
    samples gets the reason in place of numbers, one that failed in a later round gets both."""
    names = [result.peer.name for result in results]
    name_width = max([len(name) for name in names] + [len("peer")])
    titles = [column.title.split("\n") for column in columns]
    height = max(len(title) for title in titles)
    cells = {
        result.peer.name: [column.cell(result) for column in columns]
        for result in results
        if result.samples
    }
    widths = [
        max([len(line) for line in titles[index]] + [len(row[index]) for row in cells.values()])
        for index in range(len(columns))
    ]

    def line(first: str, others: Sequence[str]) -> str:
        padded = (text.rjust(width) for text, width in zip(others, widths, strict=True))
        return "  ".join([first.ljust(name_width), *padded]).rstrip()

    lines = []
    for level in range(height):
        heads = [([""] * (height - len(title)) + title)[level] for title in titles]
        lines.append(line("peer" if level == height - 1 else "", heads))
    lines.append("-" * max(len(text) for text in lines))
    for result in results:
        name = result.peer.name
        if name in cells:
            lines.append(line(name, cells[name]))
        if result.unavailable is not None:
            lines.append(f"{name.ljust(name_width)}  NOT MEASURED: {result.unavailable}")
        if result.failure is not None:
            lines.append(f"{name.ljust(name_width)}  FAILED {result.failure}")
    return "\n".join(lines)
