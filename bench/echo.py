"""The echo workload: `python -m bench.echo --size 1024 --connections 50`.

Every connection has one message in flight. Size and connections are parameters; the three pairs the
project looks at are 1 KiB on 50, 100 KiB on 20, and 128 B on 1,000 connections.
"""

from __future__ import annotations

import argparse
import sys

from bench.columns import RIVAL, STANDARD_RATIOS, Ratio, user_ratio
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.traffic import Traffic, traffic_workload
from bench.units import GIBIBYTE, MESSAGE, size_text
from bench.workload import Workload, run_command_line

STREAMS = "uvloop streams"
NODE = "Node 'data'"

PEERS = (
    Peer("C reference", ("reference/echo_server.c",)),
    Peer("C on libuv", ("reference/echo_libuv.c",), headers=("uv.h",)),
    Peer("uvnet 'data'", ("servers/echo_uvnet_data.py",), needs=("uvnet",)),
    Peer("uvnet pipe", ("servers/echo_uvnet_pipe.py",), needs=("uvnet",)),
    Peer("uvnet async for", ("servers/echo_uvnet_async_for.py",), needs=("uvnet",)),
    Peer("uvnet async for, drain()", ("servers/echo_uvnet_drain.py",), needs=("uvnet",)),
    Peer("uvnet Protocol", ("servers/echo_protocol.py", "uvnet"), needs=("uvnet",)),
    Peer("uvnet streams", ("servers/echo_streams.py", "uvnet"), needs=("uvnet",)),
    Peer(RIVAL, ("servers/echo_protocol.py", "uvloop"), needs=("uvloop",)),
    Peer(STREAMS, ("servers/echo_streams.py", "uvloop"), needs=("uvloop",)),
    Peer(
        "aiofastnet Protocol",
        ("servers/echo_protocol.py", "aiofastnet"),
        needs=("uvloop", "aiofastnet"),
    ),
    Peer("asyncio Protocol", ("servers/echo_protocol.py", "asyncio"), needs=("uvloop",)),
    Peer("asyncio streams", ("servers/echo_streams.py", "asyncio"), needs=("uvloop",)),
    Peer(NODE, ("servers/echo_node.js", "data")),
    Peer("Node pipe", ("servers/echo_node.js", "pipe")),
)

RATIOS: tuple[Ratio, ...] = (
    *STANDARD_RATIOS,
    user_ratio("user\n/ streams", STREAMS),
    user_ratio("user\n/ Node", NODE),
)

STANDARD = ((1024, 50), (100 * 1024, 20), (128, 1000))
# From this size on it is bytes that cost, not messages.
BULK_SIZE = 64 * 1024


def echo_workload(size: int, connections: int) -> Workload:
    return traffic_workload(
        name=f"echo-{size}x{connections}",
        title=f"echo: {size_text(size)} on {connections:,} connections",
        work="each connection keeps one message in flight and checks what comes back",
        traffic=Traffic(
            load_arguments=("--mode", "echo", "--size", str(size)),
            connections=connections,
            unit=GIBIBYTE if size >= BULK_SIZE else MESSAGE,
        ),
        peers=PEERS,
        ratios=RATIOS,
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
