"""Times QUIC between two ends of one process and prints nanoseconds by case as one JSON object.

usage: quic_python.py uvnet|uvloop|asyncio CERTIFICATE SECONDS

uvloop, asyncio: the loop on which aioquic's own asyncio layer runs.  CERTIFICATE: a file that has the key too.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

BULK = 4 << 20  # bytes that the server sends on one stream
STREAMS = 20  # at a time
HANDSHAKES = 10  # at a time
MESSAGE = bytes(100)
ALPN = "bench"

# What a case does once, with what has to follow of which no time is taken, and by what that is divided.
Cases = dict[str, tuple[Callable[[], Awaitable[list[Awaitable[Any]] | None]], float]]


async def aioquic_cases(certificate: str) -> tuple[Cases, Callable[[], Awaitable[None]]]:
    from aioquic.asyncio import connect, serve
    from aioquic.quic.configuration import QuicConfiguration

    tasks = set()

    def serve_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(answer(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        message = await reader.read()
        writer.write(bytes(BULK) if message == b"bulk" else message)
        writer.write_eof()

    configuration = QuicConfiguration(is_client=False, alpn_protocols=[ALPN])
    configuration.load_cert_chain(certificate, certificate)
    server = await serve("127.0.0.1", 0, configuration=configuration, stream_handler=serve_stream)
    port = server._transport.get_extra_info("sockname")[1]
    client = QuicConfiguration(is_client=True, alpn_protocols=[ALPN], verify_mode=ssl.CERT_NONE)
    session = connect("127.0.0.1", port, configuration=client)
    protocol = await session.__aenter__()

    async def ask(message: bytes, wanted: int) -> None:
        reader, writer = await protocol.create_stream()
        writer.write(message)
        writer.write_eof()
        received = 0
        while data := await reader.read(1 << 20):
            received += len(data)
        assert received == wanted

    async def streams() -> None:
        await asyncio.gather(*(ask(MESSAGE, len(MESSAGE)) for _ in range(STREAMS)))

    async def handshakes() -> list[Awaitable[Any]]:
        made = [connect("127.0.0.1", port, configuration=client) for _ in range(HANDSHAKES)]
        await asyncio.gather(*(each.__aenter__() for each in made))
        return [each.__aexit__(None, None, None) for each in made]

    async def close() -> None:
        await session.__aexit__(None, None, None)
        server.close()

    return {
        "bulk": (lambda: ask(b"bulk", BULK), BULK / 1e6),
        "streams": (streams, STREAMS),
        "handshakes": (handshakes, HANDSHAKES),
    }, close


async def uvnet_cases(certificate: str) -> tuple[Cases, Callable[[], Awaitable[None]]]:
    from pathlib import Path

    import uvnet

    pem = Path(certificate).read_text()
    bulk = bytes(BULK)

    async def answer(stream: Any) -> None:
        message = await stream.read_all(1024)
        stream.end(bulk if message == b"bulk" else message)

    def arrived(session: Any) -> None:
        session.on("stream", answer)

    server = uvnet.create_quic_socket(endpoint={"address": "127.0.0.1"})
    server.on("session", arrived)
    await server.listen(cert=pem, key=pem, alpn=ALPN)
    port = server.endpoints[0].address.port
    client = uvnet.create_quic_socket(
        endpoint={"address": "127.0.0.1"},
        client={
            "address": "127.0.0.1",
            "port": port,
            "alpn": ALPN,
            # The certificate has no name that would be looked at.
            "ca": pem,
            "verify_hostname_identity": False,
        },
    )
    session = await client.connect()

    async def ask(message: bytes, wanted: int) -> None:
        stream = await session.open_stream()
        stream.end(message)
        received = 0
        async for chunk in stream:
            received += len(chunk)
        assert received == wanted

    async def streams() -> None:
        await asyncio.gather(*(ask(MESSAGE, len(MESSAGE)) for _ in range(STREAMS)))

    async def begin() -> Any:
        other = await client.connect()
        if not other.handshake_complete:
            await uvnet.once(other, "secure")
        return other

    async def handshakes() -> list[Awaitable[Any]]:
        made = await asyncio.gather(*(begin() for _ in range(HANDSHAKES)))
        return [each.close() for each in made]

    async def close() -> None:
        await client.close()
        await server.close()

    return {
        "bulk": (lambda: ask(b"bulk", BULK), BULK / 1e6),
        "streams": (streams, STREAMS),
        "handshakes": (handshakes, HANDSHAKES),
    }, close


async def measure(kind: str, certificate: str, seconds: float) -> dict[str, float]:
    cases, close = await (uvnet_cases if kind == "uvnet" else aioquic_cases)(certificate)
    results = {}
    for case, (run, parts) in cases.items():
        best = best_cpu = float("inf")
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop:
            begin, begin_cpu = time.perf_counter(), time.process_time()
            follows = await asyncio.wait_for(run(), 60)
            best_cpu = min(best_cpu, time.process_time() - begin_cpu)
            best = min(best, time.perf_counter() - begin)
            await asyncio.gather(*(follows or ()))
        results[case] = best / parts * 1e9
        results[f"{case}_cpu"] = best_cpu / parts * 1e9
    await close()
    return results


def main() -> None:
    kind, certificate, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    if kind == "asyncio":
        results = asyncio.run(measure(kind, certificate, seconds))
    else:
        import uvloop

        results = uvloop.run(measure(kind, certificate, seconds))
    print(json.dumps(results))


main()
