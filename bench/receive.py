"""The receive workload, bytes in one direction only: `python -m bench.receive`."""

from __future__ import annotations

import argparse
import sys

from bench.echo import size_text
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.workload import REFERENCE, RIVAL, Unit, Workload, run_command_line

PEERS = (
    Peer(REFERENCE, ("reference/sink_server.c",)),
    Peer("uvnet 'data'", ("servers/sink_uvnet_data.py",), needs=("uvnet",)),
    Peer("uvnet async for", ("servers/sink_uvnet_async_for.py",), needs=("uvnet",)),
    Peer(RIVAL, ("servers/sink_protocol.py", "uvloop", "plain"), needs=("uvloop",)),
    Peer("uvloop Buffered", ("servers/sink_protocol.py", "uvloop", "buffered"), needs=("uvloop",)),
    Peer("asyncio Protocol", ("servers/sink_protocol.py", "asyncio", "plain")),
    Peer("Node 'data'", ("servers/sink_node.js",)),
)

GIBIBYTE = Unit(
    counted="bytes",
    rate_title="MiB/s",
    rate_factor=1 / 2**20,
    cost_title="ms/GiB",
    cost_factor=2**30 / 1e6,
    cost_digits=0,
)


def receive_workload(size: int = 64 * 1024, connections: int = 4) -> Workload:
    return Workload(
        name=f"receive-{size}x{connections}",
        title=f"one-way receive: {connections:,} connections, written {size_text(size)} at a time",
        work="each connection is written to without pause, and at its end the server's count of "
        "bytes must be right",
        load_arguments=("--mode", "send", "--size", str(size)),
        connections=connections,
        unit=GIBIBYTE,
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
