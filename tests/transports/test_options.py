"""Options that asyncio's methods do not have: limits of memory and time, and what is set on the descriptor."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from descriptors import open_descriptors
from tls_stage import Recorder, Reports, all_gone, on_loop, recorded

import uvnet

MEBIBYTE = 1 << 20
TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


class Ends:
    """A server, and a connection to it from both sides."""

    def __init__(self, certificates: Certificates | None, **options: Any) -> None:
        self.context = None if certificates is None else certificates.server()
        self.certificates = certificates
        self.options = options
        self.protocols: list[Recorder] = []

    async def __aenter__(self) -> Ends:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            recorded(self.protocols), "127.0.0.1", 0, ssl=self.context, **self.options
        )
        self.where = self.server.sockets[0].getsockname()
        return self

    async def connect(self, **options: Any) -> Recorder:
        """The protocol of a client; that of the server is there, and made."""
        loop = asyncio.get_running_loop()
        count = len(self.protocols)
        if self.certificates is not None:
            options |= {"ssl": self.certificates.client(), "server_hostname": "localhost"}
        _, protocol = await loop.create_connection(Recorder, *self.where, **options)
        while len(self.protocols) == count:
            await asyncio.sleep(0.001)
        await self.protocols[-1].made
        return protocol

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        self.server.abort_clients()
        await all_gone(self.server)


def certificates_if(tls: bool, certificates: Certificates) -> Certificates | None:
    return certificates if tls else None


@TLS
def test_a_connection_without_traffic_is_lost(certificates: Certificates, tls: bool) -> None:
    async def scenario() -> None:
        async with Ends(certificates_if(tls, certificates), idle_timeout=0.5) as ends:
            near = await ends.connect()
            error = await ends.protocols[0].lost
            assert isinstance(error, TimeoutError)
            assert error.code == "ETIMEDOUT"  # type: ignore[attr-defined]
            await near.lost

    on_loop(scenario)


@TLS
def test_traffic_keeps_a_connection(certificates: Certificates, tls: bool) -> None:
    """In either direction; what counts is that something goes over the line."""

    async def scenario() -> None:
        async with Ends(certificates_if(tls, certificates), idle_timeout=2) as ends:
            near = await ends.connect(idle_timeout=2)
            for number in range(6):
                side = near if number % 2 else ends.protocols[0]
                side.transport.write(b"x")
                await asyncio.sleep(0.5)
            assert not near.lost.done() and not ends.protocols[0].lost.done()
            assert isinstance(await ends.protocols[0].lost, TimeoutError) or near.lost.done()

    on_loop(scenario)


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_reader_that_takes_little_at_a_time(tmp_path: Path, unix: bool) -> None:
    """The system has room again only when much of its buffer is gone; what goes out until then counts."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        protocols: list[Recorder] = []
        options = {"idle_timeout": 2, "close_timeout": 2}
        where: Any = str(tmp_path / "server")
        if unix:
            server = await loop.create_unix_server(recorded(protocols), where, **options)
        else:
            server = await loop.create_server(recorded(protocols), "127.0.0.1", 0, **options)
            where = server.sockets[0].getsockname()
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            slow.setblocking(False)
            await loop.sock_connect(slow, where)
            while not protocols:
                await asyncio.sleep(0.001)
            transport = protocols[0].transport
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262144)
            transport.write(bytes(2 * MEBIBYTE))
            transport.close()
            # A Unix socket says so only when a whole buffer of the system's, some 32 KiB, is read.
            for _ in range(12):
                await asyncio.sleep(0.25)
                assert await loop.sock_recv(slow, 16384 if unix else 4096)
            assert not protocols[0].lost.done()
            while await loop.sock_recv(slow, MEBIBYTE):
                pass
        assert await protocols[0].lost is None
        server.close()

    on_loop(scenario)


