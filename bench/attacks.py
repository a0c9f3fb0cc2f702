"""What a client who does nothing wrong notices of attacks: `python -m bench.attacks`.

The server, the attacker and the client are the programs of `tests/attacks/`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.build import BENCH
from bench.columns import extremes, median
from bench.cores import Cores, pinning_to
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.processes import MARGIN_SECONDS, MeasurementError, Server
from bench.report import Chart
from bench.rounds import Sample
from bench.table import Column
from bench.workload import Settings, Workload, add_common_arguments, run_workload

PROGRAMS = BENCH.parent / "tests" / "attacks"
# By the attack, how the server is protected and how many connections, or hosts, the attacker has.
ATTACKS = {
    "slow-loris": ("slow-loris", 1000),
    "silence": ("silence", 1000),
    "flood": ("flood", 20),
    "flood, limit of the server": ("flood-server", 20),
    "hosts": ("hosts", 100_000),
    "header-bombs": ("header-bombs", 50),
    "stopped-reader": ("stopped-reader", 20),
    "framing-bombs": ("framing-bombs", 20),
    "one-host": ("descriptors-host", 150),
}
ATTACKERS = {"flood, limit of the server": "flood"}
ROUNDS_A_SECOND = 500  # of the client, about
LEAST_NICE = 19

METHOD = (
    "One server process, protected as it says, on one core; on another one a client (Python) that sends a line and "
    "waits for its answer, with a millisecond between two, every tenth time on a new connection; and beside the "
    "client, with the least priority, the attacker. The client is measured for as many rounds without the attack and "
    "then with it, against the same server process. A ratio is that of the two 99th percentiles."
)


@contextmanager
def _attacking(attack: str, port: int, count: int, cores: Cores) -> Iterator[None]:
    pin = pinning_to(cores.load)

    def prepare() -> None:
        pin()
        os.nice(LEAST_NICE)
        if hasattr(os, "SCHED_IDLE"):
            # Nor does it keep the client waiting for the rest of its slice.
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    command = [sys.executable, str(PROGRAMS / "attacker.py"), attack, str(port), str(count)]
    attacker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=prepare)
    assert attacker.stdin is not None
    assert attacker.stdout is not None
    try:
        if attacker.stdout.readline() != b"attacking\n":
            raise MeasurementError("the attack did not begin")
        yield
        attacker.stdin.close()
        attacker.wait(MARGIN_SECONDS)
    finally:
        attacker.kill()
        attacker.wait()
        attacker.stdout.close()


def _served(port: int, rounds: int, cores: Cores) -> dict[str, dict[str, float]]:
    command = [sys.executable, str(PROGRAMS / "good_client.py"), str(port), str(rounds)]
    answer = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * MARGIN_SECONDS,
        preexec_fn=pinning_to(cores.load), check=False,
    )  # fmt: skip
    if answer.returncode:
        raise MeasurementError((answer.stderr.decode().strip().splitlines() or ["it was not served"])[-1])
    times: dict[str, dict[str, float]] = json.loads(answer.stdout)
    return times


def _measure(peer: Peer, cores: Cores, settings: Settings) -> Sample:
    protection, count = ATTACKS[peer.name]
    attack = ATTACKERS.get(peer.name, peer.name)
    rounds = int(settings.seconds * ROUNDS_A_SECOND)
    with Server(peer.command(), cores.server, 4 * MARGIN_SECONDS) as server:
        _served(server.port, rounds // 4, cores)
        without = _served(server.port, rounds, cores)
        with _attacking(attack, server.port, count, cores):
            under = _served(server.port, rounds, cores)
    sample: Sample = {}
    for kind in ("standing", "fresh"):
        sample[f"{kind}_without"], sample[kind] = without[kind]["p99"], under[kind]["p99"]
        sample[f"{kind}_p50"] = under[kind]["p50"]
        sample[f"{kind}_ratio"] = under[kind]["p99"] / without[kind]["p99"]
    return sample


def _columns() -> list[Column]:
    columns = []
    for kind, title in (("standing", "answer"), ("fresh", "new connection")):
        columns += [
            median(f"{title}\np99 without, us", f"{kind}_without"),
            median("attacked\np99, us", kind),
            median("\np50, us", f"{kind}_p50"),
            median("ratio\nof p99", f"{kind}_ratio", 2),
            extremes("\nlowest..highest", f"{kind}_ratio", 2),
        ]
    return columns


def attacks_workload() -> Workload:
    # A peer of its own for each, so that rounds are interleaved.
    peers = tuple(
        Peer(name, ("../tests/attacks/attacked.py", protection), needs=("uvnet",))
        for name, (protection, _) in ATTACKS.items()
    )
    return Workload(
        name="attacks",
        title="attacks: what a client notices who does nothing wrong",
        method=METHOD,
        connections=1000,
        peers=peers,
        programs=(),
        chart=Chart("fresh_ratio", "p99 of new connections under attack / without", digits=2),
        measure=_measure,
        columns=lambda results: _columns(),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=__doc__)
    exit_on_signals()
    add_common_arguments(parser)
    return 0 if run_workload(attacks_workload(), Settings.from_arguments(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
