"""TLS transports carry every byte, between themselves and with Python's blocking sockets."""

from __future__ import annotations

import asyncio
import random
import ssl
from pathlib import Path
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from tls_stage import VERSIONS, Buffered, Recorder, in_thread, on_loop, open_pair, serve, traces

SIZES = (0, 1, 2, 1000, 16383, 16384, 16385, 65535, 65536, 65537, 262144, 1048576)
RANDOM = random.Random(7)


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("protocol", [Recorder, Buffered])
@pytest.mark.parametrize("size", SIZES)
def test_writes_of_many_sizes(certificates: Certificates, version: Any, size: int, protocol: Any) -> None:
    sent = RANDOM.randbytes(size) + b"."

    async def scenario() -> None:
        far, near = await open_pair(certificates, version, server=protocol, client=protocol)
        near.transport.write(sent[:size])
        near.transport.write(b".")
        await far.until(len(sent))
        far.transport.writelines([far.data, bytearray(b"a"), memoryview(b"bc")])
        await near.until(len(sent) + 3)
        assert (far.data, near.data) == (sent, sent + b"abc")
        near.transport.close()
        assert [await near.lost, await far.lost] == [None, None]

    on_loop(scenario)


@pytest.mark.parametrize("size", [1, 5, 16384, 50000])
def test_a_buffer_of_any_size(certificates: Certificates, version: Any, size: int) -> None:
    sent = RANDOM.randbytes(200_000)

    async def scenario() -> None:
        far, near = await open_pair(certificates, version, server=lambda: Buffered(size))
        count = len(sent) if size > 5 else 3000
        near.transport.write(sent[:count])
        near.transport.close()
        await near.lost
        await far.lost
        assert far.data == sent[:count]
        assert far.trace == ["made", count, "eof", ("lost", None)]

    on_loop(scenario)


