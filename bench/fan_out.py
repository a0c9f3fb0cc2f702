"""The fan-out workload, one message to every connection: `python -m bench.fan_out`."""

from __future__ import annotations

import argparse
import sys

from bench.columns import RIVAL
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.traffic import Traffic, traffic_workload
from bench.units import DELIVERY
from bench.workload import Workload, run_command_line

# What the programs send.
MESSAGE_SIZE = 128

PEERS = (
    Peer("C reference", ("reference/fan_out_server.c",)),
    Peer("uvnet 'data'", ("servers/fan_out_uvnet.py",), needs=("uvnet",)),
    Peer(RIVAL, ("servers/fan_out_protocol.py", "uvloop"), needs=("uvloop",)),
    Peer(
        "aiofastnet Protocol",
        ("servers/fan_out_protocol.py", "aiofastnet"),
        needs=("uvloop", "aiofastnet"),
    ),
    Peer("asyncio Protocol", ("servers/fan_out_protocol.py", "asyncio"), needs=("uvloop",)),
    Peer("Node 'data'", ("servers/fan_out_node.js",)),
)


def fan_out_workload(connections: int = 1000) -> Workload:
    return traffic_workload(
        name=f"fan-out-{connections}",
        title=f"fan-out: {MESSAGE_SIZE} B to each of {connections:,} connections",
        work="one byte makes the server write one message to every connection, and when all have "
        "arrived the next byte follows; p50 and p99 are from the byte to a delivery",
        traffic=Traffic(
            load_arguments=("--mode", "fan-out", "--size", str(MESSAGE_SIZE)),
            connections=connections,
            unit=DELIVERY,
        ),
        peers=PEERS,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fan_out", description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    exit_on_signals()
    return run_command_line(parser, lambda arguments: fan_out_workload(arguments.connections))


if __name__ == "__main__":
    sys.exit(main())
