"""TLS clients that have nothing to do with Python, at a server of uvnet: openssl, curl, Node.

Byte for byte, ends in both orders, sessions that are resumed, certificates of clients, TLS that begins in mid-stream.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from tls_programs import CURL, OPENSSL, decimal, need_tool, node, node_client, run, talking
from tls_stage import VERSIONS, Recorder, all_gone, echo, on_loop, recorded, serve

RANDOM = random.Random(11)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


def s_client(certificates: Certificates, version: str, port: int, *more: Any) -> list[Any]:
    return [
        need_tool(OPENSSL, "openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
        "-verify_return_error", "-CAfile", certificates.authority, f"-tls{version.replace('.', '_')}", *more,
    ]  # fmt: skip


def test_s_client_is_left(certificates: Certificates, version: str) -> None:
    """The server has answered everything, and says goodbye first."""
    sent = decimal(3_000_000, RANDOM)

    async def scenario() -> None:
        def answer(protocol: Recorder) -> None:
            echo(protocol)
            if protocol.count == len(sent):
                protocol.transport.close()

        protocols: list[Recorder] = []
        server, port = await serve(certificates.server(), recorded(protocols, data=answer))
        # -quiet: it goes on when its input is at an end.
        ended = await run(*s_client(certificates, version, port, "-quiet"), given=sent)
        assert ended.output == sent, ended.errors
        assert b"error:" not in ended.errors
        await protocols[0].lost
        assert protocols[0].trace[-1] == ("lost", None)
        await all_gone(server)
        server.close()

    on_loop(scenario)


def test_s_client_leaves(certificates: Certificates, version: str) -> None:
    """... at the end of its input; what the server still writes then is for nobody."""
    sent = decimal(3_000_000, RANDOM)

    async def scenario() -> None:
        protocols: list[Recorder] = []
        server, port = await serve(
            certificates.server(), recorded(protocols, eof=lambda each: each.transport.write(bytes(100_000)))
        )
        ended = await run(*s_client(certificates, version, port), given=sent)
        assert ended.code == 0, ended.errors
        assert await protocols[0].lost is None
        assert protocols[0].data == sent
        assert protocols[0].trace == ["made", len(sent), "eof", ("lost", None)]
        await all_gone(server)
        server.close()

    on_loop(scenario)


def test_s_client_resumes_its_session(certificates: Certificates, version: str, tmp_path: Path) -> None:
    session = tmp_path / "session"

    async def scenario() -> None:
        protocols: list[Recorder] = []
        server, port = await serve(
            certificates.server(), recorded(protocols, data=echo, made=lambda each: each.transport.write(b"hello\n"))
        )
        for given in (["-sess_out", session], ["-sess_in", session]):
            with talking(*s_client(certificates, version, port, *given)) as client:
                await client.until(b"hello")
                await client.say(b"Q\n")
                await client.end()
        await all_gone(server)
        reused = [each.transport.get_extra_info("ssl_object").session_reused for each in protocols]
        assert reused == [False, True]
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("shown", ["client", "expired", "other", None])
def test_certificates_of_s_client(certificates: Certificates, version: str, shown: str | None) -> None:
    async def scenario() -> None:
        protocols: list[Recorder] = []
        context = certificates.server()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.authority)
        server, port = await serve(context, recorded(protocols, data=echo))
        more = ["-cert", certificates.path(shown)] if shown else []
        with talking(*s_client(certificates, version, port, *more)) as client:
            if shown == "client":
                await client.say(b"hello\n")
                await client.until(b"hello\n")
                names = dict(each[0] for each in protocols[0].transport.get_extra_info("peercert")["subject"])
                assert names == {"commonName": "localhost", "organizationName": "client"}
                await client.say(b"Q\n")
                assert await client.end() == 0
            else:
                # It is told why.
                await client.until(b"alert")
                assert await client.end() == 1
        await all_gone(server)
        assert [each.trace for each in protocols] == (
            [["made", 6, "eof", ("lost", None)]] if shown == "client" else [[]]
        )
        server.close()

    on_loop(scenario)


def test_s_client_upgrades(certificates: Certificates, version: str) -> None:
    """STARTTLS of mail: lines, then TLS on the same connection."""

    class Mail(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.lines = b""
            transport.write(b"220 localhost\r\n")

        def data_received(self, data: bytes) -> None:
            self.lines += data
            while b"\r\n" in self.lines:
                line, _, self.lines = self.lines.partition(b"\r\n")
                if line.startswith(b"EHLO"):
                    self.transport.write(b"250-localhost\r\n250 STARTTLS\r\n")
                else:
                    assert line == b"STARTTLS"
                    self.transport.write(b"220 go ahead\r\n")
                    upgrades.append(asyncio.ensure_future(self.upgrade()))

        async def upgrade(self) -> Recorder:
            loop = asyncio.get_running_loop()
            protocol = Recorder(data=echo)
            protocol.transport = await loop.start_tls(
                self.transport, protocol, certificates.server(), server_side=True
            )
            return protocol

    upgrades: list[asyncio.Future[Recorder]] = []

    async def scenario() -> None:
        server = await asyncio.get_running_loop().create_server(Mail, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with talking(*s_client(certificates, version, port, "-starttls", "smtp")) as client:
            await client.until(b"Verify return code: 0")
            await client.say(b"hello\n")
            await client.until(b"hello\n")
            await client.say(b"Q\n")
            assert await client.end() == 0
        assert await (await upgrades[0]).lost is None
        await all_gone(server)
        server.close()

    on_loop(scenario)


class Http(asyncio.Protocol):
    """Enough of HTTP for a client that sends one request after the other."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, body = self.data.partition(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if len(body) < length:
                return
            content, self.data = body[:length] or head.split()[1] * 100_000, body[length:]
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
            self.transport.write(content)


