"""Programs that know asyncio alone, unmodified, on uvnet's loop; where they are installed."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib.util
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Certificates
from programs import PACKAGE_PARENT
from tls_stage import in_thread
from tls_stage import on_loop as on_uvnet

RANDOM = random.Random(12)
LIMIT = 30  # seconds

APPLICATION = '''
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": message.get("bytes") or message["text"].encode()})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    import asyncio
    loop = type(asyncio.get_running_loop())
    await send({"type": "http.response.start", "status": 200, "headers": [
        (b"content-length", b"%d" % (len(body) or 5)), (b"x-loop", loop.__module__.encode())]})
    await send({"type": "http.response.body", "body": body or b"hello"})
'''


def needs(*modules: str) -> None:
    for module in modules:
        # Not imported here: what they warn of would be errors.
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


def environment(directory: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{PACKAGE_PARENT}{os.pathsep}{directory}", "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def running(directory: Path, *command: str, ready: str) -> Iterator[str]:
    """A server as a process, from the line on in which it says that it is ready; gives that line.

    In the end it is interrupted, and must end without a traceback.
    """
    process = subprocess.Popen(
        command, env=environment(directory), cwd=directory, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[str] = []
    try:
        while not lines or ready not in lines[-1]:
            line = process.stdout.readline()
            assert line, "".join(lines)
            lines.append(line)
        yield lines[-1]
        process.terminate()
        rest, _ = process.communicate(timeout=LIMIT)
        assert "Traceback" not in rest, rest
        assert "rror" not in rest, rest
    finally:
        process.kill()
        process.communicate()


def port_of(line: str) -> int:
    return int("".join(each for each in line.rpartition(":")[2] if each.isdigit() or each == " ").split()[0])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIMIT)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(connection: http.client.HTTPConnection, module: str = "uvnet.transports.loop") -> None:
    """A GET, a POST of 3 MB and another GET on one connection."""
    sent = RANDOM.randbytes(3_000_000)
    with contextlib.closing(connection):
        for method, body, answer in (("GET", None, b"hello"), ("POST", sent, sent), ("GET", None, b"hello")):
            connection.request(method, "/", body)
            response = connection.getresponse()
            assert response.status == 200
            assert response.read() == answer
            assert response.getheader("x-loop") == module
            assert not response.will_close


def application(directory: Path) -> str:
    (directory / "the_application.py").write_text(APPLICATION)
    return "the_application:application"


UVICORN = (sys.executable, "-m", "uvicorn", "--loop", "uvnet:new_event_loop")


@pytest.mark.parametrize("protocol", ["httptools", "h11"])
def test_uvicorn(tmp_path: Path, protocol: str) -> None:
    needs("uvicorn", protocol)
    name = application(tmp_path)
    with running(tmp_path, *UVICORN, "--port", "0", "--http", protocol, name, ready="running on") as line:
        port = port_of(line.partition(" (")[0])
        for _ in range(3):
            ask(http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT))


@pytest.mark.parametrize("protocol", ["httptools", "h11"])
def test_uvicorn_with_tls(tmp_path: Path, protocol: str, certificates: Certificates) -> None:
    needs("uvicorn", protocol)
    name = application(tmp_path)
    with running(
        tmp_path, *UVICORN, "--port", "0", "--http", protocol, "--ssl-certfile", str(certificates.path("server")),
        name, ready="running on",
    ) as line:  # fmt: skip
        port = port_of(line.partition(" (")[0])
        for _ in range(3):
            ask(http.client.HTTPSConnection("localhost", port, timeout=LIMIT, context=certificates.client()))


def test_uvicorn_on_a_unix_socket(tmp_path: Path) -> None:
    needs("uvicorn", "h11")
    path = str(tmp_path / "socket")
    with running(tmp_path, *UVICORN, "--uds", path, application(tmp_path), ready="running on"):
        ask(UnixConnection(path))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_uvicorn_and_websockets(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    needs("uvicorn", "websockets")
    name = application(tmp_path)
    options = ["--ssl-certfile", str(certificates.path("server"))] if secure else []
    with running(tmp_path, *UVICORN, "--port", "0", "--ws", "websockets-sansio", *options, name, ready="running on") as line:
        port = port_of(line.partition(" (")[0])
        client = f'''
import asyncio, ssl, sys, websockets, uvnet

async def main():
    context = ssl.create_default_context(cafile={str(certificates.authority)!r}) if {secure} else None
    url = "{"wss" if secure else "ws"}://localhost:{port}/"
    async with websockets.connect(url, ssl=context, max_size=None, proxy=None) as connection:
        for size in (1, 125, 126, 65535, 65536, 900_000):
            await connection.send(bytes(size))
            assert await connection.recv() == bytes(size)
    print("done", type(asyncio.get_running_loop()).__module__)

loop = uvnet.new_event_loop()
loop.run_until_complete(main())
loop.close()
'''
        assert python(tmp_path, client) == "done uvnet.transports.loop\n"


def python(directory: Path, program: str) -> str:
    """What a program prints; it must end well, and say nothing else."""
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", program],
        env=environment(directory), cwd=directory, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    errors = [
        line for line in ended.stderr.splitlines() if not (line.startswith("Executing <") and "took" in line)
    ]
    assert (ended.returncode, errors) == (0, []), ended.stderr
    return ended.stdout


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_hypercorn(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    needs("hypercorn")
    application(tmp_path)
    program = f'''
import asyncio, uvnet
from hypercorn.asyncio import serve
from hypercorn.config import Config
from the_application import application

config = Config()
config.bind = ["127.0.0.1:0"]
if {secure}:
    config.certfile = config.keyfile = {str(certificates.path("server"))!r}
config.accesslog = None
config.errorlog = "-"
loop = uvnet.new_event_loop()
stop = asyncio.Event()
import signal
loop.add_signal_handler(signal.SIGTERM, stop.set)
loop.run_until_complete(serve(application, config, shutdown_trigger=stop.wait))
loop.close()
'''
    with running(tmp_path, sys.executable, "-c", program, ready="unning on") as line:
        port = port_of(line.partition(" (")[0])
        for _ in range(2):
            ask(
                http.client.HTTPSConnection("localhost", port, timeout=LIMIT, context=certificates.client())
                if secure
                else http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
            )


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_aiohttp(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    """Server and client in one process, with a file that is sent by sendfile()."""
    needs("aiohttp")
    (tmp_path / "file").write_bytes(RANDOM.randbytes(5_000_000))
    program = f'''
import asyncio, io, pathlib, ssl, uvnet
from aiohttp import ClientSession, TCPConnector, WSMsgType, web

async def hello(request):
    return web.Response(text="hello")

async def echo(request):
    return web.Response(body=await request.read())

async def file(request):
    return web.FileResponse("file")

async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(100):
        await response.write(bytes(20_000))
    await response.write_eof()
    return response

async def socket(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_bytes(message.data)
    return ws

async def main():
    app = web.Application(client_max_size=2 ** 30)
    app.add_routes([web.get("/", hello), web.post("/", echo), web.get("/file", file), web.get("/stream", stream),
                    web.get("/ws", socket)])
    server_tls = client_tls = None
    if {secure}:
        server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_tls.load_cert_chain({str(certificates.path("server"))!r})
        client_tls = ssl.create_default_context(cafile={str(certificates.authority)!r})
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    url = f"{"https" if secure else "http"}://localhost:{{port}}"
    connector = TCPConnector(ssl=client_tls) if client_tls else TCPConnector()
    async with ClientSession(connector=connector) as session:
        async def one():
            async with session.get(url + "/") as response:
                assert await response.text() == "hello"
            sent = bytes(range(256)) * 12_000
            async with session.post(url + "/", data=io.BytesIO(sent)) as response:
                assert await response.read() == sent
            async with session.get(url + "/file") as response:
                assert await response.read() == pathlib.Path("file").read_bytes()
            async with session.get(url + "/file", headers={{"Range": "bytes=1000-2999"}}) as response:
                assert await response.read() == pathlib.Path("file").read_bytes()[1000:3000]
            async with session.get(url + "/stream") as response:
                assert len(await response.read()) == 2_000_000
            async with session.ws_connect(url + "/ws") as ws:
                for size in (1, 125, 70_000):
                    await ws.send_bytes(bytes(size))
                    assert (await ws.receive()).data == bytes(size)
        await asyncio.gather(*[one() for _ in range(4)])
    await runner.cleanup()
    print("done")

loop = uvnet.new_event_loop()
loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
from uvnet._loop.counters import snapshot
import gc
gc.collect()
print(snapshot())
'''
    assert python(tmp_path, program) == "done\n{'handles': 0, 'requests': 0, 'pinned': 0}\n"


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

loop = uvnet.new_event_loop()
loop.run_until_complete(main())
loop.close()
'''
    assert python(tmp_path, program) == "done\n"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_httpx_and_anyio(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    needs("httpx", "anyio", "uvicorn", "h11")
    name = application(tmp_path)
    options = ["--ssl-certfile", str(certificates.path("server"))] if secure else []
    with running(tmp_path, *UVICORN, "--port", "0", *options, name, ready="running on") as line:
        port = port_of(line.partition(" (")[0])
        program = f'''
import anyio, httpx, ssl, uvnet

async def main():
    context = ssl.create_default_context(cafile={str(certificates.authority)!r})
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        url = "{"https" if secure else "http"}://localhost:{port}/"
        async def one():
            assert (await client.get(url)).text == "hello"
            sent = bytes(3_000_000)
            assert (await client.post(url, content=sent)).content == sent
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
    if {secure}:
        stream = await anyio.connect_tcp("localhost", {port}, tls=True, ssl_context=context, tls_standard_compatible=False)
    else:
        stream = await anyio.connect_tcp("localhost", {port})
    async with stream:
        await stream.send(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
        answer = b""
        try:
            while True:
                answer += await stream.receive()
        except anyio.EndOfStream:
            pass
        assert answer.endswith(b"hello"), answer
    print("done")

anyio.run(main, backend="asyncio", backend_options={{"loop_factory": uvnet.new_event_loop}})
'''
        assert python(tmp_path, program) == "done\n"


def test_redis(tmp_path: Path) -> None:
    needs("redis")
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    path = str(tmp_path / "redis.socket")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    program = f'''
import asyncio, uvnet
import redis.asyncio as redis

async def main():
    for client in (redis.Redis(port={port}), redis.Redis(unix_socket_path={path!r})):
        big = bytes(range(256)) * 20_000
        await client.set("big", big)
        assert await client.get("big") == big
        async with client.pipeline() as pipe:
            for number in range(1000):
                pipe.incr("count")
            await pipe.execute()
        assert int(await client.get("count")) % 1000 == 0
        async with client.pubsub() as channel:
            await channel.subscribe("news")
            await channel.get_message(timeout=5)
            await client.publish("news", "hello")
            while (message := await channel.get_message(timeout=5)) is None or message["type"] != "message":
                pass
            assert message["data"] == b"hello"
        await asyncio.gather(*[client.get("big") for _ in range(20)])
        await client.aclose()
    print("done")

loop = uvnet.new_event_loop()
loop.run_until_complete(main())
loop.close()
'''
    with running(
        tmp_path, binary, "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", path, "--save", "",
        ready="eady to accept connections",
    ):  # fmt: skip
        assert python(tmp_path, program) == "done\n"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_asyncpg(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    needs("asyncpg")
    binary = shutil.which("postgres")
    if binary is None:
        pytest.skip("postgres is not installed")
    initdb = Path(os.path.realpath(binary)).with_name("initdb")
    if not initdb.exists():
        pytest.skip("initdb is not installed beside postgres")
    # It does not run as root.
    as_user: list[str] = []
    if os.getuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("setpriv, which postgres needs where root runs the tests, is not installed")
        as_user = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]
        home = Path(tempfile.mkdtemp())
        os.chmod(home, 0o755)
    else:
        home = tmp_path
    data = home / "data"
    data.mkdir()
    try:
        key = data / "server.pem"
        if as_user:
            os.chown(data, 65534, 65534)
        subprocess.run(
            [*as_user, str(initdb), "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, timeout=60, cwd=home,
        )  # fmt: skip
        key.write_bytes(certificates.path("server").read_bytes())
        key.chmod(0o600)
        if as_user:
            os.chown(key, 65534, 65534)
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        program = f'''
import asyncio, ssl, asyncpg, uvnet

async def main():
    context = ssl.create_default_context(cafile={str(certificates.authority)!r}) if {secure} else False
    pool = await asyncpg.create_pool(
        host="localhost", port={port}, user="tester", database="postgres", ssl=context, min_size=2, max_size=5)
    async with pool.acquire() as connection:
        await connection.execute("create table things (number int, words text)")
        await connection.copy_records_to_table("things", records=[(n, "word" * 100) for n in range(20_000)])
        assert await connection.fetchval("select count(*) from things") == 20_000
        rows = await connection.fetch("select * from things order by number")
        assert [row["number"] for row in rows] == list(range(20_000))
    await asyncio.gather(*[pool.fetchval("select pg_sleep(0.01)") for _ in range(20)])
    async with pool.acquire() as connection:
        try:
            await connection.fetchval("select pg_sleep(30)", timeout=0.1)
        except asyncio.TimeoutError:
            pass
        assert await connection.fetchval("select 5") == 5
    await pool.close()
    print("done")

loop = uvnet.new_event_loop()
loop.run_until_complete(main())
loop.close()
'''
        with running_postgres(as_user, binary, data, home, port, key):
            assert python(tmp_path, program) == "done\n"
    finally:
        if as_user:
            shutil.rmtree(home)


@contextlib.contextmanager
def running_postgres(
    as_user: list[str], binary: str, data: Path, home: Path, port: int, key: Path
) -> Iterator[None]:
    process = subprocess.Popen(
        [*as_user, binary, "-D", str(data), "-p", str(port), "-k", "", "-h", "127.0.0.1", "-c", "ssl=on",
         "-c", f"ssl_cert_file={key}", "-c", f"ssl_key_file={key}", "-c", "fsync=off"],
        cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while not lines or "ready to accept connections" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT)


def test_urllib_in_a_thread(certificates: Certificates) -> None:
    """... to a server of asyncio's streams on the loop itself."""
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 500_000)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def fetch(port: int, context: ssl.SSLContext) -> bytes:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(f"https://localhost:{port}/", timeout=LIMIT) as response:
            return response.read()  # type: ignore[no-any-return]

    async def scenario() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=certificates.server())
        port = server.sockets[0].getsockname()[1]
        assert await in_thread(fetch, port, certificates.client()) == b"x" * 500_000
        server.close()
        await server.wait_closed()

    on_uvnet(scenario)
