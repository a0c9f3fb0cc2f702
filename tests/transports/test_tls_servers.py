"""uvnet as a client of TLS servers that have nothing to do with Python: `openssl s_server`, Node.

Byte for byte, ends in both orders, sessions that are resumed, certificates of clients, TLS that begins in mid-stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from certificates import Certificates
from tls_programs import OPENSSL, Talking, decimal, need_tool, node, talking
from tls_stage import VERSIONS, Recorder, on_loop

RANDOM = random.Random(14)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


@contextlib.asynccontextmanager
async def s_server(
    certificates: Certificates, version: str, *more: Any, connections: int = 1
) -> AsyncIterator[tuple[Talking, int]]:
    """A server that prints what comes and sends what it is given: (it, its port)."""
    command = [
        need_tool(OPENSSL, "openssl"), "s_server", "-accept", "127.0.0.1:0", "-naccept", connections,
        "-cert", certificates.path("server"), f"-tls{version.replace('.', '_')}", *more,
    ]  # fmt: skip
    with talking(*command) as server:
        yield server, int((await server.until(rb"ACCEPT [\d.]+:(\d+)"))[1])


NODE_SERVER = """
const handle = (socket) => {
  let count = 0;
  socket.on('data', (data) => count += data.length);
  socket.on('end', () => console.log('end', count));
  socket.on('error', (error) => console.log('error', error.code));
  socket.on('close', (failed) => { console.log('close', failed); if (!--connections) server.close(); });
};
let connections = options.connections || 1;
"""
NODE_LISTENS = "server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));"


@contextlib.asynccontextmanager
async def node_server(
    certificates: Certificates, version: str, program: str, **options: Any
) -> AsyncIterator[tuple[Talking, int]]:
    """A server of Node whose `server` the program makes, and whose sockets it gives to handle(): (it, its port)."""
    files = dict.fromkeys(("cert", "key"), certificates.path("server"))
    versions = dict.fromkeys(("minVersion", "maxVersion"), f"TLSv{version}")
    with talking(*node(NODE_SERVER + program + NODE_LISTENS, **files, **versions, **options)) as server:
        yield server, int((await server.until(rb"port (\d+)"))[1])


async def connect(
    certificates: Certificates, port: int, context: ssl.SSLContext | None = None, **actions: Any
) -> Recorder:
    _, protocol = await asyncio.get_running_loop().create_connection(
        lambda: Recorder(**actions), "127.0.0.1", port, ssl=context or certificates.client(),
        server_hostname="localhost",
    )  # fmt: skip
    return protocol


class ResumingContext(ssl.SSLContext):
    """asyncio has no way to name a session; a context has."""

    session: ssl.SSLSession | None = None

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return super().wrap_bio(*arguments, session=self.session, **options)


def resuming(certificates: Certificates) -> ResumingContext:
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.authority)
    return context


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_bytes_and_ends_of_s_server(certificates: Certificates, version: str, first: str) -> None:
    """3 MB both ways; then one of them says goodbye first."""
    there, back = RANDOM.randbytes(3_000_000), decimal(3_000_000, RANDOM)

    async def scenario() -> None:
        async with s_server(certificates, version) as (server, port):
            protocol = await connect(certificates, port)
            protocol.transport.write(there)
            await asyncio.gather(server.say(back), protocol.until(len(back)), server.holds(there))
            if first == "ours":
                protocol.transport.close()
            else:
                await server.say(b"Q")
            assert await protocol.lost is None
            assert protocol.data == back
            assert protocol.trace[-2:] == ["eof", ("lost", None)]
            assert await server.end() == 0
            assert b"error:" not in server.output

    on_loop(scenario)


def test_s_server_resumes_a_session(certificates: Certificates, version: str) -> None:
    context = resuming(certificates)

    async def scenario() -> None:
        async with s_server(certificates, version, connections=2) as (server, port):
            for reused in (False, True):
                protocol = await connect(certificates, port, context)
                # TLS 1.3: the session comes with the first data.
                await server.say(b"0123\n")
                await protocol.until(5)
                tls = protocol.transport.get_extra_info("ssl_object")
                assert tls.session_reused == reused
                context.session = tls.session
                protocol.transport.close()
                await protocol.lost
            await server.end()
            assert b"Reused session-id" in server.output

    on_loop(scenario)


@pytest.mark.parametrize("shown", ["client", None])
def test_s_server_asks_for_a_certificate(certificates: Certificates, version: str, shown: str | None) -> None:
    async def scenario() -> None:
        asking = ("-Verify", 1, "-verify_return_error", "-CAfile", certificates.authority)
        async with s_server(certificates, version, *asking) as (server, port):
            context = certificates.client()
            if shown:
                context.load_cert_chain(certificates.path(shown))
                protocol = await connect(certificates, port, context)
                protocol.transport.write(b"hello\n")
                await server.until(b"client\n")
                await server.until(b"hello\n")
                protocol.transport.close()
                assert await protocol.lost is None
                return
            # In TLS 1.3 the client has finished before the server has looked.
            with pytest.raises(ssl.SSLError, match="ALERT"):
                protocol = await connect(certificates, port, context)
                raise await protocol.lost

    on_loop(scenario)


def test_s_server_renegotiates(certificates: Certificates) -> None:
    """TLS 1.2: it asks for another handshake in mid-stream."""

    async def scenario() -> None:
        async with s_server(certificates, "1.2") as (server, port):
            protocol = await connect(certificates, port)
            protocol.transport.write(b"first\n")
            await server.until(b"first")
            await server.say(b"r\n")
            await server.until(b"SSL_do_handshake")
            await server.say(b"after\n")
            protocol.transport.write(b"second\n")
            await protocol.until(6)
            await server.until(b"second")
            await server.say(b"Q\n")
            await protocol.lost
            assert protocol.data == b"after\n"

    on_loop(scenario)


def test_keys_are_updated(certificates: Certificates) -> None:
    """TLS 1.3: s_server changes its keys, and asks for new ones of the client, in mid-stream."""

    async def scenario() -> None:
        async with s_server(certificates, "1.3") as (server, port):
            protocol = await connect(certificates, port)
            sent = 0
            for number, command in enumerate((b"k\n", b"K\n")):
                await server.say(command)
                # What it says of that waits in its buffer until it prints what has come.
                while server.output.count(b"SSL_do_handshake") <= number:
                    protocol.transport.write(b"there %d\n" % sent)
                    await server.until(b"there %d\n" % sent)
                    sent += 1
                await server.say(b"0123\n")
                await protocol.until(5 * number + 5)
            protocol.transport.write(b"last\n")
            await server.until(b"last")
            protocol.transport.close()
            assert await protocol.lost is None
            assert protocol.data == b"0123\n0123\n"
            assert await server.end() == 0

    on_loop(scenario)


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_bytes_and_ends_of_node(certificates: Certificates, version: str, first: str) -> None:
    """3 MB there and back; then one of them says goodbye first."""
    program = """
