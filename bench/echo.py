"""The echo workload: `python -m bench.echo --size 1024 --connections 50`.

Every connection has one message in flight. Size and connections are parameters; the three pairs the
project looks at are 1 KiB on 50, 100 KiB on 20, and 128 B on 1,000 connections.
"""

from __future__ import annotations

import argparse
import sys

from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.workload import REFERENCE, RIVAL, Unit, Workload, run_command_line

PEERS = (
    Peer(REFERENCE, ("reference/echo_server.c",)),
    Peer("C on libuv", ("reference/echo_libuv.c",)),
    Peer("uvnet 'data'", ("servers/echo_uvnet_data.py",), needs=("uvnet",)),
    Peer("uvnet pipe", ("servers/echo_uvnet_pipe.py",), needs=("uvnet",)),
    Peer("uvnet async for", ("servers/echo_uvnet_async_for.py",), needs=("uvnet",)),
    Peer(RIVAL, ("servers/echo_protocol.py", "uvloop"), needs=("uvloop",)),
    Peer("uvloop streams", ("servers/echo_uvloop_streams.py",), needs=("uvloop",)),
    Peer("asyncio Protocol", ("servers/echo_protocol.py", "asyncio")),
    Peer("Node 'data'", ("servers/echo_node.js", "data")),
    Peer("Node pipe", ("servers/echo_node.js", "pipe")),
)

MESSAGE = Unit(
    counted="messages",
    rate_title="messages/s",
    rate_factor=1.0,
    cost_title="us/message",
    cost_factor=1e-3,
    cost_digits=2,
)

STANDARD = ((1024, 50), (100 * 1024, 20), (128, 1000))


def size_text(size: int) -> str:
    return f"{size // 1024} KiB" if size % 1024 == 0 else f"{size:,} B"


def echo_workload(size: int, connections: int) -> Workload:
    return Workload(
        name=f"echo-{size}x{connections}",
        title=f"echo: {size_text(size)} on {connections:,} connections",
        work="each connection keeps one message in flight and checks what comes back",
        load_arguments=("--mode", "echo", "--size", str(size)),
        connections=connections,
        unit=MESSAGE,
        peers=PEERS,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.echo", description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="bytes in a message")
    parser.add_argument("--connections", type=int, default=50)
    exit_on_signals()
    return run_command_line(
        parser, lambda arguments: echo_workload(arguments.size, arguments.connections)
    )


if __name__ == "__main__":
    sys.exit(main())
