"""Workloads of traffic: the load generator counts what passes, and reads the server's CPU clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.build import build
from bench.certificate import certificate
from bench.columns import STANDARD_RATIOS, Ratio, cost_columns, load_columns, rate_columns
from bench.cores import Cores
from bench.peers import Peer
from bench.processes import MARGIN_SECONDS, Server, run_load
from bench.report import Chart
from bench.rounds import PeerResult, Sample
from bench.table import Column
from bench.units import Unit
from bench.workload import Settings, Workload

METHOD = (
    "One server process on one core and the load generator (C) on another talk over loopback TCP "
    "without Nagle's delay; {work}. "
    "Every round runs every peer once, in a new random order and in fresh processes; shown are "
    "medians over the rounds, lowest..highest, and as ratios the medians of the ratios within each "
    "round. "
    "CPU is the exact time of the whole server process over exactly the measured window. User time is "
    "sampled, 5,000 times in a second of CPU in a window of its own where the kernel allows it and else "
    "with its timer ticks, so it is shown as the mean over the rounds and its ratios are ratios of "
    "means. Where the load is busy near 100%, it bounds the rate, and only the CPU columns compare "
    "servers."
)


def _share(part: float | None, whole: float) -> float | None:
    return None if part is None else part / whole


def as_sample(report: dict[str, Any], unit: Unit) -> Sample:
    """The numbers of one run, rates and costs in the unit of the workload."""
    counted = report[unit.counted]
    window = report["seconds"] * 1e9

    def cost(kind: str) -> float | None:
        nanoseconds = report.get(f"server_{kind}_nanoseconds")
        return None if nanoseconds is None else nanoseconds / counted * unit.cost_factor

    return {
        "rate": counted / report["seconds"] * unit.rate_factor,
        "user": cost("user"),
        "system": cost("system"),
        "total": cost("total"),
        "user_sampled": float(report["user_time_sampled"]),
        "server_busy": _share(report.get("server_total_nanoseconds"), window),
        "server_waited": _share(report.get("server_waited_nanoseconds"), window),
        "load_busy": _share(report.get("load_total_nanoseconds"), window),
        "load_waited": _share(report.get("load_waited_nanoseconds"), window),
        "p50_microseconds": report["p50_microseconds"],
        "p99_microseconds": report["p99_microseconds"],
        "messages": report["messages"],
        "bytes": report["bytes"],
        "seconds": report["seconds"],
    }


@dataclass(frozen=True)
class Traffic:
    """What the load generator does, over TLS if `secure`, and through a proxy to which program below `reference/`.

    `arguments` are what a server is told beside what its peer says.
    """

    load_arguments: tuple[str, ...]
    connections: int
    unit: Unit
    upstream: str | None = None
    secure: bool = False
    arguments: Callable[[], Sequence[str]] = tuple

    @property
    def programs(self) -> tuple[str, ...]:
        return (self._program,) if self.upstream is None else (self._program, self.upstream)

    @property
    def _program(self) -> str:
        return "load_tls" if self.secure else "load"

    @contextmanager
    def serving(self, peer: Peer, cores: Cores, lifetime: float) -> Iterator[Server]:
        """The peer's process, and before it the upstream of a proxy, on the core of the load."""
        with ExitStack() as stack:
            more = [str(certificate())] if self.secure else [*self.arguments()]
            if self.upstream is not None:
                command = [str(build(self.upstream))]
                upstream = stack.enter_context(Server(command, cores.load, lifetime))
                more = [str(upstream.port)]
            yield stack.enter_context(Server(peer.command(more), cores.server, lifetime))

    def measure(self, peer: Peer, cores: Cores, settings: Settings) -> Sample:
        warm_up, seconds = settings.warm_up, settings.seconds
        lifetime = warm_up + seconds + MARGIN_SECONDS
        with self.serving(peer, cores, lifetime + MARGIN_SECONDS) as server:
            report = self.load(server, cores, self.connections, warm_up, seconds, lifetime)
            return as_sample(report, self.unit)

    def load(
        self,
        server: Server,
        cores: Cores,
        connections: int,
        warm_up: float,
        seconds: float,
        lifetime: float,
    ) -> dict[str, Any]:
        """The report of the load generator."""
        arguments = [
            *self.load_arguments,
            *("--connections", str(connections)),
            *("--warm-up", str(warm_up), "--seconds", str(seconds)),
        ]
        return run_load(arguments, server, cores.load, lifetime, self._program)


def traffic_columns(
    unit: Unit, ratios: Sequence[Ratio], results: Sequence[PeerResult]
) -> list[Column]:
    return [
        *rate_columns(unit),
        *cost_columns(unit),
        *(ratio.column(results) for ratio in ratios),
        *load_columns(),
    ]


def cost_chart(unit: Unit, note: str = "") -> Chart:
    return Chart(
        measure="total",
        title=f"CPU, {unit.cost_title}",
        inner="user",
        inner_title="user time",
        digits=unit.cost_digits,
        note=note,
    )


def traffic_workload(
    name: str,
    title: str,
    work: str,
    traffic: Traffic,
    peers: tuple[Peer, ...],
    ratios: tuple[Ratio, ...] = STANDARD_RATIOS,
    note: str = "",
) -> Workload:
    return Workload(
        name=name,
        title=title,
        method=METHOD.format(work=work),
        connections=traffic.connections,
        peers=peers,
        programs=traffic.programs,
        chart=cost_chart(traffic.unit, note),
        measure=traffic.measure,
        columns=lambda results: traffic_columns(traffic.unit, ratios, results),
    )
