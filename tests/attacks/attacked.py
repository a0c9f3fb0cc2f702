"""A server as its author would protect it against one kind of attack: `attacked.py ATTACK`.

It prints "listening PORT" and echoes lines.  Where its standard input is a pipe, it answers each "report" in it with a
line of JSON, and ends when it is closed.  What is asked for by "much" is sent without a thought for who reads it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import stat
import sys
import time
from typing import Any

import uvnet

MEBIBYTE = 2**20
LINE_LIMIT = 4096  # bytes
MUCH = b"m" * 256 * 1024
SAMPLE = 0.02  # seconds between two looks at the descriptors

# By the attack: what holds it off.  Attackers have 127.1.0.0/16, whoever else is served 127.0.0.1.
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "slow-loris": {"min_receive_rate": 50, "max_connections_per_host": 20},
    "silence": {"first_data_timeout": 0.4, "max_connections_per_host": 20, "accept_rate_per_host": (10, 40)},
    "flood": {"accept_rate_per_host": (10, 40)},
    "flood-server": {"accept_rate": (200, 400), "accept_rate_per_host": (100, 200)},
    "hosts": {"max_connections_per_host": 2, "accept_rate_per_host": (1000, 1000)},
    "networks": {"max_connections_per_host": 2, "accept_rate_per_host": (1000, 1000)},
    "header-bombs": {
        "accept_proxy_protocol": ["127.1.0.0/16"],
        "direct_connections": "accept",
        "proxy_header_timeout": 0.3,
    },
    "stopped-reader": {
        "max_total_buffered": 16 * MEBIBYTE,
        "max_buffered": MEBIBYTE,
        "accept_rate_per_host": (10, 40),
    },
    "framing-bombs": {"accept_rate_per_host": (10, 40)},
    # The same with every limit that keeps attackers from having all descriptors, and with none that does.
    "descriptors": {"first_data_timeout": 0.3},
    "descriptors-connections": {"max_connections": 40},
    "descriptors-host": {"max_connections_per_host": 10},
    "descriptors-rate": {"accept_rate_per_host": (10, 20), "first_data_timeout": 0.3},
}
DESCRIPTORS = 100  # that a server has, where they are what is attacked


class Records(logging.Handler):
    """What was logged, by the words in front of the colon."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        subject = record.getMessage().partition(":")[0]
        self.lines[subject] = self.lines.get(subject, 0) + 1


class Attacked:
    def __init__(self, attack: str) -> None:
        self.attack = attack
        self.records = Records()
        self.began = time.monotonic()
        self.open = self.served = self.overruns = self.lost = self.most_descriptors = 0
        logging.getLogger("uvnet").addHandler(self.records)

    async def serve(self) -> None:
        options = dict(OPTIONS[self.attack])
        most = options.pop("max_connections", None)
        self.server: Any = uvnet.create_server(self.connected, **options)
        self.server.max_connections = most
        host = "::" if self.attack == "networks" else "127.0.0.1"
        self.server.listen(0, host, backlog=1024)
        await uvnet.once(self.server, "listening")
        # What is there by now stays, and a full collection of it would keep everybody waiting for milliseconds.
        gc.collect()
        gc.freeze()
        self.begin = resident("VmRSS")
        print("listening", self.server.port, flush=True)
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            loop.add_reader(0, self.asked, over)
            while not over.is_set():
                # With a thousand of them it takes most of a millisecond, which only those wait for who ask for reports.
                self.most_descriptors = max(self.most_descriptors, descriptors())
                try:
                    await asyncio.wait_for(over.wait(), SAMPLE)
                except TimeoutError:
                    pass
            loop.remove_reader(0)
        await over.wait()
        await self.server.shutdown(0)

    async def connected(self, socket: uvnet.Socket) -> None:
        self.open += 1
        try:
            async for line in socket.lines(LINE_LIMIT, keep_ends=True):
                self.served += 1
                socket.write(MUCH if line == b"much\n" else line)
        except asyncio.LimitOverrunError:
            self.overruns += 1
        except (OSError, RuntimeError):
            self.lost += 1
        finally:
            self.open -= 1
            socket.destroy()

    def asked(self, over: asyncio.Event) -> None:
        if os.read(0, 1000):
            print(json.dumps(self.report()), flush=True)
        else:
            over.set()

    def report(self) -> dict[str, Any]:
        return {
            "seconds": time.monotonic() - self.began,
            "served": self.served,
            "overruns": self.overruns,
            "lost": self.lost,
            "dropped": {reason: count for reason, count in self.server.dropped.items() if count},
            "logged": self.records.lines,
            "open": self.open,
            "descriptors": self.most_descriptors,
            "grown": resident("VmHWM") - self.begin,
        }


# Kept open, since what is measured may take all descriptors.
STATUS = open("/proc/self/status")  # noqa: SIM115


def resident(name: str) -> int:
    """Bytes of memory, now or at most so far."""
    STATUS.seek(0)
    return next(int(line.split()[1]) * 1024 for line in STATUS if line.startswith(name))


def descriptors() -> int:
    """How many are open."""
    try:
        return len(os.listdir("/proc/self/fd")) - 1
    except OSError:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def main() -> None:
    attack = sys.argv[1]
    if attack.startswith("descriptors"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    elif attack != "none":
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    uvnet.run(Attacked(attack).serve())


if __name__ == "__main__":
    main()
