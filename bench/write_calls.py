"""How many system calls a server writes its answers with, counted apart from what is measured."""

from __future__ import annotations

from bench import system_calls
from bench.columns import extremes, median
from bench.cores import Cores
from bench.peers import Peer
from bench.processes import MARGIN_SECONDS
from bench.rounds import Sample
from bench.table import Column
from bench.traffic import Traffic
from bench.workload import Settings

COUNTING_CONNECTIONS = 4
COUNTING_SECONDS = 0.3
COUNTING = (
    "The system calls are counted apart from the rest, by strace in a short run on "
    f"{COUNTING_CONNECTIONS} connections, and divided by the requests of that run"
)


def _count(traffic: Traffic, peer: Peer, cores: Cores) -> float | None:
    if system_calls.problem() is not None:
        return None
    with traffic.serving(peer, cores, 2 * MARGIN_SECONDS) as server:
        with system_calls.WriteCounter(server.process_id) as counter:
            report = traffic.load(
                server, cores, COUNTING_CONNECTIONS, 0, COUNTING_SECONDS, MARGIN_SECONDS
            )
    return None if counter.calls is None else counter.calls / report["messages_in_all"]


def measure_with_write_calls(
    traffic: Traffic, peer: Peer, cores: Cores, settings: Settings
) -> Sample:
    sample = traffic.measure(peer, cores, settings)
    sample["writes"] = _count(traffic, peer, cores)
    return sample


def write_call_columns() -> list[Column]:
    return [
        median("write calls\n/ request", "writes", 2),
        extremes("\nlowest..highest", "writes", 2),
    ]
