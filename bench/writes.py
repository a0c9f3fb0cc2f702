"""Several small writes for one event, and the system calls they become: `python -m bench.writes`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.columns import (
    RATE_TO_C,
    RIVAL,
    USER_TO_UVLOOP,
    cost_columns,
    load_columns,
    rate_columns,
)
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.report import Chart
from bench.rounds import PeerResult
from bench.table import Column
from bench.traffic import METHOD, Traffic
from bench.units import REQUEST
from bench.workload import Workload, run_command_line
from bench.write_calls import COUNTING, measure_with_write_calls, write_call_columns

REQUEST_SIZE = 64
# Header, body and trailer, as the programs write them.
REPLY_SIZE = 64 + 1024 + 64

PEERS = (
    Peer("C reference", ("reference/reply_server.c",)),
    Peer("uvnet 'data'", ("servers/reply_uvnet.py",), needs=("uvnet",)),
    Peer(RIVAL, ("servers/reply_protocol.py", "uvloop"), needs=("uvloop",)),
    Peer(
        "aiofastnet Protocol",
        ("servers/reply_protocol.py", "aiofastnet"),
        needs=("uvloop", "aiofastnet"),
    ),
    Peer("asyncio Protocol", ("servers/reply_protocol.py", "asyncio"), needs=("uvloop",)),
    Peer("Node 'data'", ("servers/reply_node.js",)),
)

WORK = (
    "each connection keeps one request of {request} B in flight, which the server answers with three "
    "writes in one event: 64 B, 1 KiB and 64 B (the C reference with one vectored write). " + COUNTING
)


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    return [
        *write_call_columns(),
        *rate_columns(REQUEST),
        *cost_columns(REQUEST),
        RATE_TO_C.column(results),
        USER_TO_UVLOOP.column(results),
        *load_columns(),
    ]


def writes_workload(connections: int = 50) -> Workload:
    traffic = Traffic(
        load_arguments=("--mode", "ask", "--size", str(REQUEST_SIZE), "--answer", str(REPLY_SIZE)),
        connections=connections,
        unit=REQUEST,
    )
    return Workload(
        name=f"writes-{connections}",
        title=f"header, body and trailer written in one listener: {connections:,} connections",
        method=METHOD.format(work=WORK.format(request=REQUEST_SIZE)),
        connections=connections,
        peers=PEERS,
        programs=traffic.programs,
        chart=Chart("writes", "write system calls/request"),
        measure=lambda *arguments: measure_with_write_calls(traffic, *arguments),
        columns=_columns,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.writes", description=__doc__)
    parser.add_argument("--connections", type=int, default=50)
    exit_on_signals()
    return run_command_line(parser, lambda arguments: writes_workload(arguments.connections))


if __name__ == "__main__":
    sys.exit(main())