def test_many_small_writes(certificates: Certificates, version: Any) -> None:
    async def scenario() -> None:
        far, near = await open_pair(certificates, version)
        for number in range(2000):
            near.transport.write(b"%d," % number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        sent = b"".join(b"%d," % number for number in range(2000))
        await far.until(len(sent))
        assert far.data == sent
        near.transport.close()
        await far.lost

    on_loop(scenario)


def test_echo_to_a_blocking_client(certificates: Certificates, version: Any) -> None:
    sent = RANDOM.randbytes(300_000)

    def client(port: int) -> bytes:
        with tls_peer.connected(port, certificates.client(version)) as peer:
            assert peer.tls.version() == f"TLSv{'1.2' if version is VERSIONS['1.2'] else '1.3'}"
            peer.send(sent)
            data = peer.receive_exactly(len(sent))
            peer.notify()
            assert peer.receive_all() == (b"", "notified")
            return data

    async def scenario() -> None:
        server, port = await serve(certificates.server(), Echo)
        answers = await asyncio.gather(*(in_thread(client, port) for _ in range(3)))
        assert answers == [sent] * 3
        server.close()
        await server.wait_closed()

    on_loop(scenario)


def test_echo_from_a_blocking_server(certificates: Certificates, version: Any) -> None:
    sent = RANDOM.randbytes(300_000)
    listening, port = tls_peer.pair_socket()

    def server() -> tuple[bytes, str]:
        with listening, tls_peer.accepted(listening, certificates.server(version)) as peer:
            peer.send(peer.receive_exactly(len(sent)))
            return peer.receive_all()

    async def scenario() -> None:
        served = asyncio.ensure_future(in_thread(server))
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(
            Recorder, "localhost", port, ssl=certificates.client()
        )
        transport.write(sent)
        await protocol.until(len(sent))
        transport.close()
        assert await served == (b"", "notified")
        # It has not answered the close_notify, and has closed.
        assert await protocol.lost is None
        assert protocol.data == sent
        assert protocol.trace == ["made", len(sent), "eof", ("lost", None)]

    on_loop(scenario)


def test_streams_and_unix_sockets(certificates: Certificates, version: Any, tmp_path: Path) -> None:
    sent = RANDOM.randbytes(1_000_000)

    async def scenario() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        path = str(tmp_path / "socket")
        server = await asyncio.start_unix_server(handle, path, ssl=certificates.server(version))
        reader, writer = await asyncio.open_unix_connection(
            path, ssl=certificates.client(), server_hostname="localhost"
        )
        writing = asyncio.ensure_future(_send(writer, sent))
        assert await reader.readexactly(len(sent)) == sent
        await writing
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    on_loop(scenario)


def test_sixteen_mebibytes_both_ways_at_once(certificates: Certificates, version: Any) -> None:
    """The peer pauses now and then, and resumes when something else has happened."""
    block = RANDOM.randbytes(65536)
    blocks = 256

    class Sender(Recorder):
        sent = 0

        def go_on(self) -> None:
            while self.sent < blocks and not self.held:
                self.sent += 1
                self.transport.write(block)

        held = False
        pieces = 0

        def pause_writing(self) -> None:
            self.held = True

        def resume_writing(self) -> None:
            self.held = False
            self.go_on()

        def received(self, length: int) -> None:
            super().received(length)
            self.pieces += 1
            if self.pieces % 5 == 0:
                self.transport.pause_reading()
                loop = asyncio.get_running_loop()
                loop.call_soon(loop.call_soon, self.transport.resume_reading)

    async def scenario() -> None:
        far, near = await open_pair(certificates, version, server=Sender, client=Sender)
        far.go_on()
        near.go_on()
        await asyncio.gather(far.until(blocks * 65536), near.until(blocks * 65536))
        assert far.data == near.data == block * blocks
        near.transport.close()
        assert [await near.lost, await far.lost] == [None, None]

    on_loop(scenario, timeout=90)


def test_what_is_written_in_connection_made(certificates: Certificates, version: Any) -> None:
    """Either side may be the first to speak."""

    async def scenario() -> Any:
        def hello(protocol: Recorder) -> None:
            protocol.transport.write(b"hello")

        far, near = await open_pair(
            certificates, version, lambda: Recorder(made=hello), lambda: Recorder(made=hello)
        )
        await far.until(5)
        await near.until(5)
        near.transport.close()
        await far.lost
        await near.lost
        return far.trace, near.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ((["made", 5, "eof", ("lost", None)],) * 2)


@pytest.mark.parametrize("side", ["server", "client"])
def test_extra_info(certificates: Certificates, version: Any, side: str) -> None:
    async def scenario() -> Any:
        contexts = {"server": certificates.server(version), "client": certificates.client(version)}
        contexts["client"].load_cert_chain(certificates.path("client"))
        contexts["server"].load_verify_locations(certificates.authority)
        contexts["server"].verify_mode = ssl.CERT_REQUIRED
        accepted = asyncio.get_running_loop().create_future()

        def factory() -> Recorder:
            protocol = Recorder()
            accepted.set_result(protocol)
            return protocol

        server, port = await serve(contexts["server"], factory)
        _, near = await asyncio.get_running_loop().create_connection(
            Recorder, "127.0.0.1", port, ssl=contexts["client"], server_hostname="localhost"
        )
        far = await accepted
        await far.made
        server.close()
        transport = (far if side == "server" else near).transport
        found = {name: transport.get_extra_info(name) for name in ("peercert", "cipher", "compression")}
        assert transport.get_extra_info("sslcontext") is contexts[side]
        assert isinstance(transport.get_extra_info("ssl_object"), ssl.SSLObject)
        assert transport.get_extra_info("compression", "none") in (None, "none")
        assert transport.get_extra_info("nothing", 5) == 5
        assert transport.get_extra_info("socket").fileno() > 0
        for name in ("peername", "sockname"):
            assert transport.get_extra_info(name)[0] == "127.0.0.1"
        assert transport.can_write_eof() is False
        with pytest.raises(NotImplementedError):
            transport.write_eof()
        assert isinstance(transport, asyncio.Transport)
        near.transport.close()
        await near.lost
        await far.lost
        assert transport.is_closing()
        found["subject"] = transport.get_extra_info("peercert")["subject"]
        return found

    ours, theirs = traces(scenario)
    assert ours == theirs
    name = "client" if side == "server" else "server"
    assert (("organizationName", name),) in ours["subject"]


def test_nobody_has_shown_a_certificate(certificates: Certificates) -> None:
    async def scenario() -> Any:
        far, near = await open_pair(certificates)
        found = far.transport.get_extra_info("peercert", "none")
        near.transport.close()
        await near.lost
        await far.lost
        return found

    ours, theirs = traces(scenario)
    assert ours in (theirs, "none" if theirs is None else theirs)


def test_a_socket_that_was_accepted_elsewhere(certificates: Certificates, version: Any) -> None:
    listening, port = tls_peer.pair_socket()

    def client() -> bytes:
        with tls_peer.connected(port, certificates.client(version)) as peer:
            peer.send(b"abc")
            data = peer.receive_exactly(3)
            peer.notify()
            return data

    async def scenario() -> None:
        running = asyncio.ensure_future(in_thread(client))
        sock, _ = await in_thread(listening.accept)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_accepted_socket(
            lambda: Recorder(data=lambda protocol: protocol.transport.write(bytes(protocol.data))),
            sock, ssl=certificates.server(),
        )  # fmt: skip
        assert await running == b"abc"
        assert await protocol.lost is None
        assert sock.fileno() == -1

    with listening:
        on_loop(scenario)




def test_sendfile(certificates: Certificates, version: Any, tmp_path: Path) -> None:
    content = RANDOM.randbytes(700_000)
    path = tmp_path / "file"
    path.write_bytes(content)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        far, near = await open_pair(certificates, version)
        near.transport.write(b"before")
        with path.open("rb") as file:
            assert await loop.sendfile(near.transport, file) == len(content)
            near.transport.write(b"between")
            assert await loop.sendfile(near.transport, file, 10, 20) == 20
            with pytest.raises(RuntimeError):
                await loop.sendfile(near.transport, file, fallback=False)
            near.transport.write(b"behind")
            near.transport.close()
            with pytest.raises(RuntimeError, match="closing"):
                await loop.sendfile(near.transport, file)
        await far.lost
        await near.lost
        assert far.data == b"before" + content + b"between" + content[10:30] + b"behind"

    on_loop(scenario)


def test_sendfile_to_a_peer_that_goes(certificates: Certificates, version: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(8_000_000))

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        far, near = await open_pair(certificates, version)
        far.transport.pause_reading()
        with path.open("rb") as file:
            sending = asyncio.ensure_future(loop.sendfile(near.transport, file))
            while near.transport.get_write_buffer_size() == 0:
                await asyncio.sleep(0)
            far.transport.abort()
            with pytest.raises(ConnectionError):
                await sending
        await near.lost
        await far.lost

    on_loop(scenario)
