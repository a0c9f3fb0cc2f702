"""What a server answers without a session, and whom it turns away.  Sections 1 and 3."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from quic_pair import client_options, gone, quic_pair, quic_server, upcoming, within

from uvnet import NetRuntimeError, create_quic_socket
from uvnet.quic import QuicSocket


async def refused(server: QuicSocket, certificates: Certificates, **options: Any) -> Any:
    """A client that is turned away: its session, which is over."""
    client = create_quic_socket(endpoint={"address": "127.0.0.1"})
    session = await within(client.connect(client_options(certificates, server, **options)))
    closed = upcoming(session, "close")
    await within(closed)
    await gone(client)
    return session


def plain(server: QuicSocket) -> socket.socket:
    """A UDP socket that talks to the server."""
    address = server.endpoints[0].address
    assert address is not None
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.setblocking(False)
    found.connect((address.address, address.port))
    return found


async def answer(sock: socket.socket, data: bytes) -> bytes | None:
    """What comes back within a moment."""
    sock.send(data)
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 2048), 0.25)
    except asyncio.TimeoutError:
        return None


def test_a_busy_server(play: Player, certificates: Certificates) -> None:
    """Section 3.3: server_busy refuses with CONNECTION_REFUSED, counts it, and 'busy' tells of a change."""
    told: list[bool] = []

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            server.on("busy", told.append)
            server.server_busy = True
            server.server_busy = True
            session = await refused(server, certificates)
            assert session.close_code["code"] == 2 and session.close_code["family"] == 0
            assert server.server_busy_count == 1 and server.server_sessions == 0
            server.server_busy = False
            with pytest.raises(TypeError):
                server.server_busy = 1  # type: ignore[assignment]
            await asyncio.sleep(0)

    play(scenario)
    assert told == [True, False]


@pytest.mark.parametrize("option", ["max_connections", "max_connections_per_host"])
def test_a_limit_of_sessions(play: Player, certificates: Certificates, option: str) -> None:
    """Section 1: at a time, so that the next one may come when one is gone."""

    async def scenario() -> None:
        async with quic_pair(certificates, server_socket={option: 1}) as pair:
            await refused(pair.server, certificates)
            assert pair.server.server_busy_count == 1
            closed = upcoming(pair.incoming, "close")
            pair.outgoing.destroy()
            await within(closed)
            client = create_quic_socket(endpoint={"address": "127.0.0.1"})
            session = await within(client.connect(client_options(certificates, pair.server)))
            await within(session.open_stream())
            await gone(client)

    play(scenario)


def test_a_block_list(play: Player, certificates: Certificates) -> None:
    """Section 3.1: what comes from a listed address is dropped, and connect() to one fails."""

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            server.block_list.add_address("127.0.0.1")
            client = create_quic_socket(endpoint={"address": "127.0.0.1"})
            client.block_list.add_cidr("127.0.0.0/8")
            with pytest.raises(NetRuntimeError) as caught:
                await within(client.connect(client_options(certificates, server)))
            assert caught.value.code == "ERR_OPERATION_FAILED"
            client.block_list.clear()
            await within(client.connect(client_options(certificates, server)))
            while not server.packets_ignored:
                await asyncio.sleep(0.01)
            assert server.server_sessions == 0
            await gone(client)

    play(scenario)


def test_a_client_has_to_show_that_it_is_there(play: Player, certificates: Certificates) -> None:
    """Section 1: validate_address; the first packet is answered with Retry, and nothing is kept of it."""

    async def scenario() -> None:
        async with quic_pair(certificates, server_socket={"validate_address": True}) as pair:
            near, far = await pair.open()
            near.end()
            assert pair.server.server_sessions == 1
            assert pair.outgoing.handshake_complete and far.session is pair.incoming

    play(scenario)


def test_a_token_is_good_for_its_address_and_its_time() -> None:
    from uvnet.quic.tokens import RetryTokens

    tokens = RetryTokens(10)
    token = tokens.make("192.0.2.1 1", b"original", b"replaced", 100.0)
    assert tokens.check("192.0.2.1 1", token, 105.0) == (b"original", b"replaced")
    assert tokens.check("192.0.2.1 2", token, 105.0) is None
    assert tokens.check("192.0.2.1 1", token, 111.0) is None
    assert tokens.check("192.0.2.1 1", token[:-1] + bytes((token[-1] ^ 1,)), 105.0) is None
    assert RetryTokens(10).check("192.0.2.1 1", token, 105.0) is None
    assert tokens.check("192.0.2.1 1", b"", 105.0) is None


def test_a_stateless_reset(play: Player, certificates: Certificates) -> None:
    """Sections 1 and 4.3: a process that goes on with the same secret ends what it does not know."""
    secret = b"0123456789abcdef"

    async def scenario() -> None:
        options = {"stateless_reset_secret": secret}
        async with quic_pair(certificates, server_socket=options) as pair:
            near, _ = await pair.open()
            address = pair.server.endpoints[0].address
            assert address is not None
            # As a process that is killed: nobody hears of it.
            pair.incoming._code["silent"] = True
            await gone(pair.server)
            again = create_quic_socket(endpoint={"address": "127.0.0.1", "port": address.port}, **options)
            path = str(certificates.path("server"))
            await within(again.listen(alpn="test", cert=path, key=path))
            failed = upcoming(near, "error")
            closed = upcoming(pair.outgoing, "close")
            near.write(bytes(100))
            (error,) = await within(failed)
            await within(closed)
            assert error.code == "ECONNRESET"
            assert pair.outgoing.stateless_reset and pair.outgoing.close_code["silent"]
            assert again.stateless_reset_count == 1
            await gone(again)

    play(scenario)


def test_how_many_stateless_resets_a_host_gets(play: Player, certificates: Certificates) -> None:
    """Sections 1 and 3.3: max_stateless_resets_per_host, and none where that is switched off."""

    async def scenario() -> None:
        stray = b"\x40" + os.urandom(60)
        async with quic_server(certificates, {"max_stateless_resets_per_host": 2}) as server:
            with plain(server) as sock:
                first, second = await answer(sock, stray), await answer(sock, stray)
                assert first is not None and second is not None
                assert max(len(first), len(second)) < len(stray) and first[-16:] == second[-16:]
                assert await answer(sock, stray) is None
                assert server.stateless_reset_count == 2
        async with quic_server(certificates, {"disable_stateless_reset": True}) as server:
            assert server.stateless_reset_disabled and not server.stateless_reset
            with plain(server) as sock:
                assert await answer(sock, stray) is None
                server.stateless_reset = True
                assert await answer(sock, stray) is not None
                # Shorter than the smallest that one answers: two ends would go on for ever.
                assert await answer(sock, stray[:21]) is None
        with pytest.raises(NetRuntimeError):
            server.stateless_reset = True

    play(scenario)


def test_another_version(play: Player, certificates: Certificates) -> None:
    """What a client of another version gets is a list, and not more than it has sent."""

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            with plain(server) as sock:
                hello = b"\xc0" + bytes.fromhex("babababa") + b"\x08" + b"destinat" + b"\x08" + b"source__"
                got = await answer(sock, hello.ljust(1200, b"\0"))
                assert got is not None and got[1:5] == bytes(4)
                assert got[5:23] == b"\x08source__\x08destinat"
                assert bytes.fromhex("00000001") in got[23:]
                assert await answer(sock, hello.ljust(1199, b"\0")) is None
                assert await answer(sock, got.ljust(1200, b"\0")) is None

    play(scenario)


def test_a_version_negotiation_that_fails(play: Player, certificates: Certificates) -> None:
    """Section 4.1: ERR_QUIC_VERSION_NEGOTIATION, with what was asked for and what there is."""

    async def scenario() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.settimeout(10)
            client = create_quic_socket(endpoint={"address": "127.0.0.1"})
            session = await within(client.connect(address="127.0.0.1", port=other.getsockname()[1], alpn="x"))
            failed = upcoming(session, "error")
            data, remote = await asyncio.get_running_loop().run_in_executor(None, other.recvfrom, 2048)
            ids = data[5 : 6 + data[5]], data[6 + data[5] : 7 + data[5] + data[6 + data[5]]]
            other.sendto(b"\xc0" + bytes(4) + ids[1] + ids[0] + bytes.fromhex("babababa"), remote)
            (error,) = await within(failed)
            assert error.code == "ERR_QUIC_VERSION_NEGOTIATION"
            assert error.detail["requested_versions"] == [0xBABABABA] and 1 in error.detail["supported_versions"]
            await gone(client)

    play(scenario)


def test_diagnostic_packet_loss(play: Player, certificates: Certificates) -> None:
    """Section 3.2: a share of the packets is lost, and all arrives nevertheless."""
    data = os.urandom(150_000)

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            with pytest.warns(RuntimeWarning) if not _warned() else _nothing():
                pair.client.set_diagnostic_packet_loss(rx=0.05, tx=0.05)
            near, far = await pair.open()
            near.end(data)
            far.pipe(far)
            got = await within(near.read_all(len(data)))
            assert got == data
            for bad in (-0.1, 1.1):
                with pytest.raises(ValueError, match="out of range"):
                    pair.client.set_diagnostic_packet_loss(rx=bad)
            with pytest.raises(TypeError):
                pair.client.set_diagnostic_packet_loss(tx=None)  # type: ignore[arg-type]
        with pytest.raises(NetRuntimeError):
            pair.client.set_diagnostic_packet_loss()

    play(scenario)


def _warned() -> bool:
    from uvnet.quic import quic_socket

    return quic_socket._warned_of_loss


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()
