"""Metrics for Prometheus: `prometheus_client.REGISTRY.register(uvnet.metrics.Collector(loop))`.

Needs the package prometheus_client: `pip install uvnet[metrics]`.  This is not in Node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from uvnet._accept.counting import statistics
from uvnet._loop.asking import ask
from uvnet.observing.snapshot import describe_server, servers_of

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
except ImportError:
    raise ImportError("uvnet.metrics needs the package prometheus_client: pip install uvnet[metrics]") from None

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Collector"]

# Of servers, each with the label `server`: the name, what it says, the field of the statistics.
_COUNTERS = (
    ("accepted", "Connections that were accepted", "accepted"),
    ("tls_handshakes", "TLS handshakes that succeeded", "handshakes"),
    ("bytes_read", "Bytes that came over the network", "bytes_read"),
    ("bytes_written", "Bytes that went over the network", "bytes_written"),
)
_GAUGES = (
    ("connections", "Connections that are open", "open"),
    ("bytes_queued", "Bytes that wait to be sent", "bytes_queued"),
)


Servers = dict[str, dict[str, Any]]


def _by_address(described: Iterable[dict[str, Any]]) -> Servers:
    """Servers by their label; those that share a port, by reuse_port, are one."""
    servers: Servers = {}
    for found in described:
        before = servers.setdefault(",".join(found["addresses"]), found)
        if before is found:
            continue
        for _, _, field in (*_COUNTERS, *_GAUGES):
            before[field] += found[field]
        before["dropped"] = {reason: count + found["dropped"][reason] for reason, count in before["dropped"].items()}
    return servers


class Collector:
    """What the servers of one event loop have counted, and the loop itself, as metrics of prometheus_client.

    loop: the one that runs, or that run() will run, unless told otherwise.  prefix: of the names of the metrics.
    Each server that listens has the label `server`, its addresses; of a server that has stopped nothing is told, but
    what is counted of the whole loop goes on.  collect() may be called in any thread, as prometheus_client does.
    Raises RuntimeError for a loop that is not uvloop's.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, *, prefix: str = "uvnet") -> None:
        if loop is None:
            # The record that statistics() would count for.
            from uvnet._loop.loop import running_record

            loop = running_record().loop
        statistics(loop)
        self._loop = loop
        self._prefix = prefix

    def describe(self) -> list[Metric]:
        """No names beforehand: prometheus_client need not collect to register."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics, now."""
        servers = ask(self._loop, lambda: _by_address(map(describe_server, servers_of(self._loop))))
        for name, what, field in _COUNTERS:
            yield self._family(CounterMetricFamily, f"server_{name}", what, field, servers)
        for name, what, field in _GAUGES:
            yield self._family(GaugeMetricFamily, f"server_{name}", what, field, servers)
        dropped = CounterMetricFamily(
            f"{self._prefix}_server_dropped", "Connections closed for a limit", labels=("server", "reason")
        )
        for server, found in servers.items():
            for reason, count in found["dropped"].items():
                dropped.add_metric((server, reason), count)
        yield dropped
        yield from self._of_the_loop()

    def _family(self, kind: Any, name: str, what: str, field: str, servers: Servers) -> Metric:
        family = kind(f"{self._prefix}_{name}", what, labels=("server",))
        for server, found in servers.items():
            family.add_metric((server,), found[field])
        metric: Metric = family
        return metric

    def _of_the_loop(self) -> Iterator[Metric]:
        counted = statistics(self._loop)
        for name, what, field in _COUNTERS:
            yield CounterMetricFamily(f"{self._prefix}_{name}", f"{what}, in all", value=getattr(counted, field))
        for name, what, field in _GAUGES:
            yield GaugeMetricFamily(f"{self._prefix}_{name}", f"{what}, in all", value=getattr(counted, field))
        yield CounterMetricFamily(f"{self._prefix}_loop_turns", "Turns of the event loop", value=counted.turns)
        yield GaugeMetricFamily(
            f"{self._prefix}_loop_longest_turn_seconds",
            "The longest time between two looks for I/O, without the waiting",
            value=counted.longest_turn,
        )
