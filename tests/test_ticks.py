"""The tick queue: after each callback of uvnet and before any further I/O.  Rules 0.1.1 to 0.1.4, decision 22."""

from __future__ import annotations

import asyncio
import gc
import socket as plain
import threading
import weakref
from typing import Any

import pytest
import uvloop
from conftest import Player, event

import uvnet


def pair(**options: Any) -> tuple[uvnet.Socket, plain.socket]:
    """A connection of which uvnet has one end."""
    ours, theirs = plain.socketpair()
    return uvnet.Socket(handle=ours, **options), theirs


async def flowing(socket: uvnet.Socket, listener: Any) -> uvnet.Socket:
    """Add a 'data' listener, and wait until data flows."""
    socket.on("data", listener)
    await event(socket, "resume")
    return socket


def test_first_in_first_out(play: Player) -> None:
    """Rule 0.1.2; beyond what the queue holds at first, and around its end."""

    async def scenario() -> None:
        ran: list[int] = []
        done = asyncio.Event()

        def more(first: int, count: int) -> None:
            ran.append(first)
            for number in range(first + 1, first + count):
                uvnet.next_tick(ran.append, number)
            if first < 5000:
                uvnet.next_tick(more, first + count, count * 2)
            else:
                uvnet.next_tick(done.set)

        uvnet.next_tick(more, 0, 3)
        await done.wait()
        assert len(ran) > 5000
        assert ran == list(range(len(ran)))

    play(scenario)


def test_ticks_are_not_synchronous(play: Player) -> None:
    async def scenario() -> None:
        log: list[str] = []
        done = asyncio.Event()
        uvnet.next_tick(log.append, "tick")
        uvnet.next_tick(done.set)
        log.append("sync")
        await done.wait()
        assert log == ["sync", "tick"]

    play(scenario)


def test_ticks_queued_by_ticks_run_in_the_same_drain(play: Player) -> None:
    """Rule 0.1.2: all of them before the data that already waits in the system."""

    async def scenario() -> None:
        log: list[Any] = []
        socket, peer = pair()
        await flowing(socket, log.append)

        def again(left: int) -> None:
            log.append(left)
            if left:
                uvnet.next_tick(again, left - 1)

        peer.send(b"data")
        uvnet.next_tick(again, 3)
        await event(socket, "data")
        assert log == [3, 2, 1, 0, b"data"]
        socket.destroy()
        await event(socket, "close")
        peer.close()

    play(scenario)


def test_ticks_run_between_the_callbacks_of_one_poll(play: Player) -> None:
    """Rule 0.1.2: not once per turn of the loop."""

    async def scenario() -> None:
        log: list[str] = []
        connections = []
        for name in "abc":

            def received(_chunk: bytes, name: str = name) -> None:
                log.append(f"data {name}")
                uvnet.next_tick(log.append, f"tick {name}")

            socket, peer = pair()
            connections.append((await flowing(socket, received), peer))
        closed = [asyncio.ensure_future(event(socket, "close")) for socket, _ in connections]
        for _, peer in connections:
            peer.send(b"x")
        for _, peer in connections:
            peer.close()
        await asyncio.gather(*closed)
        assert sorted(log[::2]) == ["data a", "data b", "data c"]
        assert log[1::2] == [entry.replace("data", "tick") for entry in log[::2]]

    play(scenario)


def test_ticks_run_between_the_reads_of_one_connection(play: Player) -> None:
    """Rules 0.1.2 and 0.4.4: libuv reads several times in a row, with a callback each."""

    async def scenario() -> None:
        log: list[str] = []

        def received(_chunk: bytes) -> None:
            log.append("data")
            uvnet.next_tick(log.append, "tick")

        socket, peer = pair()
        await flowing(socket, received)
        peer.setblocking(False)
        assert peer.send(bytes(150_000)) > 65_536
        peer.close()
        await event(socket, "close")
        assert log.count("data") >= 2
        assert log == ["data", "tick"] * log.count("data")

    play(scenario)


def test_emit_runs_no_ticks(play: Player) -> None:
    """Rule 0.1.1: everything that emit() calls comes before the ticks it queues."""

    async def scenario() -> None:
        log: list[str] = []
        socket, peer = pair()

        def received(_chunk: bytes) -> None:
            uvnet.next_tick(log.append, "tick")
            socket.emit("mine")
            log.append("data")

        socket.on("mine", lambda: log.append("mine"))
        await flowing(socket, received)
        peer.send(b"x")
        peer.close()
        await event(socket, "close")
        assert log == ["mine", "data", "tick"]

    play(scenario)


