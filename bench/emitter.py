"""What emitting an event costs, beside pyee and Node: `python -m bench.emitter`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.cores import Cores, choose_cores
from bench.interrupt import exit_on_signals
from bench.machine import Disturbance
from bench.peers import Peer, select
from bench.processes import run_and_parse
from bench.report import Benchmark, Chart, show_progress, write_report
from bench.rounds import PeerResult, Sample, find, interleave
from bench.table import Column, number, spread

RIVAL = "pyee EventEmitter"

PEERS = (
    Peer("direct call", ("emitters/emit_python.py", "call")),
    Peer("uvnet EventEmitter", ("emitters/emit_python.py", "uvnet"), needs=("uvnet",)),
    Peer(RIVAL, ("emitters/emit_python.py", "pyee"), needs=("pyee",)),
    Peer("Node EventEmitter", ("emitters/emit_node.js",)),
)

CASES = {
    "one_listener": "one\nlistener",
    "one_listener_own_name": "one, name\nof one's own",
    "three_listeners": "three\nlisteners",
    "no_listener": "no\nlistener",
    "once_and_emit": "once\n+ emit",
    "on_and_remove": "on\n+ remove",
}

METHOD = (
    "Each cell is nanoseconds for one statement with one argument (1 KiB of bytes), called from "
    "Python (or JavaScript) through a bound method to a listener that does nothing. "
    "A process takes the best of seven repeats, every round runs every peer once in a new random "
    "order and in fresh processes on one core, and shown are medians over the rounds; the loop "
    "around the statement is included. "
    "'direct call' calls the listener without an emitter, 'data' is a name uvnet knows, the name "
    "of one's own is not; Node's compiler inlines what it can prove, so its row compares "
    "languages more than emitters."
)


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    rival = find(results, RIVAL)

    def median(case: str, title: str) -> Column:
        return Column(title, lambda result: number(result.median(case), 1))

    columns = [median(case, title) for case, title in CASES.items()]
    columns.insert(
        1,
        Column("\nlowest..highest", lambda result: spread(result.spread("one_listener"), 1)),
    )
    columns.append(
        Column(
            "one listener\n/ pyee",
            lambda result: number(result.ratio_to(rival, "one_listener"), 2),
        )
    )
    return columns


def _measure(peer: Peer, cores: Cores, seconds: float) -> Sample:
    lifetime = 20.0 + 4 * seconds * len(CASES)
    report = run_and_parse([*peer.command(), str(seconds)], cores.server, lifetime)
    return {case: report.get(case) for case in CASES}


def run_emitter(rounds: int, seconds: float, seed: int, wanted: str) -> bool:
    """Measures, prints and stores; False when a peer that could run failed."""
    cores = choose_cores()
    disturbance = Disturbance()
    results = interleave(
        select(PEERS, wanted),
        lambda peer: _measure(peer, cores, seconds),
        rounds,
        seed,
        lambda text: show_progress(text and f"emitter, {text}"),
    )
    pinned = "not pinned" if cores.server is None else f"everything on core {cores.server}"
    benchmark = Benchmark(
        name="emitter",
        title="emitter: nanoseconds for each statement",
        method=METHOD,
        columns=_columns(results),
        settings={"rounds": rounds, "seconds a case": seconds, "seed": seed, "cores": pinned},
        chart=Chart("one_listener", "emit to one listener, ns", digits=0),
    )
    write_report(benchmark, results, disturbance)
    return not any(result.failure for result in results)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.emitter", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each case in each round")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the rounds")
    parser.add_argument("--peers", default="", help="only names that contain one of: a,b,c")
    arguments = parser.parse_args()
    exit_on_signals()
    done = run_emitter(arguments.rounds, arguments.seconds, arguments.seed, arguments.peers)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
