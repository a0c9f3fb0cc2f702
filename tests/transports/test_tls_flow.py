"""TLS transports hold little: of what is received while the protocol pauses, of what a peer does not read."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import threading
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from tls_stage import VERSIONS, Buffered, Recorder, in_thread, on_loop, open_pair, serve, traces

RANDOM = random.Random(9)
MEBIBYTE = 1048576


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("protocol_class", [Recorder, Buffered])
def test_little_is_held_of_what_comes_while_reading_is_paused(
    certificates: Certificates, version: Any, protocol_class: Any
) -> None:
    sent = RANDOM.randbytes(16 * MEBIBYTE)
    progress = 0
    stuck = threading.Event()

    def small(sock: socket.socket) -> socket.socket:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        return sock

    def client(port: int) -> None:
        nonlocal progress
        raw = small(socket.create_connection(("127.0.0.1", port)))
        with tls_peer.Peer(raw, certificates.client(version)).shake_hands() as peer:
            raw.settimeout(0.2)
            for place in range(0, len(sent), 16384):
                record = memoryview(peer.records(sent[place : place + 16384]))
                while record:
                    try:
                        record = record[raw.send(record) :]
                    except TimeoutError:
                        # Nobody reads on.
                        stuck.set()
                        raw.settimeout(tls_peer.LIMIT)
                progress = place + 16384
            peer.notify()
            assert peer.receive_all() == (b"", "notified")

    async def scenario() -> None:
        made = asyncio.get_running_loop().create_future()
        listening = socket.socket()
        # What the kernel holds is not what is asked about.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        listening.bind(("127.0.0.1", 0))

        def factory() -> Any:
            def pause(protocol: Any) -> None:
                protocol.transport.pause_reading()
                made.set_result(protocol)

            return protocol_class(made=pause)

        server = await asyncio.get_running_loop().create_server(
            factory, sock=listening, ssl=certificates.server()
        )
        running = asyncio.ensure_future(in_thread(client, listening.getsockname()[1]))
        protocol = await made
        await in_thread(stuck.wait, 20)
        assert protocol.count == 0
        assert 0 < progress < MEBIBYTE
        assert not protocol.transport.is_reading()
        protocol.transport.resume_reading()
        protocol.transport.resume_reading()
        await running
        await protocol.lost
        assert protocol.data == sent
        assert protocol.trace == ["made", len(sent), "eof", ("lost", None)]
        server.close()

    on_loop(scenario)


def test_no_data_comes_while_reading_is_paused(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        far, near = await open_pair(certificates, version)
        for number in range(1, 6):
            near.transport.write(b"%d" % number)
            await far.until(2 * number - 1)
            far.transport.pause_reading()
            far.transport.pause_reading()
            assert not far.transport.is_reading()
            near.transport.write(b"%d" % number)
            for _ in range(10):
                await asyncio.sleep(0)
            assert far.count == 2 * number - 1
            far.transport.resume_reading()
            assert far.transport.is_reading()
            await far.until(2 * number)
        near.transport.close()
        await near.lost
        await far.lost
        assert far.data == b"1122334455"

    on_loop(scenario)


def test_pausing_in_the_middle_of_a_record(certificates: Certificates, version: Any) -> None:
    """A protocol with a small buffer need not take all of a record."""
    sent = RANDOM.randbytes(20_000)

    async def scenario() -> Any:
        def pause(protocol: Any) -> None:
            protocol.transport.pause_reading()
            asyncio.get_running_loop().call_soon(protocol.transport.resume_reading)

        far, near = await open_pair(certificates, version, server=lambda: Buffered(100, data=pause))
        near.transport.write(sent)
        near.transport.close()
        await near.lost
        await far.lost
        assert far.data == sent
        return far.trace

    assert on_loop(scenario) == ["made", 20_000, "eof", ("lost", None)]


def test_the_protocol_is_told_to_pause_writing(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        far, near = await open_pair(certificates, version)
        far.transport.pause_reading()
        near.transport.set_write_buffer_limits(high=100_000, low=1000)
        assert near.transport.get_write_buffer_limits() == (1000, 100_000)
        written = 0
        while not near.paused.done():
            near.transport.write(bytes(50_000))
            written += 50_000
            await asyncio.sleep(0)
        assert near.transport.get_write_buffer_size() > 0
        far.transport.resume_reading()
        await near.resumed
        assert near.transport.get_write_buffer_size() <= 1000
        near.transport.close()
        await near.lost
        await far.lost
        assert far.count == written
        return near.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", "pause", "resume", "eof", ("lost", None)]


def test_limits_of_zero(certificates: Certificates, version: Any) -> None:
    """Whatever the system does not take at once makes the protocol pause."""

    async def scenario() -> Any:
        far, near = await open_pair(certificates, version)
        near.transport.set_write_buffer_limits(high=0)
        near.transport.write(bytes(16 * MEBIBYTE))
        await near.paused
        await near.resumed
        assert near.transport.get_write_buffer_size() == 0
        near.transport.close()
        await far.lost
        await near.lost
        return near.trace

    assert on_loop(scenario) == ["made", "pause", "resume", "eof", ("lost", None)]


@pytest.mark.parametrize("data", ["text", None, 5, [b"x"], object()])
def test_what_is_no_bytes(certificates: Certificates, data: Any) -> None:
    async def scenario() -> None:
        far, near = await open_pair(certificates)
        with pytest.raises(TypeError):
            near.transport.write(data)
        with pytest.raises(TypeError):
            near.transport.writelines([b"x", data])
        near.transport.close()
        await near.lost
        await far.lost
        # Nothing of what was refused has gone.
        assert far.data == b""

    on_loop(scenario)


def test_a_buffer_that_changes_after_write(certificates: Certificates, version: Any) -> None:
    async def scenario() -> None:
        far, near = await open_pair(certificates, version)
        buffer = bytearray(b"before")
        near.transport.write(buffer)
        buffer[:] = b"behind"
        near.transport.writelines([memoryview(buffer)[2:4], buffer])
        buffer[:] = b"......"
        near.transport.close()
        await near.lost
        await far.lost
        assert far.data == b"beforehibehind"

    on_loop(scenario)


def test_the_protocol_is_exchanged_in_mid_stream(certificates: Certificates, version: Any) -> None:
    """For one of the other kind, back and forth; each gets what comes from then on."""

    async def scenario() -> Any:
        far, near = await open_pair(certificates, version)
        protocols: list[Any] = [far, Buffered(3), Recorder(), Buffered(100_000)]
        for number, protocol in enumerate(protocols):
            far.transport.set_protocol(protocol)
            assert far.transport.get_protocol() is protocol
            near.transport.write(b"%d" % number * 10)
            await protocol.until(10)
        near.transport.close()
        await near.lost
        await protocols[-1].lost
        return [(bytes(protocol.data), protocol.trace) for protocol in protocols]

    ours, theirs = traces(scenario)
    assert ours == theirs


@pytest.mark.parametrize("first", [Recorder, Buffered])
@pytest.mark.parametrize("second", [Recorder, Buffered])
def test_the_protocol_is_exchanged_by_itself(
    certificates: Certificates, version: Any, first: Any, second: Any
) -> None:
    """From its own callback, while more of what came with it waits."""
    sent = RANDOM.randbytes(50_000)

    async def scenario() -> Any:
        after = second()

        def exchange(protocol: Any) -> None:
            protocol.transport.set_protocol(after)

        make = (lambda: Buffered(100, data=exchange)) if first is Buffered else (lambda: Recorder(data=exchange))
        far, near = await open_pair(certificates, version, server=make)
        near.transport.write(sent)
        near.transport.close()
        await near.lost
        if first is Recorder and far.count == len(sent):
            assert far.data == sent
        await after.lost
        assert far.data + after.data == sent

    on_loop(scenario)


def test_buffers_that_are_no_good(certificates: Certificates, version: Any) -> None:
    async def scenario(buffer: Any) -> Any:
        class Bad(Buffered):
            def get_buffer(self, sizehint: int) -> Any:
                if buffer is None:
                    raise ZeroDivisionError
                return buffer

        far, near = await open_pair(certificates, version, server=Bad)
        near.transport.write(b"data")
        await near.lost
        error = await far.lost
        return type(error)

    for buffer in (b"", bytearray(), b"constant", "text", 5, None):
        reports: list[Any] = []
        assert on_loop(lambda buffer=buffer: scenario(buffer), reports=reports) is RuntimeError  # type: ignore[misc]
        assert len(reports) == 1


def test_many_connections(certificates: Certificates, version: Any) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        def echo(protocol: Recorder) -> None:
            protocol.transport.write(bytes(protocol.data))
            protocol.data.clear()

        server, port = await serve(certificates.server(), lambda: Recorder(data=echo))
        context = certificates.client(version)

        async def one(number: int) -> None:
            transport, protocol = await loop.create_connection(Recorder, "localhost", port, ssl=context)
            sent = b"%d" % number * 1000
            transport.write(sent)
            await protocol.until(len(sent))
            assert protocol.data == sent
            transport.close()
            await protocol.lost

        await asyncio.gather(*map(one, range(60)))
        server.close()
        await server.wait_closed()

    on_loop(scenario)
