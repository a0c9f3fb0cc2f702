"""One life of a socket does not reach into the next (rule 2.14): whatever ends it, whenever the next begins.

Swept: every way a life can end, times every moment at which connect() can be called again.  Whatever the old life has
left behind (a shutdown, writes, steps that are queued, coroutines, listeners of ours), the new one works: bytes both
ways, a FIN each way, every event once; and the old one gets its 'close', its callbacks, and no more.
"""

from __future__ import annotations

import asyncio
import socket as plain
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from harness import Player, Transport
from pairs import Listening, read_now
from waiting import turns, until

import uvnet

EVENTS = (
    "lookup", "connect", "ready", "data", "readable", "end", "drain", "prefinish", "finish", "pause", "resume",
    "timeout", "error", "close",
)  # fmt: skip
BIG = bytes(2_000_000)


class Two:
    """A socket in its first life, and what has happened in each."""

    def __init__(self, listening: Listening, moment: str) -> None:
        self.listening = listening
        self.moment = moment
        self.socket = uvnet.Socket()
        self.begun = False
        self.refused: OSError | None = None
        self.events: tuple[list[str], list[str]] = ([], [])
        self.received = bytearray()
        self.callbacks: list[int] = []
        for event in EVENTS:
            if event != "readable":
                self.socket.on(event, lambda *arguments, event=event: self.happened(event, arguments))

    def happened(self, event: str, arguments: tuple[Any, ...]) -> None:
        self.events[self.begun].append(event)
        if event == "data" and self.begun:
            self.received += arguments[0]
        self.reached(event)

    def callback(self, name: str) -> Callable[[BaseException | None], None]:
        index = len(self.callbacks)
        self.callbacks.append(0)

        def called(_error: BaseException | None) -> None:
            self.callbacks[index] += 1
            self.reached(name)

        return called

    def reached(self, moment: str) -> None:
        """Begin the second life, if this is the moment for it and the first one is over."""
        if moment == self.moment and not self.begun:
            if not self.socket.destroyed:
                self.socket.destroy()
            self.begin()

    def end(self, calls: Calls) -> None:
        """End the first life, as long as it is that."""
        for call in calls:
            if not self.begun:
                call(self)

    def begin(self) -> None:
        self.begun = True
        self.socket.connect(*self.listening.where)


Calls = tuple[Callable[[Two], object], ...]


def _destroy(two: Two) -> None:
    two.socket.destroy()


def _fail(two: Two) -> None:
    two.socket.destroy(ConnectionError("by the test"))


def _end(two: Two) -> None:
    two.socket.end(two.callback("ended"))


def _end_with_data(two: Two) -> None:
    two.socket.end(b"old", two.callback("ended"))


def _write(two: Two) -> None:
    two.socket.write(b"old", two.callback("written"))


def _write_much(two: Two) -> None:
    two.socket.write(BIG, two.callback("written"))


def _reset(two: Two) -> None:
    if two.listening.socket.family == plain.AF_UNIX:
        two.socket.destroy()
    else:
        two.socket.reset_and_destroy()


def _call(method: str, *arguments: object) -> Callable[[Two], object]:
    return lambda two: getattr(two.socket, method)(*arguments)


ENDS: dict[str, Calls] = {
    "destroy": (_destroy,),
    "destroy(error)": (_fail,),
    "end(), destroy": (_end, _destroy),
    "end(data), destroy": (_end_with_data, _destroy),
    "end(data), destroy(error)": (_end_with_data, _fail),
    "write, destroy": (_write, _destroy),
    "much, destroy": (_write_much, _destroy),
    "much, more, end, destroy": (_write_much, _write_much, _end_with_data, _destroy),
    "corked, destroy": (_call("cork"), _write, _destroy),
    "destroy_soon": (_call("destroy_soon"),),
    "destroy_soon, destroy": (_call("destroy_soon"), _destroy),
    "reset_and_destroy": (_reset,),
    "write after end": (_end, _write),
    "unshift, destroy": (_call("unshift", b"old"), _destroy),
    "pause, unshift, resume, destroy": (_call("pause"), _call("unshift", b"old"), _call("resume"), _destroy),
    "read(0), destroy": (_call("read", 0), _destroy),
}
# Where the first life ends.
STAGES = ("never connected", "connecting", "in connect", "connected", "the other end has ended", "data has come")
# When the next begins: at once, or when the first of these happens in the old life.
MOMENTS = (
    "at once", "tick", "turn", "closed", "connect", "ready", "data", "end", "prefinish", "finish", "resume", "error",
    "close", "written", "ended",
)  # fmt: skip


