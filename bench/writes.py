"""Several small writes for one event, and the system calls they become: `python -m bench.writes`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench import system_calls
from bench.columns import (
    RATE_TO_C,
    RIVAL,
    USER_TO_UVLOOP,
    cost_columns,
    extremes,
    load_columns,
    median,
    rate_columns,
)
from bench.cores import Cores
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.processes import MARGIN_SECONDS, run_load
from bench.report import Chart
from bench.rounds import PeerResult, Sample
from bench.system_calls import WriteCounter
from bench.table import Column
from bench.traffic import METHOD, Traffic
from bench.units import REQUEST
from bench.workload import Settings, Workload, run_command_line

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
    "writes in one event: 64 B, 1 KiB and 64 B (the C reference with one vectored write). "
    "The system calls are counted apart from the rest, by strace in a short run on {counting} "
    "connections, and divided by the requests of that run"
)
COUNTING_CONNECTIONS = 4
COUNTING_SECONDS = 0.3


def _count_writes(traffic: Traffic, peer: Peer, cores: Cores) -> float | None:
    if system_calls.problem() is not None:
        return None
    arguments = [
        *traffic.load_arguments,
        *("--connections", str(COUNTING_CONNECTIONS)),
        *("--warm-up", "0", "--seconds", str(COUNTING_SECONDS)),
    ]
    with traffic.serving(peer, cores, 2 * MARGIN_SECONDS) as server:
        with WriteCounter(server.process_id) as counter:
            report = run_load(arguments, server, cores.load, MARGIN_SECONDS)
    return None if counter.calls is None else counter.calls / report["messages_in_all"]


def _measure(traffic: Traffic, peer: Peer, cores: Cores, settings: Settings) -> Sample:
    sample = traffic.measure(peer, cores, settings)
    sample["writes"] = _count_writes(traffic, peer, cores)
    return sample


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    return [
        median("write calls\n/ request", "writes", 2),
        extremes("\nlowest..highest", "writes", 2),
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
        method=METHOD.format(work=WORK.format(request=REQUEST_SIZE, counting=COUNTING_CONNECTIONS)),
        connections=connections,
        peers=PEERS,
        programs=traffic.programs,
        chart=Chart("writes", "write system calls/request"),
        measure=lambda *arguments: _measure(traffic, *arguments),
        columns=_columns,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.writes", description=__doc__)
    parser.add_argument("--connections", type=int, default=50)
    exit_on_signals()
    return run_command_line(parser, lambda arguments: writes_workload(arguments.connections))


if __name__ == "__main__":
    sys.exit(main())
