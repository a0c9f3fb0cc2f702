"""Statements timed inside each peer's own process, from arguments to table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.cores import Cores, choose_cores
from bench.interrupt import exit_on_signals
from bench.machine import Disturbance
from bench.peers import Peer, select
from bench.processes import run_and_parse
from bench.report import Benchmark, Chart, show_progress, write_report
from bench.rounds import PeerResult, Sample, interleave
from bench.table import Column

SECONDS = 0.3  # for each case in each round


@dataclass(frozen=True)
class Timing:
    """A program of `peers` is called with the seconds for a case and prints nanoseconds by case."""

    name: str
    title: str
    method: str
    peers: tuple[Peer, ...]
    cases: tuple[str, ...]
    columns: Callable[[Sequence[PeerResult]], list[Column]]
    chart: Chart | None = None


def _measure(timing: Timing, peer: Peer, cores: Cores, seconds: float) -> Sample:
    lifetime = 20.0 + 4 * seconds * len(timing.cases)
    report = run_and_parse([*peer.command(), str(seconds)], cores.server, lifetime)
    return {case: report.get(case) for case in timing.cases}


def run_timing(timing: Timing, rounds: int, seconds: float, seed: int, wanted: str) -> bool:
    """Measures, prints and stores; False when a peer that could run failed."""
    cores = choose_cores()
    disturbance = Disturbance()
    results = interleave(
        select(timing.peers, wanted),
        lambda peer: _measure(timing, peer, cores, seconds),
        rounds,
        seed,
        lambda text: show_progress(text and f"{timing.name}, {text}"),
    )
    pinned = "not pinned" if cores.server is None else f"everything on core {cores.server}"
    benchmark = Benchmark(
        name=timing.name,
        title=timing.title,
        method=timing.method,
        columns=timing.columns(results),
        settings={"rounds": rounds, "seconds a case": seconds, "seed": seed, "cores": pinned},
        chart=timing.chart,
    )
    write_report(benchmark, results, disturbance)
    return not any(result.failure for result in results)


def timing_main(timing: Timing, description: str | None) -> int:
    """The command `python -m bench.NAME`."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{timing.name}", description=description)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each case in each round")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the rounds")
    parser.add_argument("--peers", default="", help="only names that contain one of: a,b,c")
    arguments = parser.parse_args()
    exit_on_signals()
    done = run_timing(
        timing, arguments.rounds, arguments.seconds, arguments.seed, arguments.peers
    )
    return 0 if done else 1
