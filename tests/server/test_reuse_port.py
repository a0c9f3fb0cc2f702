"""One port, several servers: reuse_port and exclusive (section 8, reusePort)."""

from __future__ import annotations

import socket as plain
from collections import Counter
from typing import Any

import pytest
from descriptors import option_of
from harness import Player, close, event
from serving import Serving, told
from waiting import upcoming

import uvnet

ATTEMPTS = 200  # the kernel chooses by a hash of the addresses: all to one side has a chance of 2 ** -199


async def listening(server: uvnet.Server, *arguments: Any, **options: Any) -> uvnet.Server:
    server.listen(*arguments, **options)
    if not server.listening:
        await event(server, "listening")
    return server


@pytest.mark.parametrize("host", [None, "127.0.0.1", "::"])
def test_the_option(play: Player, host: str | None) -> None:
    async def scenario() -> None:
        for wanted in (True, False):
            server = await listening(uvnet.create_server(), port=0, host=host, reuse_port=wanted)
            assert bool(option_of(server, plain.SOL_SOCKET, plain.SO_REUSEPORT)) is wanted
            await close(server)

    play(scenario)


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_two_servers(play: Player, host: str | None) -> None:
    """Section 9 (net-reuseport): both get connections, and one goes on without the other."""

    async def scenario() -> None:
        counts: Counter[int] = Counter()
        servers = [
            uvnet.create_server(lambda socket, number=number: (counts.update([number]), socket.end()))
            for number in range(2)
        ]
        await listening(servers[0], port=0, host=host, reuse_port=True)
        port = servers[0].address().port
        await listening(servers[1], port=port, host=host, reuse_port=True)
        for _ in range(ATTEMPTS):
            client = uvnet.connect(port, "127.0.0.1")
            client.resume()
            await event(client, "close")
            if len(counts) == 2:
                break
        assert len(counts) == 2, counts
        await close(servers[0])
        before = counts[1]
        client = uvnet.connect(port, "127.0.0.1")
        client.resume()
        await event(client, "close")
        assert counts[1] == before + 1
        await close(servers[1])

    play(scenario)


def test_two_processes() -> None:
    """Section 8 (reusePort): connections are spread over them."""
    first = Serving('{"port": 0, "host": "127.0.0.1", "reuse_port": true}')
    port = int(first.line())
    second = Serving(f'{{"port": {port}, "host": "127.0.0.1", "reuse_port": true}}')
    assert second.line() == str(port)
    seen: set[str] = set()
    for _ in range(ATTEMPTS):
        seen.add(told(port))
        if len(seen) == 2:
            break
    assert seen == {first.pid, second.pid}
    first.end()
    assert told(port) == second.pid
    second.end()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"reuse_port": True}),
        ({"reuse_port": True}, {}),
        ({"exclusive": True}, {"exclusive": True}),
        ({"exclusive": True}, {"reuse_port": True}),
        ({"exclusive": True}, {}),
    ],
    ids=str,
)
def test_both_have_to_agree(
    play: Player, first: dict[str, bool], second: dict[str, bool]
) -> None:
    """Exclusive refuses a second binding, also one by reuse."""

    async def scenario() -> None:
        owner = await listening(uvnet.create_server(), port=0, host="127.0.0.1", **first)
        other = uvnet.create_server()
        other.listen(port=owner.address().port, host="127.0.0.1", **second)
        (error,) = await event(other, "error")
        assert error.code == "EADDRINUSE"
        await close(owner)

    play(scenario)


def test_exclusive_refuses_another_process(play: Player) -> None:
    async def scenario() -> None:
        owner = await listening(uvnet.create_server(), port=0, host="127.0.0.1", exclusive=True)
        port = owner.address().port
        serving = Serving(f'{{"port": {port}, "host": "127.0.0.1", "reuse_port": true}}')
        assert serving.line() == "EADDRINUSE"
        serving.end()
        await close(owner)

    play(scenario)


def test_a_unix_socket_has_no_port(play: Player, tmp_path: Any) -> None:
    """Without effect on Unix sockets, which nobody can bind twice."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.end())
        await listening(server, path=str(tmp_path / "socket"), reuse_port=True)
        client = uvnet.connect(str(tmp_path / "socket"))
        over = upcoming(client, "close")
        client.resume()
        await over
        await close(server)

    play(scenario)
