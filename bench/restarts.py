"""What rolling restarts, and upgrades of the primary, cost clients: `python -m bench.restarts`.

A uvnet server and uvicorn under `cluster.serve()`, beside uvicorn's own workers and gunicorn.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.processes import MeasurementError
from bench.report import Chart
from bench.restart_clients import HOST
from bench.restarting import Restarted, restarted
from bench.rounds import PeerResult, Sample
from bench.table import NOTHING, Column, number
from bench.workload import Settings, Workload, add_common_arguments, run_workload

THREADS = 8
RESTARTS, QUICK_RESTARTS = 10, 2  # in a round
PROGRAM = "servers/restarts.py"
UVICORN = ("uvicorn", "httptools")
SERVED = (
    Peer("uvnet, serve()", (PROGRAM, "net"), needs=("uvnet",)),
    Peer("uvnet, serve(), patient", (PROGRAM, "patient"), needs=("uvnet",)),
    Peer("uvicorn, serve()", (PROGRAM, "serve-uvicorn"), needs=("uvnet", *UVICORN)),
)
GUNICORN = Peer("gunicorn, uvicorn-worker", (PROGRAM, "gunicorn"), needs=("uvnet", *UVICORN, "gunicorn", "uvicorn_worker"))
PEERS = (*SERVED, Peer("uvicorn --workers", (PROGRAM, "uvicorn"), needs=("uvnet", *UVICORN)), GUNICORN)
COUNTED = tuple(
    f"{kind} {what}"
    for kind, results in (
        ("single", ("requests", "refused", "reset", "failed")),
        ("kept", ("requests", "refused", "reset", "failed", "idle ends", "crossed")),
    )
    for what in results
)
METHOD = (
    "Two workers, and eight clients with a pause of 2 ms between two requests: four make a connection for each request, "
    "four keep theirs. Beside them wrk, where it is installed, asks with two connections and 'Connection: close' as fast "
    "as it can. {how} The next one begins when every old worker is gone and two new ones have answered. Shown are sums "
    "over all rounds. 'refused' and 'reset' are connections that got no answer to a first request, 'failed' is any other "
    "request without its whole answer. Of kept connections, 'ended idle' were closed by the server between two requests, "
    "which loses nothing, and 'crossed' are requests that were sent while the server was closing their connection. "
    "'patient' is a server that closes idle connections only a second later, and until then says 'Connection: close' in "
    "the answer to the next request."
)
WRK = re.compile(r"(\d+) requests in")
WRK_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


class _Wrk:
    """A second kind of client, where it is installed."""

    def __init__(self, server: Restarted) -> None:
        self._process: subprocess.Popen[str] | None = None
        if (wrk := shutil.which("wrk")) is not None:
            self._process = subprocess.Popen(
                [wrk, "-t1", "-c2", "-d600s", "-H", "Connection: close", f"http://{HOST}:{server.port}/"],
                stdout=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip

    def result(self) -> Sample:
        """It ends here."""
        if self._process is None:
            return {"wrk requests": None, "wrk errors": None}
        self._process.send_signal(signal.SIGINT)
        text, _ = self._process.communicate(timeout=30)
        requests, errors = WRK.search(text), WRK_ERRORS.search(text)
        if requests is None:
            raise MeasurementError(f"wrk said {text!r}")
        failed = 0 if errors is None else sum(map(int, errors.groups()))
        return {"wrk requests": int(requests[1]), "wrk errors": failed}


def _measure(peer: Peer, settings: Settings, act: Callable[[Restarted], None], share: int) -> Sample:
    """act: what is done again and again; share: so many times less often than a restart."""
    times = max(1, (QUICK_RESTARTS if settings.quick else RESTARTS) // share)
    with restarted(peer.command(), THREADS) as server:
        wrk = _Wrk(server)
        began = time.monotonic()
        try:
            for _ in range(times):
                act(server)
        finally:
            sample = wrk.result()
        seconds = time.monotonic() - began
    if server.files_left:
        raise MeasurementError(f"left {', '.join(server.files_left)}")
    counts = server.clients.counts
    return {"times": times, "seconds": seconds / times, **sample, **{name: counts[name] for name in COUNTED}}


def _sum(title: str, *names: str) -> Column:
    def cell(result: PeerResult) -> str:
        values = [value for name in names for value in result.values(name)]
        return number(sum(values)) if values else NOTHING

    return Column(title, cell)


def _columns(what: str) -> list[Column]:
    return [
        _sum(f"\n{what}", "times"),
        Column("\ns each", lambda result: number(result.median("seconds"), 1)),
        _sum("one a connection\nrequests", "single requests"),
        _sum("\nrefused", "single refused"),
        _sum("\nreset", "single reset"),
        _sum("\nfailed", "single failed"),
        _sum("wrk\nrequests", "wrk requests"),
        _sum("\nerrors", "wrk errors"),
        _sum("kept connections\nrequests", "kept requests"),
        _sum("\nended idle", "kept idle ends"),
        _sum("\ncrossed", "kept crossed"),
        _sum("refused, reset\nor failed", "kept refused", "kept reset", "kept failed"),
    ]


def _workload(
    name: str, title: str, what: str, how: str, peers: tuple[Peer, ...], act: Callable[[Restarted], None], share: int
) -> Workload:
    return Workload(
        name=name,
        title=title,
        method=METHOD.format(how=how),
        connections=THREADS,
        peers=peers,
        programs=(),
        chart=Chart(measure="kept crossed", title="requests sent into a connection that was being closed", digits=0),
        measure=lambda peer, _cores, settings: _measure(peer, settings, act, share),
        columns=lambda _results: _columns(what),
    )


RESTARTING = _workload(
    "restarts", "rolling restarts under load, two workers", "restarts",
    "A restart is SIGHUP to the primary.", PEERS, Restarted.restart, 1,
)  # fmt: skip
UPGRADING = _workload(
    "upgrades", "upgrades of the primary under load, two workers", "upgrades",
    "An upgrade is SIGUSR2 to the primary, and with gunicorn SIGTERM to the old one when two workers of the new one have "
    "answered; uvicorn has none.",
    (*SERVED, GUNICORN), Restarted.upgrade, 2,
)  # fmt: skip


def run_restarts(settings: Settings) -> bool:
    """Both of them, whether or not one failed before."""
    return all([run_workload(workload, settings) for workload in (RESTARTING, UPGRADING)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.restarts", description=__doc__)
    add_common_arguments(parser)
    exit_on_signals()
    return 0 if run_restarts(Settings.from_arguments(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
