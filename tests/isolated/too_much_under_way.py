"""Sends more descriptors than the system lets a process have under way: it waits without spinning, and loses none."""

from __future__ import annotations

import asyncio
import os
import resource
import socket as plain
import time
from typing import Any

import uvnet
from uvnet._channel.channel import new_channel

LIMIT = 64


class Owner:
    def _abandoned(self) -> None:
        pass


async def main() -> None:
    near, far = plain.socketpair()
    reader, writer = os.pipe()
    # Privileged processes have no such limit.
    os.setuid(65534)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    lost: list[Any] = []
    told: list[Any] = []
    channel = new_channel(near.detach(), Owner(), lost.append)
    for _ in range(5 * LIMIT):
        channel.send(1, b"x", [reader], told.append)
    await asyncio.sleep(0.1)
    assert len(told) < 5 * LIMIT, "the system has no such limit"
    begin, work = time.monotonic(), time.process_time()
    await asyncio.sleep(0.5)
    assert time.process_time() - work < (time.monotonic() - begin) / 2, "it spins"
    got = 0
    while got < 5 * LIMIT:
        _, descriptors, _, _ = plain.recv_fds(far, 9, 1)
        got += len(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        await asyncio.sleep(0)
        if not len(told) > got:
            await asyncio.sleep(0.01)
    assert told == [None] * (5 * LIMIT)
    assert not lost
    channel.disconnect()
    for end in (reader, writer):
        os.close(end)
    far.close()


uvnet.run(main())
