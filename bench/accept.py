"""The accept workload: connect, one 128 B echo, close: `python -m bench.accept`."""

from __future__ import annotations

import argparse
import sys

from bench.columns import STANDARD_RATIOS, user_ratio
from bench.echo import PEERS as ECHO_PEERS
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.traffic import Traffic, traffic_workload
from bench.units import CONNECTION, size_text
from bench.workload import Workload, run_command_line

# Beside the same without any: what they cost is the difference.
PEERS = (*ECHO_PEERS, Peer("uvnet, all limits", ("servers/echo_uvnet_limits.py",), needs=("uvnet",)))


def accept_workload(size: int = 128, at_once: int = 50) -> Workload:
    return traffic_workload(
        name=f"accept-{size}x{at_once}",
        title=f"accept, echo {size_text(size)}, close: {at_once} connections at a time",
        work="each of the slots connects, has one message echoed, closes first, and starts again",
        traffic=Traffic(
            load_arguments=("--mode", "accept", "--size", str(size)),
            connections=at_once,
            unit=CONNECTION,
        ),
        peers=PEERS,
        ratios=(*STANDARD_RATIOS, user_ratio("user\n/ no limits", "uvnet 'data'")),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.accept", description=__doc__)
    parser.add_argument("--size", type=int, default=128, help="bytes in the message")
    parser.add_argument("--connections", type=int, default=50, help="open at a time")
    exit_on_signals()
    return run_command_line(
        parser, lambda arguments: accept_workload(arguments.size, arguments.connections)
    )


if __name__ == "__main__":
    sys.exit(main())
