"""start_tls() on either side, what was written around it, and TLS inside of TLS."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from tls_stage import LOOPS, VERSIONS, Buffered, Recorder, in_thread, on_loop, open_pair, traces

RANDOM = random.Random(10)


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    return request.param  # type: ignore[no-any-return]


async def plain_pair(
    server: Callable[[], Any] = Recorder, client: Callable[[], Any] = Recorder, context: Any = None, **options: Any
) -> tuple[Any, Any, Any]:
    """(accepted protocol, connected protocol, server)."""
    loop = asyncio.get_running_loop()
    accepted = loop.create_future()

    def make() -> Any:
        protocol = server()
        accepted.set_result(protocol)
        return protocol

    listening = await loop.create_server(make, "127.0.0.1", 0, ssl=context)
    _, near = await loop.create_connection(client, *listening.sockets[0].getsockname(), **options)
    far = await accepted
    await far.made
    return far, near, listening


async def upgrade(
    certificates: Certificates, far: Any, near: Any, version: Any = None, protocols: Any = None, **options: Any
) -> tuple[Any, Any]:
    """TLS on both ends at once: the new protocols, which have their transports."""
    loop = asyncio.get_running_loop()
    new_far, new_near = protocols or (Recorder(), Recorder())
    transports = await asyncio.gather(
        loop.start_tls(far.transport, new_far, certificates.server(version), server_side=True, **options),
        loop.start_tls(
            near.transport, new_near, certificates.client(version), server_hostname="localhost", **options
        ),
    )
    new_far.transport, new_near.transport = transports
    return new_far, new_near


def test_both_sides(certificates: Certificates, version: Any) -> None:
    sent = RANDOM.randbytes(300_000)

    async def scenario() -> Any:
        far, near, server = await plain_pair()
        near.transport.write(b"STARTTLS")
        await far.until(8)
        far.transport.write(b"go on")
        await near.until(5)
        secure_far, secure_near = await upgrade(certificates, far, near, version)
        secure_near.transport.write(sent)
        await secure_far.until(len(sent))
        secure_far.transport.write(sent)
        await secure_near.until(len(sent))
        assert secure_far.data == secure_near.data == sent
        assert secure_near.transport.get_extra_info("peercert")["subject"]
        assert secure_near.transport.get_extra_info("socket").fileno() > 0
        assert secure_near.transport.get_extra_info("peername")[0] == "127.0.0.1"
        secure_near.transport.close()
        await secure_near.lost
        await secure_far.lost
        server.close()
        return far.trace, near.trace, secure_far.trace[-1], secure_near.trace[-1]

    ours, theirs = traces(scenario)
    assert ours == theirs == (["made", 8], ["made", 5], ("lost", None), ("lost", None))


@pytest.mark.parametrize("protocol", [Recorder, Buffered])
def test_what_is_written_right_before(certificates: Certificates, version: Any, protocol: Any) -> None:
    """It goes first, and in the clear; the other end reads as much, and no more, before it begins with TLS."""

    async def scenario() -> None:
        listening, port = tls_peer.pair_socket()

        def server() -> bytes:
            raw, _ = listening.accept()
            with listening, raw:
                raw.settimeout(tls_peer.LIMIT)
                count = 0
                while count < 3_000_005:
                    count += len(raw.recv(min(3_000_005 - count, 65536)))
                raw.sendall(b"ready")
                with tls_peer.Peer(raw, certificates.server(version), server_side=True).shake_hands() as peer:
                    data = peer.receive_exactly(5)
                    peer.send(b"answer")
                    peer.receive_all()
                    return data

        served = asyncio.ensure_future(in_thread(server))
        loop = asyncio.get_running_loop()
        transport, plain = await loop.create_connection(protocol, "localhost", port)
        transport.write(bytes(3_000_000))
        transport.write(b"begin")
        await plain.until(5)
        # Nothing waits here any more, but what was written in this turn.
        secure = protocol()
        secure.transport = await loop.start_tls(
            transport, secure, certificates.client(), server_hostname="localhost"
        )
        secure.transport.write(b"after")
        await secure.until(6)
        assert secure.data == b"answer"
        secure.transport.close()
        assert await served == b"after"
        await secure.lost

    on_loop(scenario)


def test_what_was_written_in_the_same_turn(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        listening, port = tls_peer.pair_socket()

        def server() -> Any:
            raw, _ = listening.accept()
            with listening, raw:
                raw.settimeout(tls_peer.LIMIT)
                first = b""
                while len(first) < 8:
                    first += raw.recv(8 - len(first))
                with tls_peer.Peer(raw, certificates.server(version), server_side=True).shake_hands() as peer:
                    return first, peer.receive_exactly(5)

        served = asyncio.ensure_future(in_thread(server))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(Recorder, "localhost", port)
        transport.write(b"STAR")
        transport.write(b"TTLS")
        protocol = Recorder()
        secure = await loop.start_tls(transport, protocol, certificates.client(), server_hostname="localhost")
        secure.write(b"after")
        outcome = await served
        secure.close()
        await protocol.lost
        return outcome

    ours, theirs = traces(scenario)
    assert ours == theirs == (b"STARTTLS", b"after")


def test_the_peer_speaks_first(certificates: Certificates, version: Any) -> None:
    """What comes right behind the handshake waits until the program has its transport."""

    async def scenario() -> Any:
        listening, port = tls_peer.pair_socket()

        def server() -> Any:
            with listening, tls_peer.accepted(listening, certificates.server(version)) as peer:
                peer.send(b"welcome")
                return peer.receive_all()

        served = asyncio.ensure_future(in_thread(server))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(Recorder, "localhost", port)
        protocol = Recorder()
        secure = await loop.start_tls(transport, protocol, certificates.client(), server_hostname="localhost")
        assert protocol.count == 0
        await protocol.until(7)
        secure.close()
        assert await served == (b"", "notified")
        await protocol.lost
        return protocol.trace[0], protocol.trace[-1]

    assert on_loop(scenario) == (7, ("lost", None))


@pytest.mark.parametrize("method", ["close", "abort"])
@pytest.mark.parametrize("waiting", [0, 16_000_000])
def test_refused_after_close(certificates: Certificates, method: str, waiting: int) -> None:
    async def scenario() -> None:
        far, near, server = await plain_pair()
        if waiting:
            far.transport.pause_reading()
            near.transport.write(bytes(waiting))
        getattr(near.transport, method)()
        with pytest.raises(ConnectionError):
            await asyncio.get_running_loop().start_tls(
                near.transport, Recorder(), certificates.client(), server_hostname="localhost"
            )
        far.transport.resume_reading()
        await near.lost
        await far.lost
        assert far.count == waiting or method == "abort"
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("method", ["close", "abort"])
def test_the_plain_transport_closes_the_other(certificates: Certificates, method: str) -> None:
    async def scenario() -> Any:
        far, near, server = await plain_pair()
        secure_far, secure_near = await upgrade(certificates, far, near)
        near.transport.write(b"nobody gets that")
        getattr(near.transport, method)()
        await secure_near.lost
        await secure_far.lost
        server.close()
        return secure_far.count, near.trace, secure_near.trace[-1]

    assert on_loop(scenario) == (0, ["made"], ("lost", None))


def test_a_failed_handshake(certificates: Certificates) -> None:
    async def scenario() -> Any:
        far, near, server = await plain_pair()
        secure_far, secure_near = Recorder(), Recorder()
        loop = asyncio.get_running_loop()
        results = await asyncio.gather(
            loop.start_tls(far.transport, secure_far, certificates.server(), server_side=True),
            loop.start_tls(
                near.transport, secure_near, certificates.client(), server_hostname="example.org"
            ),
            return_exceptions=True,
        )
        assert isinstance(results[1], ssl.SSLCertVerificationError)
        await secure_near.lost
        if not isinstance(results[0], BaseException):
            results[0].close()
        await secure_far.lost
        server.close()
        await server.wait_closed()
        return secure_near.trace, near.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ([("lost", "SSLCertVerificationError")], ["made"])


@pytest.mark.parametrize("how", ["cancelled", "too long", "gone"])
def test_a_handshake_that_never_ends(certificates: Certificates, how: str) -> None:
    async def scenario() -> Any:
        far, near, server = await plain_pair()
        protocol = Recorder()
        options: Any = {"ssl_handshake_timeout": 0.05} if how == "too long" else {}
        starting = asyncio.ensure_future(
            asyncio.get_running_loop().start_tls(
                near.transport, protocol, certificates.client(), server_hostname="localhost", **options
            )
        )
        # The client's hello.
        await far.until(1)
        if how == "cancelled":
            starting.cancel()
        elif how == "gone":
            far.transport.close()
        with pytest.raises((asyncio.CancelledError, ConnectionError)) as caught:
            await starting
        if how == "gone":
            await protocol.lost
        await far.lost
        server.close()
        return type(caught.value).__name__

    ours, theirs = traces(scenario)
    assert ours == theirs


def test_upgrades_count_as_connections_of_their_server(certificates: Certificates) -> None:
    async def scenario() -> None:
        far, near, server = await plain_pair()
        secure_far, secure_near = await upgrade(certificates, far, near)
        assert len(server.connections) == 1
        server.close()
        server.close_clients()
        await secure_far.lost
        await secure_near.lost
        await server.wait_closed()
        assert len(server.connections) == 0

    on_loop(scenario)


def test_streams(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.readline() == b"STARTTLS\n"
            writer.write(b"ready\n")
            await writer.drain()
            await start(writer, certificates.server(version), None)
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            done.set_result(None)

        async def start(writer: Any, context: Any, hostname: Any) -> None:
            # StreamWriter.start_tls() is new in CPython 3.11, and right on servers since 3.12.
            protocol = writer.transport.get_protocol()
            new = await loop.start_tls(
                writer.transport, protocol, context, server_side=hostname is None, server_hostname=hostname
            )
            writer._transport = new
            protocol._stream_reader._transport = new
            protocol._transport = new
            protocol._over_ssl = True

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"ready\n"
        await start(writer, certificates.client(), "localhost")
        writer.write(b"hello\n")
        answer = await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await done
        server.close()
        return answer

    assert traces(scenario) == (b"HELLO\n", b"HELLO\n")


@pytest.mark.parametrize("protocol", [Recorder, Buffered])
def test_tls_inside_of_tls(certificates: Certificates, version: Any, protocol: Any) -> None:
    sent = RANDOM.randbytes(1_000_000)

    async def scenario() -> Any:
        far, near, server = await plain_pair(
            context=certificates.server(version), ssl=certificates.client(), server_hostname="localhost"
        )
        near.transport.write(b"once more")
        await far.until(9)
        inner_far, inner_near = await upgrade(
            certificates, far, near, version, protocols=(protocol(), protocol())
        )
        inner_near.transport.write(sent)
        await inner_far.until(len(sent))
        inner_far.transport.write(sent)
        await inner_near.until(len(sent))
        assert inner_far.data == inner_near.data == sent
        inner_near.transport.close()
        await inner_near.lost
        await inner_far.lost
        server.close()
        return inner_near.trace[-1], far.trace, near.trace

    assert on_loop(scenario) == (("lost", None), ["made", 9], ["made"])


def test_tls_inside_of_tls_whose_peer_is_gone(certificates: Certificates, version: Any) -> None:
    """Without a close_notify of either TLS it is over at once, not after the time of a shutdown."""

    async def scenario() -> Any:
        far, near, server = await plain_pair(
            context=certificates.server(version), ssl=certificates.client(), server_hostname="localhost"
        )
        inner_far, inner_near = await upgrade(certificates, far, near, version)
        inner_near.transport.write(b"last words")
        await inner_far.until(10)
        inner_near.transport.abort()
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await inner_far.lost is None
        server.close()
        return loop.time() - began < 15, inner_far.trace

    assert on_loop(scenario) == (True, [10, "eof", ("lost", None)])


def test_start_tls_within_connection_made(certificates: Certificates) -> None:
    """As an eager task would: who waits for the first transport gets it."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        started: list[Any] = []
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)

        def upgrade_now(protocol: Any) -> None:
            # Up to its first wait it runs here.
            coroutine = loop.start_tls(
                protocol.transport, Recorder(), certificates.server(), server_side=True
            )
            started.append((coroutine, coroutine.send(None)))

        accepting = asyncio.ensure_future(
            loop.connect_accepted_socket(lambda: Recorder(made=upgrade_now), ours, ssl=certificates.server())
        )
        transport, _ = await loop.create_unix_connection(
            Recorder, sock=theirs, ssl=certificates.client(), server_hostname="localhost"
        )
        upgraded = await loop.start_tls(
            transport, Recorder(), certificates.client(), server_hostname="localhost"
        )
        await accepting
        [(coroutine, handshake)] = started
        while not handshake.done():
            await asyncio.sleep(0.001)
        with pytest.raises(StopIteration) as returned:
            coroutine.send(None)
        returned.value.value.abort()
        upgraded.abort()

    on_loop(scenario)


