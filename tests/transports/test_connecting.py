"""Connections of the loop: refused, unknown, the first of several, from where; asyncio's own loop is the oracle."""

from __future__ import annotations

import asyncio
import re
import socket as plain
import sys
from pathlib import Path
from typing import Any

import pytest
from both_loops import Scene, both, ours, play_on
from pairs import connected_pair
from peers import unused_port
from waiting import until


def resolve(loop: Any, *addresses: tuple[str, int]) -> None:
    """Have the loop find these for a host named "anything"."""
    ask = loop.getaddrinfo

    async def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:
        if host != "anything":
            return await ask(host, *arguments, **keywords)
        return [(plain.AF_INET, plain.SOCK_STREAM, plain.IPPROTO_TCP, "", each) for each in addresses]

    loop.getaddrinfo = getaddrinfo


def described(error: BaseException) -> Any:
    return type(error).__name__, getattr(error, "errno", None), str(error)


async def failure(connecting: Any) -> Any:
    with pytest.raises(Exception) as raised:
        await connecting
    return described(raised.value)


def test_refused() -> None:
    port = unused_port()

    async def scenario(scene: Scene) -> Any:
        return await failure(scene.loop.create_connection(scene.protocol, "127.0.0.1", port))

    assert both(scenario) == []


def test_unknown_host() -> None:
    async def scenario(scene: Scene) -> Any:
        kind, number, _ = await failure(scene.loop.create_connection(scene.protocol, "host.invalid", 1))
        return kind, number

    assert both(scenario) == []


def test_no_such_path(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> Any:
        kind, number, _ = await failure(scene.loop.create_unix_connection(scene.protocol, tmp_path / "none"))
        return kind, number

    both(scenario)


@pytest.mark.parametrize("delay", [None, 0.01, 30])
def test_the_first_of_several_fails(delay: float | None) -> None:
    async def scenario(scene: Scene) -> Any:
        accepted = scene.protocol("server")
        server = await scene.loop.create_server(lambda: accepted, "127.0.0.1", 0)
        where = server.sockets[0].getsockname()
        resolve(scene.loop, ("127.0.0.1", unused_port()), where, ("127.0.0.1", 1))
        transport, _ = await scene.loop.create_connection(
            lambda: scene.protocol("client"), "anything", 1, happy_eyeballs_delay=delay
        )
        await until(lambda: accepted.transport)
        found = transport.get_extra_info("peername") == where
        transport.close()
        await accepted.lost
        server.close()
        return found

    both(scenario, apart=True)
    assert play_on("uvnet", scenario).result is True


def test_happy_eyeballs_goes_on_without_the_first() -> None:
    """One that neither answers nor refuses: a listener whose backlog is full."""

    async def scenario(scene: Scene) -> None:
        silent = plain.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        fillers = []
        for _ in range(4):
            filler = plain.socket()
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
            fillers.append(filler)
        accepted = scene.protocol("server")
        server = await scene.loop.create_server(lambda: accepted, "127.0.0.1", 0)
        where = server.sockets[0].getsockname()
        resolve(scene.loop, silent.getsockname(), where)
        transport, _ = await scene.loop.create_connection(
            lambda: scene.protocol("client"), "anything", 1, happy_eyeballs_delay=0.01
        )
        assert transport.get_extra_info("peername") == where
        await until(lambda: accepted.transport)
        transport.close()
        await accepted.lost
        server.close()
        for each in (silent, *fillers):
            each.close()

    ours(scenario)


@pytest.mark.parametrize("delay", [None, 0.001])
def test_all_of_several_fail(delay: float | None) -> None:
    first, second = unused_port(), unused_port()

    async def scenario(scene: Scene) -> Any:
        resolve(scene.loop, ("127.0.0.1", first), ("127.0.0.2", second))
        kind, _, text = await failure(
            scene.loop.create_connection(scene.protocol, "anything", 1, happy_eyeballs_delay=delay)
        )
        return kind, text

    both(scenario)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="an option of CPython 3.12")
def test_all_errors() -> None:
    first, second = unused_port(), unused_port()

    async def scenario(scene: Scene) -> Any:
        resolve(scene.loop, ("127.0.0.1", first), ("127.0.0.2", second))
        return await failure(scene.loop.create_connection(scene.protocol, "anything", 1, all_errors=True))

    both(scenario)


def test_local_address() -> None:
    async def scenario(scene: Scene) -> Any:
        accepted = scene.protocol("server")
        server = await scene.loop.create_server(lambda: accepted, "127.0.0.1", 0)
        where = server.sockets[0].getsockname()
        transport, _ = await scene.loop.create_connection(
            lambda: scene.protocol("client"), *where, local_addr=("127.0.0.7", 0)
        )
        await until(lambda: accepted.transport)
        name = accepted.transport.get_extra_info("peername")
        assert name == transport.get_extra_info("sockname")
        transport.close()
        await accepted.lost
        server.close()
        return name[0]

    both(scenario, apart=True)


