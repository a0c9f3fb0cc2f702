"""What get_extra_info() gives, and what may be done with its socket; asyncio's own transports are the oracle."""

from __future__ import annotations

import asyncio
import copy
import pickle
import socket as plain
from pathlib import Path
from typing import Any

import pytest
from both_loops import Scene, both, ours, play_on
from pairs import connected_pair
from waiting import turns, until

HOSTS = ["127.0.0.1", "::1"]
NAMES = ("sockname", "peername")


async def connection(scene: Scene, where: Any) -> tuple[Any, Any, Any]:
    """A server on a host or a path, and the two protocols of a connection to it."""
    accepted, client = scene.protocol("server"), scene.protocol("client")
    if isinstance(where, Path):
        server = await scene.loop.create_unix_server(lambda: accepted, where)
        await scene.loop.create_unix_connection(lambda: client, str(where))
    else:
        server = await scene.loop.create_server(lambda: accepted, where, 0)
        await scene.loop.create_connection(lambda: client, *server.sockets[0].getsockname()[:2])
    await until(lambda: accepted.transport)
    return server, accepted, client


@pytest.mark.parametrize("host", HOSTS)
def test_names_of_ip(host: str) -> None:
    async def scenario(scene: Scene) -> None:
        server, accepted, client = await connection(scene, host)
        there = server.sockets[0].getsockname()
        for _state in ("open", "lost"):
            ask, other = client.transport.get_extra_info, accepted.transport.get_extra_info
            assert ask("peername") == there == other("sockname")
            assert ask("sockname") == other("peername")
            assert ask("sockname")[0] == host and len(ask("sockname")) == (2 if "." in host else 4)
            client.transport.close()
            await client.lost
            await accepted.lost
        server.close()

    both(scenario, apart=True)