@pytest.mark.parametrize("action", ["close", "abort"])
def test_a_buffer_is_given_back_where_the_connection_ends_in_get_buffer(
    certificates: Certificates, version: Any, action: str
) -> None:
    buffer = bytearray(1000)

    class Ends(Buffered):
        def get_buffer(self, sizehint: int) -> Any:
            getattr(self.transport, action)()
            return buffer

    async def scenario() -> None:
        far, near = await open_pair(certificates, version, server=Ends)
        near.transport.write(b"data")
        await far.lost
        await near.lost
        # It is exported no more.
        buffer.extend(b"more")

    on_loop(scenario)


def test_tls_inside_of_tls_that_fails(certificates: Certificates) -> None:
    async def scenario() -> None:
        far, near, server = await plain_pair(
            context=certificates.server(), ssl=certificates.client(), server_hostname="localhost"
        )
        loop = asyncio.get_running_loop()
        results = await asyncio.gather(
            loop.start_tls(far.transport, Recorder(), certificates.server(), server_side=True),
            loop.start_tls(near.transport, Recorder(), certificates.client(), server_hostname="example.org"),
            return_exceptions=True,
        )
        assert isinstance(results[1], ssl.SSLCertVerificationError)
        server.close()
        if not isinstance(results[0], BaseException):
            results[0].close()
        await server.wait_closed()
        while server.connections:
            await asyncio.sleep(0.001)

    on_loop(scenario)


@pytest.mark.parametrize("loop", LOOPS)
def test_mistaken_arguments(certificates: Certificates, loop: str) -> None:
    async def scenario() -> None:
        far, near, server = await plain_pair()
        with pytest.raises(TypeError):
            await asyncio.get_running_loop().start_tls(near.transport, Recorder(), None)  # type: ignore[arg-type]
        with pytest.raises((TypeError, ValueError)):
            await asyncio.get_running_loop().start_tls(
                near.transport, Recorder(), certificates.client(), ssl_handshake_timeout=0,
                server_hostname="localhost",
            )  # fmt: skip
        # Nothing has changed by that.
        near.transport.write(b"plain")
        await far.until(5)
        near.transport.close()
        await far.lost
        await near.lost
        server.close()

    on_loop(scenario, LOOPS[loop])