def test_local_addresses_that_will_not_do() -> None:
    async def scenario(scene: Scene) -> Any:
        with plain.create_server(("127.0.0.1", 0)) as taken:
            where = taken.getsockname()
            kind, number, text = await failure(
                scene.loop.create_connection(scene.protocol, *where, local_addr=where)
            )
            # asyncio writes the number twice since CPython 3.12.
            return kind, number, re.sub(r": (\[errno \d+\] )?(?=address)", ": ", text.replace(str(where[1]), "PORT"))

    both(scenario)


WRONG: dict[str, dict[str, Any]] = {
    "nothing": {},
    "both": {"host": "127.0.0.1", "port": 1, "sock": "a socket"},
    "host name for TLS": {"host": "127.0.0.1", "port": 1, "server_hostname": "x"},
    "handshake": {"host": "127.0.0.1", "port": 1, "ssl_handshake_timeout": 1.0},
    "shutdown": {"host": "127.0.0.1", "port": 1, "ssl_shutdown_timeout": 1.0},
    "TLS without a name": {"sock": "a socket", "ssl": True},
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_options(what: str) -> None:
    if what == "shutdown" and sys.version_info < (3, 11):
        pytest.skip("an option of CPython 3.11")

    async def scenario(scene: Scene) -> Any:
        return await failure(scene.loop.create_connection(scene.protocol, **WRONG[what]))

    both(scenario)


def test_sockets_that_will_not_do() -> None:
    async def scenario(scene: Scene) -> None:
        with plain.socket(type=plain.SOCK_DGRAM) as datagrams:
            for method in ("create_connection", "create_unix_connection"):
                with pytest.raises(ValueError, match="Stream Socket was expected"):
                    await getattr(scene.loop, method)(scene.protocol, sock=datagrams)
            with pytest.raises(ValueError, match="A Stream Socket was expected"):
                await scene.loop.connect_accepted_socket(scene.protocol, datagrams)
            assert datagrams.fileno() >= 0

    both(scenario)


def test_a_closed_socket() -> None:
    async def scenario(scene: Scene) -> None:
        closed = plain.socket()
        closed.close()
        with pytest.raises(OSError):
            await scene.loop.create_connection(scene.protocol, sock=closed)

    ours(scenario)


def test_a_socket_that_is_not_connected() -> None:
    """asyncio finds out when it reads."""

    async def scenario(scene: Scene) -> None:
        with plain.socket() as alone:
            protocol = scene.protocol()
            try:
                await scene.loop.create_connection(lambda: protocol, sock=alone)
            except OSError:
                return
            assert isinstance(await protocol.lost, OSError)

    ours(scenario)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_accepted_elsewhere(kind: str) -> None:
    async def scenario(scene: Scene) -> Any:
        mine, peer = connected_pair(kind)
        mine.setblocking(True)
        scene.sockets.append(peer)
        protocol = scene.protocol(data=lambda self, data: self.transport.write(data))
        transport, found = await scene.loop.connect_accepted_socket(lambda: protocol, mine)
        assert found is protocol and transport is protocol.transport
        peer.send(b"ping")
        answer = await scene.loop.sock_recv(peer, 100)
        peer.close()
        await protocol.lost
        return answer, mine.fileno()

    both(scenario)


def test_a_factory_that_raises() -> None:
    async def scenario(scene: Scene) -> None:
        def make() -> Any:
            raise LookupError("no protocol")

        with plain.create_server(("127.0.0.1", 0)) as listening:
            with pytest.raises(LookupError):
                await scene.loop.create_connection(make, *listening.getsockname())
            peer, _ = listening.accept()
            peer.setblocking(False)
            assert await scene.loop.sock_recv(peer, 100) == b""
            peer.close()

    ours(scenario)


@pytest.mark.parametrize("turns_before", range(5))
def test_cancelled(turns_before: int) -> None:
    """Whenever it is cancelled, nothing is left."""

    async def scenario(scene: Scene) -> None:
        with plain.create_server(("127.0.0.1", 0)) as listening:
            protocol = scene.protocol()
            connecting = scene.loop.create_task(
                scene.loop.create_connection(lambda: protocol, *listening.getsockname())
            )
            for _ in range(turns_before):
                await asyncio.sleep(0)
            connecting.cancel()
            await asyncio.wait([connecting])
            if not connecting.cancelled():
                connecting.result()[0].close()
            if protocol.transport is not None:
                await protocol.lost

    ours(scenario)
