"""Times datagrams between two sockets of one process and prints nanoseconds for each as one JSON object.

usage: datagrams_python.py uvnet|uvnet-plain|uvloop|asyncio SECONDS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

SIZE = 1200  # bytes, as QUIC has them
CASES = {"bulk": 64, "single": 1}  # that are sent together
ROUNDS = 16  # between two looks at the clock

Send = Callable[[list[bytes]], None]
Arrived = Callable[[int], None]


def uvnet_sockets(arrived: Arrived, offload: bool) -> Send:
    from uvnet._udp.datagram import DatagramHandle

    loop = asyncio.get_running_loop()

    def on_datagrams(batch: list[Any]) -> None:
        for data, _, _ in batch:
            assert len(data) == SIZE
        arrived(len(batch))

    receiver = DatagramHandle(loop, on_datagrams, print)
    sender = DatagramHandle(loop, print, print)
    for handle in (receiver, sender):
        handle.bind("127.0.0.1", 0, ipv6=False, offload=offload)
    name = receiver.getsockname()
    return lambda payloads: sender.send(payloads, name)


async def protocol_sockets(arrived: Arrived) -> Send:
    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _address: Any) -> None:
            assert len(data) == SIZE
            arrived(1)

    loop = asyncio.get_running_loop()
    receiver, _ = await loop.create_datagram_endpoint(Receiver, ("127.0.0.1", 0))
    sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
    name = receiver.get_extra_info("sockname")

    def send(payloads: list[bytes]) -> None:
        for payload in payloads:
            sender.sendto(payload, name)

    return send


async def measure(kind: str, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    missing = 0
    done = loop.create_future()

    def arrived(count: int) -> None:
        nonlocal missing, left
        missing -= count
        if missing:
            return
        left -= 1
        if left:
            missing = len(payloads)
            send(payloads)
        else:
            done.set_result(None)

    send = await protocol_sockets(arrived) if "uvnet" not in kind else uvnet_sockets(arrived, kind == "uvnet")
    results = {}
    for case, count in CASES.items():
        payloads = [bytes(SIZE) for _ in range(count)]
        best = best_cpu = float("inf")
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop:
            done = loop.create_future()
            left, missing = ROUNDS, count
            begin, begin_cpu = time.perf_counter(), time.process_time()
            send(payloads)
            await asyncio.wait_for(done, 10)
            best_cpu = min(best_cpu, time.process_time() - begin_cpu)
            best = min(best, time.perf_counter() - begin)
        results[case] = best / (ROUNDS * count) * 1e9
        results[f"{case}_cpu"] = best_cpu / (ROUNDS * count) * 1e9
    return results


def main() -> None:
    kind, seconds = sys.argv[1], float(sys.argv[2])
    if kind == "asyncio":
        results = asyncio.run(measure(kind, seconds))
    else:
        import uvloop

        results = uvloop.run(measure(kind, seconds))
    print(json.dumps(results))


main()