def test_names_of_unix(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        server, accepted, client = await connection(scene, tmp_path / "socket")
        path = str(tmp_path / "socket")
        for state in ("open", "lost"):
            for each in (client, accepted):
                scene.note(state, [each.transport.get_extra_info(name) == path for name in NAMES])
                scene.note(state, [each.transport.get_extra_info(name) == "" for name in NAMES])
            client.transport.close()
            await client.lost
            await accepted.lost
        server.close()
        (tmp_path / "socket").unlink(missing_ok=True)

    both(scenario, apart=True)


def test_names_before_and_after_connection_lost(tmp_path: Path) -> None:
    async def scenario(scene: Scene, where: Any) -> None:
        server, accepted, client = await connection(scene, where)
        names = [client.transport.get_extra_info(name) for name in NAMES]
        client.transport.abort()
        assert [client.transport.get_extra_info(name) for name in NAMES] == names
        await client.lost
        assert [client.transport.get_extra_info(name) for name in NAMES] == names
        await accepted.lost
        server.close()

    for where in ("127.0.0.1", tmp_path / "socket"):
        both(lambda scene, where=where: scenario(scene, where), apart=True)  # type: ignore[misc]


def test_what_is_not_there() -> None:
    async def scenario(scene: Scene) -> Any:
        transport, _ = await scene.on_socket(scene.protocol())
        return [transport.get_extra_info(name, "default") for name in ("ssl_object", "nothing", "", "pipe")]

    both(scenario)


def test_the_socket_of_a_transport() -> None:
    async def scenario(scene: Scene) -> Any:
        server, accepted, client = await connection(scene, "127.0.0.1")
        found = client.transport.get_extra_info("socket")
        assert client.transport.get_extra_info("socket") is found
        assert found.fileno() >= 0
        assert found.getsockname() == client.transport.get_extra_info("sockname")
        assert found.getpeername() == client.transport.get_extra_info("peername")
        found.setsockopt(plain.SOL_SOCKET, plain.SO_KEEPALIVE, 1)
        facts = [
            found.family, found.type, found.proto in (0, plain.IPPROTO_TCP), found.gettimeout(),
            found.get_inheritable(), found.getsockopt(plain.SOL_SOCKET, plain.SO_KEEPALIVE),
            found.getsockopt(plain.IPPROTO_TCP, plain.TCP_NODELAY), found.setblocking(False), found.settimeout(0),
        ]  # fmt: skip
        copied = found.dup()
        assert isinstance(copied, plain.socket) and copied.fileno() != found.fileno()
        copied.close()
        client.transport.close()
        await client.lost
        facts.append(found.fileno())
        with pytest.raises(OSError):
            found.getsockopt(plain.SOL_SOCKET, plain.SO_KEEPALIVE)
        with pytest.raises(OSError):
            found.setsockopt(plain.SOL_SOCKET, plain.SO_KEEPALIVE, 0)
        with pytest.raises(OSError):
            found.dup()
        assert "TransportSocket" in repr(found)
        assert isinstance(facts[0], plain.AddressFamily)
        await accepted.lost
        server.close()
        return facts

    both(scenario, apart=True)


REFUSED = (
    "accept", "bind", "close", "connect", "connect_ex", "detach", "listen", "makefile", "recv", "recv_into",
    "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "send", "sendall", "sendfile", "sendmsg", "sendto",
)  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_socket_refuses(name: str) -> None:
    """asyncio's has no such attributes; here they say why."""

    async def scenario(scene: Scene) -> None:
        server, accepted, client = await connection(scene, "127.0.0.1")
        for each in (client.transport.get_extra_info("socket"), server.sockets[0]):
            with pytest.raises(TypeError, match=rf"does not support {name}\(\)"):
                getattr(each, name)(b"x")
        client.transport.close()
        await accepted.lost
        server.close()

    ours(scenario)


def test_the_socket_stays_as_it_is() -> None:
    async def scenario(scene: Scene) -> None:
        transport, _ = await scene.on_socket(scene.protocol())
        found = transport.get_extra_info("socket")
        with pytest.raises(ValueError):
            found.setblocking(True)
        for timeout in (1, None):
            with pytest.raises(ValueError):
                found.settimeout(timeout)
        with pytest.raises(TypeError):
            pickle.dumps(found)
        with pytest.raises(TypeError):
            copy.copy(found)

    both(scenario)


def test_repr() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, _ = await scene.on_socket(protocol)
        found = transport.get_extra_info("socket")
        assert f"fd={found.fileno()}" in repr(found) and "AF_INET" in repr(found) and "raddr" in repr(found)
        assert "open" in repr(transport)
        transport.write(bytes(8 << 20))
        transport.close()
        assert "closing" in repr(transport)
        transport.abort()
        await protocol.lost
        assert "closed" in repr(transport) and "closed" in repr(found)

    ours(scenario)


def test_it_says_that_it_is_asyncios() -> None:
    async def scenario(scene: Scene) -> None:
        server, accepted, client = await connection(scene, "127.0.0.1")
        assert isinstance(client.transport, asyncio.Transport)
        assert isinstance(client.transport, asyncio.ReadTransport)
        assert isinstance(server, asyncio.AbstractServer)
        client.transport.close()
        await accepted.lost
        server.close()

    both(scenario, apart=True)


def test_a_given_socket_stays_the_programs() -> None:
    async def scenario(scene: Scene) -> None:
        mine, peer = plain.socketpair()
        scene.sockets.append(peer)
        protocol = scene.protocol()
        transport, _ = await scene.loop.create_connection(lambda: protocol, sock=mine)
        assert mine.fileno() == transport.get_extra_info("socket").fileno() >= 0
        assert mine.gettimeout() == 0
        transport.close()
        await protocol.lost
        await turns()
        scene.note("descriptor", mine.fileno())
        mine.close()

    assert both(scenario)[-1] == ("descriptor", -1)


def test_the_number_of_a_given_socket_is_not_closed_twice() -> None:
    """From abort() on the number may be somebody else's: asyncio closes only when connection_lost() was called."""

    async def scenario(scene: Scene) -> None:
        mine, peer = plain.socketpair()
        scene.sockets.append(peer)
        protocol = scene.protocol()
        transport, _ = await scene.loop.create_connection(lambda: protocol, sock=mine)
        transport.abort()
        assert mine.fileno() == -1
        others = plain.socketpair()
        mine.close()
        others[0].send(b"untouched")
        assert others[1].recv(100) == b"untouched"
        for each in others:
            each.close()
        await protocol.lost

    ours(scenario)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("what", ["close", "write", "abort", "resume"])
def test_closed_behind_our_back(kind: str, what: str) -> None:
    async def scenario(scene: Scene) -> None:
        mine, peer = connected_pair(kind)
        scene.sockets.append(peer)
        protocol = scene.protocol()
        transport, _ = await scene.loop.create_connection(lambda: protocol, sock=mine)
        await turns()
        mine.close()
        if what == "write":
            transport.write(b"to nobody")
        elif what == "resume":
            transport.pause_reading()
            transport.resume_reading()
        else:
            getattr(transport, what)()
        # The loop looks after descriptors while it runs.
        await until(protocol.lost.done)
        assert (protocol.lost.result() is None) == (what in ("close", "abort"))

    ours(scenario)


def test_a_number_that_is_somebody_elses_by_now_is_left_alone() -> None:
    async def scenario(scene: Scene) -> None:
        mine, peer = plain.socketpair()
        scene.sockets.append(peer)
        protocol = scene.protocol()
        transport, _ = await scene.loop.create_connection(lambda: protocol, sock=mine)
        await turns()
        number = mine.fileno()
        mine.close()
        others = plain.socketpair()
        assert number in (others[0].fileno(), others[1].fileno())
        transport.abort()
        await protocol.lost
        others[0].send(b"untouched")
        assert others[1].recv(100) == b"untouched"
        for each in others:
            each.close()

    ours(scenario)


def test_a_socket_that_a_transport_has_already() -> None:
    async def scenario(scene: Scene) -> None:
        mine, peer = plain.socketpair()
        scene.sockets.append(peer)
        protocol = scene.protocol()
        transport, _ = await scene.loop.create_connection(lambda: protocol, sock=mine)
        with pytest.raises(OSError):
            await scene.loop.create_connection(scene.protocol, sock=mine)
        peer.send(b"unharmed")
        await until(lambda: protocol.received == b"unharmed")
        transport.close()
        await protocol.lost

    ours(scenario)


def test_descriptors_of_transports_are_not_to_be_watched() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        found = transport.get_extra_info("socket")
        for watched in (found, found.fileno()):
            for method in ("add_reader", "add_writer"):
                with pytest.raises(RuntimeError, match="is used by transport"):
                    getattr(scene.loop, method)(watched, print)
            for method in ("remove_reader", "remove_writer"):
                with pytest.raises(RuntimeError, match="is used by transport"):
                    getattr(scene.loop, method)(watched)
        number = found.fileno()
        transport.close()
        await protocol.lost
        assert not scene.loop.remove_reader(number)
        ours_, theirs = plain.socketpair()
        readable = asyncio.Event()
        scene.loop.add_reader(ours_, readable.set)
        theirs.send(b"x")
        await readable.wait()
        scene.loop.remove_reader(ours_)
        ours_.close()
        theirs.close()

    both(scenario)


@pytest.mark.parametrize("wrong", ["text", None, -1, object()], ids=["str", "None", "negative", "object"])
def test_what_cannot_be_watched(wrong: Any) -> None:
    async def scenario(scene: Scene) -> str:
        try:
            scene.loop.add_reader(wrong, print)
        except Exception as error:
            return type(error).__name__
        return "nothing"

    assert play_on("uvnet", scenario).result == play_on("uvloop", scenario).result
