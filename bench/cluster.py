"""One server in several processes: `python -m bench.cluster`.

What it costs to share a listening socket between workers, and to have connections dealt out.  The CPU time is that of
the primary and its workers together.  Two workers and the load have all cores between them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.columns import Ratio, extremes, load_columns, median, rate_columns
from bench.cores import Cores
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.processes import MARGIN_SECONDS, Server
from bench.report import Chart
from bench.rounds import PeerResult, Sample
from bench.table import Column
from bench.traffic import Traffic, as_sample
from bench.units import CONNECTION, MESSAGE, Unit, size_text
from bench.workload import Settings, Workload, add_common_arguments, run_workload

ONE = "uvnet, one process"
UVNET, NODE = "servers/echo_uvnet_cluster.py", "servers/echo_node_cluster.js"
PEERS = (
    Peer(ONE, (UVNET, "one", "1"), needs=("uvnet",)),
    Peer("uvnet SCHED_NONE, 1 worker", (UVNET, "none", "1"), needs=("uvnet",)),
    Peer("uvnet SCHED_RR, 1 worker", (UVNET, "rr", "1"), needs=("uvnet",)),
    Peer("uvnet SCHED_NONE, 2 workers", (UVNET, "none", "2"), needs=("uvnet",)),
    Peer("uvnet SCHED_RR, 2 workers", (UVNET, "rr", "2"), needs=("uvnet",)),
    Peer("Node, one process", (NODE, "one", "1")),
    Peer("Node SCHED_NONE, 2 workers", (NODE, "none", "2")),
    Peer("Node SCHED_RR, 2 workers", (NODE, "rr", "2")),
)
RATIOS = (Ratio("CPU\n/ one process", "total", ONE), Ratio("rate\n/ one process", "rate", ONE))
METHOD = (
    "A server of one or more processes and the load generator (C) talk over loopback TCP without Nagle's delay; {work}. "
    "CPU is the exact time of the primary and all of its workers over exactly the measured window. One process, and a "
    "primary with one worker, run on one core, two workers on any. Every round runs every peer once, in a new random "
    "order and in fresh processes; shown are medians over the rounds, lowest..highest, and as ratios the medians of the "
    "ratios within each round."
)


def _measure(traffic: Traffic, peer: Peer, cores: Cores, settings: Settings) -> Sample:
    lifetime = settings.warm_up + settings.seconds + MARGIN_SECONDS
    core = cores.server if peer.program[-1] == "1" else None
    with Server(peer.command(), core, lifetime + MARGIN_SECONDS) as server:
        report = traffic.load(
            server, cores, traffic.connections, settings.warm_up, settings.seconds, lifetime
        )
        return as_sample(report, traffic.unit)


def _columns(unit: Unit, results: Sequence[PeerResult]) -> list[Column]:
    return [
        *rate_columns(unit),
        median(f"CPU total\n{unit.cost_title}", "total", unit.cost_digits),
        extremes("\nlowest..highest", "total", unit.cost_digits),
        *(ratio.column(results) for ratio in RATIOS),
        *load_columns(),
    ]


def _workload(name: str, title: str, work: str, traffic: Traffic) -> Workload:
    unit = traffic.unit
    return Workload(
        name=name,
        title=title,
        method=METHOD.format(work=work),
        connections=traffic.connections,
        peers=PEERS,
        programs=traffic.programs,
        chart=Chart(
            measure="total",
            title=f"CPU of all processes, {unit.cost_title}",
            inner="",
            inner_title="",
            digits=unit.cost_digits,
            note="",
        ),
        measure=lambda peer, cores, settings: _measure(traffic, peer, cores, settings),
        columns=lambda results: _columns(unit, results),
    )


def cluster_workloads(size: int = 128, at_once: int = 50) -> tuple[Workload, ...]:
    """Connections that are short, and some that stay."""
    return (
        _workload(
            f"cluster-accept-{size}x{at_once}",
            f"in several processes: accept, echo {size_text(size)}, close: {at_once} connections at a time",
            "each of the slots connects, has one message echoed, closes first, and starts again",
            Traffic(("--mode", "accept", "--size", str(size)), at_once, CONNECTION),
        ),
        _workload(
            f"cluster-echo-1024x{at_once}",
            f"in several processes: echo {size_text(1024)} on {at_once} connections",
            "each connection keeps one message in flight and checks what comes back",
            Traffic(("--mode", "echo", "--size", "1024"), at_once, MESSAGE),
        ),
    )


def run_cluster(settings: Settings) -> bool:
    """All of them, whether or not one failed before."""
    return all([run_workload(workload, settings) for workload in cluster_workloads()])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    add_common_arguments(parser)
    exit_on_signals()
    return 0 if run_cluster(Settings.from_arguments(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