def test_curl(certificates: Certificates, version: str, tmp_path: Path) -> None:
    """Two requests on one connection, then one with a large body, of a client with a certificate."""
    sent = RANDOM.randbytes(3_000_000)
    (tmp_path / "body").write_bytes(sent)
    common = [
        need_tool(CURL, "curl"), "--silent", "--show-error", "--fail", "--noproxy", "*", "--ipv4", "--http1.1",
        "--cacert", certificates.authority, "--cert", certificates.path("client"),
        f"--tlsv{version}", "--tls-max", version, "-H", "Expect:",
    ]  # fmt: skip

    async def scenario() -> None:
        context = certificates.server()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.authority)
        server, port = await serve(context, Http)
        url = f"https://localhost:{port}"
        ended = await run(*common, f"{url}/a", f"{url}/b")
        assert (ended.code, ended.output) == (0, b"/a" * 100_000 + b"/b" * 100_000), ended.errors
        ended = await run(*common, "--data-binary", f"@{tmp_path / 'body'}", f"{url}/post")
        assert (ended.code, ended.output) == (0, sent), ended.errors
        await all_gone(server)
        server.close()

    on_loop(scenario)


def test_node_leaves(certificates: Certificates, version: str, tmp_path: Path) -> None:
    """... when it has everything back."""
    (tmp_path / "source").write_bytes(RANDOM.randbytes(3_000_000))
    program = """
const sent = fs.readFileSync(options.source);
const socket = tls.connect(options, () => socket.write(sent));
const parts = [];
let count = 0;
socket.on('data', (data) => {
  parts.push(data);
  count += data.length;
  if (count === sent.length) socket.end();
});
socket.on('end', () => {
  if (Buffer.compare(Buffer.concat(parts), sent) !== 0) process.exit(1);
  console.log(socket.getProtocol());
});
"""

    async def scenario() -> None:
        protocols: list[Recorder] = []
        server, port = await serve(certificates.server(), recorded(protocols, data=echo))
        ended = await run(*node(program, **node_client(certificates, version, port), source=tmp_path / "source"))
        assert (ended.code, ended.output) == (0, f"TLSv{version}\n".encode()), ended.errors
        assert await protocols[0].lost is None
        assert protocols[0].trace[-2:] == ["eof", ("lost", None)]
        await all_gone(server)
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("half_open", [False, True])
def test_node_is_left(certificates: Certificates, version: str, half_open: bool) -> None:
    """The server says goodbye first; what Node says afterwards is for nobody."""
    program = """
const socket = tls.connect(options);
let count = 0;
socket.on('data', (data) => count += data.length);
socket.on('end', () => {
  console.log('end', count);
  if (options.allowHalfOpen) socket.end('late');
});
socket.on('close', (failed) => console.log('close', failed));
"""
    size = 2_000_000

    async def scenario() -> None:
        def leave(protocol: Recorder) -> None:
            protocol.transport.write(bytes(size))
            protocol.transport.close()

        protocols: list[Recorder] = []
        server, port = await serve(certificates.server(), recorded(protocols, made=leave))
        ended = await run(*node(program, **node_client(certificates, version, port), allowHalfOpen=half_open))
        assert (ended.code, ended.output) == (0, b"end %d\nclose false\n" % size), ended.errors
        assert await protocols[0].lost is None
        assert [each for each in protocols[0].trace if each not in ("pause", "resume")] == ["made", "eof", ("lost", None)]
        await all_gone(server)
        server.close()

    on_loop(scenario)


