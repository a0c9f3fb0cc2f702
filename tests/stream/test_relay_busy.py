"""Relays need no GIL: a thread that keeps it does not hold them up."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from itertools import repeat

import pytest
from harness import Player, close
from interpreter import with_gil
from places import ISOLATED
from relay_scene import relays_off
from waiting import upcoming

import uvnet

pytestmark = pytest.mark.usefixtures("relays_on")

CLIENT = ISOLATED / "round_trips.py"
MESSAGE = 64                    # bytes of a round trip
WORK = 30_000_000               # additions that sum() makes in one go, with the GIL
SLICE = 60                      # seconds that a thread may keep the GIL from another
ENOUGH = 100


@pytest.fixture(autouse=True)
def long_slices() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SLICE)
    yield
    sys.setswitchinterval(before)


def echo(socket: uvnet.Socket) -> None:
    # Its client leaves while messages are on their way.
    socket.on("error", lambda error: None)
    socket.pipe(socket)


async def listening(server: uvnet.Server) -> uvnet.Server:
    begun = upcoming(server, "listening")
    server.listen(0, "127.0.0.1")
    await begun
    return server


def trips_beside_work(play: Player, proxied: bool) -> int:
    """The round trips of a client in another process while a thread of this one keeps the GIL."""
    counted: list[int] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        target = await listening(uvnet.create_server(echo))
        sockets: list[uvnet.Socket] = []

        def forward(client: uvnet.Socket) -> None:
            upstream = uvnet.connect(target.address().port, "127.0.0.1")
            client.pipe(upstream).pipe(client)
            sockets.extend([client, upstream])

        server = target
        if proxied:
            server = await listening(uvnet.create_server(forward))
        else:
            server.on("connection", sockets.append)
        connected = upcoming(server, "connection")
        process = await asyncio.create_subprocess_exec(sys.executable, str(CLIENT), str(server.address().port))
        await connected
        while sockets[0].bytes_written < 10 * MESSAGE:
            await asyncio.sleep(0.001)
        done = loop.create_future()

        def work() -> None:
            # The loop is entered, and out of Python, when trips have been made meanwhile.
            before = sockets[0].bytes_written
            while sockets[0].bytes_written < before + 10 * MESSAGE:
                time.sleep(0.001)
            before = sockets[0].bytes_written
            sum(repeat(0, WORK))
            counted.append((sockets[0].bytes_written - before) // MESSAGE)
            loop.call_soon_threadsafe(done.set_result, None)

        thread = threading.Thread(target=work)
        thread.start()
        await done
        thread.join()
        for socket in sockets:
            socket.on("error", lambda error: None)
            socket.destroy()
        assert await process.wait() == 0
        if proxied:
            await close(server)
        await close(target)

    play(scenario, 60)
    return counted[0]


@with_gil
@pytest.mark.parametrize("proxied", [False, True], ids=["echo", "proxy"])
def test_a_busy_thread_does_not_hold_up_a_relay(play: Player, proxied: bool) -> None:
    assert trips_beside_work(play, proxied) > ENOUGH
    with relays_off():
        # A write that had begun without the GIL may end.
        assert trips_beside_work(play, proxied) <= 1
