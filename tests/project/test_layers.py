"""The layers of DESIGN section 4: imports only point downwards, and one file closes handles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

# From the bottom to the top: a module may import what stands before it.
# The .pyx, .pxd and .pyi of a name are one module.
ORDER = """
    uvnet._uv
    uvnet._uv.table
    uvnet._core
    uvnet._core.context
    uvnet._core.counters
    uvnet._core.descriptors
    uvnet._core.errors
    uvnet._core.ip
    uvnet._core.coverage
    uvnet._core.rules
    uvnet._core.sockaddr
    uvnet._core.kernel_pipe
    uvnet._core.slow
    uvnet._core.record
    uvnet._core.coroutine
    uvnet._core.tick
    uvnet._core.handle
    uvnet._core.adopted
    uvnet._core.transfer
    uvnet._core.gil
    uvnet._core.prepare
    uvnet._core.timer
    uvnet._core.idle
    uvnet._core.write_request
    uvnet._core.stream_events
    uvnet._core.writer
    uvnet._core.stream
    uvnet._core.connect_request
    uvnet._core.low_water
    uvnet._core.relay
    uvnet._core.tcp
    uvnet._core.pipe
    uvnet._core.adopt
    uvnet._core.server_socket
    uvnet._core.listener
    uvnet._core.lookup
    uvnet._core.loop
    uvnet._core.alive
    uvnet.errors
    uvnet.address
    uvnet.activation
    uvnet.ip
    uvnet.host_port
    uvnet.encoding
    uvnet.keywords
    uvnet.emitter
    uvnet.loop_emitter
    uvnet.options
    uvnet.socket_address
    uvnet.block_rule
    uvnet.blocklist
    uvnet.listening
    uvnet.piping
    uvnet.deadline
    uvnet.scopes
    uvnet.awaiting
    uvnet.steps
    uvnet.readable
    uvnet.flowing
    uvnet.writable
    uvnet.duplex
    uvnet.reading
    uvnet.draining
    uvnet.iteration
    uvnet.onread
    uvnet.attempts
    uvnet.connecting
    uvnet.socket_parent
    uvnet.connection
    uvnet.connection_events
    uvnet.relaying
    uvnet.tunable
    uvnet.adopting
    uvnet.socket
    uvnet.arrivals
    uvnet.drops
    uvnet.acceptor
    uvnet.server
    uvnet.connect
    uvnet.proxy_protocol
    uvnet.proxying
    uvnet.ticks
    uvnet.run
    uvnet.events
    uvnet.aio
    uvnet
    uvnet._cli
    uvnet._cli.endpoint
    uvnet._cli.program
    uvnet._cli.standard
    uvnet._cli.traffic
    uvnet._cli.echo
    uvnet._cli.cat
    uvnet._cli.proxy
    uvnet._cli.echo_servers
    uvnet._cli.bench
    uvnet._cli.info
    uvnet._cli.main
    uvnet.__main__
""".split()

FILES = sorted(path for path in SOURCE.rglob("*") if path.suffix in (".py", ".pyx", ".pxd", ".pyi"))
FROM = re.compile(r"^\s*from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
PLAIN = re.compile(r"^\s*c?import\s+([^\n]+)", re.MULTILINE)


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in FILES}


def imports_of(text: str) -> Iterator[str]:
    """Every module of uvnet that the text imports or cimports, wherever it does."""
    text = re.sub(r'"""[\s\S]*?"""', "", text)
    text = re.sub(r"#[^\n]*", "", text)
    # As in a stub.
    text = re.sub(r"^if TYPE_CHECKING:\n(?:[ \t]+[^\n]*\n|\n)*", "", text, flags=re.MULTILINE)
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


def test_the_order_is_complete() -> None:
    assert len(ORDER) == len(set(ORDER))
    assert MODULES - set(ORDER) == set(), "give the new module its place in ORDER"
    assert set(ORDER) - MODULES == set(), "no longer there"


# A stub says what a type is, and types may know of each other: a socket tells its server.
CODE = [path for path in FILES if path.suffix != ".pyi"]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(SOURCE / "uvnet")))
def test_imports_point_downwards(path: Path) -> None:
    module = module_of(path)
    for imported in imports_of(path.read_text()):
        if imported != module:
            assert ORDER.index(imported) < ORDER.index(module), f"{module} imports {imported}"


def test_the_imports_are_seen() -> None:
    """The parser of this test sees every form that the sources may use."""
    text = """
from uvnet.errors import (
    bad_port,  # a comment
)
from uvnet._core.handle cimport HANDLE_OPEN, Handle
from uvnet._core import alive
import os, uvnet.address as where
cimport uvnet.emitter
if TYPE_CHECKING:
    from uvnet.socket import Socket

    from uvnet.server import Server
def late():
    from uvnet.run import run
"""
    assert set(imports_of(text)) == {
        "uvnet.errors",
        "uvnet._core.handle",
        "uvnet._core.alive",
        "uvnet.address",
        "uvnet.emitter",
        "uvnet.run",
    }


@pytest.mark.parametrize(
    ("pattern", "owners"),
    [
        (r"\b(uv\.|uv_)(tcp_)?close(_reset)?\s*\(", {"_core/handle.pyx"}),
        (r"\.state = HANDLE_", {"_core/handle.pyx"}),
        (r"\buv\.try_write\s*\(", {"_core/transfer.pxd"}),
        # For Python objects, and for a relay, which has none.
        (r"\buv\.write\s*\(", {"_core/writer.pyx", "_core/relay.pyx"}),
        (r"\blibuv_get_loop_t_ptr\s*\(", {"_uv/table.pyx"}),
    ],
    ids=["close", "state", "try_write", "write", "loop"],
)
def test_one_place_only(pattern: str, owners: set[str]) -> None:
    """What must happen in one place happens in one place."""
    found = {
        str(path.relative_to(SOURCE / "uvnet"))
        for path in FILES
        for line in path.read_text().splitlines()
        if re.search(pattern, line.split("#")[0]) and "(*" not in line
    }
    assert found == owners


def test_no_pyx_is_included() -> None:
    for path in FILES:
        assert not re.search(r"^\s*include\s+[\"']", path.read_text(), re.MULTILINE), path
