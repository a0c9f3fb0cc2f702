"""listen() on several hosts at once: all of them or none, one port for all, and what a server says of them."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import resource
import socket as plain
from pathlib import Path
from typing import Any

import pytest
from descriptors import open_sockets
from harness import Player, close, event

import uvnet
from uvnet.processes.handles import pack

BOTH = ["127.0.0.1", "::1"]


async def listening(server: uvnet.Server, *arguments: Any, **options: Any) -> uvnet.Server:
    server.listen(*arguments, **options)
    await event(server, "listening")
    return server


def hosts_of(server: uvnet.Server) -> list[str]:
    return [address.address for address in server.addresses() if isinstance(address, uvnet.Address)]


async def answer_at(address: Any) -> bytes:
    async with await uvnet.open_connection(address.port, address.address) as client:
        return await client.read_all(100)


@pytest.mark.parametrize(
    "listen",
    [
        lambda server: server.listen(0, BOTH),
        lambda server: server.listen(port=0, host=tuple(BOTH)),
        lambda server: server.listen({"port": 0, "host": [ipaddress.ip_address(host) for host in BOTH]}),
    ],
)
def test_on_two_hosts(play: Player, listen: Any) -> None:
    """One 'listening', one port, and every address is served."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.end(socket.local_address))
        happened: list[str] = []
        server.on("listening", lambda: happened.append("listening"))
        assert listen(server) is server
        assert server.addresses() == []
        await event(server, "listening")
        assert server.listening
        first, second = server.addresses()
        assert server.address() == first
        assert (first.address, first.family) == ("127.0.0.1", "IPv4")
        assert (second.address, second.family) == ("::1", "IPv6")
        assert first.port == second.port == server.port > 0
        assert repr(server) == f"<Server listening on 127.0.0.1:{server.port}, [::1]:{server.port}>"
        assert [await answer_at(address) for address in (first, second)] == [b"127.0.0.1", b"::1"]
        assert happened == ["listening"]
        await close(server)
        assert server.addresses() == []
        for address in (first, second):
            with pytest.raises(ConnectionRefusedError):
                await uvnet.open_connection(address.port, address.address)

    play(scenario)


