"""aiohttp on uvnet's loop: server and client, files, WebSocket, TLS, Unix sockets."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from asyncio_programs import needs, python
from certificates import Certificates

RANDOM = random.Random(13)

HANDLERS = '''
from aiohttp import web

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

app = web.Application(client_max_size=2 ** 30)
app.add_routes([web.get("/", hello), web.post("/", echo), web.get("/file", file), web.get("/stream", stream),
                web.get("/ws", socket)])
'''


@pytest.mark.parametrize("how", ["plain", "tls", "unix"])
def test_server_and_client(tmp_path: Path, how: str, certificates: Certificates) -> None:
    """In one process, with a file that is sent by sendfile()."""
    needs("aiohttp")
    (tmp_path / "file").write_bytes(RANDOM.randbytes(5_000_000))
    (tmp_path / "handlers.py").write_text(HANDLERS)
    program = f'''
import asyncio, gc, io, pathlib, ssl, uvnet
from aiohttp import ClientSession, TCPConnector, UnixConnector, web
from handlers import app
from uvnet._loop.counters import snapshot

CONTENT = pathlib.Path("file").read_bytes()

async def one(session, url):
    async with session.get(url + "/") as response:
        assert await response.text() == "hello"
    sent = bytes(range(256)) * 12_000
    async with session.post(url + "/", data=io.BytesIO(sent)) as response:
        assert await response.read() == sent
    async with session.get(url + "/file") as response:
        assert await response.read() == CONTENT
    async with session.get(url + "/file", headers={{"Range": "bytes=1000-2999"}}) as response:
        assert await response.read() == CONTENT[1000:3000]
    async with session.get(url + "/stream") as response:
        assert len(await response.read()) == 2_000_000
    async with session.ws_connect(url + "/ws") as ws:
        for size in (1, 125, 70_000):
            await ws.send_bytes(bytes(size))
            assert (await ws.receive()).data == bytes(size)

async def main():
    runner = web.AppRunner(app)
    await runner.setup()
    url = "http://localhost"
    if {how!r} == "unix":
        site = web.UnixSite(runner, "socket")
        connector = UnixConnector("socket")
    else:
        server_tls, client_tls = None, True
        if {how!r} == "tls":
            url = "https://localhost"
            server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server_tls.load_cert_chain({str(certificates.path("server"))!r})
            client_tls = ssl.create_default_context(cafile={str(certificates.authority)!r})
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls)
        connector = TCPConnector(ssl=client_tls)
    await site.start()
    if {how!r} != "unix":
        url += f":{{runner.addresses[0][1]}}"
    async with ClientSession(connector=connector) as session:
        await asyncio.gather(*[one(session, url) for _ in range(4)])
    await runner.cleanup()
    print("done")

uvnet.run(main())
gc.collect()
print(snapshot())
'''
    assert python(tmp_path, program) == "done\n{'handles': 0, 'requests': 0, 'pinned': 0}\n"
