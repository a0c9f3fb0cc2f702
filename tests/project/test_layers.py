"""The order of the rooms: imports only point downwards, and what must happen in one place happens there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from places import ROOT

SOURCE = ROOT / "src"

# The packages from the bottom to the top: each may import those that stand before it.
ROOMS = """
    uvnet._uv
    uvnet.errors
    uvnet.arguments
    uvnet._loop
    uvnet.addresses
    uvnet._stream
    uvnet._udp
    uvnet._accept
    uvnet._channel
    uvnet._tls
    uvnet.transports
    uvnet.events
    uvnet.streams
    uvnet.socket
    uvnet.server
    uvnet.tls
    uvnet.quic
    uvnet.proxy
    uvnet.processes
    uvnet.cluster
    uvnet.observing
    uvnet
    uvnet._cli
    uvnet.__main__
""".split()

FILES = sorted(path for path in SOURCE.rglob("*") if path.suffix in (".py", ".pyx", ".pxd", ".pyi"))
# A stub says what a type is, and types may know of each other: a socket tells its server.
CODE = [path for path in FILES if path.suffix != ".pyi"]
FROM = re.compile(r"^\s*from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
PLAIN = re.compile(r"^\s*c?import\s+([^\n]+)", re.MULTILINE)


def module_of(path: Path) -> str:
    """The .pyx, .pxd and .pyi of a name are one module."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module if module in ROOMS else module.rpartition(".")[0]


def place_of(path: Path) -> str:
    return str(path.relative_to(SOURCE / "uvnet"))


MODULES = {module_of(path) for path in FILES}


def code_of(text: str) -> str:
    """The text without docstrings and comments."""
    return re.sub(r"#[^\n]*", "", re.sub(r'"""[\s\S]*?"""', "", text))


def imports_of(text: str) -> Iterator[str]:
    """Every module of uvnet that the text imports or cimports, wherever it does."""
    # As in a stub.
    text = re.sub(r"^if TYPE_CHECKING:\n(?:[ \t]+[^\n]*\n|\n)*", "", code_of(text), flags=re.MULTILINE)
    for package, names in FROM.findall(text):
        if package.split(".")[0] != "uvnet":
            assert not package.startswith("."), f"a relative import: {package}"
            continue
        for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", names):
            yield f"{package}.{name}" if f"{package}.{name}" in MODULES else package
    for names in PLAIN.findall(text):
        for name in names.split(","):
            name = name.split(" as ")[0].strip()
            if name.split(".")[0] == "uvnet":
                yield name


def test_every_folder_is_a_room() -> None:
    assert len(ROOMS) == len(set(ROOMS))
    assert {room_of(module) for module in MODULES} == set(ROOMS), "give the new package its place in ROOMS"


@pytest.mark.parametrize("path", CODE, ids=place_of)
def test_imports_point_downwards(path: Path) -> None:
    room = room_of(module_of(path))
    for imported in imports_of(path.read_text()):
        assert ROOMS.index(room_of(imported)) <= ROOMS.index(room), f"{path} imports {imported}"


@pytest.mark.parametrize("room", ROOMS)
def test_no_circle_in_a_room(room: str) -> None:
    imports: dict[str, set[str]] = {}
    for path in CODE:
        module = module_of(path)
        if room_of(module) == room:
            inside = {each for each in imports_of(path.read_text()) if room_of(each) == room and each != module}
            imports.setdefault(module, set()).update(inside)
            # What a package hands on is for those above it.
            assert room not in inside or room == "uvnet", f"{path} imports from its own package"
    assert list(TopologicalSorter(imports).static_order())


