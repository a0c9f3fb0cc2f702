"""Tables on a terminal, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["CLEAR", "duration", "size", "table"]

CLEAR = "\x1b[H\x1b[J"


def table(rows: Sequence[Sequence[str]], words: Sequence[int]) -> Iterator[str]:
    """Rows as lines: the columns `words` to the left, all others, which are numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(
            cell.ljust(width) if index in words else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()


def duration(seconds: float) -> str:
    """5 s, 2:05, 1:02:05, 3 d 04:00"""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: float | None) -> str:
    """512 B, 1.5 KiB, 3.0 MiB; "-" for None."""
    if count is None:
        return "-"
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TiB"
