"""Draws the packages of uvnet, one above the other: `.venv/bin/python docs/rooms.py` writes docs/rooms.svg.

Their order is the table of tests/project/test_layers.py, the arrows are the imports that its functions find, the words
the beginnings of their docstrings.  The colours are those of bench/chart.py: between light and dark, without a
background, so that the picture can be read on either.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "rooms.svg"
TABLE = ROOT / "tests" / "project" / "test_layers.py"

# The first room above it.  The same test sees that who calls libuv stands below, and who knows an event's name above.
BORDER = "uvnet.events"
BELOW = "below: may call libuv, knows the name of no event"
ABOVE = "above: knows events, calls no libuv"

WIDTH = 700
MARGIN = 8
BOX_WIDTH = 580
BOX = 26
STEP = 44  # from one box to the next
BORDER_GAP = 30  # more, where the border is
NAME_WIDTH = 104
LANES = MARGIN + BOX_WIDTH + 22
LANE = 22
HEAD = 5  # of an arrow
LINE = 18
NAME_SIZE = 13
SIZE = 12
EM = 0.53  # how wide a character is, on average and a little more, as a part of the size

TEXT = "#737d88"
UPPER = "#d9682a"
LOWER = "#2f9a8c"
FONT = "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\""

Imports = Mapping[str, set[str]]


def layers() -> ModuleType:
    """The test that has the table, as a module."""
    support = str(ROOT / "tests" / "support")
    if support not in sys.path:
        sys.path.append(support)
    specification = importlib.util.spec_from_file_location("layers_of_rooms", TABLE)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def imports_between(test: ModuleType) -> dict[str, set[str]]:
    """The rooms that each room imports."""
    found: dict[str, set[str]] = {room: set() for room in test.ROOMS}
    for path in test.CODE:
        room = test.room_of(test.module_of(path))
        found[room] |= {test.room_of(imported) for imported in test.imports_of(path.read_text())} - {room}
    return found


def reached(imports: Imports, rooms: Iterable[str]) -> set[str]:
    """What these rooms import, what that imports, and so on."""
    found: set[str] = set()
    waiting = list(rooms)
    while waiting:
        new = imports[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def arrows(imports: Imports) -> dict[str, set[str]]:
    """The imports that do not follow from the others."""
    return {room: below - reached(imports, below) for room, below in imports.items()}


def what_it_is(room: str) -> str:
    """The first sentence of a room's docstring, or as many of its parts as there is room for."""
    place = ROOT.joinpath("src", *room.split("."))
    place = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    found = re.match(r'"""(.+?)(?:\.(?=\s|"""))', place.read_text())
    assert found is not None, f"{place} does not say what it is"
    parts = re.split(r"(?<=[,:]) ", found[1].replace("`", ""))
    while len(parts) > 1 and len(" ".join(parts)) * SIZE * EM > BOX_WIDTH - NAME_WIDTH:
        parts.pop()
    return " ".join(parts).rstrip(",:")


def lanes(long: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A lane beside the boxes for each arrow (from a box, down to a box), so that none lies upon another."""
    found: dict[tuple[int, int], int] = {}
    for top, bottom in sorted(long, key=lambda arrow: (arrow[0] - arrow[1], arrow)):
        taken = {lane for (high, low), lane in found.items() if low < top and bottom < high}
        found[top, bottom] = min(lane for lane in range(len(taken) + 1) if lane not in taken)
    return found


def _text(x: float, y: float, text: str, size: int, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{TEXT}"{more}>{escape(text)}</text>'


def _box(y: int, room: str, colour: str) -> Iterable[str]:
    yield (
        f'<rect x="{MARGIN}" y="{y}" width="{BOX_WIDTH}" height="{BOX}" rx="3" '
        f'fill="{colour}" fill-opacity="0.13" stroke="{colour}"/>'
    )
    yield _text(MARGIN + 10, y + 18, room.removeprefix("uvnet."), NAME_SIZE, ' font-weight="600"')
    yield _text(MARGIN + NAME_WIDTH, y + 18, what_it_is(room), SIZE)


def _arrow(path: str, x: int, y: int, to: str) -> str:
    """A line with a head at (x, y), which points down or left."""
    left = to == "left"
    head = f"M{x + HEAD} {y - HEAD}L{x} {y}L{x + HEAD} {y + HEAD}" if left else (
        f"M{x - HEAD} {y - HEAD}L{x} {y}L{x + HEAD} {y - HEAD}"
    )
    return f'<path d="{path}{head}" stroke="{TEXT}" stroke-width="1.4" fill="none"/>'


def _words(imports: Imports, rooms: Sequence[str]) -> str:
    """The picture for those who do not see it."""
    said = "; ".join(
        f"{room} imports {', '.join(name for name in rooms if name in imports[room])}"
        for room in reversed(rooms)
        if imports[room]
    )
    return f"From the top to the bottom, without what follows from the rest: {said}."


def draw(rooms: Sequence[str], imports: Imports) -> str:
    """The picture of these rooms, the first of them at the bottom."""
    drawn = arrows(imports)
    border = rooms.index(BORDER)
    height = MARGIN + STEP * len(rooms) - (STEP - BOX) + BORDER_GAP
    tops = [height - BOX - STEP * index - BORDER_GAP * (index >= border) for index in range(len(rooms))]
    parts: list[str] = []
    for index, room in enumerate(rooms):
        parts.extend(_box(tops[index], room, UPPER if index >= border else LOWER))

    line = (tops[border] + BOX + tops[border - 1]) // 2
    parts.append(
        f'<path d="M{MARGIN} {line}H{WIDTH - MARGIN}" stroke="{TEXT}" stroke-dasharray="5 4" fill="none"/>'
    )
    middle = MARGIN + BOX_WIDTH // 2
    parts.append(_text(MARGIN + 10, line - 6, ABOVE, SIZE))
    parts.append(_text(MARGIN + 10, line + 15, BELOW, SIZE))

    pairs = [(rooms.index(room), rooms.index(below)) for room in rooms for below in drawn[room]]
    lane_of = lanes([(top, bottom) for top, bottom in pairs if top - bottom > 1])
    for top, bottom in sorted(pairs):
        if top - bottom == 1:
            start, end = tops[top] + BOX, tops[bottom] - 1
            parts.append(_arrow(f"M{middle} {start}V{end}", middle, end, "down"))
        else:
            # It leaves the lower half of a box and comes to the upper half of another: so lines that meet are told apart.
            x, edge = LANES + LANE * lane_of[top, bottom], MARGIN + BOX_WIDTH
            start, end = tops[top] + BOX - 7, tops[bottom] + 7
            parts.append(_arrow(f"M{edge} {start}H{x}V{end}H{edge + 1}", edge + 1, end, "left"))

    height += MARGIN
    for text in (
        "An arrow leads from a package to one that it imports.",
        "Imports that follow from other arrows are left out.",
    ):
        height += LINE
        parts.append(_text(MARGIN, height - 4, text, SIZE))
    height += MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'{FONT} role="img" aria-labelledby="title words">'
    )
    title = '<title id="title">The packages of uvnet, and which imports which</title>'
    words = f'<desc id="words">{escape(_words(drawn, rooms))}</desc>'
    return "\n".join([head, title, words, *parts, "</svg>"]) + "\n"


def picture() -> str:
    """The picture of the source as it is."""
    test = layers()
    return draw(test.ROOMS, imports_between(test))


if __name__ == "__main__":
    PICTURE.write_text(picture())
