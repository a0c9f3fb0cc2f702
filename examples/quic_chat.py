"""A chat over QUIC: each client has a session, and in it a stream for each room that it is in.

    python examples/quic_chat.py serve cert.pem key.pem [PORT]
    python examples/quic_chat.py join ca.pem PORT ROOM

A room whose reader is slow holds up that room for that reader, and nothing else.  The first line of a stream is the name
of the room, every other one is for all who are in it.  Ctrl-C ends either.  Needs the extra: pip install uvnet[quic].
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import uvnet

if TYPE_CHECKING:
    from uvnet.quic import QuicSession, QuicStream

ALPN = "chat"
MOST_WAITING = 65536  # bytes; who does not read for so long leaves the room

rooms: dict[bytes, set[QuicStream]] = defaultdict(set)


async def take_part(stream: QuicStream) -> None:
    """One client in one room, until it leaves."""
    name = b""
    try:
        async for line in stream.lines():
            if stream not in rooms[name]:
                name = line
                rooms[name].add(stream)
                continue
            for other in rooms[name] - {stream}:
                if other.writable and other.writable_length < MOST_WAITING:
                    other.write(line + b"\n")
                elif other.writable:
                    other.destroy()
    except (OSError, uvnet.NetRuntimeError, asyncio.LimitOverrunError):
        pass
    finally:
        rooms[name].discard(stream)
        if not rooms[name]:
            del rooms[name]
        if stream.writable:
            stream.end()


async def serve(cert: str, key: str, port: int) -> None:
    socket = uvnet.create_quic_socket(endpoint={"address": "127.0.0.1", "port": port})

    @socket.on("session")
    def arrived(session: QuicSession) -> None:
        session.on("stream", take_part)
        session.on("error", lambda error: print(f"{session.remote_address}: {error}", file=sys.stderr))

    await socket.listen(alpn=ALPN, cert=cert, key=key, idle_timeout=3600)
    address = socket.endpoints[0].address
    assert address is not None
    print(f"listening on {address.address}:{address.port}", flush=True)
    await asyncio.Event().wait()


async def join(ca: str, port: int, room: str) -> None:
    socket = uvnet.create_quic_socket()
    session = await socket.connect(address="localhost", port=port, alpn=ALPN, ca=ca, idle_timeout=3600)
    stream = await session.open_stream()
    stream.write(f"{room}\n")
    showing = asyncio.create_task(show(stream))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        stream.write(line)
        await stream.drain()
    stream.end()
    await showing
    await socket.close()


async def show(stream: QuicStream) -> None:
    async for line in stream.lines():
        print(line.decode(), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        if sys.argv[1:2] == ["serve"] and len(sys.argv) in (4, 5):
            uvnet.run(serve(sys.argv[2], sys.argv[3], int(sys.argv[4]) if sys.argv[4:] else 0))
        elif sys.argv[1:2] == ["join"] and len(sys.argv) == 5:
            uvnet.run(join(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
        else:
            sys.exit(__doc__)
