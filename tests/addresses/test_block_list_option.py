"""The option block_list of servers and sockets (rule 4.13, section 8; decision 24)."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Player

import uvnet


async def _listening(**options: Any) -> tuple[uvnet.Server, list[dict[str, Any]]]:
    server = uvnet.create_server(lambda socket: socket.end("hello"), **options)
    drops: list[dict[str, Any]] = []
    server.on("drop", drops.append)
    server.listen(0, "127.0.0.1")
    await uvnet.once(server, "listening")
    return server, drops


async def _received(server: uvnet.Server, **options: Any) -> bytes:
    socket = uvnet.connect(server.address().port, "127.0.0.1", **options)
    return b"".join([chunk async for chunk in socket])


def test_the_list_may_change_while_the_server_runs(play: Player) -> None:
    async def scenario() -> None:
        block_list = uvnet.BlockList()
        server, drops = await _listening(block_list=block_list)
        assert await _received(server) == b"hello"
        block_list.add_subnet("127.0.0.0", 8)
        assert await _received(server) == b""
        assert [drop["reason"] for drop in drops] == ["block list"]
        assert drops[0]["remote_address"] == "127.0.0.1"
        block_list.clear()
        assert await _received(server) == b"hello"
        server.close()

    play(scenario)


def test_nobody_needs_to_listen_for_drop(play: Player) -> None:
    async def scenario() -> None:
        block_list = uvnet.BlockList()
        block_list.add_address("127.0.0.1")
        server, _ = await _listening(block_list=block_list)
        server.remove_all_listeners("drop")
        assert await _received(server) == b""
        counts: list[int] = []
        server.get_connections(lambda error, count: counts.append(count))
        server.close()
        await uvnet.once(server, "close")
        assert counts == [0]

    play(scenario)


def test_a_unix_socket_has_no_address_to_block(play: Player, tmp_path: Any) -> None:
    async def scenario() -> None:
        block_list = uvnet.BlockList()
        block_list.add_subnet("0.0.0.0", 0)
        block_list.add_subnet("::", 0, "ipv6")
        path = str(tmp_path / "socket")
        server = uvnet.create_server(lambda socket: socket.end("hello"), block_list=block_list)
        server.listen(path)
        socket = uvnet.connect(path, block_list=block_list)
        assert b"".join([chunk async for chunk in socket]) == b"hello"
        server.close()

    play(scenario)


@pytest.mark.parametrize("where", ["socket", "connect"])
def test_connecting_to_a_blocked_address_fails(play: Player, where: str) -> None:
    async def scenario() -> None:
        block_list = uvnet.BlockList()
        block_list.add_address("127.0.0.1")
        server, _ = await _listening()
        socket = uvnet.Socket(block_list=block_list) if where == "socket" else uvnet.Socket()
        options = {} if where == "socket" else {"block_list": block_list}
        socket.connect(port=server.address().port, host="127.0.0.1", **options)
        with pytest.raises(uvnet.NetRuntimeError) as caught:
            await uvnet.once(socket, "connect")
        assert caught.value.code == "ERR_IP_BLOCKED"
        assert str(caught.value) == "IP(127.0.0.1) is blocked by net.BlockList"
        server.close()

    play(scenario)


def test_a_blocked_address_is_a_failed_attempt(play: Player) -> None:
    async def scenario() -> None:
        block_list = uvnet.BlockList()
        block_list.add_address("::1", "ipv6")
        server, _ = await _listening()
        socket = uvnet.Socket(block_list=block_list)
        failed: list[tuple[Any, ...]] = []
        socket.on("connectionAttemptFailed", lambda *arguments: failed.append(arguments))

        def lookup(host: str, options: Any, callback: Any) -> None:
            callback(None, [("::1", 6), ("127.0.0.1", 4)])

        socket.connect(port=server.address().port, host="somewhere.invalid", lookup=lookup)
        assert b"".join([chunk async for chunk in socket]) == b"hello"
        assert [arguments[0] for arguments in failed] == ["::1"]
        assert failed[0][3].code == "ERR_IP_BLOCKED"
        server.close()

    play(scenario)


@pytest.mark.parametrize("value", ["127.0.0.1", ["127.0.0.1"], 5, True])
def test_it_has_to_be_a_block_list(play: Player, value: Any) -> None:
    async def scenario() -> None:
        for make in (uvnet.create_server, uvnet.Socket):
            with pytest.raises(uvnet.NetTypeError) as caught:
                make({"block_list": value})
            assert caught.value.code == "ERR_INVALID_ARG_TYPE"
        socket = uvnet.Socket()
        with pytest.raises(uvnet.NetTypeError):
            socket.connect({"port": 1, "host": "127.0.0.1", "block_list": value})
        assert not socket.connecting

    play(scenario)
