"""The receive workload, bytes in one direction only: `python -m bench.receive`."""

from __future__ import annotations

import argparse
import sys

from bench.columns import RIVAL
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.traffic import Traffic, traffic_workload
from bench.units import GIBIBYTE, size_text
from bench.workload import Workload, run_command_line

PEERS = (
    Peer("C reference", ("reference/sink_server.c",)),
    Peer("uvnet 'data'", ("servers/sink_uvnet_data.py",), needs=("uvnet",)),
    Peer("uvnet async for", ("servers/sink_uvnet_async_for.py",), needs=("uvnet",)),
    Peer(RIVAL, ("servers/sink_protocol.py", "uvloop", "plain"), needs=("uvloop",)),
    Peer("uvloop Buffered", ("servers/sink_protocol.py", "uvloop", "buffered"), needs=("uvloop",)),
    Peer(
        "aiofastnet Protocol",
        ("servers/sink_protocol.py", "aiofastnet", "plain"),
        needs=("uvloop", "aiofastnet"),
    ),
    Peer("asyncio Protocol", ("servers/sink_protocol.py", "asyncio", "plain"), needs=("uvloop",)),
    Peer("Node 'data'", ("servers/sink_node.js",)),
)


def receive_workload(size: int = 64 * 1024, connections: int = 4) -> Workload:
    return traffic_workload(
        name=f"receive-{size}x{connections}",
        title=f"one-way receive: {connections:,} connections, written {size_text(size)} at a time",
        work="each connection is written to without pause, and at its end the server's count of "
        "bytes must be right",
        traffic=Traffic(
            load_arguments=("--mode", "send", "--size", str(size)),
            connections=connections,
            unit=GIBIBYTE,
        ),
        peers=PEERS,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.receive", description=__doc__)
    parser.add_argument("--size", type=int, default=64 * 1024, help="bytes in one write")
    parser.add_argument("--connections", type=int, default=4)
    exit_on_signals()
    return run_command_line(
        parser, lambda arguments: receive_workload(arguments.size, arguments.connections)
    )


if __name__ == "__main__":
    sys.exit(main())
