"""What holds on an interpreter without a GIL, where even a look at what another thread changes is not safe."""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from harness import Player, event
from interpreter import FREE_THREADED, without_gil
from places import ROOT, SUPPORT

import uvnet
from uvnet._accept.counting import statistics

IMPORT_ALL = """
import importlib, sys
sys.path.append(sys.argv[1])
from modules import all_modules
left_out = []
for name in all_modules():
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name)
    except ImportError as error:
        left_out.append((name, str(error)))
print(sys._is_gil_enabled(), left_out)
"""


def elsewhere(function: Callable[[], Any]) -> Any:
    """What function() returns in another thread, or the exception that it raises there."""
    results: list[Any] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return results[0]


@without_gil
def test_no_module_switches_the_gil_on() -> None:
    # With -W error the warning that a module does so would be an error.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL, str(SUPPORT)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("False "), done.stdout


@without_gil
def test_nothing_of_a_loop_can_be_touched_elsewhere(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: None)
        server.listen(0, "127.0.0.1")
        await event(server, "listening")
        socket = await uvnet.open_connection(server.port, "127.0.0.1")
        things: list[Any] = [server, socket, uvnet.Socket(), uvnet.Server(), socket.receive(), anext(socket.lines())]
        for thing in things:
            for name in dir(type(thing)):
                found = elsewhere(lambda thing=thing, name=name: getattr(thing, name))
                if name == "__class__":
                    assert not isinstance(found, BaseException)
                else:
                    assert isinstance(found, RuntimeError), (thing, name, found)
                    assert "thread" in str(found)
            assert isinstance(elsewhere(lambda thing=thing: setattr(thing, "x", 1)), RuntimeError)
            assert isinstance(elsewhere(lambda thing=thing: repr(thing)), str)
        # What was got in time says it too.
        for method in (socket.write, socket.destroy, socket.address, socket.listeners, socket.emit, server.close):
            arguments = (b"x",) if method.__name__ in ("write", "listeners", "emit") else ()
            elsewhere(lambda method=method, arguments=arguments: method(*arguments))
        for awaitable in things[4:]:
            assert isinstance(elsewhere(lambda awaitable=awaitable: next(awaitable)), RuntimeError)
            awaitable.close()
        socket.destroy()
        server.close()
        await event(server, "close")

    play(scenario)


@without_gil
def test_transports_cannot_be_touched_elsewhere() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        for name in ("write", "get_extra_info", "close", "_loop"):
            assert isinstance(elsewhere(lambda name=name: getattr(transport, name)), RuntimeError)
        assert elsewhere(lambda: isinstance(transport, asyncio.Transport)) is True
        assert isinstance(elsewhere(lambda: repr(transport)), str)
        transport.close()
        server.close()
        await server.wait_closed()

    loop = uvnet.new_event_loop()
    try:
        loop.run_until_complete(scenario())
    finally:
        loop.close()


def test_what_another_loop_has_counted(play: Player) -> None:
    """In every interpreter; without a GIL that loop is asked, and so is one that is held up: not for ever."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        server = uvnet.create_server(lambda socket: None)
        server.listen(0, "127.0.0.1")
        await event(server, "listening")
        socket = await uvnet.open_connection(server.port, "127.0.0.1")
        counted = await asyncio.to_thread(statistics, loop)
        assert counted.accepted == 1
        if FREE_THREADED:
            held_up = elsewhere(lambda: statistics(loop))
            assert isinstance(held_up, RuntimeError)
            assert "has not answered" in str(held_up)
        else:
            assert elsewhere(lambda: statistics(loop)).accepted == 1
        socket.destroy()
        server.close()
        await event(server, "close")

    play(scenario)


def test_an_iteration_that_is_collected_elsewhere(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.on("data", socket.write))
        server.listen(0, "127.0.0.1")
        await event(server, "listening")
        socket = await uvnet.open_connection(server.port, "127.0.0.1")
        iterator = aiter(socket)
        closed = uvnet.once(socket, "close")
        held = [iterator]
        del iterator

        def drop() -> None:
            held.clear()
            gc.collect()

        await asyncio.to_thread(drop)
        await closed
        assert socket.destroyed
        server.close()
        await event(server, "close")

    play(scenario)


def test_what_is_shared_is_asked_with_a_reference() -> None:
    """`.get()` of a dict in Cython takes its reference after another thread may have taken the value out."""
    text = (ROOT / "src/uvnet/events/emitter.pyx").read_text()
    assert len(re.findall(r"\b(?:stored|look_up)\(self\._events, ", text)) >= 5
    assert re.findall(r"_events\.(?:get|setdefault|pop)\(|(?:=|return) self\._events\[", text) == []
