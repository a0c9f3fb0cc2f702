"""python -m uvnet bench: an echo server of uvnet beside the same server as a Protocol, on this machine.

One process for each server; the client is this one, with plain blocking sockets, the same for all.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import uvnet
from uvnet._cli.echo_servers import HOST, NAMES
from uvnet._cli.program import add_parser, number_type

__all__ = ["add_bench"]

LIMIT = 10.0  # seconds a server may take for one answer
NOTE = """\
How it was taken: {rounds} rounds of {seconds:g} s for each server, in turn; medians. {connections} connections, one message
of {size} bytes in flight on each. Messages/s is what client and server reach together, and the client, which is
plain Python, may be what limits it. The CPU time is that of the server process alone, system calls included:
compare that. Whatever else runs on this machine is in these numbers; they say nothing about another one."""


def add_bench(subcommands: Any) -> None:
    parser = add_parser(
        subcommands,
        "bench",
        "a small echo benchmark of this installation",
        "Measure an echo server of uvnet beside a Protocol on uvloop and on asyncio, on this machine, for a few "
        "seconds.",
        _start,
        takes_addresses=False,
    )
    parser.add_argument("--size", type=number_type(int, 1, 2**20), default=1024, metavar="BYTES", help="of one message (%(default)s)")  # fmt: skip
    parser.add_argument("--connections", type=number_type(int, 1, 1000), default=10, metavar="N", help="at the same time (%(default)s)")  # fmt: skip
    parser.add_argument("--rounds", type=number_type(int, 1, 100), default=3, metavar="N", help="for each server (%(default)s)")  # fmt: skip
    parser.add_argument("--seconds", type=number_type(float, 0.01, 60), default=0.6, metavar="S", help="of one round (%(default)s)")  # fmt: skip


class _Sample(NamedTuple):
    per_second: float  # messages
    cpu: float  # microseconds per message, of the server


class _Server:
    """A server in a process of its own, and the connections to it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.port = int(self._line())
        self.sockets: list[socket.socket] = []

    def connect(self) -> socket.socket:
        connection = socket.create_connection((HOST, self.port), LIMIT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets.append(connection)
        return connection

    def _line(self) -> bytes:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ConnectionError("the server of the benchmark has ended")
        return line

    def cpu_time(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return float(self._line())

    def measure(self, message: bytes, seconds: float) -> _Sample:
        buffer = bytearray(len(message))
        count = 0
        cpu = self.cpu_time()
        begin = time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            for connection in self.sockets:
                connection.sendall(message)
            for connection in self.sockets:
                _receive(connection, buffer)
            count += len(self.sockets)
        cpu = self.cpu_time() - cpu
        return _Sample(count / elapsed, cpu / count * 1e6)


def _receive(connection: socket.socket, buffer: bytearray) -> None:
    missing = len(buffer)
    while missing:
        received = connection.recv_into(buffer, missing)
        if not received:
            raise ConnectionError("the server of the benchmark has closed a connection")
        missing -= received


@contextlib.contextmanager
def _running(name: str, connections: int) -> Generator[_Server, None, None]:
    parent = str(Path(uvnet.__file__).parent.parent)
    search = os.pathsep.join(filter(None, [parent, os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "uvnet._cli.echo_servers", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search},
        # Ctrl-C in a terminal is for this process, which then ends the others.
        start_new_session=True,
    )
    with process, contextlib.ExitStack() as stack:
        stack.callback(process.terminate)
        server = _Server(process)
        for _ in range(connections):
            stack.enter_context(server.connect())
        yield server


def _start(arguments: argparse.Namespace) -> int:
    message = b"m" * arguments.size
    samples: dict[str, list[_Sample]] = {name: [] for name in NAMES}
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(_running(name, arguments.connections)) for name in NAMES
        }
        seconds = len(servers) * (arguments.rounds + 0.1) * arguments.seconds
        print(f"measuring for {seconds:.1f} s", flush=True)
        for server in servers.values():
            server.measure(message, arguments.seconds / 10)
        for _ in range(arguments.rounds):
            for name, server in servers.items():
                samples[name].append(server.measure(message, arguments.seconds))
    print(f"\n{'server':20} {'messages/s':>12} {'CPU us/message':>16}")
    for name, taken in samples.items():
        per_second = statistics.median(sample.per_second for sample in taken)
        cpu = statistics.median(sample.cpu for sample in taken)
        print(f"{name:20} {per_second:12,.0f} {cpu:16.2f}")
    print(f"\n{NOTE.format(**vars(arguments))}")
    return 0
