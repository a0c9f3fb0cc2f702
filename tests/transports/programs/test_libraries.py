"""Libraries for asyncio on uvnet's loop: websockets, httpx, anyio; and asyncio's own streams."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import urllib.request
from pathlib import Path

import pytest
from asyncio_programs import LIMIT, application, needs, python, running
from certificates import Certificates
from tls_stage import in_thread, on_loop


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_websockets(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    needs("websockets")
    program = f'''
import asyncio, ssl, uvnet
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main():
    server_tls = client_tls = None
    if {secure}:
        server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_tls.load_cert_chain({str(certificates.path("server"))!r})
        client_tls = ssl.create_default_context(cafile={str(certificates.authority)!r})
    async with serve(echo, "127.0.0.1", 0, ssl=server_tls, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"{"wss" if secure else "ws"}://localhost:{{port}}"
        async def one():
            async with connect(url, ssl=client_tls, max_size=None, proxy=None) as connection:
                for size in (0, 1, 126, 65536, 2_000_000):
                    await connection.send(bytes(size))
                    assert await connection.recv() == bytes(size)
                await (await connection.ping())
        await asyncio.gather(*[one() for _ in range(5)])
    print("done")

uvnet.run(main())
'''
    assert python(tmp_path, program) == "done\n"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_httpx(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    """With anyio below it, which asks for the loop as asyncio.Runner does."""
    needs("httpx", "anyio", "uvicorn", "h11")
    name = application(tmp_path)
    options = ["--ssl-certfile", str(certificates.path("server"))] if secure else []
    command = (sys.executable, "-m", "uvicorn", "--loop", "uvnet:new_event_loop", "--port", "0", *options, name)
    with running(tmp_path, *command, ready="running on") as server:
        program = f'''
import anyio, httpx, ssl, uvnet

async def main():
    context = ssl.create_default_context(cafile={str(certificates.authority)!r})
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        url = "{"https" if secure else "http"}://localhost:{server.port}/"
        async def one():
            assert (await client.get(url)).text == "hello"
            sent = bytes(3_000_000)
            assert (await client.post(url, content=sent)).content == sent
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
    print("done")

anyio.run(main, backend="asyncio", backend_options={{"loop_factory": uvnet.new_event_loop}})
'''
        assert python(tmp_path, program) == "done\n"


@pytest.mark.parametrize("how", ["plain", "tls", "unix"])
def test_anyio(tmp_path: Path, how: str, certificates: Certificates) -> None:
    """Its listeners accept by themselves, and give the loop what they have accepted."""
    needs("anyio")
    program = f'''
import anyio, ssl, uvnet
from anyio.streams.tls import TLSListener

async def echo(stream):
    async with stream:
        async for data in stream:
            await stream.send(data)

async def one(connect):
    sent = bytes(range(256)) * 2000
    async with await connect() as stream, anyio.create_task_group() as group:
        group.start_soon(stream.send, sent)
        received = b""
        while len(received) < len(sent):
            received += await stream.receive(100_000)
        assert received == sent

async def main():
    if {how!r} == "unix":
        listener = await anyio.create_unix_listener("socket")
        connect = lambda: anyio.connect_unix("socket")
    else:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        options = {{}}
        if {how!r} == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain({str(certificates.path("server"))!r})
            listener = TLSListener(listener, context)
            options["ssl_context"] = ssl.create_default_context(cafile={str(certificates.authority)!r})
        connect = lambda: anyio.connect_tcp("localhost", port, **options)
    async with listener, anyio.create_task_group() as serving:
        serving.start_soon(listener.serve, echo)
        async with anyio.create_task_group() as clients:
            for _ in range(5):
                clients.start_soon(one, connect)
        serving.cancel_scope.cancel()
    print("done")

anyio.run(main, backend="asyncio", backend_options={{"loop_factory": uvnet.new_event_loop}})
'''
    assert python(tmp_path, program) == "done\n"


def test_streams_of_asyncio_on_a_unix_socket(tmp_path: Path) -> None:
    """A line in, twice as many out, then the half-close of the client ends it."""
    path = str(tmp_path / "socket")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.writelines([line, line])
            await writer.drain()
        writer.write(b"bye\n")
        writer.close()
        await writer.wait_closed()

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        line = b"%d" % number * 30_000 + b"\n"
        for _ in range(20):
            writer.write(line)
            assert await reader.readexactly(2 * len(line)) == line + line
        writer.write(b"last\n")
        writer.write_eof()
        assert await reader.read() == b"last\nlast\nbye\n"
        writer.close()
        await writer.wait_closed()

    async def scenario() -> None:
        server = await asyncio.start_unix_server(handle, path)
        await asyncio.gather(*[one(number) for number in range(10)])
        server.close()
        await server.wait_closed()

    on_loop(scenario)


def test_urllib_in_a_thread(certificates: Certificates) -> None:
    """... to a server of asyncio's streams on the loop itself."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 500_000)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def fetch(port: int) -> bytes:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=certificates.client())
        )
        with opener.open(f"https://localhost:{port}/", timeout=LIMIT) as response:
            return response.read()  # type: ignore[no-any-return]

    async def scenario() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=certificates.server())
        port = server.sockets[0].getsockname()[1]
        assert await in_thread(fetch, port) == b"x" * 500_000
        server.close()
        await server.wait_closed()

    on_loop(scenario)
