"""The guide to the packages, docs/internals.md: its picture is that of the source, and what it names is there."""

from __future__ import annotations

import importlib.util
import random
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from places import DOCS, ROOT

PACKAGE = ROOT / "src" / "uvnet"
INTERNALS = DOCS / "internals.md"
GUIDES = [INTERNALS, ROOT / "CONTRIBUTING.md"]


def _rooms() -> ModuleType:
    specification = importlib.util.spec_from_file_location("rooms", DOCS / "rooms.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


rooms = _rooms()


def test_the_picture_is_that_of_the_source() -> None:
    assert (DOCS / "rooms.svg").read_text() == rooms.picture(), "`make docs` draws it anew"


def test_arrows_say_all_and_nothing_twice() -> None:
    imports = rooms.imports_between(rooms.layers())
    arrows = rooms.arrows(imports)
    for room in imports:
        assert rooms.reached(arrows, [room]) == rooms.reached(imports, [room])
        for below in arrows[room]:
            fewer = {**arrows, room: arrows[room] - {below}}
            assert below not in rooms.reached(fewer, [room])


def test_no_arrow_lies_upon_another() -> None:
    chance = random.Random(1)
    for _ in range(200):
        pairs = {tuple(sorted(chance.sample(range(12), 2), reverse=True)) for _ in range(9)}
        lanes = rooms.lanes(sorted(pairs))
        assert set(lanes) == pairs
        for top, bottom in pairs:
            for high, low in pairs - {(top, bottom)}:
                if low < top and bottom < high:
                    assert lanes[top, bottom] != lanes[high, low]


def test_the_picture_fits_and_can_be_heard() -> None:
    picture = ElementTree.parse(DOCS / "rooms.svg").getroot()
    name = "{http://www.w3.org/2000/svg}"
    words = picture.findtext(f"{name}desc") or ""
    for room in rooms.layers().ROOMS:
        assert room in words
    assert picture.findtext(f"{name}title")
    assert {element.get("id") for element in picture if element.get("id")} == {"title", "words"}
    for text in picture.iter(f"{name}text"):
        width = float(text.get("font-size", 0)) * rooms.EM * len(text.text or "")
        assert float(text.get("x", 0)) + width <= rooms.MARGIN + rooms.BOX_WIDTH


def test_the_table_has_every_room() -> None:
    """From the top to the bottom, with the folder of its tests."""
    rows = re.findall(r"^\| `(src/uvnet/[^`]*)` \|[^|]+\|[^|]+\| `([^`]+)` \|$", INTERNALS.read_text(), re.MULTILINE)
    listed = [folder.removeprefix("src/").removesuffix(".py").strip("/").replace("/", ".") for folder, _ in rows]
    assert listed == list(reversed(rooms.layers().ROOMS))
    for folder, tests in rows:
        assert (ROOT / folder).exists()
        assert (ROOT / tests).exists()


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_named_files_are_there(guide: Path) -> None:
    """Those of the package by their places in it."""
    text = re.sub(r"^```[\s\S]*?^```$", "", guide.read_text(), flags=re.MULTILINE)
    named = {
        name
        for code in re.findall(r"`([^`\n]+)`", text)
        for name in re.findall(r"(?<![\w/.*])[\w./-]*\w(?:\.(?:pyx|pxd|pyi|py|h|md|sh|svg)\b|/(?=\s|$))", code)
    }
    missing = {name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()}
    # What others have, or what is said of any place.
    assert missing - {"uv.h", "coverage.py"} == set()
    assert any(name.startswith("_loop/") for name in named)
