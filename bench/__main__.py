"""Runs the standard set: `python -m bench`, or some of it: `python -m bench echo accept`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from bench.accept import accept_workload
from bench.attacks import attacks_workload
from bench.blocklist import BLOCKLIST
from bench.cluster import run_cluster
from bench.datagrams import DATAGRAMS
from bench.echo import STANDARD as ECHO_SIZES
from bench.echo import echo_workload
from bench.emitter import EMITTER
from bench.fan_out import fan_out_workload
from bench.files import run_files
from bench.http import http_workload
from bench.idle import idle_workload
from bench.interrupt import exit_on_signals
from bench.ip import IP
from bench.lines import LINES
from bench.proxy import STEADY_RATE, bulk_workload, proxy_workload
from bench.proxy_thread import thread_workload
from bench.quic import run_quic
from bench.receive import receive_workload
from bench.restarts import run_restarts
from bench.timings import SECONDS, Timing, run_timing
from bench.tls import STANDARD as TLS_SIZES
from bench.tls import handshake_workload, tls_workload
from bench.transports import run_transports
from bench.workload import Settings, Workload, add_common_arguments, run_workload
from bench.writes import writes_workload

QUICK_SECONDS = 0.1  # for each case of a timing

Run = Callable[[Settings], bool]


def _timing(timing: Timing) -> Run:
    return lambda settings: run_timing(
        timing,
        settings.rounds,
        QUICK_SECONDS if settings.quick else SECONDS,
        settings.seed,
        settings.peers,
    )


def _running(make: Callable[..., Workload], *arguments: int) -> Run:
    return lambda settings: run_workload(make(*arguments), settings)


def _all_of(*runs: Run) -> Run:
    """Each of them, whether or not one before it failed."""
    return lambda settings: all([run(settings) for run in runs])


BENCHMARKS: dict[str, Run] = {
    "echo": _running(echo_workload, *ECHO_SIZES[0]),
    "echo-large": _running(echo_workload, *ECHO_SIZES[1]),
    "echo-many": _running(echo_workload, *ECHO_SIZES[2]),
    "accept": _running(accept_workload),
    "attacks": _running(attacks_workload),
    "idle": _running(idle_workload),
    "receive": _running(receive_workload),
    "fan-out": _running(fan_out_workload),
    "files": run_files,
    "writes": _running(writes_workload),
    "proxy": _running(proxy_workload),
    "proxy-bulk": _running(bulk_workload),
    "proxy-steady": _running(lambda: bulk_workload(rate=STEADY_RATE)),
    "proxy-thread": _running(thread_workload),
    "http": _all_of(_running(http_workload), _running(lambda: http_workload(secure=True))),
    "tls": _all_of(*(_running(tls_workload, *pair) for pair in TLS_SIZES), _running(handshake_workload)),
    "transports": run_transports,
    "cluster": run_cluster,
    "restarts": run_restarts,
    "emitter": _timing(EMITTER),
    "blocklist": _timing(BLOCKLIST),
    "ip": _timing(IP),
    "lines": _timing(LINES),
    "datagrams": _timing(DATAGRAMS),
    "quic": lambda settings: run_quic(
        settings.rounds, 0.5 if settings.quick else 2.0, settings.seed, settings.peers
    ),
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
