"""What a line costs where many are there: `python -m bench.lines`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.peers import Peer
from bench.rounds import PeerResult
from bench.table import Column, number, spread
from bench.timings import Timing, timing_main

PROGRAM = "statements/lines_python.py"
PEERS = (
    Peer("uvnet lines()", (PROGRAM, "uvnet-lines"), needs=("uvnet",)),
    Peer("uvnet read_until()", (PROGRAM, "uvnet-until"), needs=("uvnet",)),
    Peer("uvloop StreamReader", (PROGRAM, "uvloop"), needs=("uvloop",)),
    Peer("asyncio StreamReader", (PROGRAM, "asyncio")),
)

CASES = ("line_32", "line_8")

METHOD = (
    "Nanoseconds for one line of 32 and of 8 bytes, from Python, the loop around it included: 2,048 lines have been "
    "sent over a Unix socket and received, and are read by `async for`, or by a call each (read_until). A process "
    "takes the best of its repeats, every round runs every peer once in a new random order and in fresh processes "
    "on one core, and shown are medians over the rounds."
)


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    return [
        Column("32 bytes", lambda result: number(result.median("line_32"))),
        Column("\nlowest..highest", lambda result: spread(result.spread("line_32"))),
        Column("8 bytes", lambda result: number(result.median("line_8"))),
    ]


LINES = Timing(
    name="lines",
    title="lines: nanoseconds for each",
    method=METHOD,
    peers=PEERS,
    cases=CASES,
    columns=_columns,
)


if __name__ == "__main__":
    sys.exit(timing_main(LINES, __doc__))
