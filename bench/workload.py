"""A network workload: what the load generator does, and the servers that take it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.build import BuildError, build
from bench.cores import Cores, choose_cores
from bench.machine import Disturbance, raise_descriptor_limit
from bench.peers import Peer, select
from bench.processes import MARGIN_SECONDS, Server, run_load
from bench.report import Benchmark, show_progress, write_report
from bench.rounds import PeerResult, Sample, find, interleave
from bench.table import Column, number, percent, spread

REFERENCE = "C reference"
RIVAL = "uvloop Protocol"

METHOD = (
    "One server process on one core and the load generator (C) on another talk over loopback TCP "
    "without Nagle's delay; {work}. "
    "Every round runs every peer once, in a new random order and in fresh processes; shown are "
    "medians over the rounds, lowest..highest, and as ratios the medians of the ratios within each "
    "round. "
    "CPU is the exact time of the whole server process over exactly the measured window, divided "
    "into user and system in the proportion of the kernel's timer ticks; where the load is busy "
    "near 100%, it bounds the rate, and only the CPU columns compare servers."
)


@dataclass(frozen=True)
class Unit:
    """How what the load generator counted is shown."""

    counted: str  # "messages" or "bytes", in the load generator's report
    rate_title: str
    rate_factor: float
    cost_title: str
    cost_factor: float  # from nanoseconds for one counted thing
    cost_digits: int


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    work: str
    load_arguments: tuple[str, ...]
    connections: int
    unit: Unit
    peers: tuple[Peer, ...]


@dataclass(frozen=True)
class Settings:
    rounds: int
    seconds: float
    warm_up: float
    seed: int
    peers: str

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> Settings:
        return cls(
            rounds=arguments.rounds,
            seconds=arguments.seconds,
            warm_up=arguments.warm_up,
            seed=arguments.seed,
            peers=arguments.peers,
        )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="measured in each round")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before measuring")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the rounds")
    parser.add_argument("--peers", default="", help="only names that contain one of: a,b,c")


def _share(part: float | None, whole: float) -> float | None:
    return None if part is None else part / whole


def as_sample(report: dict[str, Any], unit: Unit) -> Sample:
    """The numbers of one run, rates and costs in the unit of the workload."""
    counted = report[unit.counted]
    window = report["seconds"] * 1e9

    def cost(kind: str) -> float | None:
        nanoseconds = report.get(f"server_{kind}_nanoseconds")
        return None if nanoseconds is None else nanoseconds / counted * unit.cost_factor

    return {
        "rate": counted / report["seconds"] * unit.rate_factor,
        "user": cost("user"),
        "system": cost("system"),
        "total": cost("total"),
        "server_busy": _share(report.get("server_total_nanoseconds"), window),
        "server_waited": _share(report.get("server_waited_nanoseconds"), window),
        "load_busy": _share(report.get("load_total_nanoseconds"), window),
        "load_waited": _share(report.get("load_waited_nanoseconds"), window),
        "p50_microseconds": report["p50_microseconds"],
        "p99_microseconds": report["p99_microseconds"],
        "messages": report["messages"],
        "bytes": report["bytes"],
        "seconds": report["seconds"],
    }


def build_programs(workload: Workload) -> None:
    """Compiles before anything is measured: a compiler at work would disturb the first round."""
    build("load")
    for peer in workload.peers:
        if peer.problem() is None:
            peer.command()


def measure_server(workload: Workload, peer: Peer, cores: Cores, settings: Settings) -> Sample:
    arguments = [
        *workload.load_arguments,
        *("--connections", str(workload.connections)),
        *("--warm-up", str(settings.warm_up), "--seconds", str(settings.seconds)),
    ]
    lifetime = settings.warm_up + settings.seconds + MARGIN_SECONDS
    with Server(peer.command(), cores, lifetime + MARGIN_SECONDS) as server:
        return as_sample(run_load(arguments, server, cores, lifetime), workload.unit)


def _columns(unit: Unit, results: Sequence[PeerResult]) -> list[Column]:
    reference, rival = find(results, REFERENCE), find(results, RIVAL)
    digits = unit.cost_digits

    def median(title: str, name: str, places: int = 0) -> Column:
        return Column(title, lambda result: number(result.median(name), places))

    def extremes(title: str, name: str, places: int = 0) -> Column:
        return Column(title, lambda result: spread(result.spread(name), places))

    def ratio(title: str, name: str, other: PeerResult | None) -> Column:
        return Column(title, lambda result: number(result.ratio_to(other, name), 2))

    def share(title: str, name: str) -> Column:
        return Column(title, lambda result: percent(result.median(name)))

    return [
        median(f"\n{unit.rate_title}", "rate"),
        extremes("\nlowest..highest", "rate"),
        median(f"CPU user\n{unit.cost_title}", "user", digits),
        median(f"CPU total\n{unit.cost_title}", "total", digits),
        extremes("\nlowest..highest", "total", digits),
        ratio("rate\n/ C", "rate", reference),
        ratio("CPU\n/ C", "total", reference),
        ratio("rate\n/ uvloop", "rate", rival),
        ratio("CPU\n/ uvloop", "total", rival),
        share("busy\nserver", "server_busy"),
        share("busy\nload", "load_busy"),
        share("server\nwaited", "server_waited"),
        median("p50\nus", "p50_microseconds"),
        median("p99\nus", "p99_microseconds"),
    ]


def run_workload(workload: Workload, settings: Settings) -> bool:
    """Measures, prints and stores one workload; False when a peer that could run failed."""
    try:
        build_programs(workload)
    except BuildError as error:
        print(f"{workload.name}: {error}", file=sys.stderr)
        return False
    cores = choose_cores()
    raise_descriptor_limit(workload.connections + 1024)
    disturbance = Disturbance()
    results = interleave(
        select(workload.peers, settings.peers),
        lambda peer: measure_server(workload, peer, cores, settings),
        settings.rounds,
        settings.seed,
        lambda text: show_progress(text and f"{workload.name}, {text}"),
    )
    benchmark = Benchmark(
        name=workload.name,
        title=workload.title,
        method=METHOD.format(work=workload.work),
        columns=_columns(workload.unit, results),
        settings={
            "rounds": settings.rounds,
            "measured seconds": settings.seconds,
            "warm-up seconds": settings.warm_up,
            "seed": settings.seed,
            "cores": cores.statement,
        },
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
