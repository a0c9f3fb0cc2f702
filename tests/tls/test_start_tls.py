"""TLS on a connection that is there: STARTTLS on either side, bytes that came early, who owns the connection."""

from __future__ import annotations

import asyncio
import socket as plain
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from harness import Player
from secure_scene import closed, received, secured

import uvnet
import uvnet.tls


async def pair(**options: Any) -> tuple[Any, uvnet.Socket, uvnet.Socket]:
    """A plain server, and both ends of a connection to it."""
    server = uvnet.create_server(**options).listen(0)
    accepted: asyncio.Future[uvnet.Socket] = asyncio.get_running_loop().create_future()
    server.once("connection", accepted.set_result)
    near = await uvnet.open_connection(server.port, "127.0.0.1")
    return server, await accepted, near


def test_both_sides_go_on_with_tls(play: Player, certificates: Certificates) -> None:
    async def serve(socket: Any) -> None:
        assert await socket.read_until(b"\r\n") == b"STARTTLS\r\n"
        socket.write("220 go ahead\r\n")
        secure = await socket.start_tls(certificates.server(), server_side=True)
        assert socket.destroyed is False and socket.remote_port == secure.remote_port
        secure.write(await secure.read_until(b"\n"))
        secure.end()

    async def scenario() -> None:
        server, far, near = await pair()
        task = asyncio.create_task(serve(far))
        near.write("STARTTLS\r\n")
        assert await near.read_until(b"\r\n") == b"220 go ahead\r\n"
        secure = await near.start_tls(certificates.client(), server_hostname="localhost")
        assert secure.authorized and secure.remote_port == server.port
        secure.write("a line\n")
        assert await received(secure) == b"a line\n"
        await task
        await server.shutdown(1)

    play(scenario)


@pytest.mark.parametrize("flowing", [False, True])
def test_a_handshake_that_came_early(play: Player, certificates: Certificates, flowing: bool) -> None:
    """With the last plain line in one packet."""

    def talk(port: int) -> bytes:
        raw = plain.create_connection(("127.0.0.1", port))
        with tls_peer.Peer(raw, certificates.client()) as peer:
            try:
                peer.tls.do_handshake()
            except tls_peer.ssl.SSLWantReadError:
                raw.sendall(b"STARTTLS\r\n" + peer._outgoing.read())
            peer.shake_hands()
            peer.send(b"hello")
            return peer.receive_exactly(5)

    async def scenario() -> None:
        async def serve(socket: Any) -> None:
            if flowing:
                # Somebody looks at the first line, and puts the rest back.
                (chunk,) = await uvnet.once(socket, "data")
                socket.pause()
                line, _, rest = chunk.partition(b"\r\n")
                socket.unshift(rest)
            else:
                line = await socket.read_until(b"\r\n")
            assert line.strip() == b"STARTTLS"
            secure = await socket.start_tls(certificates.server(), server_side=True)
            secure.pipe(secure)

        server = uvnet.create_server(serve).listen(0)
        assert await asyncio.to_thread(talk, server.port) == b"hello"
        await server.shutdown(1)

    play(scenario)


def test_what_was_written_is_sent_first(play: Player, certificates: Certificates) -> None:
    data = b"x" * 8_000_000

    async def scenario() -> None:
        server, far, near = await pair()
        near.write(data)
        starting = asyncio.create_task(near.start_tls(certificates.client(), server_hostname="localhost"))
        assert await far.read_exactly(len(data)) == data
        secure = await far.start_tls(certificates.server(), server_side=True)
        assert (await starting).authorized and secure.encrypted
        secure.destroy()
        (await starting).destroy()
        await server.shutdown(1)

    play(scenario)


def test_the_server_counts_the_connection_on(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        server, far, near = await pair()
        secure = uvnet.tls.TLSSocket(far, is_server=True, context=certificates.server())
        client = uvnet.tls.connect(socket=near, context=certificates.client(), servername="localhost")
        await uvnet.once(client, "secureConnect")
        assert secure.server is server
        counts: list[int] = []
        server.get_connections(lambda error, count: counts.append(count))
        await asyncio.sleep(0)
        assert counts == [1]
        cut = await server.shutdown(0)
        assert cut.connections == 1 and secure.destroyed
        client.on("error", lambda _: None)
        client.resume()
        await closed(client)

    play(scenario)


def test_sockets_that_cannot_be_taken_over(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        context = certificates.client()
        server, far, near = await pair()
        with pytest.raises(RuntimeError, match="closed|Closed"):
            uvnet.tls.TLSSocket(uvnet.Socket(), context=context, servername="localhost")
        with pytest.raises(ValueError, match="servername"):
            uvnet.tls.TLSSocket(near, context=context)
        with pytest.raises(TypeError, match="unknown options"):
            await near.start_tls(context, nonsense=1)  # type: ignore[call-arg]
        # A handshake that is not over is nobody else's.
        half = uvnet.tls.TLSSocket(near, context=context, servername="localhost")
        with pytest.raises(RuntimeError):
            uvnet.tls.TLSSocket(half, context=context, servername="localhost")
        with pytest.raises(RuntimeError):
            uvnet.Socket(handle=half)
        half.destroy()
        far.set_encoding("utf8")
        far.destroy()
        await server.shutdown(1)

    play(scenario)


def test_a_failure_is_told_by_the_socket(play: Player, certificates: Certificates) -> None:
    """Not by the server that has accepted it, which knows nothing of TLS."""

    async def scenario() -> None:
        server, far, near = await pair()
        secure = uvnet.tls.TLSSocket(far, is_server=True, context=certificates.server())
        near.end("no TLS at all\n")
        await closed(secure)
        near.resume()
        await closed(near)
        await server.shutdown(1)

    play(scenario)
    assert "WRONG_VERSION" in str(play.expect_report(OSError)).upper().replace(" ", "_")


def test_tls_inside_is_not_handed_out_again(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with secured(certificates) as (far, near):
            assert far.server is not None
            arrived: list[Any] = []
            far.server.on("secureConnection", arrived.append)
            inner = uvnet.tls.TLSSocket(far, is_server=True, context=certificates.server())
            client = uvnet.tls.connect(socket=near, context=certificates.client(), servername="localhost")
            await uvnet.once(client, "secureConnect")
            client.write("x")
            assert await inner.read_exactly(1) == b"x" and arrived == []
            client.destroy()
            inner.on("error", lambda _: None)
            inner.resume()
            await closed(inner)

    play(scenario)


def test_text_that_nobody_has_read(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        server, far, near = await pair()
        far.set_encoding("utf8")
        near.write("text")
        await uvnet.once(far, "readable")
        with pytest.raises(RuntimeError, match="text"):
            uvnet.tls.TLSSocket(far, is_server=True, context=certificates.server())
        assert far.read() == "text"
        near.destroy()
        far.destroy()
        await server.shutdown(1)

    play(scenario)


def test_start_tls_that_fails_or_is_cancelled(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        server, far, near = await pair()
        far.end("not TLS, but a line of text\r\n")
        with pytest.raises(OSError, match="WRONG_VERSION|wrong version"):
            await near.start_tls(certificates.client(), server_hostname="localhost")
        far.resume()
        await closed(far)
        server, far, near = await pair()
        starting = asyncio.create_task(near.start_tls(certificates.client(), server_hostname="localhost"))
        await asyncio.sleep(0.01)
        starting.cancel()
        far.resume()
        await closed(far)
        await server.shutdown(1)

    play(scenario)
