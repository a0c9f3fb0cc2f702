"""A workload: what is measured of each peer, and how it becomes a table; the common arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.build import BuildError, build
from bench.cores import Cores, choose_cores
from bench.machine import Disturbance, raise_descriptor_limit
from bench.network import settle_network
from bench.peers import Peer, select
from bench.report import Benchmark, Chart, show_progress, write_report
from bench.rounds import PeerResult, Sample, interleave
from bench.table import Column

ROUNDS = 5
# Measured and before, in seconds: usually, and with --quick.
SECONDS, QUICK_SECONDS = 2.0, 0.5
WARM_UP, QUICK_WARM_UP = 0.5, 0.2


@dataclass(frozen=True)
class Settings:
    rounds: int
    seconds: float
    warm_up: float
    seed: int
    peers: str
    quick: bool

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> Settings:
        quick = arguments.quick
        seconds, warm_up = (QUICK_SECONDS, QUICK_WARM_UP) if quick else (SECONDS, WARM_UP)
        return cls(
            rounds=arguments.rounds,
            seconds=seconds if arguments.seconds is None else arguments.seconds,
            warm_up=warm_up if arguments.warm_up is None else arguments.warm_up,
            seed=arguments.seed,
            peers=arguments.peers,
            quick=quick,
        )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, help=f"measured in each round ({SECONDS})")
    parser.add_argument("--warm-up", type=float, help=f"seconds before measuring ({WARM_UP})")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the rounds")
    parser.add_argument("--peers", default="", help="only names that contain one of: a,b,c")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"measure {QUICK_SECONDS} s after {QUICK_WARM_UP} s, where nothing else is said",
    )


@dataclass(frozen=True)
class Workload:
    """`measure` takes one sample of one peer, `columns` are chosen when all samples are there."""

    name: str
    title: str
    method: str
    connections: int
    peers: tuple[Peer, ...]
    programs: tuple[str, ...]  # below `reference/`, beside those of the peers
    chart: Chart
    measure: Callable[[Peer, Cores, Settings], Sample]
    columns: Callable[[Sequence[PeerResult]], list[Column]]


def _build_programs(workload: Workload) -> None:
    """Compiles before anything is measured: a compiler at work would disturb the first round."""
    able = [peer for peer in workload.peers if peer.problem() is None]
    for program in workload.programs if able else ():
        build(program)
    for peer in able:
        peer.command()


def run_workload(workload: Workload, settings: Settings) -> bool:
    """Measures, prints and stores one workload; False when a peer that could run failed."""
    try:
        _build_programs(workload)
    except BuildError as error:
        print(f"{workload.name}: {error}", file=sys.stderr)
        return False
    cores = choose_cores()
    congestion_control = settle_network()
    raise_descriptor_limit(2 * workload.connections + 1024)
    disturbance = Disturbance()
    results = interleave(
        select(workload.peers, settings.peers),
        lambda peer: workload.measure(peer, cores, settings),
        settings.rounds,
        settings.seed,
        lambda text: show_progress(text and f"{workload.name}, {text}"),
    )
    benchmark = Benchmark(
        name=workload.name,
        title=workload.title,
        method=workload.method,
        columns=workload.columns(results),
        settings={
            "rounds": settings.rounds,
            "measured seconds": settings.seconds,
            "warm-up seconds": settings.warm_up,
            "seed": settings.seed,
            "cores": cores.statement,
            "congestion control": congestion_control,
        },
        chart=workload.chart,
    )
    write_report(benchmark, results, disturbance)
    return not any(result.failure for result in results)


def run_command_line(
    parser: argparse.ArgumentParser, make: Callable[[argparse.Namespace], Workload]
) -> int:
    """The exit status of a workload's own `python -m bench.NAME`."""
    add_common_arguments(parser)
    arguments = parser.parse_args()
    return 0 if run_workload(make(arguments), Settings.from_arguments(arguments)) else 1
