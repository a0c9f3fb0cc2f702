"""A server behind a proxy that sends the PROXY protocol: the program sees the client, and who sends none is closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from pairs import reset
from tls_stage import Buffered, Recorder, all_gone, in_thread, on_loop, recorded

import uvnet
from uvnet._accept.proxy_protocol import ProxyProtocolError, build_header

SOURCE, DESTINATION = ("192.0.2.7", 4711), ("198.51.100.2", 443)
HEADERS = {
    "text": build_header(1, SOURCE, DESTINATION),
    "binary": build_header(2, SOURCE, DESTINATION),
}
SIX = build_header(2, ("2001:db8::7", 4711), ("2001:db8::1", 443))


async def listening(place: Path, kind: str, factory: Callable[[], Any], **options: Any) -> tuple[Any, Any]:
    """A server that expects headers, and where it listens."""
    loop = asyncio.get_running_loop()
    if kind == "unix":
        path = str(place / "server")
        return await loop.create_unix_server(factory, path, accept_proxy_protocol=True, **options), path
    server = await loop.create_server(factory, "127.0.0.1", 0, accept_proxy_protocol=True, **options)
    return server, server.sockets[0].getsockname()


async def connected(where: Any) -> socket.socket:
    client = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, where)
    return client


async def counted(server: Any, count: int) -> None:
    while len(server.connections) != count:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("protocol", [Recorder, Buffered])
def test_the_names_are_those_of_the_header(tmp_path: Path, kind: str, header: bytes, protocol: Any) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        protocols: list[Any] = []
        server, where = await listening(tmp_path, kind, lambda: protocols.append(protocol()) or protocols[-1])
        with await connected(where) as client:
            await loop.sock_sendall(client, header + b"request")
            await counted(server, 1)
            while not protocols:
                await asyncio.sleep(0.001)
            await protocols[0].until(7)
            transport = protocols[0].transport
            assert protocols[0].data == b"request"
            assert transport.get_extra_info("peername") == SOURCE
            assert transport.get_extra_info("sockname") == DESTINATION
            assert transport.get_extra_info("socket").getpeername() == SOURCE
            assert transport.get_extra_info("socket").getsockname() == DESTINATION
            transport.write(b"answer")
            assert await loop.sock_recv(client, 100) == b"answer"
            transport.close()
        await protocols[0].lost
        await all_gone(server)
        server.close()

    on_loop(scenario)


def test_ipv6_in_front_of_ipv4(tmp_path: Path) -> None:
    async def scenario() -> None:
        protocols: list[Any] = []
        server, where = await listening(tmp_path, "tcp", recorded(protocols))
        with await connected(where) as client:
            await asyncio.get_running_loop().sock_sendall(client, SIX)
            while not protocols:
                await asyncio.sleep(0.001)
            assert protocols[0].transport.get_extra_info("peername") == ("2001:db8::7", 4711, 0, 0)
        await protocols[0].lost
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", build_header(2, None, None)])
def test_a_header_without_names_leaves_those_of_the_connection(tmp_path: Path, header: bytes) -> None:
    async def scenario() -> None:
        protocols: list[Any] = []
        server, where = await listening(tmp_path, "tcp", recorded(protocols))
        with await connected(where) as client:
            await asyncio.get_running_loop().sock_sendall(client, header)
            while not protocols:
                await asyncio.sleep(0.001)
            assert protocols[0].transport.get_extra_info("peername") == client.getsockname()
        await protocols[0].lost
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_it_comes_before_tls(tmp_path: Path, certificates: Certificates, header: bytes) -> None:
    """In the same segment as the client's first message, too."""

    async def scenario() -> None:
        protocols: list[Any] = []
        server, where = await listening(tmp_path, "tcp", recorded(protocols), ssl=certificates.server())

        def client() -> Any:
            with socket.create_connection(where, tls_peer.LIMIT) as raw:
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                engine = certificates.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
                with pytest.raises(ssl.SSLWantReadError):
                    engine.do_handshake()
                raw.sendall(header + outgoing.read())
                incoming.write(raw.recv(65536))
                while True:
                    try:
                        engine.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        incoming.write(raw.recv(65536))
                engine.write(b"request")
                raw.sendall(outgoing.read())
                raw.recv(65536)

        talking = asyncio.ensure_future(in_thread(client))
        while not protocols:
            await asyncio.sleep(0.001)
        await protocols[0].until(7)
        assert protocols[0].data == b"request"
        assert protocols[0].transport.get_extra_info("peername") == SOURCE
        protocols[0].transport.abort()
        await talking
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("cut", range(1, 20))
def test_split_anywhere(tmp_path: Path, cut: int) -> None:
    whole = HEADERS["binary"] + b"data"

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        protocols: list[Any] = []
        server, where = await listening(tmp_path, "tcp", recorded(protocols))
        with await connected(where) as client:
            await loop.sock_sendall(client, whole[:cut])
            await counted(server, 1)
            assert protocols == []
            await loop.sock_sendall(client, whole[cut:])
            while not protocols:
                await asyncio.sleep(0.001)
            await protocols[0].until(4)
            assert protocols[0].data == b"data"
        await protocols[0].lost
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"x" * 100_000, b""])
def test_who_sends_none(tmp_path: Path, sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is closed, counted and told; the log has a line a second at most, and the program hears nothing."""
    drops: list[Any] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        protocols: list[Any] = []
        server, where = await listening(
            tmp_path, "tcp", recorded(protocols), on_drop=drops.append, proxy_header_timeout=0.05 if not sent else 30
        )
        for _ in range(5):
            with await connected(where) as client:
                with contextlib.suppress(ConnectionError):
                    await loop.sock_sendall(client, sent)
                    assert await loop.sock_recv(client, 1) == b""
            await all_gone(server)
        assert protocols == []
        assert server.dropped["proxy header"] == 5
        server.close()

    with caplog.at_level(logging.INFO):
        on_loop(scenario)
    assert {drop["reason"] for drop in drops} == {"proxy header"}
    assert {type(drop["error"]) for drop in drops} == {TimeoutError if not sent else ProxyProtocolError}
    assert drops[0]["remote_address"] == "127.0.0.1"
    assert 1 <= len(caplog.records) <= 3


def test_who_only_looks_whether_somebody_listens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        server, where = await listening(tmp_path, "tcp", Recorder)
        (await connected(where)).close()
        await all_gone(server)
        assert server.dropped["proxy header"] == 0
        server.close()

    on_loop(scenario)
    assert caplog.records == []


def test_limits_count_who_has_not_said_yet(tmp_path: Path) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        block_list = uvnet.BlockList()
        block_list.add_address(SOURCE[0])
        protocols: list[Any] = []
        server, where = await listening(
            tmp_path, "tcp", recorded(protocols), max_connections=1, block_list=block_list
        )
        with await connected(where) as first:
            await counted(server, 1)
            with await connected(where) as second:
                assert await loop.sock_recv(second, 1) == b""
            assert server.dropped["connection limit"] == 1
            # Whom the header tells of is asked about, too.
            await loop.sock_sendall(first, HEADERS["text"])
            assert await loop.sock_recv(first, 1) == b""
        assert server.dropped["block list"] == 1
        assert (len(server.connections), protocols) == (0, [])
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("how", ["close_clients", "abort_clients", "loop"])
def test_closing_while_a_header_is_awaited(tmp_path: Path, how: str) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        server, where = await listening(tmp_path, "tcp", Recorder)
        client = await connected(where)
        await loop.sock_sendall(client, b"PROXY")
        await counted(server, 1)
        server.close()
        if how == "loop":
            client.close()
            return
        getattr(server, how)()
        assert len(server.connections) == 0
        await server.wait_closed()
        with client, contextlib.suppress(ConnectionResetError):
            assert await loop.sock_recv(client, 1) == b""

    on_loop(scenario)


@pytest.mark.parametrize("blocked", [False, True], ids=["bad header", "block list"])
def test_the_server_is_closed_by_who_is_told_of_a_drop(tmp_path: Path, blocked: bool) -> None:
    """wait_closed() waits for the connection, and hears of its end."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        waiting: list[Any] = []
        block_list = uvnet.BlockList()
        block_list.add_address(SOURCE[0])

        def close(_drop: Any) -> None:
            waiting.append(asyncio.ensure_future(server.wait_closed()))
            server.close()

        server, where = await listening(tmp_path, "tcp", Recorder, on_drop=close, block_list=block_list)
        with await connected(where) as client:
            await loop.sock_sendall(client, HEADERS["text"] if blocked else b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                assert await loop.sock_recv(client, 1) == b""
        await waiting[0]
        assert len(server.connections) == 0

    on_loop(scenario)


def test_a_reset_in_a_header(tmp_path: Path) -> None:
    drops: list[Any] = []

    async def scenario() -> None:
        server, where = await listening(tmp_path, "tcp", Recorder, on_drop=drops.append)
        client = await connected(where)
        await asyncio.get_running_loop().sock_sendall(client, b"PROXY TCP4")
        await counted(server, 1)
        await asyncio.sleep(0.05)
        reset(client)
        await all_gone(server)
        server.close()

    on_loop(scenario)
    assert [type(drop["error"]) for drop in drops] == [ConnectionResetError]


def test_tls_that_fails_is_told_with_the_names_of_the_header(tmp_path: Path, certificates: Certificates) -> None:
    """Also after the server has closed: the connection was there."""
    drops: list[Any] = []

    async def scenario() -> None:
        server, where = await listening(
            tmp_path, "tcp", Recorder, ssl=certificates.server(), on_drop=drops.append
        )
        with await connected(where) as client:
            await asyncio.get_running_loop().sock_sendall(client, HEADERS["text"])
            await counted(server, 1)
            server.close()
            await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\n\r\n" * 10)
            await all_gone(server)

    on_loop(scenario)
    [drop] = drops
    assert (drop["remote_address"], drop["remote_port"]) == SOURCE
    assert (drop["local_address"], drop["local_port"]) == DESTINATION
    assert drop["reason"] == "tls"


def test_a_header_after_the_server_has_closed(tmp_path: Path) -> None:
    """The connection was there before: it is served, and waited for."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        protocols: list[Any] = []
        server, where = await listening(tmp_path, "tcp", recorded(protocols))
        with await connected(where) as client:
            await counted(server, 1)
            server.close()
            await loop.sock_sendall(client, HEADERS["binary"] + b"late")
            while not protocols:
                await asyncio.sleep(0.001)
            await protocols[0].until(4)
        await protocols[0].lost
        await all_gone(server)

    on_loop(scenario)


def test_streams_of_a_loop_factory(tmp_path: Path) -> None:
    """A program that cannot pass options."""
    seen: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((writer.get_extra_info("peername"), await reader.readline()))
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        with await connected(server.sockets[0].getsockname()) as client:
            await asyncio.get_running_loop().sock_sendall(client, HEADERS["text"] + b"line\n")
            assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
        server.close()

    on_loop(scenario, uvnet.loop_factory(accept_proxy_protocol=True))
    assert seen == [(SOURCE, b"line\n")]
