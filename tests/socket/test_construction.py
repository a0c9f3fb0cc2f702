"""new Socket(): its options, and what a socket says of itself before anything has happened.  Rules 2.1 and 2.4."""

from __future__ import annotations

import os
from typing import Any

import pytest
from harness import Player, Transport, event
from pairs import connected_pair, take_over
from waiting import until, upcoming

import uvnet


def states(socket: uvnet.Socket) -> tuple[bool, bool, str]:
    return socket.connecting, socket.pending, socket.ready_state


def test_options_are_copied(play: Player) -> None:
    """Rule 2.1.1: and the high-water marks and the encoding are those of the stream."""

    async def scenario() -> None:
        options = {"high_water_mark": 10, "readable_high_water_mark": 20, "encoding": "latin1"}
        socket = uvnet.Socket(options)
        options["readable_high_water_mark"] = 30
        assert options == {"high_water_mark": 10, "readable_high_water_mark": 30, "encoding": "latin1"}
        assert socket.readable_high_water_mark == 20
        assert socket.writable_high_water_mark == 10
        assert socket.readable_encoding == "latin1"
        assert uvnet.Socket(writable_high_water_mark=0).writable_high_water_mark == 0
        plain = uvnet.Socket()
        assert plain.readable_high_water_mark == plain.writable_high_water_mark == 65_536

    play(scenario)


@pytest.mark.parametrize("given", ["number", "mapping", "keyword", "socket"])
def test_a_descriptor(play: Player, transport: Transport, given: str) -> None:
    """Rules 2.1.1 and 2.1.4: a number means {"fd": number}; such a socket is open, and reads at once."""

    async def scenario() -> None:
        ours, theirs = connected_pair(transport.kind)
        if given == "number":
            socket = uvnet.Socket(ours.detach())
        elif given == "mapping":
            socket = uvnet.Socket({"fd": ours.detach()})
        elif given == "keyword":
            socket = uvnet.Socket(fd=ours.detach())
        else:
            socket = uvnet.Socket(handle=uvnet.Socket(handle=ours))
        assert states(socket) == (False, False, "open")
        assert (socket.address() is None) == (transport.kind == "unix")
        if transport.kind == "tcp":
            assert socket.address() == (theirs.getpeername()[0], "IPv4", theirs.getpeername()[1])
            assert (socket.remote_address, socket.remote_port) == theirs.getsockname()
        theirs.send(b"hello")
        await until(lambda: socket.readable_length == 5)
        socket.destroy()
        await event(socket, "close")
        theirs.close()

    play(scenario)


