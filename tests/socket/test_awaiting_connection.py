"""open_connection() and `async with` over a socket: what fails, is cancelled, and how it is left."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from awaitable import MEBIBYTE, pair
from harness import Player, Transport, listen
from waiting import turns

import uvnet


def test_open_connection_that_fails(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        where = ("/nonexistent/socket",) if transport.kind == "unix" else (1, "127.0.0.1")
        kind = FileNotFoundError if transport.kind == "unix" else ConnectionRefusedError
        with pytest.raises(kind):
            await uvnet.open_connection(*where)
        with pytest.raises(kind):
            async with uvnet.connect(*where):
                raise AssertionError
        with pytest.raises(TypeError):
            await uvnet.open_connection()

    play(scenario)


def test_what_fails_at_once_is_raised_and_not_reported_too(play: Player) -> None:
    """In connect() itself: an address that is blocked, a path that is too long."""

    async def scenario() -> None:
        blocked = uvnet.BlockList()
        blocked.add_address("127.0.0.1")

        def lookup(host: str, options: Any, callback: Any) -> None:
            callback(None, "127.0.0.1", 4)

        with pytest.raises(uvnet.NetRuntimeError):
            await uvnet.open_connection(1, "name", lookup=lookup, block_list=blocked)
        with pytest.raises(OSError):
            await uvnet.open_connection("/" + "x" * 300)
        with pytest.raises(uvnet.NetRuntimeError):
            async with uvnet.connect(1, "name", lookup=lookup, block_list=blocked):
                raise AssertionError
        await turns()

    play(scenario)


def test_a_cancelled_connection_is_gone(play: Player) -> None:
    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []

        def lookup(host: str, options: Any, callback: Any) -> None:
            """Never answers."""

        async def connect() -> None:
            socket = uvnet.connect(1, "name", lookup=lookup)
            sockets.append(socket)
            async with socket:
                raise AssertionError

        opening = [asyncio.create_task(uvnet.open_connection(1, "name", lookup=lookup))]
        opening.append(asyncio.create_task(connect()))
        await turns()
        for task in opening:
            task.cancel()
        await asyncio.wait(opening)
        assert [task.cancelled() for task in opening] == [True, True]
        assert sockets[0].destroyed

    play(scenario)


def test_destroyed_while_connecting(play: Player) -> None:
    async def scenario() -> None:
        socket = uvnet.connect(1, "name", lookup=lambda *_: None)
        asyncio.get_running_loop().call_later(0, socket.destroy)
        with pytest.raises(uvnet.NetRuntimeError) as failure:
            async with socket:
                raise AssertionError
        assert failure.value.code == "ERR_SOCKET_CLOSED_BEFORE_CONNECTION"

    play(scenario)


@pytest.mark.parametrize("error", [None, LookupError("by the test")], ids=["quietly", "with an error"])
def test_destroyed_before(play: Player, transport: Transport, error: Exception | None) -> None:
    """Whether that is over already or not."""

    async def scenario() -> None:
        for count in (0, 5):
            async with pair(transport) as (client, _):
                client.on("error", lambda _error: None)
                client.destroy(error)
                await turns(count)
                with pytest.raises((LookupError, uvnet.NetRuntimeError)) as failure:
                    async with client:
                        raise AssertionError
                if error is None:
                    assert failure.value.code == "ERR_SOCKET_CLOSED_BEFORE_CONNECTION"
                else:
                    assert failure.value is error

    play(scenario)


def test_destroyed_by_a_listener_of_connect(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        socket = uvnet.connect(*transport.connect_arguments(server))
        socket.on("connect", socket.destroy)
        with pytest.raises(uvnet.NetRuntimeError) as failure:
            async with socket:
                raise AssertionError
        assert failure.value.code == "ERR_SOCKET_CLOSED_BEFORE_CONNECTION"
        await server.shutdown(0)

    play(scenario)


def test_an_exception_goes_before_an_error_that_nobody_has_heard_of(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, _):
            with pytest.raises(ValueError, match="of the block"):
                async with client:
                    client.destroy(LookupError("of the socket"))
                    raise ValueError("of the block")

    play(scenario)


def test_no_timer_keeps_a_connection_that_is_over(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        where = transport.connect_arguments(server)
        socket = await uvnet.open_connection(*where, timeout=100)
        await socket.close(0)
        left = weakref.ref(socket)
        del socket
        await turns()
        gc.collect()
        assert left() is None
        await server.shutdown(0)

    play(scenario)


def test_leaving_a_socket(play: Player, transport: Transport) -> None:
    """Everything written arrives; an exception destroys; an error that nobody has heard of is raised."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            received = asyncio.create_task(socket.read_exactly(4 * MEBIBYTE))
            async with client:
                client.write(b"x" * 4 * MEBIBYTE)
            assert client.closed
            assert await received == b"x" * 4 * MEBIBYTE
        async with pair(transport) as (client, socket):
            with pytest.raises(LookupError):
                async with client:
                    raise LookupError
            assert client.destroyed
        async with pair(transport) as (client, socket):
            with pytest.raises(LookupError, match="unheard"):
                async with client:
                    client.destroy(LookupError("unheard"))

    play(scenario)


def test_leaving_a_socket_whose_error_was_raised(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket), client:
            client.destroy(LookupError("heard"))
            with pytest.raises(LookupError, match="heard"):
                await client.read_exactly(1)

    play(scenario)