def test_a_record_that_comes_slowly_is_traffic(certificates: Certificates) -> None:
    """TLS has received something, though nobody can read it yet."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        protocols: list[Recorder] = []
        server = await loop.create_server(
            recorded(protocols), "127.0.0.1", 0, ssl=certificates.server(), idle_timeout=1.2
        )
        raw, peer = await loop.run_in_executor(
            None, lambda: _secured(certificates, server.sockets[0].getsockname()[1])
        )
        with raw:
            record = peer.records(b"x" * 1000)
            raw.setblocking(False)
            for place in range(0, len(record), 100):
                await loop.sock_sendall(raw, record[place : place + 100])
                await asyncio.sleep(0.15)
            await protocols[0].until(1000)
            assert not protocols[0].lost.done()
            assert isinstance(await protocols[0].lost, TimeoutError)
        server.close()

    on_loop(scenario)


def _secured(certificates: Certificates, port: int) -> tuple[socket.socket, tls_peer.Peer]:
    peer = tls_peer.connected(port, certificates.client())
    return peer.raw, peer


@TLS
def test_close_always_ends(certificates: Certificates, tls: bool) -> None:
    """A peer that takes nothing any more."""

    async def scenario() -> None:
        options = {"close_timeout": 0.1, **({"ssl_shutdown_timeout": 100} if tls else {})}
        async with Ends(certificates_if(tls, certificates), **options) as ends:
            near = await ends.connect()
            near.transport.pause_reading()
            far = ends.protocols[0]
            far.transport.write(bytes(16 * MEBIBYTE))
            far.transport.close()
            assert isinstance(await far.lost, TimeoutError)
            near.transport.abort()

    on_loop(scenario)


def test_no_limit_of_time() -> None:
    async def scenario() -> None:
        async with Ends(None, idle_timeout=0, close_timeout=0) as ends:
            near = await ends.connect(idle_timeout=None)
            near.transport.pause_reading()
            far = ends.protocols[0]
            far.transport.write(bytes(16 * MEBIBYTE))
            far.transport.close()
            await asyncio.sleep(0.3)
            assert not far.lost.done()
            near.transport.resume_reading()
            await near.until(16 * MEBIBYTE)
            assert await far.lost is None

    on_loop(scenario)


@TLS
@pytest.mark.parametrize("several", [False, True], ids=["write", "writelines"])
@pytest.mark.parametrize("what", ["destroy", "raise"])
def test_what_waits_is_bounded(certificates: Certificates, tls: bool, several: bool, what: str) -> None:
    async def scenario() -> None:
        async with Ends(certificates_if(tls, certificates), max_buffered=MEBIBYTE, on_max_buffered=what) as ends:
            near = await ends.connect()
            near.transport.pause_reading()
            far = ends.protocols[0]
            transport = far.transport

            def write() -> None:
                if several:
                    # What counts is bytes, not items.
                    transport.writelines([bytes(100_000)] * 4 + [memoryview(bytes(100_000)).cast("I")])
                else:
                    transport.write(bytes(500_000))

            written = 0
            with contextlib.suppress(RuntimeError):
                while not transport.is_closing():
                    write()
                    assert transport.get_write_buffer_size() <= MEBIBYTE
                    written += 500_000
                    await asyncio.sleep(0)
            if what == "destroy":
                error = await far.lost
                assert error.code == "ERR_SOCKET_BUFFER_FULL"
                return
            with pytest.raises(RuntimeError) as raised:
                write()
            assert raised.value.code == "ERR_SOCKET_BUFFER_FULL"  # type: ignore[attr-defined]
            # Nothing of what was refused was written, and everything else was.
            near.transport.resume_reading()
            await near.until(written)
            transport.close()
            assert await near.lost is None
            assert near.count == written

    on_loop(scenario)


@pytest.mark.parametrize("no_delay", [None, True, False])
@pytest.mark.parametrize("keep_alive", [None, True, False])
def test_what_the_system_is_told(no_delay: bool | None, keep_alive: bool | None) -> None:
    async def scenario() -> None:
        options = {"no_delay": no_delay, "keep_alive": keep_alive, "keep_alive_initial_delay": 77}
        async with Ends(None, **options) as ends:
            near = await ends.connect(**options)
            for side in (near, ends.protocols[0]):
                tuned = side.transport.get_extra_info("socket")
                assert bool(tuned.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) is (no_delay is not False)
                assert bool(tuned.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is bool(keep_alive)
                if keep_alive and hasattr(socket, "TCP_KEEPIDLE"):
                    assert tuned.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77

    on_loop(scenario)


def test_keywords_win_over_the_factory() -> None:
    async def scenario() -> None:
        async with Ends(None) as ends:
            near = await ends.connect()
            assert isinstance(await ends.protocols[0].lost, TimeoutError)
            await near.lost
        async with Ends(None, idle_timeout=30) as ends:
            await ends.connect()
            await asyncio.sleep(0.3)
            assert not ends.protocols[0].lost.done()

    on_loop(scenario, uvnet.loop_factory(idle_timeout=0.1))


def test_start_tls_keeps_the_limits(certificates: Certificates) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with Ends(None, idle_timeout=1) as ends:
            near = await ends.connect()
            far = ends.protocols[0]
            await asyncio.gather(
                loop.start_tls(far.transport, far, certificates.server(), server_side=True),
                loop.start_tls(near.transport, near, certificates.client(), server_hostname="localhost"),
            )
            assert isinstance(await far.lost, TimeoutError)

    on_loop(scenario)


BAD: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"idle_timeout": -1}, ValueError),
    ({"idle_timeout": "1"}, TypeError),
    ({"idle_timeout": True}, TypeError),
    ({"idle_timeout": float("nan")}, ValueError),
    ({"close_timeout": float("inf")}, ValueError),
    ({"close_timeout": b""}, TypeError),
    ({"max_buffered": 0}, ValueError),
    ({"max_buffered": 1.5}, TypeError),
    ({"on_max_buffered": "drop"}, ValueError),
    ({"keep_alive_initial_delay": "1"}, TypeError),
    ({"keep_alive_initial_delay": 1e9}, ValueError),
    ({"no_dealy": True}, TypeError),
]
BAD_FOR_SERVERS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"max_connections": -1}, ValueError),
    ({"max_connections": "1"}, TypeError),
    ({"block_list": []}, TypeError),
    ({"proxy_header_timeout": 0}, ValueError),
    ({"proxy_header_timeout": "1"}, TypeError),
    ({"on_drop": 1}, TypeError),
]
ways: dict[str, Callable[[Any, dict[str, Any]], Awaitable[Any]]] = {
    "create_server": lambda loop, options: loop.create_server(asyncio.Protocol, "127.0.0.1", 0, **options),
    "create_unix_server": lambda loop, options: loop.create_unix_server(asyncio.Protocol, "\0uvnet-options", **options),
    "start_server": lambda _, options: asyncio.start_server(print, "127.0.0.1", 0, **options),
    "create_connection": lambda loop, options: loop.create_connection(asyncio.Protocol, "127.0.0.1", 1, **options),
    "create_unix_connection": lambda loop, options: loop.create_unix_connection(asyncio.Protocol, "/no", **options),
    "open_connection": lambda _, options: asyncio.open_connection("127.0.0.1", 1, **options),
}


@pytest.mark.parametrize("way", ways)
@pytest.mark.parametrize(("options", "kind"), BAD + BAD_FOR_SERVERS)
def test_bad_options_raise_at_the_call(way: str, options: dict[str, Any], kind: type[Exception]) -> None:
    async def scenario() -> None:
        before = open_descriptors()
        # An option of servers is none of connections.
        expected = kind if (options, kind) in BAD or "server" in way else TypeError
        with pytest.raises(expected):
            await ways[way](asyncio.get_running_loop(), options)
        assert open_descriptors() == before

    on_loop(scenario)


@pytest.mark.parametrize(("options", "kind"), BAD + BAD_FOR_SERVERS)
def test_bad_options_of_a_factory(options: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        uvnet.loop_factory(**options)


def test_on_drop_that_raises() -> None:
    """It is reported, and the server goes on."""
    reports: Reports = []

    async def scenario() -> None:
        def fails(drop: Any) -> None:
            raise LookupError(drop["reason"])

        loop = asyncio.get_running_loop()
        async with Ends(None, max_connections=0, on_drop=fails) as ends:
            for _ in range(2):
                with socket.socket() as client:
                    client.setblocking(False)
                    await loop.sock_connect(client, ends.where)
                    assert await loop.sock_recv(client, 1) == b""
            assert ends.server.dropped["connection limit"] == 2

    on_loop(scenario, reports=reports)
    assert [type(report["exception"]) for report in reports] == [LookupError] * 2
