"""transports_left.py HOW WHERE: what becomes of transports, plain and TLS and in every state, when somebody leaves.

HOW: "close" the loop; "sys.exit" or "os._exit"; or fork, and the child will "use", "collect" or "leave" what it has.
WHERE: in which callback of a protocol, or in a coroutine.

After a fork the parent must not notice: what was written arrives once, its servers accept.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket as plain
import ssl
import sys
from typing import Any

from scene import fork, must_raise, new_path, say, say_what_is_left

import uvnet

how, where = sys.argv[1:]
parent = os.getpid()
certificates = os.environ["CERTIFICATES"]
serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
serving.load_cert_chain(os.path.join(certificates, "server.pem"))
trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
trusting.load_verify_locations(os.path.join(certificates, "authority.pem"))
servers: list[Any] = []
transports: list[Any] = []
sockets: list[plain.socket] = []
MUCH = bytes(8 * 2**20)


def leave(name: str) -> None:
    """Leave, if this is the place."""
    global where
    if name != where:
        return
    where = "gone"
    say("leaving in", name)
    if how == "sys.exit":
        sys.exit(3)
    elif how == "os._exit":
        os._exit(4)
    elif how != "close":
        fork(child, leaves=how == "leave")


def child() -> None:
    if how == "use":
        for transport in transports:
            must_raise(transport.write, b"from the child")
            must_raise(transport.writelines, [b"from the child"])
            must_raise(transport.close)
            must_raise(transport.abort)
            must_raise(transport.pause_reading)
            must_raise(transport.resume_reading)
            must_raise(transport.set_protocol, Echo())
            must_raise(transport.set_write_buffer_limits)
            if transport.can_write_eof():
                must_raise(transport.write_eof)
            transport.get_extra_info("peername")
            repr(transport)
    transports.clear()
    servers.clear()
    gc.collect()


class Echo(asyncio.Protocol):
    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transports.append(transport)
        leave("made")

    def data_received(self, data: bytes) -> None:
        leave("data")
        self.transport.write(data)

    def pause_writing(self) -> None:
        leave("pause")

    def eof_received(self) -> None:
        leave("eof")

    def connection_lost(self, error: BaseException | None) -> None:
        leave("lost")


class Client(Echo):
    def __init__(self) -> None:
        self.received = b""
        self.arrived = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.arrived.set()


async def client(server: int) -> Any:
    loop: Any = asyncio.get_running_loop()
    tls: dict[str, Any] = {"ssl": trusting, "server_hostname": "localhost"} if server % 2 else {}
    name = servers[server].sockets[0].getsockname()
    if isinstance(name, str):
        _, protocol = await loop.create_unix_connection(Client, name, **tls)
    else:
        _, protocol = await loop.create_connection(Client, sock=plain.create_connection(name), **tls)
    return protocol


async def answer(protocol: Any, data: bytes) -> None:
    protocol.arrived.clear()
    protocol.received = b""
    protocol.transport.write(data)
    while len(protocol.received) < len(data):
        await protocol.arrived.wait()
        protocol.arrived.clear()
    assert protocol.received == data, protocol.received


async def main() -> None:
    loop: Any = asyncio.get_running_loop()
    for tls in (None, serving):
        # No look-up: libuv's threads, once they are there, crash a forked child that ends by exit().
        servers.append(await loop.create_server(Echo, sock=plain.create_server(("127.0.0.1", 0)), ssl=tls))
    for tls in (None, serving):
        servers.append(await loop.create_unix_server(Echo, new_path(), ssl=tls))
    clients = [await client(server) for server in range(4)]
    for each in clients:
        await answer(each, b"first")
    # One whose end has come, one with much to send, one that closes behind it.
    for server in range(4):
        (await client(server)).transport.close()
        for closes in (False, True):
            full = await client(server)
            full.transport.pause_reading()
            full.transport.write(MUCH)
            if closes:
                full.transport.close()
    # A handshake that goes nowhere, at either side.
    silent = plain.create_connection(servers[1].sockets[0].getsockname())
    mine, theirs = plain.socketpair()
    sockets.extend((silent, theirs))
    shaking = asyncio.ensure_future(
        loop.create_connection(Client, sock=mine, ssl=trusting, server_hostname="localhost")
    )
    ended = await client(0)
    ended.transport.write_eof()
    await asyncio.sleep(0.02)
    leave("coroutine")
    if how == "close":
        loop.call_soon(loop.stop)
        await asyncio.Event().wait()
    for each in clients:
        await answer(each, b"still there")
    for server in range(4):
        await answer(await client(server), b"and accepts")
    shaking.cancel()
    await asyncio.wait([shaking])
    for transport in transports:
        transport.abort()
    for server in servers:
        server.close()
    await asyncio.sleep(0.02)
    say("everything answers")


loop = uvnet.new_event_loop()
task = loop.create_task(main())
task._log_destroy_pending = False  # type: ignore[attr-defined]
try:
    if how == "close":
        loop.run_forever()
    else:
        loop.run_until_complete(task)
finally:
    if os.getpid() == parent:
        # Without a turn more.
        loop.set_exception_handler(lambda *_: None)
        loop.close()
        for transport in transports:
            assert transport.is_closing()
        del task
        transports.clear()
        servers.clear()
        for each in sockets:
            each.close()
        say_what_is_left()