def test_one_host_and_a_path(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = await listening(uvnet.create_server(), 0, ["127.0.0.1"])
        assert server.addresses() == [server.address()]
        await close(server)
        path = str(tmp_path / "socket")
        server.listen(path)
        assert server.addresses() == [path]
        await close(server)

    play(scenario)


def test_every_interface_of_both_families(play: Player) -> None:
    """The socket of IPv6 leaves IPv4 to the other one."""

    async def scenario() -> None:
        server = await listening(uvnet.create_server(), 0, ["::", "0.0.0.0"])
        assert hosts_of(server) == ["::", "0.0.0.0"]
        await close(server)

    play(scenario)


def test_names_and_addresses_that_are_the_same(play: Player) -> None:
    async def scenario() -> None:
        server = await listening(uvnet.create_server(), 0, ["127.0.0.1", "localhost", "::1", "127.0.0.1"])
        assert hosts_of(server) == ["127.0.0.1", "::1"]
        await close(server)

    play(scenario)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_all_or_none(play: Player, place: int) -> None:
    """The error is of the one that cannot be, and nothing is left of the others."""

    async def scenario() -> None:
        with plain.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            hosts = ["127.0.0.2", "127.0.0.3"]
            hosts.insert(place, "127.0.0.1")
            before = open_sockets().keys()
            server = uvnet.create_server()
            (error,) = await event(server.listen(port, hosts), "error")
            assert (error.code, error.address, error.port) == ("EADDRINUSE", "127.0.0.1", port)
            assert not server.listening
            assert server.addresses() == []
            assert open_sockets().keys() == before
            # It may try again.
            hosts.remove("127.0.0.1")
            await listening(server, port, hosts)
            assert hosts_of(server) == hosts
            await close(server)

    play(scenario)


def test_a_socket_that_is_bound_and_does_not_listen_yet(play: Player) -> None:
    """bind(2) may share an address then, and listen(2) fails for whoever comes second."""

    async def scenario() -> None:
        with plain.socket() as other:
            other.setsockopt(plain.SOL_SOCKET, plain.SO_REUSEADDR, 1)
            other.bind(("127.0.0.2", 0))
            port = other.getsockname()[1]
            server = uvnet.create_server().listen(port, ["127.0.0.1", "127.0.0.2"])
            other.listen()
            (error,) = await event(server, "error")
            assert (error.code, error.address) == ("EADDRINUSE", "127.0.0.2")
            await listening(server, port, "127.0.0.1")
            await close(server)

    play(scenario)


def test_a_name_that_does_not_exist(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0, ["127.0.0.1", "does-not-exist.invalid"])
        (error,) = await event(server, "error")
        assert isinstance(error, plain.gaierror)
        assert not server.listening

    play(scenario)


def test_closed_before_the_names_are_known(play: Player) -> None:
    async def scenario() -> None:
        before = open_sockets().keys()
        server = uvnet.create_server().listen(0, ["localhost", "::1", "localhost"])
        await close(server)
        await asyncio.sleep(0.05)
        assert not server.listening
        assert open_sockets().keys() == before

    play(scenario)


@pytest.mark.parametrize("backpressure", [False, True])
def test_connections_of_all_count_together(play: Player, backpressure: bool) -> None:
    """A limit is the server's, and who takes connections one by one holds back all of them."""

    async def scenario() -> None:
        server = await listening(uvnet.create_server(), 0, BOTH)
        drops: list[Any] = []
        server.on("drop", drops.append)
        if not backpressure:
            server.max_connections = 1
        clients = []
        for _ in range(20):
            for host in BOTH:
                clients.append(plain.create_connection((host, server.port)))
        if backpressure:
            taken = []
            async for accepted in server:
                taken.append(accepted)
                accepted.destroy()
                if len(taken) == 40:
                    break
            assert {accepted.local_address for accepted in taken} == set(BOTH)
            assert drops == []
        else:
            while len(drops) < 39:
                await asyncio.sleep(0.001)
            assert {drop["local_address"] for drop in drops} == set(BOTH)
        for client in clients:
            client.close()
        server.close()
        await server.shutdown(0)

    play(scenario)


def test_unref_and_handing_over(play: Player) -> None:
    """What is done to the server is done to each of its sockets."""

    async def scenario() -> None:
        server = await listening(uvnet.create_server(), 0, BOTH)
        server.unref()
        assert server not in uvnet.active_handles()
        server.ref()
        assert server in uvnet.active_handles()
        other = uvnet.create_server().listen(server)
        assert not server.listening
        assert server.addresses() == []
        assert hosts_of(other) == BOTH
        await close(other)

    play(scenario)


def test_several_sockets_cannot_be_sent(play: Player) -> None:
    async def scenario() -> None:
        server = await listening(uvnet.create_server(), 0, BOTH)
        with pytest.raises(uvnet.NetTypeError, match="several sockets"):
            pack(server, False)
        assert server.listening
        await close(server)

    play(scenario)


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ([], uvnet.NetValueError),
        ([""], uvnet.NetValueError),
        (["127.0.0.1", ""], uvnet.NetValueError),
        (["127.0.0.1", None], uvnet.NetValueError),
        (["127.0.0.1", 1], uvnet.NetTypeError),
        ([["127.0.0.1"]], uvnet.NetTypeError),
        (["a\0b"], uvnet.NetValueError),
        ([b"127.0.0.1"], uvnet.NetTypeError),
        (b"127.0.0.1", uvnet.NetTypeError),
        ({"127.0.0.1": 1}, uvnet.NetTypeError),
        (ipaddress.ip_network("127.0.0.0/8"), uvnet.NetTypeError),
        (1, uvnet.NetTypeError),
    ],
)
def test_bad_hosts(play: Player, host: Any, error: type[Exception]) -> None:
    async def scenario() -> None:
        server = uvnet.create_server()
        with pytest.raises(error):
            server.listen(port=0, host=host)
        assert not server.listening
        server.listen(0)
        await close(server)

    play(scenario)


def test_no_descriptor_for_the_second(play: Player) -> None:
    """Out of descriptors between the two: the first is given back."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0, BOTH)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.open("/dev/null", os.O_RDONLY)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
        try:
            (error,) = await event(server, "error")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert error.errno == errno.EMFILE
        fresh = os.open("/dev/null", os.O_RDONLY)
        os.close(fresh)
        assert fresh == lowest
        await listening(server, 0, BOTH)
        await close(server)

    play(scenario)
