"""run() without a coroutine ends when everything written is out: a write that waits keeps it going, as in Node."""

from __future__ import annotations

import socket as plain
import threading
import time
from typing import Any

import pytest
from relay_scene import BULK, KINDS, connected_pair, pattern

import uvnet


class LateReader:
    """The other end: it reads when the loop runs, so that a write has to wait for it."""

    def __init__(self, connection: plain.socket) -> None:
        self.connection = connection
        self.received = bytearray()
        self.running = threading.Event()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        with self.connection:
            if not self.running.wait(30):
                return
            # Long enough for everybody to come to a stop.
            time.sleep(0.1)
            while len(self.received) < BULK:
                data = self.connection.recv(2**20)
                if not data:
                    return
                self.received += data


@pytest.mark.parametrize("referenced", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_write_that_waits_is_waited_for(kind: str, referenced: bool) -> None:
    near, far = connected_pair(kind)
    reader = LateReader(far)
    called: list[Any] = []
    socket = uvnet.Socket(handle=near, readable=False)
    if not referenced:
        socket.unref()
    socket.write(pattern(BULK), called.append)
    assert socket.writable_length > 0
    uvnet.next_tick(reader.running.set)
    uvnet.run()
    assert called == [None]
    reader.thread.join()
    assert reader.received == pattern(BULK)


def test_a_relay_that_waits_is_waited_for() -> None:
    from_here, source_end = connected_pair("unix")
    sink_end, to_there = connected_pair("unix")
    reader = LateReader(to_there)

    def feed() -> None:
        with from_here:
            from_here.sendall(pattern(BULK))

    feeder = threading.Thread(target=feed)
    source = uvnet.Socket(handle=source_end)
    sink = uvnet.Socket(handle=sink_end, readable=False)
    source.pipe(sink)
    feeder.start()
    uvnet.next_tick(reader.running.set)
    uvnet.run()
    feeder.join()
    reader.thread.join()
    assert reader.received == pattern(BULK)
