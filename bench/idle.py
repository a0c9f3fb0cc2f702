"""What an idle connection costs in memory: `python -m bench.idle`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.columns import RIVAL, Ratio, extremes, median
from bench.cores import Cores
from bench.echo import PEERS as ECHO_PEERS
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.processes import MARGIN_SECONDS, MeasurementError, Server, run_load
from bench.report import Chart
from bench.rounds import PeerResult, Sample
from bench.table import Column
from bench.workload import Settings, Workload, run_command_line

# The streams of asyncio are told to buffer 256 KiB at most and keep none of it while idle.
PEERS = tuple(peer for peer in ECHO_PEERS if peer.name not in ("C on libuv", "Node pipe"))
RATIOS = (
    Ratio("private\n/ uvloop", "private", RIVAL),
    Ratio("private\n/ Node", "private", "Node 'data'"),
)

METHOD = (
    "The load generator opens {connections:,} connections to an echo server and has one byte echoed "
    "on each. It reads the memory of the server process from /proc/PID/smaps_rollup after the first "
    "64, and after all and the warm-up time, and divides the difference by the number of connections "
    "between. 'private' is memory that no other process shares (clean and dirty), 'resident' all that "
    "is mapped and present. Memory of the kernel (sockets, their buffers) is in neither. "
    "Shown are medians over the rounds, each in a fresh process."
)


def _measure(connections: int, peer: Peer, cores: Cores, settings: Settings) -> Sample:
    arguments = [
        *("--mode", "idle", "--size", "1", "--connections", str(connections)),
        *("--warm-up", str(settings.warm_up), "--seconds", str(settings.seconds)),
    ]
    lifetime = settings.warm_up + MARGIN_SECONDS
    with Server(peer.command(), cores.server, lifetime + MARGIN_SECONDS) as server:
        report = run_load(arguments, server, cores.load, lifetime)
    if "idle_connections" not in report:
        raise MeasurementError("this system does not tell the memory of a process")
    counted = report["idle_connections"] * 1024
    return {
        "private": report["private_bytes"] / counted,
        "resident": report["resident_bytes"] / counted,
    }


def _columns(ratios: Sequence[Ratio], results: Sequence[PeerResult]) -> list[Column]:
    return [
        median("private\nKiB/connection", "private", 2),
        extremes("\nlowest..highest", "private", 2),
        median("resident\nKiB/connection", "resident", 2),
        *(ratio.column(results) for ratio in ratios),
    ]


def idle_workload(
    connections: int = 5000,
    name: str = "idle",
    peers: tuple[Peer, ...] = PEERS,
    ratios: Sequence[Ratio] = RATIOS,
) -> Workload:
    return Workload(
        name=f"{name}-{connections}",
        title=f"idle: user memory of {connections:,} connections",
        method=METHOD.format(connections=connections),
        connections=connections,
        peers=peers,
        programs=("load",),
        chart=Chart("private", "private memory, KiB/connection"),
        measure=lambda *arguments: _measure(connections, *arguments),
        columns=lambda results: _columns(ratios, results),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--connections", type=int, default=5000, help="more than 64")
    exit_on_signals()
    return run_command_line(parser, lambda arguments: idle_workload(arguments.connections))


if __name__ == "__main__":
    sys.exit(main())
