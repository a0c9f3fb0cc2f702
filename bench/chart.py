"""Draws the results: `python -m bench.chart bench/results/*.json -o docs/benchmarks.svg`.

One panel for each file, in the order of the arguments. The colours are between light and dark, and there
is no background, so that the picture can be read on either.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

COLUMN_WIDTH = 490
COLUMN_GAP = 30
NAME_WIDTH = 135
VALUE_WIDTH = 100
BAR_WIDTH = COLUMN_WIDTH - NAME_WIDTH - VALUE_WIDTH
ROW = 18
BAR = 11
HEAD = 42
PANEL_GAP = 26
SMALL_PRINT_ROW = 14
SMALL_PRINT_CHARACTERS = 165
MARGIN = 8

TEXT = "#737d88"
OURS = "#d9682a"
REFERENCE = "#2f9a8c"
OTHERS = "#7c8fae"
FONT = "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\""
SPREAD_HALF_HEIGHT = 3


@dataclass(frozen=True)
class Bar:
    name: str
    value: float
    low: float
    high: float
    inner: float | None


def _values(peer: dict[str, Any], measure: str) -> list[float]:
    found = (sample.get(measure) for sample in peer["rounds"])
    return [value for value in found if value is not None]


def _bars(document: dict[str, Any]) -> list[Bar]:
    """The peers that were measured; the inner part is a mean, as in the table."""
    chart = document["chart"]
    bars = []
    for peer in document["peers"]:
        values = _values(peer, chart["measure"])
        if not values:
            continue
        parts = _values(peer, chart["inner"]) if chart["inner"] else []
        bars.append(
            Bar(
                name=peer["name"],
                value=statistics.median(values),
                low=min(values),
                high=max(values),
                inner=statistics.fmean(parts) if parts else None,
            )
        )
    return bars


def _colour(name: str) -> str:
    if name.startswith("uvnet"):
        return OURS
    return REFERENCE if name.startswith("C ") or name == "direct call" else OTHERS


def _text(x: float, y: float, text: str, size: int, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{TEXT}" {more}>{escape(text)}</text>'


def _rectangle(x: float, y: float, width: float, colour: str, opacity: float) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{BAR}" '
        f'fill="{colour}" fill-opacity="{opacity}"/>'
    )


def _spread(x: float, y: float, low: float, high: float) -> str:
    """A line from the lowest to the highest value, with an end at each."""
    middle = y + BAR / 2
    top, bottom = middle - SPREAD_HALF_HEIGHT, middle + SPREAD_HALF_HEIGHT
    path = (
        f"M{x + low:.1f} {top:.1f}V{bottom:.1f}M{x + low:.1f} {middle:.1f}H{x + high:.1f}"
        f"M{x + high:.1f} {top:.1f}V{bottom:.1f}"
    )
    return f'<path d="{path}" stroke="{TEXT}" fill="none"/>'


def _row(x: float, y: float, bar: Bar, scale: float, digits: int) -> Iterable[str]:
    """A weaker bar for the whole and a strong one for its inner part; one strong bar without one."""
    start, base = x + NAME_WIDTH, y + BAR - 1
    colour = _colour(bar.name)
    weight = 'font-weight="600"' if colour == OURS else ""
    yield _text(start - 6, base, bar.name, 11, f'text-anchor="end" {weight}')
    yield _rectangle(start, y, bar.value * scale, colour, 1.0 if bar.inner is None else 0.45)
    if bar.inner is not None:
        yield _rectangle(start, y, bar.inner * scale, colour, 1.0)
    if bar.high > bar.low:
        yield _spread(start, y, bar.low * scale, bar.high * scale)
    end = start + max(bar.value, bar.high) * scale + 5
    label = f"{bar.value:,.{digits}f}"
    if bar.inner is not None:
        label += f" ({bar.inner:,.{digits}f})"
    yield _text(end, base, label, 11, weight)


def _panel_height(bars: Sequence[Bar]) -> int:
    return HEAD + ROW * len(bars) + PANEL_GAP


def _panel(x: float, y: float, document: dict[str, Any], bars: Sequence[Bar]) -> Iterable[str]:
    chart = document["chart"]
    better = "longer is better" if chart["more_is_better"] else "shorter is better"
    inner = f" (strong, and in brackets: {chart['inner_title']})" if chart["inner"] else ""
    yield _text(x, y + 13, document["title"], 13, 'font-weight="600"')
    yield _text(x, y + 29, f"{chart['title']}{inner}; {better}", 11)
    scale = BAR_WIDTH / (max(bar.high for bar in bars) or 1.0)
    for index, bar in enumerate(bars):
        yield from _row(x, y + HEAD + ROW * index, bar, scale, chart["digits"])


def _distinct(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= SMALL_PRINT_CHARACTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _small_print(documents: Sequence[dict[str, Any]]) -> list[str]:
    days = sorted({document["taken"][:10] for document in documents})
    rounds = _distinct(str(document["settings"]["rounds"]) for document in documents)
    machines = _distinct(
        "{processor}, {cores} cores, {virtual}, {system}".format_map(document["machine"])
        for document in documents
    )
    versions = _distinct(
        ", ".join(
            f"{name} {version}"
            for name, version in document["versions"].items()
            if name != "compiler" and "libuv" not in name
        )
        for document in documents
    )
    taken = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    about = f"Medians of {rounds} interleaved rounds; lines from the lowest to the highest value."
    return [line for text in (about, f"{taken}, {machines}", versions) for line in _wrapped(text)]


def draw(documents: Sequence[dict[str, Any]]) -> str:
    """The picture of results as `bench.report` stores them; those without a chart are left out.

    Raises ValueError when nothing is left.
    """
    panels = [(document, _bars(document)) for document in documents if document.get("chart")]
    panels = [(document, bars) for document, bars in panels if bars]
    if not panels:
        raise ValueError("no result has anything to draw")
    heights = [float(MARGIN), float(MARGIN)]
    parts: list[str] = []
    for document, bars in panels:
        column = heights.index(min(heights))
        x = MARGIN + column * (COLUMN_WIDTH + COLUMN_GAP)
        parts.extend(_panel(x, heights[column], document, bars))
        heights[column] += _panel_height(bars)
    bottom = max(heights)
    lines = _small_print([document for document, _ in panels])
    for index, line in enumerate(lines):
        parts.append(_text(MARGIN, bottom + SMALL_PRINT_ROW * (index + 1), line, 10))
    width = 2 * (MARGIN + COLUMN_WIDTH) + COLUMN_GAP
    height = bottom + SMALL_PRINT_ROW * (len(lines) + 1)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
        f'width="{width}" height="{height:.0f}" {FONT} role="img" aria-label="Benchmarks of uvnet">'
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chart", description=__doc__)
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT.json")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="CHART.svg")
    arguments = parser.parse_args()
    try:
        picture = draw([json.loads(path.read_text()) for path in arguments.results])
    except (OSError, ValueError, KeyError) as error:
        print(f"bench.chart: {error!r}", file=sys.stderr)
        return 1
    arguments.output.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