async def end_first(two: Two, stage: str, end: str) -> plain.socket | None:
    socket = two.socket
    peer = None
    if stage != "never connected":
        socket.connect(*two.listening.where)
        if stage == "in connect":
            over = asyncio.get_running_loop().create_future()

            def act() -> None:
                two.end(ENDS[end])
                over.set_result(None)

            socket.once("connect", act)
            await over
            return None
        if stage != "connecting":
            await until(lambda: two.begun or not socket.connecting)
            if two.begun:
                return None
            peer = two.listening.accept()
            if stage == "the other end has ended":
                # Unread data keeps 'end' away, so that there is still something to end.
                socket.pause()
                peer.send(b"unread")
                peer.shutdown(plain.SHUT_WR)
                await turns(3)
            elif stage == "data has come":
                peer.send(b"hello")
                await turns(3)
    two.end(ENDS[end])
    return peer


async def second(two: Two) -> None:
    """The new life works."""
    socket, listening = two.socket, two.listening
    await until(lambda: not socket.connecting)
    assert not socket.destroyed, (two.events, socket.errored)
    assert socket.ready_state == "open", two.events
    socket.resume()
    peer = await accepted(listening, socket)
    sent = two.callback("second written")
    socket.write(b"new life", sent)
    assert await received(peer, 8) == b"new life"
    peer.send(b"its answer")
    await until(lambda: len(two.received) >= 10 or socket.destroyed)
    assert bytes(two.received) == b"its answer", two.events
    assert socket.bytes_read == 10 and socket.bytes_written == 9
    socket.end(two.callback("second ended"))
    assert await received(peer, 1) == b""
    peer.close()
    await until(lambda: socket.closed)
    await turns(3)
    assert socket.errored is None
    assert socket.readable_ended and socket.writable_finished


async def accepted(listening: Listening, socket: uvnet.Socket) -> plain.socket:
    """The connection of the new life; those of attempts that were given up are thrown away."""
    socket.write(b"!")
    while True:
        try:
            peer = listening.accept()
        except BlockingIOError:
            await asyncio.sleep(0.001)
            continue
        if await received(peer, 1) == b"!":
            return peer
        peer.close()


async def received(peer: plain.socket, count: int) -> bytes:
    """So many bytes, or what comes before the end."""
    data = b""
    while len(data) < count:
        try:
            chunk = read_now(peer, count - len(data))
        except ConnectionResetError:
            return b"reset"
        if chunk is None:
            await asyncio.sleep(0)
        elif not chunk:
            break
        else:
            data += chunk
    return data


async def play_one(transport: Transport, stage: str, end: str, moment: str) -> None:
    with Listening.on(transport) as listening:
        two = Two(listening, moment)
        socket = two.socket
        peer = await end_first(two, stage, end)
        if moment == "at once" and not two.begun:
            two.reached(moment)
        elif moment == "tick":
            uvnet.next_tick(two.reached, moment)
            await turns(2)
        elif moment == "turn":
            await asyncio.sleep(0)
            two.reached(moment)
        if not two.begun:
            socket.destroy()
            await until(lambda: two.begun or socket.closed)
            await turns(3)
        if not two.begun:
            two.begin()
        await second(two)
        if peer is not None:
            peer.close()
        assert two.callbacks == [1] * len(two.callbacks)
        counts = Counter(two.events[0]) + Counter(two.events[1])
        assert counts["close"] == 2, two.events
        assert two.events[1][-1] == "close", two.events
        assert {counts[event] for event in ("connect", "ready")} <= {1, 2}, two.events
        new = Counter(two.events[1])
        assert new["connect"] == new["ready"] == new["end"] == new["finish"] == 1, two.events
        assert counts["error"] <= 1, two.events
        assert socket.listener_count("connect") == 1 and socket.listener_count("finish") == 1


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("stage", STAGES)
def test_the_next_life_works(play: Player, transport: Transport, stage: str, end: str) -> None:
    async def scenario() -> None:
        for moment in MOMENTS:
            await asyncio.wait_for(play_one(transport, stage, end, moment), 3)

    play(scenario, timeout=60)