def test_connect_and_ready_belong_to_one_callback(play: Player) -> None:
    """Rules 0.1.2 and 2.3.5."""

    async def scenario() -> None:
        log: list[str] = []
        server = uvnet.create_server(lambda socket: socket.end(b"x"))
        server.listen(0)
        socket = uvnet.connect(server.address().port, "127.0.0.1")
        for name in ("connect", "ready", "data", "end"):

            def listener(*_: Any, name: str = name) -> None:
                log.append(name)
                uvnet.next_tick(log.append, f"tick of {name}")

            socket.on(name, listener)
        await event(socket, "close")
        server.close()
        await event(server, "close")
        assert log[:4] == ["connect", "ready", "tick of connect", "tick of ready"]
        assert log[4:] == ["data", "tick of data", "end", "tick of end"]

    play(scenario)


def test_write_callbacks_have_their_place_in_the_queue(play: Player) -> None:
    """Rule 2.7.8."""

    async def scenario() -> None:
        log: list[Any] = []
        socket, peer = pair()

        def received(_chunk: bytes) -> None:
            uvnet.next_tick(log.append, 1)
            socket.write(b"a", lambda _: log.append(2))
            uvnet.next_tick(log.append, 3)
            socket.write(b"b", lambda _: log.append(4))
            uvnet.next_tick(log.append, 5)
            socket.end(lambda _: log.append("end"))

        await flowing(socket, received)
        peer.send(b"x")
        await event(socket, "finish")
        assert log == [1, 2, 3, 4, 5, "end"]
        assert peer.recv(10) == b"ab"
        peer.close()
        await event(socket, "close")

    play(scenario)


def test_close_comes_later_than_ticks(play: Player) -> None:
    """Rules 0.1.4 and 2.11.2: [sync] [error] [tick] [immediate] [close]."""

    async def scenario() -> None:
        log: list[str] = []
        socket, peer = pair()
        loop = asyncio.get_running_loop()

        def received(_chunk: bytes) -> None:
            socket.destroy(LookupError("mine"))
            uvnet.next_tick(uvnet.next_tick, log.append, "tick of a tick")
            loop.call_soon(log.append, "immediate")
            log.append("sync")

        socket.on("error", lambda _: log.append("error"))
        await flowing(socket, received)
        peer.send(b"x")
        await event(socket, "close")
        log.append("close")
        peer.close()
        assert [entry for entry in log if entry != "immediate"] == [
            "sync", "error", "tick of a tick", "close",
        ]  # fmt: skip

    play(scenario)


@pytest.mark.parametrize("origin", ["coroutine", "call_soon", "call_later", "reader"])
def test_from_anywhere_else_before_further_io(play: Player, origin: str) -> None:
    """Rule 0.1.2: the data waits in the system already, and still the ticks are first."""

    async def scenario() -> None:
        log: list[Any] = []
        loop = asyncio.get_running_loop()
        socket, peer = pair()
        await flowing(socket, log.append)
        waker, sleeper = plain.socketpair()

        def work() -> None:
            loop.remove_reader(sleeper)
            peer.send(b"data")
            uvnet.next_tick(uvnet.next_tick, log.append, 2)
            uvnet.next_tick(log.append, 1)

        if origin == "coroutine":
            work()
        elif origin == "call_soon":
            loop.call_soon(work)
        elif origin == "call_later":
            loop.call_later(0.01, work)
        else:
            loop.add_reader(sleeper, work)
            waker.send(b"x")
        await event(socket, "data")
        assert log == [1, 2, b"data"]
        socket.destroy()
        await event(socket, "close")
        for end in (peer, waker, sleeper):
            end.close()

    play(scenario)


def test_an_exception_is_reported_once_and_the_others_run(play: Player) -> None:
    async def scenario() -> None:
        log: list[int] = []
        done = asyncio.Event()

        def fails() -> None:
            raise LookupError("tick")

        uvnet.next_tick(log.append, 1)
        uvnet.next_tick(fails)
        uvnet.next_tick(log.append, 2)
        uvnet.next_tick(done.set)
        await done.wait()
        assert log == [1, 2]

    play(scenario)
    assert str(play.expect_report(LookupError)) == "tick"


