"""Draws the results: `python -m bench.chart bench/results/*.json -o docs/benchmarks.svg`.

One panel for each file, one below the other, in the order of the arguments: narrow enough to be read where there are
400 pixels. The colours are between light and dark, and there is no background, so that the picture can be read on either.
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

WIDTH = 420
MARGIN = 8
NAME_WIDTH = 142
VALUE_WIDTH = 96
BAR_WIDTH = WIDTH - 2 * MARGIN - NAME_WIDTH - VALUE_WIDTH
ROW = 18
BAR = 11
LINE = 16
GAP = 10
PANEL_GAP = 26
TITLE_SIZE = 14
SIZE = 12
SMALL_SIZE = 11
EM = 0.53  # how wide a character is, on average and a little more, as a part of the size

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
    yield _text(start - 6, base, bar.name, SIZE, f'text-anchor="end" {weight}')
    yield _rectangle(start, y, bar.value * scale, colour, 1.0 if bar.inner is None else 0.45)
    if bar.inner is not None:
        yield _rectangle(start, y, bar.inner * scale, colour, 1.0)
    if bar.high > bar.low:
        yield _spread(start, y, bar.low * scale, bar.high * scale)
    end = start + max(bar.value, bar.high) * scale + 5
    label = f"{bar.value:,.{digits}f}"
    if bar.inner is not None:
        label += f" ({bar.inner:,.{digits}f})"
    yield _text(end, base, label, SIZE, weight)


def _head(document: dict[str, Any]) -> list[tuple[str, int, str]]:
    """The lines above the bars: text, size, and how they are drawn."""
    chart = document["chart"]
    better = "longer is better" if chart["more_is_better"] else "shorter is better"
    inner = f" (strong, and in brackets: {chart['inner_title']})" if chart["inner"] else ""
    title = [(line, TITLE_SIZE, 'font-weight="600"') for line in _wrapped(document["title"], TITLE_SIZE)]
    measure = [(line, SIZE, "") for line in _wrapped(f"{chart['title']}{inner}; {better}", SIZE)]
    note = _wrapped(chart["note"], SMALL_SIZE) if chart.get("note") else []
    return title + measure + [(line, SMALL_SIZE, "") for line in note]


def _panel_height(document: dict[str, Any], bars: Sequence[Bar]) -> int:
    return LINE * len(_head(document)) + GAP + ROW * len(bars) + PANEL_GAP


def _panel(y: float, document: dict[str, Any], bars: Sequence[Bar]) -> Iterable[str]:
    for text, size, more in _head(document):
        yield _text(MARGIN, y + TITLE_SIZE - 1, text, size, more)
        y += LINE
    scale = BAR_WIDTH / (max(bar.high for bar in bars) or 1.0)
    for index, bar in enumerate(bars):
        yield from _row(MARGIN, y + GAP + ROW * index, bar, scale, document["chart"]["digits"])


def _distinct(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _wrapped(text: str, size: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if (len(lines[-1]) + 1 + len(word)) * size * EM > WIDTH - 2 * MARGIN:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _versions(documents: Sequence[dict[str, Any]]) -> str:
    found: dict[str, list[str]] = {}
    for document in documents:
        for name, version in document["versions"].items():
            if name != "compiler" and "libuv" not in name:
                found.setdefault(name, []).append(version)
    return ", ".join(f"{name} {_distinct(versions)}" for name, versions in found.items())


def _small_print(documents: Sequence[dict[str, Any]]) -> list[str]:
    days = sorted({document["taken"][:10] for document in documents})
    rounds = _distinct(str(document["settings"]["rounds"]) for document in documents)
    machines = _distinct(
        "{processor}, {cores} cores, {virtual}, {system}".format_map(document["machine"])
        for document in documents
    )
    taken = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    about = f"Medians of {rounds} interleaved rounds; lines from the lowest to the highest value."
    return [
        line
        for text in (about, f"{taken}, {machines}", _versions(documents))
        for line in _wrapped(text, SMALL_SIZE)
    ]


def draw(documents: Sequence[dict[str, Any]]) -> str:
    """The picture of results as `bench.report` stores them; those without a chart are left out.

    Raises ValueError when nothing is left.
    """
    panels = [(document, _bars(document)) for document in documents if document.get("chart")]
    panels = [(document, bars) for document, bars in panels if bars]
    if not panels:
        raise ValueError("no result has anything to draw")
    height = MARGIN
    parts: list[str] = []
    for document, bars in panels:
        parts.extend(_panel(height, document, bars))
        height += _panel_height(document, bars)
    for line in _small_print([document for document, _ in panels]):
        height += LINE
        parts.append(_text(MARGIN, height, line, SMALL_SIZE))
    height += LINE
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" {FONT} role="img" aria-label="Benchmarks of uvnet">'
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