const server = tls.createServer(options, (socket) => {
  handle(socket);
  socket.pipe(socket);
  let left = options.leaves;
  socket.on('data', (data) => { if ((left -= data.length) === 0) socket.end(); });
});
"""
    sent = RANDOM.randbytes(3_000_000)

    async def scenario() -> None:
        leaves = len(sent) if first == "theirs" else 0
        async with node_server(certificates, version, program, leaves=leaves) as (server, port):
            protocol = await connect(certificates, port)
            protocol.transport.write(sent)
            await protocol.until(len(sent))
            assert protocol.data == sent
            if first == "ours":
                protocol.transport.close()
            assert await protocol.lost is None
            assert protocol.trace[-2:] == ["eof", ("lost", None)]
            assert await server.end() == 0
            assert server.output.endswith(b"end 3000000\nclose false\n")

    on_loop(scenario)


def test_node_half_closes(certificates: Certificates, version: str) -> None:
    """What the client writes when it hears of that still arrives."""
    program = """
const server = tls.createServer({ ...options, allowHalfOpen: true }, (socket) => {
  handle(socket);
  socket.end('the question');
});
"""
    answer = RANDOM.randbytes(5_000_000)

    async def scenario() -> None:
        async with node_server(certificates, version, program) as (server, port):
            protocol = await connect(certificates, port, eof=lambda each: each.transport.write(answer))
            assert await protocol.lost is None
            assert protocol.data == b"the question"
            assert await server.end() == 0
            assert server.output.endswith(b"end 5000000\nclose false\n")

    on_loop(scenario)


def test_node_resumes_a_session(certificates: Certificates, version: str) -> None:
    program = """
const server = tls.createServer(options, (socket) => {
  handle(socket);
  socket.write(socket.isSessionReused() ? 'true ' : 'false');
});
"""
    context = resuming(certificates)

    async def scenario() -> None:
        async with node_server(certificates, version, program, connections=2) as (server, port):
            for reused in (False, True):
                protocol = await connect(certificates, port, context)
                await protocol.until(5)
                tls = protocol.transport.get_extra_info("ssl_object")
                assert (protocol.data.strip(), tls.session_reused) == (str(reused).lower().encode(), reused)
                context.session = tls.session
                protocol.transport.close()
                assert await protocol.lost is None
            assert await server.end() == 0

    on_loop(scenario)


@pytest.mark.parametrize("shown", ["client", None])
def test_node_asks_for_a_certificate(certificates: Certificates, version: str, shown: str | None) -> None:
    program = """
const server = tls.createServer({ ...options, requestCert: true }, (socket) => {
  handle(socket);
  socket.write(socket.getPeerCertificate().subject.O);
});
server.on('tlsClientError', (error) => { console.log(error.code); server.close(); });
"""

    async def scenario() -> None:
        async with node_server(certificates, version, program, ca=certificates.authority) as (server, port):
            context = certificates.client()
            if shown:
                context.load_cert_chain(certificates.path(shown))
                protocol = await connect(certificates, port, context)
                await protocol.until(6)
                assert protocol.data == b"client"
                protocol.transport.close()
                assert await protocol.lost is None
            else:
                with pytest.raises(ssl.SSLError, match="ALERT"):
                    protocol = await connect(certificates, port, context)
                    raise await protocol.lost
                await server.until(b"ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE")
            assert await server.end() == 0

    on_loop(scenario)


def test_node_upgrades(certificates: Certificates, version: str) -> None:
    """Plain lines, then TLS on the same connection, whose server speaks first."""
    program = """
const server = net.createServer((plain) => {
  plain.once('data', (data) => {
    plain.write('go ahead\\n');
    const socket = new tls.TLSSocket(plain, { isServer: true, ...options });
    handle(socket);
    socket.write('secure');
    socket.pipe(socket);
  });
});
"""
    sent = RANDOM.randbytes(500_000)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with node_server(certificates, version, program) as (server, port):
            plain, lines = await loop.create_connection(Recorder, "127.0.0.1", port)
            plain.write(b"STARTTLS\n")
            await lines.until(9)
            assert lines.data == b"go ahead\n"
            protocol = Recorder()
            transport: Any = await loop.start_tls(
                plain, protocol, certificates.client(), server_hostname="localhost"
            )
            transport.write(sent)
            await protocol.until(6 + len(sent))
            assert protocol.data == b"secure" + sent
            transport.close()
            assert await protocol.lost is None
            assert await server.end() == 0
            assert server.output.endswith(b"end 500000\nclose false\n")

    on_loop(scenario)