def test_a_failing_exception_handler_is_no_end(play: Player) -> None:
    async def scenario() -> None:
        log: list[int] = []
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        handler = loop.get_exception_handler()
        calls: list[Any] = []

        def broken(_loop: Any, context: dict[str, Any]) -> None:
            calls.append(context["exception"])
            # From here on asyncio's own reports are of the handler's failure.
            loop.set_exception_handler(lambda *_: None)
            raise ZeroDivisionError

        def fails() -> None:
            raise LookupError("tick")

        loop.set_exception_handler(broken)
        uvnet.next_tick(fails)
        uvnet.next_tick(log.append, 1)
        uvnet.next_tick(done.set)
        await done.wait()
        loop.set_exception_handler(handler)
        assert [type(error) for error in calls] == [LookupError]
        assert log == [1]

    play(scenario)


@pytest.mark.parametrize("wrong", [None, 1, "text", [], object()], ids=str)
def test_only_callables(play: Player, wrong: Any) -> None:
    async def scenario() -> None:
        done = asyncio.Event()
        with pytest.raises(TypeError, match="callable"):
            uvnet.next_tick(wrong)
        uvnet.next_tick(done.set)
        await done.wait()

    play(scenario)


def test_wrong_calls(play: Player) -> None:
    async def scenario() -> None:
        with pytest.raises(TypeError):
            uvnet.next_tick()  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            uvnet.next_tick(print, end="")  # type: ignore[call-arg]

    play(scenario)


def test_before_run() -> None:
    """At module level a tick waits for the loop that run() will run."""
    log: list[Any] = []
    uvnet.next_tick(log.append, 1)
    uvnet.next_tick(lambda: uvnet.next_tick(log.append, 3))
    uvnet.next_tick(log.append, 2)
    assert log == []
    uvnet.run()
    assert log == [1, 2, 3]


def test_before_run_with_a_coroutine() -> None:
    log: list[Any] = []

    async def main() -> None:
        done = asyncio.Event()
        uvnet.next_tick(done.set)
        await done.wait()
        log.append("main")

    uvnet.next_tick(log.append, "tick")
    uvnet.run(main())
    assert log == ["tick", "main"]


def test_every_loop_has_a_queue_of_its_own() -> None:
    """What waits for run() does not run on a loop that somebody else runs meanwhile."""
    log: list[str] = []

    async def other() -> None:
        done = asyncio.Event()
        uvnet.next_tick(done.set)
        await done.wait()
        log.append("other")

    uvnet.next_tick(log.append, "mine")
    uvloop.run(other())
    assert log == ["other"]
    uvnet.run()
    assert log == ["other", "mine"]


def test_another_thread_has_a_queue_of_its_own(play: Player) -> None:
    ran: list[tuple[str, int]] = []

    def work() -> None:
        uvnet.next_tick(lambda: ran.append(("other", threading.get_ident())))
        uvnet.run()

    async def scenario() -> None:
        done = asyncio.Event()
        await asyncio.to_thread(work)
        uvnet.next_tick(lambda: ran.append(("main", threading.get_ident())))
        uvnet.next_tick(done.set)
        await done.wait()

    play(scenario)
    assert [name for name, _ in ran] == ["other", "main"]
    assert ran[0][1] != threading.get_ident() == ran[1][1]


def test_what_a_tick_holds_is_let_go(play: Player) -> None:
    class Argument:
        """Can be referred to weakly."""

    async def scenario() -> None:
        argument = Argument()
        reference = weakref.ref(argument)
        done = asyncio.Event()
        uvnet.next_tick(id, argument)
        uvnet.next_tick(done.set)
        del argument
        assert reference() is not None
        await done.wait()
        assert reference() is None

    play(scenario)


def test_what_waits_when_the_loop_is_closed_is_let_go() -> None:
    class Argument:
        """Can be referred to weakly."""

    loop = uvloop.new_event_loop()
    references: list[weakref.ref[Argument]] = []
    ran: list[Any] = []

    async def main() -> None:
        argument = Argument()
        references.append(weakref.ref(argument))

        def stop_and_queue() -> None:
            loop.stop()
            for _ in range(100):
                uvnet.next_tick(ran.append, argument)

        loop.call_soon(stop_and_queue)
        await asyncio.sleep(0)

    task = loop.create_task(main())
    loop.run_forever()
    loop.run_until_complete(task)
    loop.close()
    ran.clear()
    del task
    gc.collect()
    assert references[0]() is None