def test_node_half_closes(certificates: Certificates, version: str) -> None:
    """What the server writes when it hears of that still arrives."""
    program = """
const socket = tls.connect({ ...options, allowHalfOpen: true }, () => socket.end('the question'));
let count = 0;
socket.on('data', (data) => count += data.length);
socket.on('end', () => console.log('end', count));
socket.on('close', (failed) => console.log('close', failed));
"""
    size = 5_000_000

    async def scenario() -> None:
        protocols: list[Recorder] = []
        server, port = await serve(
            certificates.server(), recorded(protocols, eof=lambda each: each.transport.write(bytes(size)))
        )
        ended = await run(*node(program, **node_client(certificates, version, port)))
        assert (ended.code, ended.output) == (0, b"end %d\nclose false\n" % size), ended.errors
        assert await protocols[0].lost is None
        assert protocols[0].data == b"the question"
        await all_gone(server)
        server.close()

    on_loop(scenario)


def test_node_resumes_its_session(certificates: Certificates, version: str) -> None:
    program = """
let session;
const connect = () => {
  const socket = tls.connect({ ...options, session }, () => console.log(socket.isSessionReused()));
  // TLS 1.3: it comes with the first data.
  socket.on('session', (given) => session = given);
  socket.on('data', () => socket.end());
  if (!session) socket.on('close', connect);
};
connect();
"""

    async def scenario() -> None:
        protocols: list[Recorder] = []
        server, port = await serve(
            certificates.server(), recorded(protocols, made=lambda each: each.transport.write(b"hello"))
        )
        ended = await run(*node(program, **node_client(certificates, version, port)))
        assert (ended.code, ended.output) == (0, b"false\ntrue\n"), ended.errors
        await all_gone(server)
        assert [each.trace for each in protocols] == [["made", "eof", ("lost", None)]] * 2
        server.close()

    on_loop(scenario)


@pytest.mark.parametrize("shown", ["client", None])
def test_certificates_of_node(certificates: Certificates, version: str, shown: str | None) -> None:
    program = """
const socket = tls.connect(options);
socket.on('data', (data) => socket.end(data));
socket.on('error', (error) => console.log(error.code));
socket.on('close', () => console.log('closed'));
"""

    async def scenario() -> None:
        protocols: list[Recorder] = []
        context = certificates.server()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.authority)
        server, port = await serve(
            context, recorded(protocols, made=lambda each: each.transport.write(b"hello"))
        )
        files = dict.fromkeys(("cert", "key"), certificates.path(shown)) if shown else {}
        ended = await run(*node(program, **node_client(certificates, version, port), **files))
        await all_gone(server)
        traces = [each.trace for each in protocols]
        if shown:
            assert (ended.output, traces) == (b"closed\n", [["made", 5, "eof", ("lost", None)]])
        else:
            reason = b"ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" if version == "1.3" else (
                b"ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"
            )
            # OpenSSL has renamed it.
            output = ended.output.replace(b"SSL/TLS_ALERT", b"SSLV3_ALERT")
            assert (output, traces) == (reason + b"\nclosed\n", [[]])
        server.close()

    on_loop(scenario)


def test_a_client_may_not_renegotiate(certificates: Certificates) -> None:
    """It would make the server work for nothing."""
    program = """
const socket = tls.connect(options, () => socket.renegotiate({}, (error) => {
  if (!error) { console.log('agreed'); socket.destroy(); }
}));
socket.on('error', (error) => console.log('refused'));
"""

    async def scenario() -> None:
        server, port = await serve(certificates.server(), Recorder)
        ended = await run(*node(program, **node_client(certificates, "1.2", port)))
        assert (ended.code, ended.output) == (0, b"refused\n"), ended.errors
        server.close()

    on_loop(scenario)
