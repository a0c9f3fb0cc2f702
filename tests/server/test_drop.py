"""'drop': whose connection was refused, and why (rule 1.8.2, section 8)."""

from __future__ import annotations

from typing import Any

from harness import Player, Transport, close, event, listen
from waiting import upcoming

import uvnet


def check(transport: Transport, dropped: Any, client: uvnet.Socket, reason: str) -> None:
    """The argument of 'drop' for this client."""
    assert dropped["reason"] == reason
    if transport.kind == "unix":
        assert dropped == {"reason": reason}
        return
    assert dropped == {
        "local_address": client.remote_address,
        "local_port": client.remote_port,
        "local_family": client.remote_family,
        "remote_address": client.local_address,
        "remote_port": client.local_port,
        "remote_family": client.local_family,
        "reason": reason,
    }


def test_the_connection_limit(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        server.max_connections = 0
        dropping = upcoming(server, "drop")
        client = uvnet.connect(*transport.connect_arguments(server))
        client.resume()
        await event(client, "connect")
        (dropped,) = await dropping
        check(transport, dropped, client, "connection limit")
        if not client.closed:
            await event(client, "close")
        await close(server)

    play(scenario)


def test_the_block_list(play: Player) -> None:
    """Section 8 (blockList of a server), also changed while the server runs."""

    async def scenario() -> None:
        blocked = uvnet.BlockList()
        server = uvnet.create_server(block_list=blocked)
        connections: list[uvnet.Socket] = []
        server.on("connection", connections.append)
        server.listen(0, "127.0.0.1")
        await event(server, "listening")
        port = server.address().port
        accepting = upcoming(server, "connection")
        client = uvnet.connect(port, "127.0.0.1")
        (socket,) = await accepting
        ended = upcoming(socket, "close")
        client.destroy()
        socket.destroy()
        await ended
        blocked.add_address("127.0.0.1")
        dropping = upcoming(server, "drop")
        client = uvnet.connect(port, "127.0.0.1")
        over = upcoming(client, "close")
        client.on("error", lambda _: None)
        client.resume()
        (dropped,) = await dropping
        assert dropped["reason"] == "block list"
        assert dropped["remote_address"] == "127.0.0.1"
        assert dropped["local_port"] == port
        await over
        assert connections == [socket]
        await close(server)

    play(scenario)


def test_a_listener_may_do_anything(play: Player, transport: Transport) -> None:
    """'drop' listeners that close the server and let it listen again."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        server.max_connections = 0
        reasons: list[str] = []

        def dropped(argument: Any) -> None:
            reasons.append(argument["reason"])
            server.close()
            server.max_connections = None
            server.listen(*transport.listen_arguments)

        server.on("drop", dropped)
        listening = upcoming(server, "listening")
        client = uvnet.connect(*transport.connect_arguments(server))
        over = upcoming(client, "close")
        client.on("error", lambda _: None)
        client.resume()
        await listening
        await over
        accepting = upcoming(server, "connection")
        client = uvnet.connect(*transport.connect_arguments(server))
        (socket,) = await accepting
        assert reasons == ["connection limit"]
        client.destroy()
        socket.destroy()
        await close(server)

    play(scenario)
