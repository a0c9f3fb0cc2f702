"""`async with` a server: leaving it in silence, and cancelled.  Limits: test_shutdown_listeners.py."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from harness import Player, Transport, listen
from waiting import turns

import uvnet
from uvnet.server import scope


@contextlib.asynccontextmanager
async def one_client(server: uvnet.Server, transport: Transport) -> Any:
    """A client that stays, and the server's socket for it."""
    accepted = uvnet.once(server, "connection")
    client = await uvnet.open_connection(*transport.connect_arguments(server), allow_half_open=True)
    client.on("error", lambda _error: None)
    try:
        (socket,) = await accepted
        yield client, socket
    finally:
        client.destroy()


def test_patience() -> None:
    assert scope.PATIENCE == 5, "seconds, as the documentation says"


def test_nothing_is_said_of_what_is_soon_over(
    play: Player, transport: Transport, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "PATIENCE", 0.1)

    async def scenario() -> None:
        async with await listen(uvnet.create_server(), transport):
            pass
        await asyncio.sleep(0.2)
        assert caplog.records == []

    play(scenario)


def test_cancelled_while_it_waits(play: Player, transport: Transport) -> None:
    """The cancellation comes out, and the connections are cut, as nobody waits for them any more."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)

        async def leave() -> None:
            async with server:
                pass

        async with one_client(server, transport) as (_, socket):
            leaving = asyncio.ensure_future(leave())
            await turns()
            assert not server.listening and not leaving.done()
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            assert socket.destroyed
            await server.closed()

    play(scenario)
