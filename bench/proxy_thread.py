"""The proxy workload beside a thread that computes in Python: `python -m bench.proxy_thread`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from bench.build import BENCH
from bench.columns import extremes, median
from bench.cores import Cores, choose_cores
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.proxy import PEERS as ALL_PEERS
from bench.proxy import round_trips
from bench.report import Chart
from bench.rounds import PeerResult, Sample
from bench.table import Column
from bench.traffic import Traffic
from bench.units import size_text
from bench.workload import Settings, Workload, run_command_line

CONTROL = "C reference"
PEERS = tuple(
    peer for peer in ALL_PEERS if peer.name == CONTROL or (peer.is_python and not peer.tools)
)

METHOD = (
    "As the proxy workload of {size}, with the proxies that run in Python. "
    "In each round each proxy runs twice, one run after the other in fresh processes: alone, and "
    "with a thread in its process that never stops computing in Python. {place} "
    "The C reference has no Python to be held up: beside it a process of its own computes in the "
    "same place, so it shows what that alone costs any program. "
    "Shown are medians over the rounds; 'kept' is the rate beside the thread by the rate without "
    "it, the median of the ratios within each round."
)
OWN_CORE = "The thread has a core of its own."
SHARED_CORE = (
    "There is no third core, so the thread runs on the core of the load, in the time that nobody else "
    "wants there (SCHED_IDLE): it takes Python's lock as any thread does."
)
NOT_PINNED = "The thread runs where the system puts it."


def _place(cores: Cores) -> str:
    if cores.load is None:
        return NOT_PINNED
    return SHARED_CORE if cores.spare is None else OWN_CORE


def _beside_thread(peer: Peer, cores: Cores) -> Peer:
    core = cores.load if cores.spare is None else cores.spare
    chosen = "any" if core is None else str(core)
    if not peer.is_python:
        return replace(peer, program=("servers/with_busy_process.py", chosen, *peer.command()))
    program = (str(BENCH / peer.program[0]), *peer.program[1:])
    return replace(peer, program=("servers/with_busy_thread.py", chosen, *program))


def _measure_twice(traffic: Traffic, peer: Peer, cores: Cores, settings: Settings) -> Sample:
    alone = traffic.measure(peer, cores, settings)["rate"]
    sample = traffic.measure(_beside_thread(peer, cores), cores, settings)
    sample["rate_alone"] = alone
    sample["kept"] = sample["rate"] / alone if sample["rate"] is not None and alone else None
    return sample


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    return [
        median("alone\nround trips/s", "rate_alone"),
        extremes("\nlowest..highest", "rate_alone"),
        median("beside a thread\nround trips/s", "rate"),
        extremes("\nlowest..highest", "rate"),
        median("\nkept", "kept", 3),
        extremes("\nlowest..highest", "kept", 3),
        median("p50\nus", "p50_microseconds"),
        median("p99\nus", "p99_microseconds"),
    ]


def thread_workload(size: int = 1024, connections: int = 20) -> Workload:
    # With the thread a connection may well see nothing for the whole window.
    traffic = round_trips(size, connections, "--patient")
    return Workload(
        name=f"proxy-thread-{size}x{connections}",
        title=f"proxy beside a busy Python thread: {size_text(size)} on {connections:,} connections",
        method=METHOD.format(size=size_text(size), place=_place(choose_cores())),
        connections=connections,
        peers=PEERS,
        programs=traffic.programs,
        chart=Chart(
            "kept", "rate beside a busy Python thread / rate without it", more_is_better=True
        ),
        measure=lambda *arguments: _measure_twice(traffic, *arguments),
        columns=_columns,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.proxy_thread", description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="bytes in a message")
    parser.add_argument("--connections", type=int, default=20)
    exit_on_signals()
    return run_command_line(
        parser, lambda arguments: thread_workload(arguments.size, arguments.connections)
    )


if __name__ == "__main__":
    sys.exit(main())
