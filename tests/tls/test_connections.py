"""Sockets with TLS are sockets: data both ways, ends, pressure, counters, names, timeouts, awaiting."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import random
import socket as plain
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from harness import Player, event
from secure_scene import closed, listening, received, secured

import uvnet
import uvnet.tls

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
EVENTS = ["connect", "ready", "secureConnect", "secure", "end", "finish", "close", "error"]


def watch(socket: Any) -> list[str]:
    told: list[str] = []
    for name in EVENTS:
        socket.on(name, lambda *_, name=name: told.append(name))
    return told


@pytest.mark.parametrize("version", VERSIONS)
def test_events_data_and_close(play: Player, certificates: Certificates, version: ssl.TLSVersion) -> None:
    async def scenario() -> None:
        async with listening(certificates, context=certificates.server(version)) as server:
            server.on("secureConnection", lambda socket: socket.pipe(socket))
            client = uvnet.tls.connect(server.port, "localhost", context=certificates.client(version))
            told = watch(client)
            assert (client.encrypted, client.authorized, client.secure_connecting) == (True, False, True)
            assert client.get_protocol() is None and client.get_cipher() is None and client.get_session() is None
            client.write("before it is secure, ")
            client.on("secureConnect", lambda: client.end("and after"))
            assert await received(client) == b"before it is secure, and after"
            await closed(client)
            assert told == ["connect", "ready", "secureConnect", "secure", "finish", "end", "close"]
            assert client.authorized and client.authorization_error is None
            assert client.bytes_read == client.bytes_written == 30
            assert client.get_protocol() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
            cipher = client.get_cipher()
            assert cipher is not None and cipher["name"] and cipher["bits"] >= 128

    play(scenario)


@pytest.mark.parametrize("version", VERSIONS)
def test_much_in_both_directions(play: Player, certificates: Certificates, version: ssl.TLSVersion) -> None:
    data = random.Random(1).randbytes(3_000_000)

    async def scenario() -> None:
        server = {"context": certificates.server(version)}
        async with secured(certificates, server, {"context": certificates.client(version)}) as (far, near):

            async def send(socket: Any) -> None:
                for place in range(0, len(data), 70_000):
                    socket.write(data[place : place + 70_000])
                    await socket.drain()
                socket.end()

            results = await asyncio.gather(send(near), send(far), received(near), received(far))
            assert results[2:] == [data, data]

    play(scenario)


def test_a_reader_that_is_slow_stops_the_writer(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with secured(certificates) as (far, near):
            far.pause()
            written = 0
            for _ in range(1000):
                written += 65536
                if not near.write(b"x" * 65536) and near.writable_length > 2**20:
                    break
            assert near.writable_need_drain and written < 64_000_000
            drained = asyncio.ensure_future(event(near, "drain"))
            await asyncio.sleep(0)
            far.resume()
            await drained
            assert near.writable_length == 0

    play(scenario)


def test_half_open_on_both_sides(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        half_open = {"allow_half_open": True}
        async with secured(certificates, half_open, half_open) as (far, near):
            near.end("question")
            assert await received(far) == b"question"
            far.write("an answer that comes later")
            await asyncio.sleep(0)
            far.end()
            assert await received(near) == b"an answer that comes later"
            await asyncio.gather(closed(near), closed(far))

    play(scenario)


def test_a_unix_socket(play: Player, certificates: Certificates, tmp_path: Any) -> None:
    async def scenario() -> None:
        path = str(tmp_path / "socket")
        server = uvnet.tls.create_server(lambda socket: socket.end("hello"), context=certificates.server())
        async with server:
            server.listen(path)
            client = uvnet.tls.connect(path, context=certificates.client(), servername="localhost")
            assert await received(client) == b"hello"
            assert client.servername == "localhost" and client.local_address is None
            with pytest.raises(ValueError, match="servername"):
                uvnet.tls.connect(path, context=certificates.client())

    play(scenario)


def test_pipes_are_no_relays(play: Player, certificates: Certificates) -> None:
    """A relay would send what is encrypted for another, or nothing at all."""
    data = random.Random(2).randbytes(500_000)

    async def scenario() -> None:
        async with secured(certificates) as (far, near):
            plain = uvnet.create_server(allow_half_open=True).listen(0)
            plain.on("connection", lambda socket: socket.pipe(far).pipe(socket))
            client = await uvnet.open_connection(plain.port, "127.0.0.1")
            near.pipe(near)
            client.end(data)
            assert await received(client) == data
            assert not near._relayed and not far._relayed
            plain.close()

    play(scenario)


def test_names_and_what_is_set_on_the_connection(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with secured(certificates, {"no_delay": True}, {"no_delay": True}) as (far, near):
            assert (near.remote_port, near.remote_address) == (far.local_port, far.local_address)
            assert near.address() is not None
            near.set_no_delay(False).set_keep_alive(True, 10).set_type_of_service(8)
            assert near.get_type_of_service() == 8
            assert near.ready_state == "open" and not near.connecting and not near.pending
            port = near.local_port
            # What the server has sent to resume the connection by may still be on its way.
            far.on("error", lambda _: None)
            near.destroy()
            await closed(near)
            assert near.local_port == port
            assert "TLSSocket" in repr(near)

    play(scenario)


def test_idle_timeout_and_reset(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with secured(certificates) as (far, near):
            near.set_timeout(0.05)
            await event(near, "timeout")
            failed: Any = asyncio.ensure_future(event(far, "error"))
            await asyncio.sleep(0)
            near.reset_and_destroy()
            (error,) = await failed
            assert error.code == "ECONNRESET"

    play(scenario)


def test_an_address_as_the_host(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with listening(certificates, lambda socket: socket.end("hello")) as server:
            host = ipaddress.IPv4Address("127.0.0.1")
            client = uvnet.tls.connect(server.port, host, context=certificates.client())
            assert await received(client) == b"hello" and client.authorized
            with pytest.raises(TypeError, match="host"):
                uvnet.tls.connect(server.port, 3, context=certificates.client())  # type: ignore[call-overload]

    play(scenario)


def test_onread_and_encoding(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        got: list[bytes] = []
        onread = {"buffer": bytearray(7), "callback": lambda count, buffer: got.append(bytes(buffer[:count]))}
        async with secured(certificates, None, {"onread": onread}) as (far, near):
            far.set_encoding("utf8")
            near.write("grüße")
            assert await event(far, "data") == ("grüße",)
            ended = asyncio.ensure_future(event(near, "end"))
            far.end(b"0123456789")
            await ended
            assert b"".join(got) == b"0123456789" and max(map(len, got)) <= 7

    play(scenario)


def test_awaiting(play: Player, certificates: Certificates) -> None:
    async def serve(socket: Any) -> None:
        line = await socket.read_until(b"\n")
        socket.end(line.upper())

    async def scenario() -> None:
        async with listening(certificates, serve) as server:
            client = await uvnet.open_connection(server.port, "localhost", tls=certificates.client(), timeout=10)
            async with client:
                assert isinstance(client, uvnet.tls.TLSSocket) and client.authorized
                client.write("line\n")
                assert await client.read_exactly(5) == b"LINE\n"
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                await uvnet.open_connection(server.port, "localhost", tls=True)
            assert caught.value.code == "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"  # type: ignore[attr-defined]
            client = await uvnet.open_connection(
                server.port, "localhost", tls=True, ca=certificates.authority, max_version="TLSv1.2"
            )
            assert client.get_protocol() == "TLSv1.2"
            client.destroy()

    play(scenario)


def test_open_connection_has_a_limit_for_the_handshake_too(play: Player) -> None:
    async def scenario() -> None:
        silent = uvnet.create_server(lambda socket: socket.resume()).listen(0)
        with pytest.raises(TimeoutError):
            await uvnet.open_connection(silent.port, "localhost", tls=True, timeout=0.1)
        await silent.shutdown(0)

    play(scenario)


def test_another_connection_of_the_same_socket(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with listening(certificates, lambda socket: socket.end("hello")) as server:
            socket = uvnet.tls.TLSSocket(context=certificates.client())
            for _ in range(3):
                socket.connect(server.port, "localhost")
                assert socket.secure_connecting and not socket.authorized
                assert await received(socket) == b"hello"
                await closed(socket)
                assert socket.authorized and socket.bytes_read == 5

    play(scenario)


def test_tls_inside_of_tls(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with secured(certificates) as (far, near):
            inner_far = uvnet.tls.TLSSocket(far, is_server=True, context=certificates.server())
            inner_near = uvnet.tls.connect(socket=near, context=certificates.client(), servername="localhost")
            inner_far.pipe(inner_far)
            inner_near.end(b"x" * 100_000)
            assert await received(inner_near) == b"x" * 100_000
            assert inner_near.remote_port == inner_far.local_port
            await closed(inner_far)

    play(scenario)


@pytest.mark.parametrize("regular", [True, False])
def test_files_are_encrypted_too(play: Player, certificates: Certificates, tmp_path: Path, regular: bool) -> None:
    """In their place among the writes, also of one that is closed at once and of two that share a file."""
    data = random.Random(2).randbytes(700_000)
    (tmp_path / "file").write_bytes(data)

    async def scenario() -> None:
        async with secured(certificates) as (far, near):
            with (tmp_path / "file").open("rb") if regular else io.BytesIO(data) as file:
                near.write("head")
                sending = [near.send_file(file, 5)]
                if regular:
                    sending.append(near.send_file(file, 0, 100))
                else:
                    await sending[0]
            near.end("tail")
            assert await received(far) == b"head" + data[5:] + (data[:100] if regular else b"") + b"tail"
            assert await sending[0] == len(data) - 5

    play(scenario)


def test_a_file_on_a_connection_that_breaks(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with secured(certificates) as (far, near):
            far.pause()
            sending = near.send_file(io.BytesIO(bytes(10_000_000)))
            await asyncio.sleep(0)
            far.reset_and_destroy() if hasattr(far, "reset_and_destroy") else far.destroy()
            with pytest.raises((OSError, RuntimeError)):
                await sending
            await closed(near)

    play(scenario)


def test_the_systems_socket_below(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        client = {"send_buffer": 50_000, "user_timeout": 3} if sys.platform == "linux" else {}
        async with secured(certificates, {"receive_buffer": 50_000}, client) as (far, near):
            assert near.fileno() > 0
            assert near.set_option(plain.SOL_SOCKET, plain.SO_KEEPALIVE, 1).get_option(
                plain.SOL_SOCKET, plain.SO_KEEPALIVE
            )
            assert far.get_option(plain.SOL_SOCKET, plain.SO_RCVBUF) in (50_000, 100_000)
            if sys.platform == "linux":
                assert near.get_option(plain.SOL_SOCKET, plain.SO_SNDBUF) == 100_000
                info = near.tcp_info()
                assert info is not None
                assert info.state == "established"
            near.write("a\nb\n")
            near.end()
            assert [line async for line in far.lines()] == [b"a", b"b"]

    play(scenario)
