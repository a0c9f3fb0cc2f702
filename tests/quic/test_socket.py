"""Sockets and their endpoints: states, counters, options, ends.  Sections 1, 2, 3, 6 and 7."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from certificates import Certificates
from free_ports import free_port
from harness import Player
from quic_pair import (
    ALPN,
    client_options,
    gone,
    quic_pair,
    quic_server,
    server_options,
    upcoming,
    within,
)

import uvnet
from uvnet import NetRuntimeError, create_quic_socket


def test_states(play: Player, certificates: Certificates) -> None:
    """3.1 to 3.4: unbound, pending, bound, listening, closing, destroyed."""

    async def scenario() -> None:
        server = create_quic_socket(endpoint={"address": "127.0.0.1"})
        told: list[str] = []
        for name in ("ready", "listening", "endpointClose", "close"):
            server.on(name, lambda *_, name=name: told.append(name))
        assert not (server.bound or server.pending or server.listening or server.closing or server.destroyed)
        (endpoint,) = server.endpoints
        assert endpoint.address is None and endpoint.fd is None and not endpoint.bound
        listening = server.listen(server_options(certificates))
        assert server.listen() is listening
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(NetRuntimeError):
            server.add_endpoint()
        await within(listening)
        assert server.bound and server.listening and not server.pending and endpoint.bound
        assert endpoint.fd > 2 and endpoint.address.family == "IPv4" and endpoint.address.port > 0
        assert server.server_secure_context is not None and 0 < server.bound_duration < 60
        assert 0 < server.listen_duration <= server.bound_duration <= server.duration
        with pytest.raises(NetRuntimeError) as caught:
            server.listen(server_options(certificates))
        assert caught.value.code == "ERR_INVALID_STATE"
        assert server.ref() is server.unref() is server
        server.ref()
        closing = server.close()
        await within(closing)
        assert server.destroyed and server.endpoints == [] and endpoint.destroyed and not endpoint.bound
        assert told == ["ready", "listening", "endpointClose", "close"]
        for call in (server.close, server.listen, server.connect, server.add_endpoint):
            with pytest.raises(NetRuntimeError):
                call()
        for call in (endpoint.bind, endpoint.close, endpoint.set_broadcast):
            with pytest.raises(NetRuntimeError):
                call()
        server.destroy()

    play(scenario)


def test_counters(play: Player, certificates: Certificates) -> None:
    """3.4: kept after the end."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            near.end()
            far.end()
            await within(near.read_all(1))
        assert pair.server.server_sessions == pair.client.client_sessions == 1
        assert pair.server.bytes_received >= 1200 and pair.server.packets_received > 2
        assert pair.client.bytes_sent >= pair.server.bytes_received
        assert pair.client.packets_sent >= pair.server.packets_received and pair.client.packets_received > 2
        assert pair.server.bytes_sent > 0 and pair.server.packets_ignored == 0

    play(scenario)


def test_several_endpoints(play: Player, certificates: Certificates) -> None:
    """Section 2: each has its address; connect() takes the preferred one of its family."""

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            client = create_quic_socket()
            second = client.add_endpoint({"address": "localhost"}, preferred=True)
            sixth = client.add_endpoint(type="udp6", address="::1")
            assert client.endpoints[0] is second and client.endpoints[2] is sixth
            session = await within(client.connect(client_options(certificates, server)))
            assert session.address == second.address and second.address.address == "127.0.0.1"
            assert sixth.address.family == "IPv6"
            await within(session.open_stream())
            told = upcoming(client, "endpointClose")
            await within(sixth.close())
            assert (await within(told)) == (sixth, None) and not client.destroyed
            closed = upcoming(client, "close")
            for endpoint in client.endpoints:
                endpoint.destroy()
                endpoint.destroy()
            await within(closed)
            assert session.destroyed

    play(scenario)


def test_an_endpoint_can_be_tuned(play: Player) -> None:
    """Section 2: the setters return it, and refuse what the system refuses."""

    async def scenario() -> None:
        socket = create_quic_socket(endpoint={"address": "127.0.0.1"})
        (endpoint,) = socket.endpoints
        with pytest.raises(OSError, match="EBADF"):
            endpoint.set_ttl(1)
        await within(endpoint.bind())
        assert await within(endpoint.bind()) == endpoint.address
        assert endpoint.set_ttl(7).set_multicast_ttl(0).set_multicast_loopback().set_broadcast(False) is endpoint
        assert endpoint.ref().unref() is endpoint
        for value in (0, 256):
            with pytest.raises(ValueError, match="out of range"):
                endpoint.set_ttl(value)
        with pytest.raises(TypeError):
            endpoint.set_multicast_ttl("x")  # type: ignore[arg-type]
        endpoint.set_multicast_interface("127.0.0.1")
        endpoint.add_membership("224.0.0.114", "127.0.0.1").drop_membership("224.0.0.114", "127.0.0.1")
        with pytest.raises(OSError, match="EINVAL"):
            endpoint.set_multicast_interface("nonsense")
        await gone(socket)

    play(scenario)


