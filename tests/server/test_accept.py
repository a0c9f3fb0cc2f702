"""What a server does with connections: sockets, limits, counts (rules 1.8 and 1.10)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from harness import Player, Transport, close, event, listen
from waiting import upcoming

import uvnet


async def connected(server: uvnet.Server, transport: Transport) -> tuple[uvnet.Socket, uvnet.Socket]:
    """Both ends of a new connection."""
    accepting = upcoming(server, "connection")
    client = uvnet.connect(*transport.connect_arguments(server))
    await event(client, "connect")
    (socket,) = await accepting
    return client, socket


async def turn() -> None:
    """Until every tick that is queued now has run."""
    done = asyncio.get_running_loop().create_future()
    uvnet.next_tick(done.set_result, None)
    await done


async def counted(server: uvnet.Server) -> int:
    """What get_connections() tells."""
    answers: list[tuple[Any, int]] = []
    assert server.get_connections(lambda *answer: answers.append(answer)) is server
    assert answers == []
    await turn()
    ((error, count),) = answers
    assert error is None
    return count


def test_a_new_socket(play: Player, transport: Transport) -> None:
    """Rule 1.8.4."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        seen: list[Any] = []

        def look(socket: uvnet.Socket) -> None:
            seen.extend(
                (socket.server is server, socket.connecting, socket.pending, socket.ready_state)
            )
            seen.extend((socket.readable_flowing, socket.bytes_read, socket.destroyed))

        server.on("connection", look)
        client, socket = await connected(server, transport)
        assert seen == [True, False, False, "open", None, 0, False]
        client.destroy()
        socket.destroy()
        await close(server)

    play(scenario)


def test_connections_are_counted(play: Player, transport: Transport) -> None:
    """Rules 1.8.5 and 1.10.1: from 'connection' to destroy(), not to 'close'."""

    async def scenario() -> None:
        server = uvnet.create_server()
        assert await counted(server) == 0
        await listen(server, transport)
        pairs = [await connected(server, transport) for _ in range(3)]
        assert await counted(server) == 3
        pairs[0][1].destroy()
        assert not pairs[0][1].closed
        assert await counted(server) == 2
        pairs[0][1].destroy()
        assert await counted(server) == 2
        server.close()
        assert await counted(server) == 2
        over = upcoming(server, "close")
        for client, socket in pairs:
            client.destroy()
            socket.destroy()
        await over
        assert await counted(server) == 0

    play(scenario)


def test_max_connections(play: Player, transport: Transport) -> None:
    """Rule 1.8.2 and decision 15: one 'drop' for each, and the peer sees a plain end."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        server.max_connections = 2
        dropped: list[Any] = []
        server.on("drop", dropped.append)
        kept = [await connected(server, transport) for _ in range(2)]
        for number in range(3):
            client = uvnet.connect(*transport.connect_arguments(server))
            events: list[str] = []
            for name in ("connect", "end", "error", "data"):
                client.on(name, lambda *_, name=name, events=events: events.append(name))
            assert await event(client, "close") == (False,)
            assert events == ["connect", "end"]
            assert len(dropped) == number + 1
        assert await counted(server) == 2
        for pair in kept:
            for socket in pair:
                socket.destroy()
        await close(server)

    play(scenario)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_place_becomes_free(play: Player, transport: Transport, number: int) -> None:
    """Rules 1.8.2 and 1.8.5: max_connections counts what is open now."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        server.max_connections = 1
        for _ in range(number):
            client, socket = await connected(server, transport)
            socket.destroy()
            client.destroy()
        client, socket = await connected(server, transport)
        server.max_connections = None
        other = await connected(server, transport)
        for one in (client, socket, *other):
            one.destroy()
        await close(server)

    play(scenario)


