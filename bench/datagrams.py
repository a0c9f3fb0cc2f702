"""What a UDP datagram costs, sent and received: `python -m bench.datagrams`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.columns import Ratio
from bench.peers import Peer
from bench.rounds import PeerResult
from bench.table import Column, number, spread
from bench.timings import Timing, timing_main

PROGRAM = "statements/datagrams_python.py"
RIVAL = "uvloop DatagramProtocol"
PEERS = (
    Peer("uvnet DatagramHandle", (PROGRAM, "uvnet"), needs=("uvnet",)),
    Peer("uvnet, without GSO and GRO", (PROGRAM, "uvnet-plain"), needs=("uvnet",)),
    Peer(RIVAL, (PROGRAM, "uvloop"), needs=("uvloop",)),
    Peer("asyncio DatagramProtocol", (PROGRAM, "asyncio")),
)
CASES = ("bulk", "bulk_cpu", "single", "single_cpu")
RATIOS = (Ratio("/ uvloop", "bulk", RIVAL), Ratio("CPU\n/ uvloop", "bulk_cpu", RIVAL))

METHOD = (
    "Nanoseconds for one datagram of 1,200 bytes from one socket to another of the same process, over loopback: sent, "
    "received, and given to a callback, the loop around it included. 64 of them are sent together, or one, and the next "
    "are sent when the last of these has come. 'rate' is what follows for a second. A process takes the best of its "
    "repeats, every round runs every peer once in a new random order and in fresh processes on one core, and shown are "
    "medians over the rounds."
)


def _rate(result: PeerResult) -> float | None:
    nanoseconds = result.median("bulk")
    return 1e9 / nanoseconds if nanoseconds else None


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    return [
        Column("64 together", lambda result: number(result.median("bulk"))),
        Column("\nlowest..highest", lambda result: spread(result.spread("bulk"))),
        Column("rate\n1/s", lambda result: number(_rate(result))),
        Column("CPU", lambda result: number(result.median("bulk_cpu"))),
        *(ratio.column(results) for ratio in RATIOS),
        Column("one", lambda result: number(result.median("single"))),
        Ratio("one\n/ uvloop", "single", RIVAL).column(results),
    ]


DATAGRAMS = Timing(
    name="datagrams",
    title="datagrams: nanoseconds for each",
    method=METHOD,
    peers=PEERS,
    cases=CASES,
    columns=_columns,
)


if __name__ == "__main__":
    sys.exit(timing_main(DATAGRAMS, __doc__))
