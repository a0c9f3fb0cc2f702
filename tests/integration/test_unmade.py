"""Objects whose __init__ has not run, or runs twice: errors, never a crash."""

from __future__ import annotations

import importlib
import os
import socket as socket_module
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvloop
from harness import Player, event
from modules import all_modules
from places import ISOLATED

import uvnet

HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: written in Python
SCRIPT = ISOLATED / "unmade.py"
PACKAGE_PARENT = Path(uvnet.__file__).parent.parent


def extension_modules() -> Iterator[ModuleType]:
    for name in all_modules():
        # To import policies warns.
        if name.rpartition(".")[2] not in ("__main__", "policy"):
            try:
                module = importlib.import_module(name)
            except ModuleNotFoundError as error:
                # What the extra `quic` brings.
                if error.name not in ("aioquic", "cryptography"):
                    raise
                continue
            if not str(module.__file__).endswith(".py"):
                yield module


def extension_types() -> Iterator[tuple[str, str]]:
    """Every class of an extension module; Cython gives names to those with Python methods only."""
    public: set[type] = set()
    for module in extension_modules():
        for name, value in sorted(vars(module).items()):
            if not isinstance(value, type):
                continue
            if value.__module__ == module.__name__:
                yield module.__name__, name
            elif value.__module__ == "uvnet" and value not in public and not value.__flags__ & HEAP_TYPE:
                public.add(value)
                yield module.__name__, name


TYPES = list(extension_types())


def test_the_sweep_finds_them() -> None:
    names = {name for _, name in TYPES}
    assert {"Socket", "Server", "LoopRecord", "BlockList", "Waiter", "TCP", "WriteRequest", "OnceListener"} <= names
    assert len(TYPES) > 40


@pytest.mark.parametrize(("module", "name"), TYPES, ids=[".".join(pair) for pair in TYPES])
def test_touching_what_is_not_made(module: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(SCRIPT), module, name],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "made" in done.stdout


TOO_EARLY: dict[str, Any] = {
    "on data": lambda thing: thing.on("data", print),
    "on readable": lambda thing: thing.on("readable", print),
    "write": lambda thing: thing.write(b"x"),
    "end": lambda thing: thing.end(),
    "destroy": lambda thing: thing.destroy(),
    "connect": lambda thing: thing.connect(1),
    "listen": lambda thing: thing.listen(0),
    "close": lambda thing: thing.close(),
    "set_timeout": lambda thing: thing.set_timeout(1),
    "read": lambda thing: thing.read(),
    "pause": lambda thing: thing.pause(),
    "pipe": lambda thing: thing.pipe(thing),
    "shutdown": lambda thing: thing.shutdown(0),
    "__aiter__": lambda thing: thing.__aiter__(),
    "get_connections": lambda thing: thing.get_connections(print),
}  # fmt: skip


@pytest.mark.parametrize("what", TOO_EARLY)
@pytest.mark.parametrize("kind", [uvnet.Socket, uvnet.Server])
def test_using_it_before_init(kind: type, what: str) -> None:
    raised: list[BaseException] = []

    class Early(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            try:
                TOO_EARLY[what](self)
            except AttributeError:
                pass
            except Exception as error:
                raised.append(error)
            super().__init__()

    async def main() -> None:
        Early()

    uvloop.run(main())
    for error in raised:
        assert isinstance(error, RuntimeError)
        assert "super().__init__()" in str(error)
    method = what.removeprefix("on ") if what.startswith("__") else what.split()[0]
    if hasattr(kind, method) and not (kind is uvnet.Server and what.startswith("on ")):
        assert raised


def test_a_second_init_changes_nothing(play: Player) -> None:
    async def scenario() -> None:
        ours, theirs = socket_module.socketpair()
        other, others = socket_module.socketpair()
        socket = uvnet.Socket(handle=ours)
        peer = uvnet.Socket(handle=theirs)
        socket.pipe(socket)
        peer.write(b"before")
        assert await event(peer, "data") == (b"before",)
        with pytest.raises(RuntimeError, match=r"Socket.__init__\(\) has been called before"):
            socket.__init__(handle=other)  # type: ignore[misc]
        peer.write(b"after")
        assert await event(peer, "data") == (b"after",)
        assert other.fileno() >= 0
        server = uvnet.Server().listen(0)
        port = server.address().port
        with pytest.raises(RuntimeError, match=r"Server.__init__\(\) has been called before"):
            server.__init__(max_buffered=1)  # type: ignore[misc]
        assert server.address().port == port
        socket.destroy()
        peer.destroy()
        server.close()
        other.close()
        others.close()

    play(scenario)


def test_an_init_that_failed_may_be_tried_again(play: Player) -> None:
    async def scenario() -> None:
        class Twice(uvnet.Socket):
            def __init__(self) -> None:
                with pytest.raises(ValueError):
                    super().__init__(high_water_mark=-1)
                with pytest.raises(RuntimeError, match=r"super\(\).__init__\(\)"):
                    self.write(b"x")
                super().__init__(high_water_mark=7)

        assert Twice().readable_high_water_mark == 7

        class ServerTwice(uvnet.Server):
            def __init__(self) -> None:
                with pytest.raises(ValueError):
                    super().__init__(high_water_mark=-1)
                super().__init__()

        server = ServerTwice().listen(0)
        assert server.listening
        server.close()
        await event(server, "close")

    play(scenario)