def test_max_connections_of_0(play: Player, transport: Transport) -> None:
    """Decision 15: nobody is let in."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        server.max_connections = 0
        refused = upcoming(server, "drop")
        client = uvnet.connect(*transport.connect_arguments(server))
        client.resume()
        await refused
        await event(client, "close")
        assert await counted(server) == 0
        server.max_connections = 1
        client, socket = await connected(server, transport)
        client.destroy()
        socket.destroy()
        await close(server)

    play(scenario)


def test_pause_on_connect(play: Player, transport: Transport) -> None:
    """Rule 1.8.3: nothing is read before resume(), whoever listens."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(pause_on_connect=True), transport)
        client, socket = await connected(server, transport)
        received: list[bytes] = []
        socket.on("data", received.append)
        client.write(b"hello")
        # The other way round it has arrived by the time that an answer is there.
        socket.write(b"ready")
        await event(client, "data")
        assert socket.readable_flowing is False
        assert socket.is_paused()
        assert (socket.bytes_read, received) == (0, [])
        arriving = upcoming(socket, "data")
        socket.resume()
        await arriving
        assert received == [b"hello"]
        client.destroy()
        socket.destroy()
        await close(server)

    play(scenario)


def test_reading_begins_at_once(play: Player, transport: Transport) -> None:
    """Rule 1.8.3: what nobody consumes is buffered, up to the high-water mark."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(high_water_mark=1000), transport)
        client, socket = await connected(server, transport)
        client.write(b"x" * 500)
        while socket.bytes_read < 500:
            await event(socket, "readable")
        assert socket.readable_length == 500
        client.destroy()
        socket.destroy()
        await close(server)

    play(scenario)


def test_the_address(play: Player) -> None:
    """Rule 1.10.2: equal, and a new one each time."""

    async def scenario() -> None:
        for host, family in (("127.0.0.1", "IPv4"), ("::1", "IPv6"), ("0.0.0.0", "IPv4")):
            server = uvnet.create_server().listen(0, host)
            await event(server, "listening")
            address = server.address()
            assert address._fields == ("address", "family", "port")
            assert address[:2] == (host, family)
            assert server.address() == address
            assert server.address() is not address
            await close(server)

    play(scenario)


def test_listening_is_read_only(play: Player) -> None:
    """Rule 1.10.3."""

    async def scenario() -> None:
        server = uvnet.create_server()
        with pytest.raises(AttributeError):
            server.listening = True
        server.listen(0)
        assert server.listening is True
        server.close()
        assert server.listening is False

    play(scenario)


def test_ref_and_unref(play: Player, transport: Transport) -> None:
    """Rule 1.10.4: they return the server, may be repeated, and are remembered."""

    async def scenario() -> None:
        server = uvnet.create_server()
        assert server.unref() is server
        assert server.unref() is server
        await listen(server, transport)
        assert server not in uvnet.active_handles()
        assert server.ref() is server
        assert server.ref() is server
        assert server in uvnet.active_handles()
        server.unref()
        await close(server)
        await listen(server, transport)
        assert server not in uvnet.active_handles()
        await close(server)

    play(scenario)


def test_errors_of_a_client_are_the_socket_s(play: Player) -> None:
    """Rule 1.10.5."""

    async def scenario() -> None:
        events: list[str] = []
        server = uvnet.create_server().listen(0)
        for name in ("error", "close", "drop"):
            server.on(name, lambda *_, name=name: events.append(name))
        accepting = upcoming(server, "connection")
        client = uvnet.connect(server.address().port, "127.0.0.1")
        (socket,) = await accepting
        failing = upcoming(socket, "error")
        client.reset_and_destroy()
        (error,) = await failing
        assert isinstance(error, ConnectionResetError)
        if not socket.closed:
            await event(socket, "close")
        assert events == []
        assert server.listening
        await close(server)

    play(scenario)


def test_an_async_listener_that_fails(play: Player, transport: Transport) -> None:
    """Rule 1.10.6: its socket is destroyed, the server goes on."""

    async def scenario() -> None:
        async def fail(socket: uvnet.Socket) -> None:
            raise LookupError("in the listener")

        server = await listen(uvnet.create_server(fail), transport)
        client = uvnet.connect(*transport.connect_arguments(server))
        client.resume()
        assert await event(client, "close") == (False,)
        play.expect_report(LookupError)
        server.off("connection", fail)
        client, socket = await connected(server, transport)
        client.destroy()
        socket.destroy()
        await close(server)

    play(scenario)
