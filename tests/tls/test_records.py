"""Where records, packets and reads begin and end is nobody's business: the same bytes come out (hypothesis)."""

from __future__ import annotations

import asyncio
import contextlib
import socket as plain
import ssl
from typing import Any

import pytest
import tls_peer
import uvloop
from certificates import Certificates
from harness import event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from secure_scene import closed, listening, secured
from waiting import until

import uvnet.tls
from uvnet._loop.counters import snapshot

SIZES = st.sampled_from([1, 2, 100, 4096, 16383, 16384, 16385, 65535, 65536, 65537, 98304, 98305, 300_000])
PIECES = st.lists(SIZES, min_size=1, max_size=6)
CUTS = st.lists(st.integers(1, 40_000), min_size=1, max_size=5)
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def patterned(length: int, seed: int) -> bytes:
    return bytes((index * 7 + seed) & 255 for index in range(251)) * (length // 251 + 1)


@FEW
@given(pieces=PIECES, cuts=CUTS, version=st.sampled_from(["2", "3"]))
def test_packets_that_are_cut_anywhere(
    certificates: Certificates, pieces: list[int], cuts: list[int], version: str
) -> None:
    """Records arrive in pieces that have nothing to do with them."""
    sent = [patterned(size, number)[:size] for number, size in enumerate(pieces)]
    wanted = b"".join(sent)

    def talk(port: int) -> None:
        context = certificates.client(getattr(ssl.TLSVersion, f"TLSv1_{version}"))
        with tls_peer.connected(port, context) as peer:
            peer.raw.setsockopt(plain.IPPROTO_TCP, plain.TCP_NODELAY, 1)
            records = b"".join(
                peer.records(chunk[place : place + 16384]) for chunk in sent for place in range(0, len(chunk), 16384)
            )
            place = turn = 0
            while place < len(records):
                step = cuts[turn % len(cuts)]
                peer.raw.sendall(records[place : place + step])
                place += step
                turn += 1
            peer.notify()
            peer.receive_all()

    async def scenario() -> None:
        async with listening(certificates) as server:
            talking = asyncio.create_task(asyncio.to_thread(talk, server.port))
            (socket,) = await event(server, "secureConnection")
            got = bytearray()
            socket.on("data", got.extend)
            await closed(socket)
            assert got == wanted
            await talking

    uvloop.run(asyncio.wait_for(scenario(), 30))
    assert snapshot()["handles"] == 0


@FEW
@given(
    pieces=PIECES, garbage=st.sampled_from([b"\0" * 100, b"\x17\x03\x03\x00\x20" + b"x" * 32, b"HTTP/1.1 400\r\n\r\n"]),
    awaits=st.booleans(),
)  # fmt: skip
def test_what_came_in_front_of_garbage(
    certificates: Certificates, pieces: list[int], garbage: bytes, awaits: bool
) -> None:
    """It is given out, however much of both one read has brought, and then the error is told."""
    sent = b"".join(patterned(size, number)[:size] for number, size in enumerate(pieces))

    def talk(port: int) -> None:
        with tls_peer.connected(port, certificates.client()) as peer:
            records = b"".join(peer.records(sent[place : place + 16384]) for place in range(0, len(sent), 16384))
            peer.raw.sendall(records + garbage)
            with contextlib.suppress(ssl.SSLError, EOFError, ConnectionError):
                peer.receive()

    async def scenario() -> None:
        async with listening(certificates) as server:
            got = bytearray()
            errors: list[BaseException] = []
            if not awaits:
                # At once: what nobody has taken is dropped with an error, as in Node.
                server.on("secureConnection", lambda socket: socket.on("data", got.extend).on("error", errors.append))
            talking = asyncio.create_task(asyncio.to_thread(talk, server.port))
            (socket,) = await event(server, "secureConnection")
            if awaits:
                with pytest.raises(ssl.SSLError):
                    while data := await socket.receive():
                        got += data
            else:
                await until(lambda: errors != [])
                assert [type(error) for error in errors] == [ssl.SSLError], errors
            assert got == sent
            await talking

    uvloop.run(asyncio.wait_for(scenario(), 30))
    assert snapshot()["handles"] == 0


@FEW
@given(pieces=PIECES, half=st.booleans(), pause=st.integers(0, 3), corked=st.booleans())
def test_writes_of_any_size(
    certificates: Certificates, pieces: list[int], half: bool, pause: int, corked: bool
) -> None:
    """From both ends at once, with a reader that stops now and then; each callback is called, in order."""

    async def scenario() -> None:
        async with secured(certificates, {"allow_half_open": half}, {"allow_half_open": half}) as ends:
            got = {socket: bytearray() for socket in ends}
            called: dict[Any, list[int]] = {socket: [] for socket in ends}
            loop = asyncio.get_running_loop()
            over = [loop.create_future() for _ in ends]
            for socket, future in zip(ends, over, strict=True):

                def take(chunk: bytes, socket: uvnet.tls.TLSSocket = socket) -> None:
                    got[socket] += chunk
                    if pause and len(got[socket]) % (pause + 1) == 0:
                        socket.pause()
                        loop.call_soon(socket.resume)

                def enough(socket: uvnet.tls.TLSSocket = socket, future: Any = future) -> None:
                    future.set_result(None)

                socket.on("data", take)
                socket.on("end", enough)
            for socket in ends:
                if corked:
                    socket.cork()
                for number, size in enumerate(pieces):
                    socket.write(
                        patterned(size, number)[:size],
                        callback=lambda error, socket=socket, number=number: called[socket].append(number),
                    )
                if corked:
                    socket.uncork()
            wanted = b"".join(patterned(size, number)[:size] for number, size in enumerate(pieces))
            while not all(got[socket] == wanted for socket in ends):
                await asyncio.sleep(0)
            for socket in ends:
                socket.end()
            await asyncio.gather(*over)
            assert all(numbers == list(range(len(pieces))) for numbers in called.values())

    uvloop.run(asyncio.wait_for(scenario(), 30))
    assert snapshot()["handles"] == 0
