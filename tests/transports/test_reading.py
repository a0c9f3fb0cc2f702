"""What protocols are given to read, and when; asyncio's own transports are the oracle."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from both_loops import BufferedRecorder, Scene, both, ours, told
from pairs import connected_pair
from waiting import turns, until

KINDS = ["tcp", "unix"]
LARGE = bytes(range(256)) * 4096  # 1 MiB


@pytest.mark.parametrize("kind", KINDS)
def test_echo(kind: str) -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol(data=lambda self, data: self.transport.write(data))
        _, peer = await scene.on_socket(protocol, kind)
        peer.send(b"hello")
        assert await scene.loop.sock_recv(peer, 100) == b"hello"
        peer.close()
        await protocol.lost

    assert both(scenario) == [("", "made"), ("", "data", b"hello"), ("", "eof"), ("", "lost", None)]


@pytest.mark.parametrize("kind", KINDS)
def test_much_comes_whole(kind: str) -> None:
    async def scenario(scene: Scene) -> bool:
        protocol = scene.protocol()
        _, peer = await scene.on_socket(protocol, kind)
        await scene.loop.sock_sendall(peer, LARGE)
        peer.close()
        await protocol.lost
        return protocol.received == LARGE

    trace = both(scenario)
    assert [entry[1] for entry in trace] == ["made", "data", "eof", "lost"]


def test_made_then_the_caller_then_data() -> None:
    async def scenario(scene: Scene) -> None:
        mine, peer = connected_pair("tcp")
        scene.sockets.append(peer)
        peer.send(b"early")
        protocol = scene.protocol()
        await scene.loop.create_connection(lambda: protocol, sock=mine)
        scene.note("connected")
        await told(scene, "", "data", b"early")

    assert both(scenario) == [("", "made"), ("connected",), ("", "data", b"early")]


@pytest.mark.parametrize("kind", KINDS)
def test_paused_in_connection_made(kind: str) -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol(made=lambda self: self.transport.pause_reading())
        transport, peer = await scene.on_socket(protocol, kind)
        peer.send(b"waits")
        peer.close()
        await turns(20)
        scene.note("resumed", transport.is_reading())
        transport.resume_reading()
        assert transport.is_reading()
        await protocol.lost

    assert both(scenario) == [
        ("", "made"), ("resumed", False), ("", "data", b"waits"), ("", "eof"), ("", "lost", None),
    ]  # fmt: skip


def test_pausing_in_data_received_stops_the_rest() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol(data=lambda self, data: self.transport.pause_reading())
        transport, peer = await scene.on_socket(protocol)
        sending = asyncio.ensure_future(scene.loop.sock_sendall(peer, LARGE))
        await until(lambda: protocol.received)
        length = len(protocol.received)
        await turns(20)
        assert len(protocol.received) == length
        protocol.does.clear()
        transport.resume_reading()
        await sending
        peer.close()
        await protocol.lost
        assert protocol.received == LARGE

    both(scenario)


def test_pausing_and_resuming_twice() -> None:
    async def scenario(scene: Scene) -> list[bool]:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        states = [transport.is_reading()]
        for method in ("pause_reading", "pause_reading", "resume_reading", "resume_reading"):
            getattr(transport, method)()
            states.append(transport.is_reading())
        peer.send(b"x")
        await told(scene, "", "data", b"x")
        transport.close()
        states.append(transport.is_reading())
        for method in ("pause_reading", "resume_reading"):
            getattr(transport, method)()
        await protocol.lost
        return states

    both(scenario)


@pytest.mark.parametrize("where", ["data", "updated"])
def test_close_while_reading(where: str) -> None:
    """Nothing comes after close(), however much has arrived."""

    async def scenario(scene: Scene) -> None:
        def close(self: Any, _what: Any) -> None:
            self.transport.close()
            scene.note("closed")

        act: Any = {where: close}
        protocol = scene.protocol(**act) if where == "data" else scene.buffered(**act)
        _, peer = await scene.on_socket(protocol)
        await scene.loop.sock_sendall(peer, bytes(50_000))
        await protocol.lost
        scene.trace[:] = [entry for entry in scene.trace if entry[1:2] != ("data",)]

    assert both(scenario) == [("", "made"), ("closed",), ("", "lost", None)]


def test_a_buffer_is_filled_in_place() -> None:
    async def scenario(scene: Scene) -> None:
        mine = bytearray(8)
        protocol = scene.buffered()
        protocol.buffer = memoryview(mine)
        _, peer = await scene.on_socket(protocol)
        peer.send(b"in place")
        await told(scene, "", "data", b"in place")
        assert mine == b"in place"
        peer.send(b"longer than the buffer is")
        peer.close()
        await protocol.lost

    both(scenario)


def test_a_buffer_may_change_its_size_between_reads() -> None:
    """It is pinned while something is read into it, and at no other time."""

    async def scenario(scene: Scene) -> None:
        def grow(self: BufferedRecorder, _length: int) -> None:
            self.buffer += b"more room"

        protocol = scene.buffered(updated=grow)
        protocol.buffer = bytearray(2)
        _, peer = await scene.on_socket(protocol)
        await scene.loop.sock_sendall(peer, b"0123456789" * 10)
        peer.close()
        await protocol.lost
        assert protocol.received == b"0123456789" * 10
        protocol.buffer.clear()

    both(scenario)


def bad_buffer(kind: str) -> Any:
    def give(_self: Any, _hint: int) -> Any:
        if kind == "raises":
            raise KeyError("no buffer")
        return {"empty": bytearray(), "read-only": b"read-only", "no buffer": 7}[kind]

    return give


@pytest.mark.parametrize("kind", ["raises", "empty", "read-only", "no buffer"])
def test_no_buffer(kind: str) -> None:
    """asyncio hands on the error itself; uvnet, as uvloop, one that says where it was, with the cause."""

    async def scenario(scene: Scene) -> None:
        protocol = scene.buffered(buffer=bad_buffer(kind))
        _, peer = await scene.on_socket(protocol)
        peer.send(b"x")
        error = await protocol.lost
        assert isinstance(error, RuntimeError) and "get_buffer()" in str(error)
        causes = {"raises": KeyError, "empty": RuntimeError, "read-only": BufferError, "no buffer": TypeError}
        assert type(error.__cause__) is causes[kind]

    assert ours(scenario) == [
        ("", "made"),
        ("report", "Fatal error: protocol.get_buffer() call failed.", "RuntimeError", 1, True),
        ("", "lost", "RuntimeError"),
    ]


@pytest.mark.parametrize("what", ["close", "abort", "pause_reading"])
def test_get_buffer_that_ends_it(what: str) -> None:
    """asyncio reads once more after close() and pause_reading() in get_buffer(), uvnet does not."""

    async def scenario(scene: Scene) -> None:
        protocol = scene.buffered(buffer=lambda self, _: getattr(self.transport, what)())
        transport, peer = await scene.on_socket(protocol)
        peer.send(b"x")
        if what == "pause_reading":
            await until(lambda: not transport.is_reading())
            await turns()
            assert protocol.received == b""
            protocol.does.clear()
            transport.resume_reading()
            await told(scene, "", "data", b"x")
            transport.close()
        await protocol.lost

    assert ours(scenario)[-1] == ("", "lost", None)


def test_from_a_protocol_to_a_buffered_one() -> None:
    async def scenario(scene: Scene) -> None:
        second = scene.buffered("second")
        first = scene.protocol("first", data=lambda self, _: self.transport.set_protocol(second))
        transport, peer = await scene.on_socket(first)
        peer.send(b"one")
        await told(scene, "first", "data", b"one")
        assert transport.get_protocol() is second
        peer.send(b"two")
        await told(scene, "second", "data", b"two")
        peer.close()
        await second.lost

    assert both(scenario)[-2:] == [("second", "eof"), ("second", "lost", None)]


def test_from_a_buffered_protocol_to_another() -> None:
    async def scenario(scene: Scene) -> None:
        second = scene.protocol("second")
        first = scene.buffered("first", updated=lambda self, _: self.transport.set_protocol(second))
        _, peer = await scene.on_socket(first)
        peer.send(b"one")
        await told(scene, "first", "data", b"one")
        peer.send(b"two")
        await told(scene, "second", "data", b"two")
        peer.close()
        await second.lost

    both(scenario)


@pytest.mark.parametrize("stops", [False, True])
def test_exchanged_in_the_middle_of_much(stops: bool) -> None:
    """Nothing is lost, and who has paused gets nothing, however much had arrived with the first bytes."""

    async def scenario(scene: Scene) -> None:
        def pause(self: Any, _length: int) -> None:
            assert self.transport.is_reading()
            if stops:
                self.transport.pause_reading()

        second = scene.buffered("second", updated=pause)
        first = scene.protocol("first", data=lambda self, _: self.transport.set_protocol(second))
        transport, peer = await scene.on_socket(first)
        second.transport = transport
        transport.pause_reading()
        await scene.loop.sock_sendall(peer, LARGE[:200_000])
        peer.close()
        transport.resume_reading()
        while stops and not second.lost.done():
            await until(lambda: not transport.is_reading() or second.lost.done())
            length = len(second.received)
            await turns()
            assert len(second.received) == length or second.lost.done()
            transport.resume_reading()
        await second.lost
        assert first.received + second.received == LARGE[:200_000]

    ours(scenario)


def test_back_and_forth_between_the_kinds() -> None:
    async def scenario(scene: Scene) -> None:
        def exchange(self: Any, _what: Any) -> None:
            self.transport.set_protocol(plain if self is buffered else buffered)
            plain.transport = buffered.transport = self.transport

        plain = scene.protocol("plain", data=exchange)
        buffered = scene.buffered("buffered", updated=exchange)
        both_have = bytearray()
        for each in (plain, buffered):
            each.got = both_have.__iadd__  # type: ignore[method-assign, assignment]
        _, peer = await scene.on_socket(plain)
        await scene.loop.sock_sendall(peer, LARGE[:300_000])
        peer.close()
        await asyncio.wait([plain.lost, buffered.lost], return_when=asyncio.FIRST_COMPLETED)
        assert both_have == LARGE[:300_000]

    ours(scenario)


def test_what_is_neither_but_looks_like_a_protocol() -> None:
    """uvloop takes a class with get_buffer() for a buffered protocol; asyncio's loop looks at its bases alone."""

    class Duck:
        def __init__(self) -> None:
            self.buffer = bytearray(10)
            self.length = 0

        def connection_made(self, transport: Any) -> None: ...

        def connection_lost(self, error: Any) -> None: ...

        def get_buffer(self, _hint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, length: int) -> None:
            self.length = length

    async def scenario(scene: Scene) -> None:
        duck = Duck()
        transport, peer = await scene.on_socket(duck)
        peer.send(b"quack")
        await until(lambda: duck.length)
        assert duck.buffer[: duck.length] == b"quack"
        transport.abort()

    ours(scenario)


def test_chunks_do_not_change_once_they_were_given() -> None:
    async def scenario(scene: Scene) -> None:
        chunks: list[bytes] = []
        protocol = scene.protocol(data=lambda self, data: chunks.append(data))
        _, peer = await scene.on_socket(protocol)
        for letter in b"abcdef":
            peer.send(bytes([letter]) * 600)
            await until(lambda letter=letter: b"".join(chunks).endswith(bytes([letter]) * 600))  # type: ignore[misc]
        assert b"".join(chunks) == b"".join(bytes([letter]) * 600 for letter in b"abcdef")

    both(scenario)

