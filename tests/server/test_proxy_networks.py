"""Which connections are from a proxy: by network; how long its header may be, and what becomes of all it said."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from harness import Player, close
from tls_stage import Recorder, all_gone, on_loop, recorded
from waiting import until

import uvnet
from uvnet._accept.proxy_protocol import ProxyProtocolError, build_header

SOURCE, DESTINATION = ("192.0.2.7", 4711), ("198.51.100.2", 443)
HEADER = build_header(2, SOURCE, DESTINATION)
HERE = ["127.0.0.1"]
ELSEWHERE = ["10.0.0.0/8", "2001:db8::/32"]


def with_tlvs(rest: bytes) -> bytes:
    return HEADER[:14] + struct.pack("!H", len(HEADER) - 16 + len(rest)) + HEADER[16:] + rest


async def connected(where: Any, sent: bytes, source: str | None = None) -> socket.socket:
    client = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    client.setblocking(False)
    if source is not None:
        client.bind((source, 0))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, where)
    with contextlib.suppress(ConnectionError):
        await loop.sock_sendall(client, sent)
    return client


async def listening(server: uvnet.Server, host: str = "127.0.0.1") -> tuple[str, int]:
    server.listen(0, host)
    await uvnet.once(server, "listening")
    return "127.0.0.1", server.port


def networks() -> dict[str, Any]:
    block_list = uvnet.BlockList()
    block_list.add_cidr("127.0.0.0/8")
    return {
        "address": HERE,
        "network as text": ["10.0.0.0/8", "127.0.0.0/8"],
        "objects": (ipaddress.ip_network("127.0.0.0/30"), ipaddress.ip_address("::1")),
        "block list": block_list,
    }


@pytest.mark.parametrize("given", networks().values(), ids=networks())
@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_from_a_proxy_a_header_is_needed(play: Player, given: Any, host: str) -> None:
    """On a socket of both families too, where its address is one of IPv6."""

    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []
        drops: list[Any] = []
        server = uvnet.create_server(sockets.append, accept_proxy_protocol=given, direct_connections="accept")
        server.on("drop", drops.append)
        where = await listening(server, host)
        with await connected(where, HEADER):
            await until(lambda: sockets)
            assert (sockets[0].remote_address, sockets[0].remote_port) == SOURCE
            assert sockets[0].proxy_header == (28, SOURCE, DESTINATION, 2, None, None, None, None, None, ())
        with await connected(where, b"GET / HTTP/1.1\r\n\r\n") as client:
            await until(lambda: drops)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
        assert drops[0]["reason"] == "proxy header"
        assert len(sockets) == 1
        await server.shutdown(0)

    play(scenario)


@pytest.mark.parametrize("direct", [None, "refuse"])
@pytest.mark.parametrize("sent", [HEADER, b"data", b""])
def test_others_are_closed_at_once(play: Player, direct: Any, sent: bytes) -> None:
    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []
        drops: list[Any] = []
        server = uvnet.create_server(sockets.append, accept_proxy_protocol=ELSEWHERE, direct_connections=direct)
        server.on("drop", drops.append)
        where = await listening(server)
        with await connected(where, sent) as client:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
            await until(lambda: drops)
            assert drops[0]["reason"] == "proxy header"
            assert (drops[0]["remote_address"], drops[0]["remote_port"]) == client.getsockname()
            assert isinstance(drops[0]["error"], ProxyProtocolError)
        assert sockets == []
        assert server.dropped["proxy header"] == 1
        await close(server)

    play(scenario)


def test_others_are_taken_as_they_are(play: Player) -> None:
    """What one of them sends is data, also where it looks like a header; who it is stays what the system says."""

    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []
        server = uvnet.create_server(sockets.append, accept_proxy_protocol=ELSEWHERE, direct_connections="accept")
        with await connected(await listening(server), HEADER) as client:
            await until(lambda: sockets)
            assert (sockets[0].remote_address, sockets[0].remote_port) == client.getsockname()
            assert sockets[0].proxy_header is None
            assert await sockets[0].read_exactly(len(HEADER)) == HEADER
        await server.shutdown(0)

    play(scenario)


def test_limits_of_hosts_are_of_the_client(play: Player) -> None:
    """Of a proxy's clients by what it tells, and of others by where they come from."""

    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []
        drops: list[Any] = []
        server = uvnet.create_server(
            sockets.append, accept_proxy_protocol=HERE, direct_connections="accept", max_connections_per_host=1
        )
        server.on("drop", drops.append)
        where = await listening(server)
        others = [build_header(2, (f"192.0.2.{number}", 1), DESTINATION) for number in (1, 2, 1)]
        clients = [await connected(where, header) for header in others]
        await until(lambda: len(sockets) + len(drops) == 3)
        clients += [await connected(where, b"", "127.0.0.9") for _ in range(2)]
        await until(lambda: len(sockets) + len(drops) == 5)
        assert [(drop["reason"], drop["remote_address"]) for drop in drops] == [
            ("host limit", "192.0.2.1"), ("host limit", "127.0.0.9"),
        ]  # fmt: skip
        for client in clients:
            client.close()
        await server.shutdown(0)

    play(scenario)