def test_a_port_in_use(play: Player, certificates: Certificates) -> None:
    """3.2: listen() fails with the system's error, and destroys the socket with it."""

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            second = create_quic_socket(endpoint={"address": "127.0.0.1", "port": server.endpoints[0].address.port})
            closed = upcoming(second, "close")
            with pytest.raises(OSError, match="EADDRINUSE") as caught:
                await within(second.listen(server_options(certificates)))
            assert caught.value.code == "EADDRINUSE" and caught.value.syscall == "bind"
            await within(closed)
            assert second.destroyed

    play(scenario)


def test_names_are_looked_up(play: Player, certificates: Certificates) -> None:
    """7.1: by the user's function, with the family, or by the system."""
    asked: list[Any] = []

    async def look_up(address: str | None, family: int) -> Any:
        asked.append((address, family))
        return {"address": "127.0.0.1"} if len(asked) % 2 else "127.0.0.1"

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            client = create_quic_socket(endpoint={"address": "here.test"}, lookup=look_up)
            options = client_options(certificates, server, address="there.test")
            session = await within(client.connect(options))
            await within(session.open_stream())
            assert asked == [("here.test", 4), ("there.test", 4)]

            async def nothing(_address: str | None, _family: int) -> Any:
                return None

            with pytest.raises(TypeError, match="lookup"):
                await within(client.connect(options, lookup=nothing))
            await gone(client)

    play(scenario)


def test_closing_lets_sessions_finish(play: Player, certificates: Certificates) -> None:
    """3.2: no new ones, and done when the last is gone."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            closing = pair.server.close()
            assert pair.server.close() is closing and pair.server.closing and not pair.server.listening
            client = create_quic_socket()
            late = await within(client.connect(client_options(certificates, pair.server, idle_timeout=0.3)))
            await asyncio.sleep(0.02)
            assert pair.server.server_sessions == 1 and not closing.done()
            near.end(b"the last")
            far.end()
            assert await within(far.read_all(10)) == b"the last"
            near.resume()
            await within(closing)
            assert pair.server.destroyed
            late.destroy()
            await gone(client)

    play(scenario)


def test_a_program_without_a_coroutine_ends() -> None:
    """run() goes on while a socket is open and referenced, and its sessions' timers alone do not keep it."""
    told: list[str] = []
    socket = create_quic_socket(endpoint={"address": "127.0.0.1"})
    socket.on("ready", lambda: (told.append("ready"), socket.unref()))
    socket.connect(address="127.0.0.1", port=free_port(), alpn=ALPN)
    uvnet.run()
    assert told == ["ready"]


def test_what_is_open_when_the_loop_closes(certificates: Certificates) -> None:
    """Nothing is left, nobody is called any more, and what one asks of it says why there is no answer."""
    kept: list[Any] = []

    async def scenario() -> None:
        server = create_quic_socket(endpoint={"address": "127.0.0.1"})
        await within(server.listen(server_options(certificates)))
        client = create_quic_socket()
        session = await within(client.connect(client_options(certificates, server)))
        stream = await within(session.open_stream())
        stream.write(bytes(1_000_000))
        for emitter in (server, client, session, stream):
            emitter.on("close", kept.append)
        kept.extend([server, client, session, stream])

    uvnet.run(scenario())
    assert len(kept) == 4
    for each in kept:
        with pytest.raises(RuntimeError, match="loop of this uvnet object is closed"):
            each.destroy()
        assert repr(each)
    kept.clear()


def test_an_idle_socket_uses_no_time(play: Player, certificates: Certificates) -> None:
    """Between packets nothing runs: neither the socket nor a session that waits."""
    import time

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            await asyncio.sleep(0.3)
            steps = pair.client.packets_sent + pair.server.packets_sent
            before = time.process_time()
            await asyncio.sleep(0.5)
            assert pair.client.packets_sent + pair.server.packets_sent == steps
            assert time.process_time() - before < 0.1

    play(scenario)
