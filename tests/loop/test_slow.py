"""asyncio's debug mode logs what uvnet calls and takes long, by name and place, once.  Nothing is logged without it."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import socket as plain
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from harness import event
from pairs import connected_pair
from programs import run as run_program

import uvnet

LONG = 0.1  # seconds
HERE = re.escape(__file__)


def slow(*_arguments: Any) -> None:
    time.sleep(LONG)


async def slow_reader(socket: uvnet.Socket) -> None:
    async for _ in socket:
        time.sleep(LONG)


class Callable_:
    def __call__(self, *_arguments: Any) -> None:
        slow()

    def __repr__(self) -> str:
        return "<a callable>"


def play(scenario: Callable[[], Any], caplog: pytest.LogCaptureFixture, debug: bool = True) -> list[str]:
    """What was logged of slow callbacks of this file; on a busy machine others may be slow too."""

    async def bounded() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(debug)
        loop.slow_callback_duration = LONG / 2
        await asyncio.wait_for(scenario(), 20)

    with caplog.at_level(logging.WARNING, "asyncio"):
        uvloop.run(bounded())
    messages = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    ours = (__file__, "<a callable>")
    return [
        message
        for message in messages
        if not message.startswith("Executing <") and any(name in message for name in ours)
    ]


async def with_pair(do: Callable[[uvnet.Socket, plain.socket], Any]) -> None:
    near, far = connected_pair("unix")
    with far:
        socket = uvnet.Socket(handle=near)
        await do(socket, far)
        if not socket.closed:
            socket.destroy()
            await event(socket, "close")


def emitting(listener: Callable[..., Any], once: bool = False) -> Callable[[], Any]:
    async def scenario() -> None:
        async def do(socket: uvnet.Socket, far: plain.socket) -> None:
            (socket.once if once else socket.on)("data", listener)
            if once:
                socket.resume()
            far.sendall(b"x")
            far.close()
            await event(socket, "close")

        await with_pair(do)

    return scenario


@pytest.mark.parametrize(
    ("listener", "name"),
    [
        (slow, rf"slow\(\) at {HERE}:\d+"),
        (functools.partial(slow, 1), rf"slow\(\) at {HERE}:\d+"),
        (lambda _: slow(), rf"<lambda>\(\) at {HERE}:\d+"),
        (Callable_(), "<a callable>"),
        (Callable_().__call__, rf"Callable_\.__call__\(\) at {HERE}:\d+"),
    ],
    ids=["function", "partial", "lambda", "object", "method"],
)
@pytest.mark.parametrize("once", [False, True])
def test_a_listener(
    caplog: pytest.LogCaptureFixture, listener: Callable[..., Any], name: str, once: bool
) -> None:
    (message,) = play(emitting(listener, once), caplog)
    assert re.fullmatch(rf"Executing 'data' listener .*{name}.* of <Socket open> took \d+\.\d{{3}} seconds", message)


def test_one_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    def fails(_chunk: bytes) -> None:
        slow()
        raise LookupError("in the listener")

    async def scenario() -> None:
        async def do(socket: uvnet.Socket, far: plain.socket) -> None:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            socket.on("data", fails)
            far.sendall(b"x")
            await event(socket, "close")

        await with_pair(do)

    (message,) = play(scenario, caplog)
    assert "fails() at" in message


async def tick() -> None:
    uvnet.next_tick(slow)
    await asyncio.sleep(LONG)


async def write_callback() -> None:
    async def do(socket: uvnet.Socket, far: plain.socket) -> None:
        socket.write("x", slow)
        await asyncio.sleep(LONG)

    await with_pair(do)


async def end_callback() -> None:
    async def do(socket: uvnet.Socket, far: plain.socket) -> None:
        socket.end(slow)
        await asyncio.sleep(LONG)

    await with_pair(do)


async def onread() -> None:
    near, far = connected_pair("unix")
    with far:
        socket = uvnet.Socket(handle=near, onread={"buffer": bytearray(10), "callback": slow})
        far.sendall(b"x")
        far.close()
        await event(socket, "close")


async def coroutine() -> None:
    async def do(socket: uvnet.Socket, far: plain.socket) -> None:
        task = asyncio.create_task(slow_reader(socket))
        await asyncio.sleep(0.01)
        far.sendall(b"x")
        far.close()
        await task

    await with_pair(do)


WORDS: dict[str, tuple[Callable[[], Any], str]] = {
    "tick": (tick, rf"tick slow\(\) at {HERE}:\d+"),
    "callback of write": (write_callback, rf"callback slow\(\) at {HERE}:\d+ of <Socket open>"),
    "callback of end": (end_callback, rf"callback slow\(\) at {HERE}:\d+ of <Socket \w+>"),
    "onread": (onread, rf"callback slow\(\) at {HERE}:\d+ of <Socket open>"),
    "coroutine": (coroutine, r"step .* of <Task .*slow_reader\(\) .*>"),
}


@pytest.mark.parametrize("what", WORDS)
def test_everything_that_is_called(caplog: pytest.LogCaptureFixture, what: str) -> None:
    scenario, words = WORDS[what]
    messages = play(scenario, caplog)
    assert messages != []
    assert re.fullmatch(rf"Executing {words} took \d+\.\d{{3}} seconds", messages[0]), messages


@pytest.mark.parametrize("what", WORDS)
def test_nothing_without_debug_mode(caplog: pytest.LogCaptureFixture, what: str) -> None:
    assert play(WORDS[what][0], caplog, debug=False) == []


def test_what_is_quick_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().slow_callback_duration = 10
        await emitting(slow)()

    assert play(scenario, caplog) == []


def test_who_calls_what_is_slow_is_not_slow(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        def outer(_chunk: bytes) -> None:
            socket.emit("own event")

        socket = uvnet.Socket()
        socket.on("own event", slow)
        socket.on("data", outer)
        socket.emit("data", b"")
        socket.destroy()
        await event(socket, "close")

    (message,) = play(scenario, caplog)
    assert "'own event' listener" in message


def test_an_emitter_of_no_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        emitter.on("own event", slow)
        assert emitter.emit("own event")

    assert play(scenario, caplog) == []


def test_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody uses it: nothing in the program knows of it."""
    program = (
        "import time, uvnet\n"
        "socket = uvnet.Socket()\n"
        "def sleeps(had_error): time.sleep(0.15)\n"
        "socket.on('close', sleeps)\n"
        "socket.destroy()\n"
        "uvnet.run()\n"
    )
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    result = run_program("-c", program)
    assert re.search(r"Executing 'close' listener sleeps\(\) at <string>:3 of <Socket closed> took", result.errors)
    monkeypatch.delenv("PYTHONASYNCIODEBUG")
    assert run_program("-c", program).errors == ""