def test_who_comes_by_a_unix_socket_is_a_proxy(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []
        path = str(tmp_path / "socket")
        server = uvnet.create_server(sockets.append, accept_proxy_protocol=ELSEWHERE).listen(path)
        with await connected(path, HEADER):
            await until(lambda: sockets)
            assert sockets[0].proxy_header is not None
        await server.shutdown(0)

    play(scenario)


def test_a_block_list_may_change(play: Player) -> None:
    async def scenario() -> None:
        proxies = uvnet.BlockList()
        server = uvnet.create_server(accept_proxy_protocol=proxies)
        drops: list[Any] = []
        server.on("drop", drops.append)
        where = await listening(server)
        with await connected(where, HEADER):
            await until(lambda: drops)
        proxies.add_address("127.0.0.1")
        with await connected(where, HEADER):
            async for accepted in server:
                assert accepted.proxy_header is not None
                accepted.destroy()
                break
        await close(server)

    play(scenario)


def test_what_it_said_stays_and_is_forgotten(play: Player) -> None:
    """Known after the end of the connection, and not that of the next one of the same socket."""

    async def scenario() -> None:
        server = uvnet.create_server(accept_proxy_protocol=True)
        where = await listening(server)
        with await connected(where, with_tlvs(b"\x02\x00\x01x")):
            accepted = await anext(aiter(server))
        accepted.destroy()
        await uvnet.once(accepted, "close")
        assert accepted.proxy_header is not None and accepted.proxy_header.authority == "x"
        target = uvnet.create_server(lambda socket: socket.destroy()).listen(0, "127.0.0.1")
        await uvnet.once(target, "listening")
        accepted.connect(target.port, "127.0.0.1")
        assert accepted.proxy_header is None
        accepted.destroy()
        await close(target)
        await close(server)

    play(scenario)


@pytest.mark.parametrize("slowly", [False, True])
def test_the_limit_of_its_length(play: Player, slowly: bool) -> None:
    """One byte more is too much; and a long header in small pieces costs no more than its bytes."""

    async def scenario() -> None:
        longest = with_tlvs(b"\x04" + struct.pack("!H", 9_000) + bytes(9_000))
        for limit in (len(longest), len(longest) - 1):
            sockets: list[uvnet.Socket] = []
            drops: list[Any] = []
            server = uvnet.create_server(sockets.append, accept_proxy_protocol=True, max_proxy_header=limit)
            server.on("drop", drops.append)
            where = await listening(server)
            step = 50 if slowly else len(longest)
            with await connected(where, longest[:step]) as client:
                for start in range(step, len(longest), step):
                    with contextlib.suppress(ConnectionError):
                        await asyncio.get_running_loop().sock_sendall(client, longest[start : start + step])
                    await asyncio.sleep(0)
                await until(lambda sockets=sockets, drops=drops: sockets or drops)
                if limit == len(longest):
                    header = sockets[0].proxy_header
                    assert header is not None and header.length == limit
                else:
                    assert f"{limit} are the limit" in str(drops[0]["error"])
            await server.shutdown(0)

    play(scenario)


@pytest.mark.parametrize("proxies", [True, HERE])
def test_transports_know_what_it_said(proxies: Any) -> None:
    async def scenario() -> None:
        protocols: list[Recorder] = []
        loop: Any = asyncio.get_running_loop()
        options = {"direct_connections": "accept"} if proxies is HERE else {}
        server = await loop.create_server(
            recorded(protocols), "127.0.0.1", 0, accept_proxy_protocol=proxies, **options
        )
        where = server.sockets[0].getsockname()
        with await connected(where, with_tlvs(b"\x01\x00\x02h2")):
            await until(lambda: protocols)
            assert protocols[0].transport.get_extra_info("proxy_header").alpn == b"h2"
            assert protocols[0].transport.get_extra_info("peername") == SOURCE
        await protocols[0].lost
        if proxies is HERE:
            with await connected(where, b"", "127.0.0.9"):
                await until(lambda: len(protocols) == 2)
                assert protocols[1].transport.get_extra_info("proxy_header", "none") == "none"
            await protocols[1].lost
        await all_gone(server)
        server.close()

    on_loop(scenario, uvnet.new_event_loop)


BAD: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"accept_proxy_protocol": []}, ValueError),
    ({"accept_proxy_protocol": "10.0.0.0/8"}, TypeError),
    ({"accept_proxy_protocol": 1}, TypeError),
    ({"accept_proxy_protocol": b"x"}, TypeError),
    ({"accept_proxy_protocol": ["10.0.0.0/8", 5]}, TypeError),
    ({"accept_proxy_protocol": ["10.0.0.0/99"]}, ValueError),
    ({"accept_proxy_protocol": ["localhost"]}, ValueError),
    ({"accept_proxy_protocol": [""]}, ValueError),
    ({"accept_proxy_protocol": {"10.0.0.0/8"}}, TypeError),
    ({"direct_connections": "accept"}, ValueError),
    ({"accept_proxy_protocol": True, "direct_connections": "refuse"}, ValueError),
    ({"accept_proxy_protocol": HERE, "direct_connections": "drop"}, ValueError),
    ({"accept_proxy_protocol": HERE, "direct_connections": True}, ValueError),
    ({"accept_proxy_protocol": True, "max_proxy_header": 106}, ValueError),
    ({"accept_proxy_protocol": True, "max_proxy_header": 65_552}, ValueError),
    ({"accept_proxy_protocol": True, "max_proxy_header": -1}, ValueError),
    ({"accept_proxy_protocol": True, "max_proxy_header": "1k"}, TypeError),
]


@pytest.mark.parametrize(("options", "error"), BAD)
def test_bad_options(options: dict[str, Any], error: type[Exception]) -> None:
    async def scenario() -> None:
        for make in (uvnet.create_server, lambda **given: uvnet.create_proxy(80, **given), uvnet.loop_factory):
            with pytest.raises(error):
                make(**options)

    uvnet.run(scenario())
