"""Records that arrive in pieces: each is given out when its last byte is there, wherever they were cut."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from tls_stage import VERSIONS, Buffered, Recorder, in_thread, on_loop, serve
from waiting import turns

# Of one record each: short ones, one as long as can be, one that is longer than that with what is around it.
MESSAGES = (b"a", b"bc", b"d" * 30, b"e" * 16384, b"f" * 16300, b"g")


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    return request.param  # type: ignore[no-any-return]


def client_of(port: int, certificates: Certificates, version: Any) -> tls_peer.Peer:
    raw = socket.create_connection(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls_peer.Peer(raw, certificates.client(version)).shake_hands()


async def connected(
    certificates: Certificates, version: Any, protocol_class: type[Recorder]
) -> tuple[tls_peer.Peer, Recorder, Any]:
    protocols: list[Recorder] = []

    def factory() -> Recorder:
        protocols.append(protocol_class())
        return protocols[-1]

    server, port = await serve(certificates.server(), factory)
    peer = await in_thread(client_of, port, certificates, version)
    await protocols[0].made
    return peer, protocols[0], server


@pytest.mark.parametrize("protocol_class", [Recorder, Buffered])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 7, 4096, 16384, 16389, 100_000])
def test_records_in_pieces(certificates: Certificates, version: Any, step: int, protocol_class: Any) -> None:
    async def scenario() -> None:
        peer, protocol, server = await connected(certificates, version, protocol_class)
        with peer:
            sent = b""
            data = b""
            for message in MESSAGES if step > 7 else MESSAGES[:3]:
                data += peer.records(message)
                sent += message
            while data:
                piece, data = data[:step], data[step:]
                peer.raw.sendall(piece)
                await turns(2)
            await protocol.until(len(sent))
            assert protocol.data == sent
            protocol.transport.abort()
            await protocol.lost
        server.close()

    on_loop(scenario)


def test_a_record_is_given_out_with_its_last_byte(certificates: Certificates, version: Any) -> None:
    async def scenario() -> None:
        peer, protocol, server = await connected(certificates, version, Recorder)
        with peer:
            first, second = peer.records(b"first"), peer.records(b"second")
            for cut in (1, 5, len(second) - 1):
                before = protocol.count
                peer.raw.sendall(first + second[:cut])
                await protocol.until(before + 5)
                await turns()
                assert protocol.count == before + 5
                peer.raw.sendall(second[cut:])
                await protocol.until(before + 11)
                first, second = peer.records(b"first"), peer.records(b"second")
            protocol.transport.abort()
            await protocol.lost
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("header", [b"GET /", b"\x17\x02\x03\x00\x20", b"\x17\x03\x03\xff\xff"])
def test_what_is_no_record_fails_by_its_header(certificates: Certificates, version: Any, header: bytes) -> None:
    """Nothing is waited for that such a header would announce."""

    async def scenario() -> Any:
        peer, protocol, server = await connected(certificates, version, Recorder)
        with peer:
            peer.raw.sendall(peer.records(b"whole"))
            await protocol.until(5)
            peer.raw.sendall(header)
            error = await protocol.lost
        server.close()
        return error

    assert isinstance(on_loop(scenario), ssl.SSLError)
