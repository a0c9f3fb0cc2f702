"""TLS with programs that have nothing to do with Python: openssl, curl, Node."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from certificates import OPENSSL, Certificates
from tls_stage import VERSIONS, Recorder, in_thread, on_loop, serve

RANDOM = random.Random(11)
CURL, NODE = shutil.which("curl"), shutil.which("node")


async def run(*arguments: Any, given: bytes | None = b"") -> tuple[int, bytes, bytes]:
    # What it says would wait in pipes of a loop that is under test: of a thread instead.


    def wait() -> tuple[int, bytes, bytes]:
        # Sanitizers are for our code, not for theirs.
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        ended = subprocess.run(
            list(map(str, arguments)), input=given, capture_output=True, timeout=60, env=environment
        )
        return ended.returncode, ended.stdout, ended.stderr

    return await in_thread(wait)  # type: ignore[no-any-return]


def echo() -> Recorder:
    def answer(protocol: Recorder) -> None:
        data = bytes(protocol.data)
        protocol.data.clear()
        protocol.transport.write(data.upper())
        if b"Q\n" in data.upper():
            protocol.transport.close()

    return Recorder(data=answer)


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_s_client(certificates: Certificates, version: str) -> None:
    async def scenario() -> None:
        server, port = await serve(certificates.server(), echo)
        _, output, errors = await run(
            OPENSSL, "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-quiet",
            "-verify_return_error", "-CAfile", certificates.authority, f"-tls{version.replace('.', '_')}",
            "-ign_eof",
            given=b"hello\nq\n",
        )  # fmt: skip
        assert output == b"HELLO\nQ\n", errors
        server.close()
        await server.wait_closed()

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


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl(certificates: Certificates, version: str, tmp_path: Path) -> None:
    sent = RANDOM.randbytes(3_000_000)
    (tmp_path / "body").write_bytes(sent)
    common = [
        "--silent", "--show-error", "--fail", "--noproxy", "*", "--cacert", certificates.authority, "--http1.1",
        f"--tlsv{version}", "--tls-max", version, "-H", "Expect:",
    ]  # fmt: skip

    async def scenario() -> None:
        server, port = await serve(certificates.server(), Http)
        url = f"https://localhost:{port}"
        code, output, errors = await run(CURL, *common, "--ipv4", f"{url}/a", f"{url}/b")
        assert (code, output) == (0, b"/a" * 100_000 + b"/b" * 100_000), errors
        code, output, errors = await run(
            CURL, *common, "--ipv4", "--data-binary", f"@{tmp_path / 'body'}", f"{url}/post"
        )
        assert (code, output) == (0, sent), errors
        server.close()

    on_loop(scenario)


NODE_CLIENT = """
const tls = require('tls'), fs = require('fs');
const [port, ca, version, source] = process.argv.slice(1);
const sent = fs.readFileSync(source);
const socket = tls.connect({
  port: +port, host: '127.0.0.1', servername: 'localhost', ca: fs.readFileSync(ca),
  minVersion: 'TLSv' + version, maxVersion: 'TLSv' + version,
}, () => socket.write(sent));
let parts = [], count = 0;
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


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_node(certificates: Certificates, version: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(RANDOM.randbytes(3_000_000))

    async def scenario() -> None:
        protocols = []

        def factory() -> Recorder:
            def answer(protocol: Recorder) -> None:
                protocol.transport.write(bytes(protocol.data))
                protocol.data.clear()

            protocols.append(Recorder(data=answer))
            return protocols[-1]

        server, port = await serve(certificates.server(), factory)
        code, output, errors = await run(
            NODE, "-e", NODE_CLIENT, port, certificates.authority, version, tmp_path / "source"
        )
        assert (code, output) == (0, f"TLSv{version}\n".encode()), errors
        assert await protocols[0].lost is None
        assert protocols[0].trace[-2:] == ["eof", ("lost", None)]
        server.close()

    on_loop(scenario)


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_a_server_that_renegotiates(certificates: Certificates) -> None:
    """TLS 1.2: `openssl s_server` asks for another handshake in mid-stream."""


    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    process = subprocess.Popen(
        [str(OPENSSL), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(certificates.path("server")),
         "-tls1_2", "-naccept", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def read_until(wanted: bytes) -> None:
        while wanted not in (line := stdout.readline()):
            assert line, f"{wanted!r} has not come"

    def say(words: bytes) -> None:
        stdin.write(words)
        stdin.flush()

    async def scenario() -> None:
        await in_thread(read_until, b"ACCEPT")
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(
            Recorder, "127.0.0.1", port, ssl=certificates.client(VERSIONS["1.2"]), server_hostname="localhost"
        )
        transport.write(b"first\n")
        await in_thread(read_until, b"first")
        say(b"r\n")
        await in_thread(read_until, b"SSL_do_handshake")
        say(b"after\n")
        transport.write(b"second\n")
        await protocol.until(6)
        await in_thread(read_until, b"second")
        say(b"Q\n")
        await protocol.lost
        assert protocol.data == b"after\n"

    try:
        on_loop(scenario)
    finally:
        process.kill()
        process.communicate()


def test_a_client_may_not_renegotiate(certificates: Certificates) -> None:
    """It would make the server work for nothing."""
    if NODE is None:
        pytest.skip("node is not installed")
    program = """
const tls = require('tls'), fs = require('fs');
const socket = tls.connect({
  port: +process.argv[1], host: '127.0.0.1', servername: 'localhost', ca: fs.readFileSync(process.argv[2]),
  maxVersion: 'TLSv1.2',
}, () => socket.renegotiate({}, (error) => { if (!error) { console.log('agreed'); socket.destroy(); } }));
socket.on('error', (error) => console.log('refused'));
"""

    async def scenario() -> None:
        server, port = await serve(certificates.server(), echo)
        code, output, errors = await run(NODE, "-e", program, port, certificates.authority)
        assert (code, output) == (0, b"refused\n"), errors
        server.close()

    on_loop(scenario)
