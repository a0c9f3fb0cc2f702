"""HTTP, plain and over TLS: uvicorn with a program that says hello: `python -m bench.http --tls`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.columns import cost_columns, load_columns, rate_columns
from bench.each_loop import LOOP_RATIOS, on_each_loop
from bench.interrupt import exit_on_signals
from bench.rounds import PeerResult
from bench.table import Column
from bench.tls import NOTE as MAPPED
from bench.traffic import METHOD, Traffic, cost_chart
from bench.units import REQUEST
from bench.workload import Workload, run_command_line
from bench.write_calls import COUNTING, measure_with_write_calls, write_call_columns

WORK = (
    "each connection keeps one GET in flight, which uvicorn (httptools) hands to an ASGI program that "
    "says hello, and all of each reply but its date is compared. " + COUNTING
)
NOTE = (
    "uvicorn writes the head and the body of an answer apart: uvnet sends them in one system call, the others in two, "
    "and wakes the client less often. With one write for an answer to a client that is awake, 5 % are gained."
)


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    return [
        *write_call_columns(),
        *rate_columns(REQUEST),
        *cost_columns(REQUEST),
        *(ratio.column(results) for ratio in LOOP_RATIOS),
        *load_columns(),
    ]


def http_workload(connections: int = 50, secure: bool = False, awake: bool = False) -> Workload:
    """`awake`: to a client that never sleeps, so that no server pays for waking it."""
    arguments = ("--mode", "http", *(("--awake",) if awake else ()))
    traffic = Traffic(arguments, connections, REQUEST, secure=secure)
    over = " over TLS 1.3" if secure else ""
    client = " to a client that never sleeps" if awake else ""
    return Workload(
        name=f"http{'-tls' if secure else ''}{'-awake' if awake else ''}-{connections}",
        title=f"HTTP{over}: uvicorn says hello{client} on {connections:,} connections",
        method=METHOD.format(work=WORK),
        connections=connections,
        peers=on_each_loop("uvicorn", "servers/http_uvicorn.py", ("uvicorn", "httptools"), secure),
        programs=traffic.programs,
        chart=cost_chart(REQUEST, f"{NOTE} {MAPPED}" if secure else NOTE),
        measure=lambda *arguments: measure_with_write_calls(traffic, *arguments),
        columns=_columns,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.http", description=__doc__)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--awake", action="store_true", help="the client never sleeps")
    exit_on_signals()
    return run_command_line(
        parser,
        lambda arguments: http_workload(arguments.connections, arguments.tls, arguments.awake),
    )


if __name__ == "__main__":
    sys.exit(main())