@pytest.mark.parametrize(
    ("options", "state", "readable", "writable"),
    [
        ({"readable": True, "writable": False}, "readOnly", True, False),
        ({"readable": False, "writable": True}, "writeOnly", False, True),
        ({"readable": False, "writable": False}, "closed", False, False),
        ({"readable": 0, "writable": None}, "open", True, True),
        ({}, "open", True, True),
    ],
)
def test_sides(
    play: Player, transport: Transport, options: dict[str, Any], state: str, readable: bool, writable: bool
) -> None:
    """Rules 2.1.5 and 2.4.1: only an explicit False disables a side, and then nothing is read."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind, **options)
        assert states(socket) == (False, False, state)
        assert (socket.readable, socket.writable) == (readable, writable)
        peer.send(b"hello")
        if readable:
            await until(lambda: socket.bytes_read)
            assert socket.bytes_read == 5
        else:
            other, other_peer = take_over(transport.kind)
            other_peer.send(b"later")
            await until(lambda: other.bytes_read)
            assert socket.bytes_read == 0
            other.destroy()
            other_peer.close()
            await event(other, "close")
        socket.destroy()
        await event(socket, "close")
        peer.close()

    play(scenario)


def test_a_bad_onread_is_refused(play: Player) -> None:
    """Rule 2.1.6: Node ignores it; here what cannot work is an error at the call."""

    async def scenario() -> None:
        def callback(count: int, buffer: bytearray) -> None: ...

        for onread in (
            5,
            {},
            {"buffer": bytearray(5)},
            {"buffer": bytearray(5), "callback": "x"},
            {"buffer": "text", "callback": callback},
            {"buffer": b"fixed", "callback": callback},
            {"buffer": lambda: None, "callback": callback},
        ):
            with pytest.raises(TypeError) as caught:
                uvnet.Socket(onread=onread)
            assert caught.value.code == "ERR_INVALID_ARG_TYPE"  # type: ignore[attr-defined]

    play(scenario)


def test_an_empty_buffer(play: Player, transport: Transport) -> None:
    """Rule 2.1.6: the first data finds no room."""

    async def scenario() -> None:
        counts: list[int] = []
        onread = {"buffer": bytearray(), "callback": lambda count, buffer: counts.append(count)}
        socket, peer = take_over(transport.kind, onread=onread)
        peer.send(b"hello")
        closed = upcoming(socket, "close")
        (error,) = await event(socket, "error")
        assert (error.code, error.syscall) == ("ENOBUFS", "read")
        assert await closed == (True,)
        assert counts == []
        peer.close()

    play(scenario)


def test_onread_with_a_handle(play: Player, transport: Transport) -> None:
    """Rule 2.1.7: works here, with an accepted descriptor too."""

    async def scenario() -> None:
        chunks: list[bytes] = []
        onread = {
            "buffer": bytearray(4),
            "callback": lambda count, buffer: chunks.append(bytes(buffer[:count])),
        }
        socket, peer = take_over(transport.kind, onread=onread)
        peer.send(b"hello")
        await until(lambda: len(chunks) == 2)
        assert chunks == [b"hell", b"o"]
        socket.destroy()
        await event(socket, "close")
        peer.close()

    play(scenario)


def test_pending_over_a_life(play: Player, transport: Transport) -> None:
    """Rules 2.4.1 and 2.4.3: no handle, or connecting."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.resume())
        server.listen(*transport.listen_arguments)
        if not server.listening:
            await event(server, "listening")
        socket = uvnet.Socket()
        assert states(socket) == (False, True, "open")
        socket.connect(*transport.connect_arguments(server))
        assert states(socket) == (True, True, "opening")
        await event(socket, "connect")
        assert states(socket) == (False, False, "open")
        socket.end()
        assert states(socket) == (False, False, "readOnly")
        socket.destroy()
        assert states(socket) == (False, True, "closed")
        await event(socket, "close")
        assert states(socket) == (False, True, "closed")
        server.close()
        await event(server, "close")

    play(scenario)


def test_a_write_only_state(play: Player, transport: Transport) -> None:
    """Rule 2.4.1: after the peer's FIN."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind, allow_half_open=True)
        peer.shutdown(1)
        await event(socket, "end")
        assert states(socket) == (False, False, "writeOnly")
        assert (socket.readable, socket.writable) == (False, True)
        socket.end()
        assert states(socket) == (False, False, "closed")
        await event(socket, "close")
        peer.close()

    play(scenario)


def test_a_descriptor_that_is_taken_over_is_closed(play: Player, transport: Transport) -> None:
    """Rule 2.1.4: by whoever has it now."""

    async def scenario() -> None:
        ours, theirs = connected_pair(transport.kind)
        descriptor = ours.detach()
        socket = uvnet.Socket(descriptor)
        os.fstat(descriptor)
        socket.destroy()
        await event(socket, "close")
        with pytest.raises(OSError):
            os.fstat(descriptor)
        theirs.close()

    play(scenario)


def test_a_fifo_has_an_end(play: Player) -> None:
    """Rules 2.1.4 and 2.9.5: it cannot be shut down, and ends when it is closed."""

    async def scenario() -> None:
        reader, writer = os.pipe()
        socket = uvnet.Socket(fd=writer, readable=False)
        finished, closed = upcoming(socket, "finish"), upcoming(socket, "close")
        socket.end(b"the end")
        await finished
        assert await closed == (False,)
        assert os.read(reader, 100) == b"the end"
        assert os.read(reader, 100) == b""
        os.close(reader)

    play(scenario)