def test_the_imports_are_seen() -> None:
    """The parser of this test sees every form that the sources may use."""
    text = """
from uvnet.errors.codes import (
    bad_port,  # a comment
)
from uvnet._loop.handle cimport HANDLE_OPEN, Handle
from uvnet._loop import alive
import os, uvnet.addresses.address as where
cimport uvnet.events.emitter
if TYPE_CHECKING:
    from uvnet.socket import Socket

    from uvnet.server import Server
def late():
    from uvnet._loop.running import run
"""
    assert set(imports_of(text)) == {
        "uvnet.errors.codes",
        "uvnet._loop.handle",
        "uvnet._loop.alive",
        "uvnet.addresses.address",
        "uvnet.events.emitter",
        "uvnet._loop.running",
    }


# === Who may know what ===


def test_transports_and_emitters_do_not_know_each_other() -> None:
    """Both are owners of streams; that transports do not import what is above them is said by the order."""
    emitters = {f"uvnet.{room}" for room in ("events", "streams", "socket", "server", "proxy", "processes", "cluster")}
    users = {
        room_of(module_of(path))
        for path in CODE
        for imported in imports_of(path.read_text())
        if room_of(imported) == "uvnet.transports"
    }
    assert users == {"uvnet.transports", "uvnet.observing", "uvnet"}
    assert emitters <= set(ROOMS)


EVENT = re.compile(r'\b(?:emit\w*|has_listeners|_observe|on|once|off)\(\s*"(\w+)"')
# The same words for something else.
NO_EVENTS = {("_loop/tick.pyx", "connection"), ("_loop/descriptors.pxd", "close"), ("addresses/block_rule.pyx", "end")}
# A key of a dict, and methods of a socket.
NO_EVENTS |= {(place, "message") for place in ("_loop/running.py", "_loop/tick.pyx", "transports/base_transport.pyx")}
NO_EVENTS |= {("_accept/intake.pyx", "error")}
NO_EVENTS |= {("transports/names.py", "close"), ("transports/names.py", "connect")}


def test_nothing_below_events_knows_the_name_of_one() -> None:
    events = {event for path in CODE for event in EVENT.findall(code_of(path.read_text()))}
    assert {"data", "end", "error", "close", "connect", "connection", "listening", "drop"} <= events
    below = [path for path in CODE if ROOMS.index(room_of(module_of(path))) < ROOMS.index("uvnet.events")]
    known = {
        (place_of(path), event)
        for path in below
        for event in re.findall(r'"(\w+)"', code_of(path.read_text()))
        if event in events
    }
    assert known == NO_EVENTS


def test_nothing_above_channels_calls_libuv() -> None:
    callers = {room_of(module_of(path)) for path in CODE if re.search(r"\buv\.\w+\s*\(", code_of(path.read_text()))}
    assert {"uvnet._stream", "uvnet._accept"} <= callers
    assert max(ROOMS.index(room) for room in callers) == ROOMS.index("uvnet._channel")


@pytest.mark.parametrize(
    ("pattern", "owners"),
    [
        (r"\b(uv\.|uv_)(tcp_)?close(_reset)?\s*\(", {"_loop/handle.pyx"}),
        # And of a stream that lies on another one, which no libuv handle is of its own.
        (r"\.state = HANDLE_", {"_loop/handle.pyx", "_tls/secure_stream.pyx", "_tls/secure_stream_events.pyx"}),
        (r"\buv\.try_write\s*\(", {"_stream/transfer.pxd"}),
        # For Python objects, and for relays and files, which have none.
        (r"\buv\.write\s*\(", {"_stream/writer.pyx", "_stream/relay.pyx", "_stream/file_request.pyx"}),
        (r"\blibuv_get_loop_t_ptr\s*\(", {"_uv/table.pyx"}),
    ],
    ids=["close", "state", "try_write", "write", "loop"],
)
def test_one_place_only(pattern: str, owners: set[str]) -> None:
    """What must happen in one place happens in one place."""
    found = {
        place_of(path)
        for path in FILES
        for line in path.read_text().splitlines()
        if re.search(pattern, line.split("#")[0]) and "(*" not in line
    }
    assert found == owners


def test_no_pyx_is_included() -> None:
    for path in FILES:
        assert not re.search(r"^\s*include\s+[\"']", path.read_text(), re.MULTILINE), path