def test_lives_that_end_in_one_turn_are_told_in_their_order(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            closed: list[tuple[bool, bool]] = []
            socket.on("close", lambda had_error: closed.append((had_error, socket.closed)))
            socket.on("error", lambda error: None)
            for failed in (True, False, False, True):
                socket.connect(*listening.where)
                socket.destroy(ConnectionError("by the test") if failed else None)
            await until(lambda: socket.closed)
            assert closed == [(True, False), (False, False), (False, False), (True, True)]

    play(scenario)


@pytest.mark.parametrize("then", ["goes on", "destroys", "begins a third"])
def test_the_old_close_comes_before_the_new_connect(play: Player, transport: Transport, then: str) -> None:
    """A connection may be there before libuv has closed the old one; that listener may end it."""

    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            log: list[str] = []
            socket.connect(*listening.where)
            await until(lambda: not socket.connecting)
            first = listening.accept()

            def closed(_had_error: bool) -> None:
                log.append("close")
                if log == ["close"] and then != "goes on":
                    socket.destroy()
                    if then == "begins a third":
                        socket.connect(*listening.where)

            socket.on("close", closed)
            socket.on("connect", lambda: log.append("connect"))
            socket.destroy()
            # From here the loop polls before it closes.
            uvnet.next_tick(socket.connect, *listening.where)
            await until(lambda: log[-1:] == ["connect"] or socket.closed)
            first.close()
            if then == "destroys":
                assert log == ["close", "close"]
                return
            assert log == ["close", *(["close"] if then == "begins a third" else []), "connect"]
            await finish(socket, await accepted(listening, socket))

    play(scenario)


async def new_life(socket: uvnet.Socket, listening: Listening) -> plain.socket:
    """connect(), and the other end of the new life."""
    socket.connect(*listening.where)
    await until(lambda: not socket.connecting)
    await until(lambda: not socket.destroyed)
    return await accepted(listening, socket)


async def finish(socket: uvnet.Socket, peer: plain.socket) -> None:
    """The life that is the last one comes to a good end."""
    socket.resume()
    socket.end()
    assert await received(peer, 1) == b""
    peer.close()
    await until(lambda: socket.closed)
    assert socket.errored is None


@pytest.mark.parametrize("turn", [False, True], ids=["at once", "a turn later"])
@pytest.mark.parametrize("callback", [False, True], ids=["without", "with a callback"])
def test_a_side_that_was_ended_before_connect_is_a_new_one(
    play: Player, transport: Transport, turn: bool, callback: bool
) -> None:
    """As in Node 24: `c.end(); c.connect(P)`."""

    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            log: list[Any] = []
            socket.on("finish", lambda: log.append("finish"))
            socket.on("close", lambda _: log.append("close"))
            socket.end(*([log.append] if callback else []))
            if turn:
                await turns(2)
            peer = await new_life(socket, listening)
            assert log == [None, "finish"][not callback :]
            assert socket.ready_state == "open" and not socket.writable_ended
            socket.write(b"data")
            assert await received(peer, 4) == b"data"
            log.clear()
            await finish(socket, peer)
            assert log == ["finish", "close"]

    play(scenario)


def test_both_sides_end_by_themselves_after_an_early_end(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            socket.end()
            peer = await new_life(socket, listening)
            peer.shutdown(plain.SHUT_WR)
            assert await received(peer, 1) == b""
            await until(lambda: socket.closed)
            peer.close()

    play(scenario)


def test_destroy_soon_before_connect_ends_the_life_before(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            closed: list[bool] = []
            socket.on("close", closed.append)
            socket.destroy_soon()
            peer = await new_life(socket, listening)
            assert closed == [False]
            await finish(socket, peer)
            assert closed == [False, False]

    play(scenario)


def test_closed_tells_of_the_life_there_is(play: Player, transport: Transport) -> None:
    """The 'close' of the first life does not close the second, which is destroyed before it comes."""

    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            closed: list[tuple[bool, bool]] = []
            socket.on("close", lambda had_error: closed.append((had_error, socket.closed)))
            socket.on("error", lambda error: None)
            socket.destroy(ConnectionError("the first"))
            socket.connect(*listening.where)
            socket.destroy()
            await until(lambda: socket.closed)
            assert closed == [(True, False), (False, True)]

    play(scenario)


@pytest.mark.parametrize("event", ["connect", "ready", "data", "end", "finish", "error", "close", "written", "lookup"])
def test_an_exception_of_the_old_life_does_not_end_the_new_one(play: Player, event: str) -> None:
    """Who connects again and then raises has broken nothing but the old life."""

    async def scenario() -> None:
        listening = Listening("tcp", "")
        with listening.socket:
            socket = uvnet.Socket()
            done = asyncio.get_running_loop().create_future()
            socket.on("error", lambda error: None)
            socket.on("data", lambda chunk: None)

            def again(*_arguments: Any) -> None:
                if not done.done():
                    done.set_result(None)
                    socket.destroy()
                    socket.connect(*listening.where)
                    raise KeyError("by the test")

            if event != "written":
                socket.on(event, again)
            host = "peer" if event == "lookup" else "127.0.0.1"
            port = listening.where[0]
            socket.connect(port=port, host=host, lookup=lambda host, query, back: back(None, [("127.0.0.1", 4)]))
            if event == "written":
                socket.write(b"x", again)
            peer = None
            if event in ("data", "end", "error", "close", "finish"):
                await until(lambda: not socket.connecting)
                peer = listening.accept()
                if event in ("error", "close"):
                    socket.destroy(ConnectionError("by the test"))
                elif event == "finish":
                    socket.end()
                elif event == "data":
                    peer.send(b"data")
                else:
                    peer.shutdown(plain.SHUT_WR)
            await done
            await until(lambda: not socket.connecting)
            assert not socket.destroyed
            await finish(socket, await accepted(listening, socket))
            if peer is not None:
                peer.close()

    play(scenario)
    play.expect_report(KeyError)


def test_an_async_listener_of_the_old_life_does_not_end_the_new_one(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            go = asyncio.Event()

            async def fail() -> None:
                await go.wait()
                raise KeyError("by the test")

            socket.once("connect", fail)
            socket.connect(*listening.where)
            await until(lambda: not socket.connecting)
            socket.destroy()
            peer = await new_life(socket, listening)
            go.set()
            await turns(3)
            assert not socket.destroyed
            await finish(socket, peer)

    play(scenario)
    play.expect_report(KeyError)


Wait = Callable[[uvnet.Socket], Any]


async def _iterate(socket: uvnet.Socket) -> None:
    async for _chunk in socket:
        pass


WAITS: dict[str, Wait] = {
    "read_exactly": lambda socket: socket.read_exactly(4),
    "read_until": lambda socket: socket.read_until(),
    "drain": lambda socket: socket.drain(),
    "iteration": _iterate,
}


@pytest.mark.parametrize("error", [None, ConnectionError("by the test")], ids=["quietly", "with an error"])
@pytest.mark.parametrize("wait", WAITS)
def test_who_waits_in_the_old_life_is_told_how_that_ended(
    play: Player, transport: Transport, wait: str, error: ConnectionError | None
) -> None:
    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            socket.connect(*listening.where)
            await until(lambda: not socket.connecting)
            if wait == "drain":
                while socket.write(BIG):
                    pass

            async def waiting() -> Any:
                return await WAITS[wait](socket)

            task = asyncio.get_running_loop().create_task(waiting())
            await turns(2)
            assert not task.done()
            socket.destroy(error)
            peer = await new_life(socket, listening)
            with pytest.raises(BaseException) as caught:
                await asyncio.wait_for(task, 1)
                raise StopAsyncIteration
            if error is not None:
                assert caught.value is error
            else:
                expected = {"drain": RuntimeError, "iteration": StopAsyncIteration}
                assert caught.type is expected.get(wait, asyncio.IncompleteReadError) or wait == "drain"
            # What comes now is for who asks now.
            peer.send(b"four")
            assert await socket.read_exactly(4) == b"four"
            await finish(socket, peer)

    play(scenario)


def test_an_iterator_of_the_old_life_neither_takes_nor_ends_the_new_one(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            socket.connect(*listening.where)
            await until(lambda: not socket.connecting)
            first = listening.accept()
            first.send(b"old")
            chunks: list[bytes] = []
            async for chunk in socket:
                chunks.append(chunk)
                socket.destroy()
                peer = await new_life(socket, listening)
                peer.send(b"new")
                await until(lambda: socket.readable_length or socket.bytes_read == 0)
            assert chunks == [b"old"]
            first.close()
            dropped = socket.__aiter__()
            socket.destroy()
            await until(lambda: socket.closed)
            peer.close()
            peer = await new_life(socket, listening)
            del dropped
            assert not socket.destroyed
            await finish(socket, peer)

    play(scenario)


def test_lives_that_fail_leave_no_listeners(play: Player, transport: Transport) -> None:
    """What waits for 'connect' or 'finish' goes with its life."""

    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            removed: list[str] = []
            for _ in range(20):
                socket.connect(*listening.where)
                socket.write(b"x")
                socket.end()
                socket.destroy_soon()
                socket.destroy()
                await turns(2)
            socket.on("removeListener", lambda event, _: removed.append(event))
            peer = await new_life(socket, listening)
            assert socket.listener_count("connect") == 0 and socket.listener_count("finish") == 0
            await finish(socket, peer)

    play(scenario)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
def test_a_connection_listener_that_raises_ends_only_what_the_server_has(play: Player, asynchronous: bool) -> None:
    async def scenario() -> None:
        elsewhere = Listening("tcp", "")
        with elsewhere.socket:
            taken: list[uvnet.Socket] = []

            def leave(socket: uvnet.Socket) -> None:
                taken.append(socket)
                socket.destroy()
                socket.connect(*elsewhere.where)
                raise KeyError("by the test")

            async def leave_later(socket: uvnet.Socket) -> None:
                leave(socket)

            server = uvnet.create_server(leave_later if asynchronous else leave)
            server.listen(0, "127.0.0.1")
            await until(lambda: server.listening)
            with plain.create_connection(("127.0.0.1", server.address().port)):
                await until(lambda: taken and not taken[0].connecting)
                await turns(2)
                (socket,) = taken
                assert not socket.destroyed and socket.server is None
                await finish(socket, await accepted(elsewhere, socket))
            server.close()

    play(scenario)
    play.expect_report(KeyError)
