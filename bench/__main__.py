"""Runs the standard set: `python -m bench`, or some of it: `python -m bench echo accept`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from bench.accept import accept_workload
from bench.blocklist import BLOCKLIST
from bench.echo import STANDARD as ECHO_SIZES
from bench.echo import echo_workload
from bench.emitter import EMITTER
from bench.interrupt import exit_on_signals
from bench.ip import IP
from bench.receive import receive_workload
from bench.timings import SECONDS, Timing, run_timing
from bench.workload import Settings, add_common_arguments, run_workload

Run = Callable[[Settings], bool]


def _timing(timing: Timing) -> Run:
    return lambda settings: run_timing(
        timing, settings.rounds, SECONDS, settings.seed, settings.peers
    )


def _echo(size: int, connections: int) -> Run:
    return lambda settings: run_workload(echo_workload(size, connections), settings)


BENCHMARKS: dict[str, Run] = {
    "echo": _echo(*ECHO_SIZES[0]),
    "echo-large": _echo(*ECHO_SIZES[1]),
    "echo-many": _echo(*ECHO_SIZES[2]),
    "accept": lambda settings: run_workload(accept_workload(), settings),
    "receive": lambda settings: run_workload(receive_workload(), settings),
    "emitter": _timing(EMITTER),
    "blocklist": _timing(BLOCKLIST),
    "ip": _timing(IP),
}
STANDARD = ("echo", "emitter")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(BENCHMARKS)}, or 'all'; without any: {' and '.join(STANDARD)}",
    )
    add_common_arguments(parser)
    arguments = parser.parse_args()
    names = arguments.names or list(STANDARD)
    if names == ["all"]:
        names = list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    exit_on_signals()
    settings = Settings.from_arguments(arguments)
    done = [BENCHMARKS[name](settings) for name in names]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
