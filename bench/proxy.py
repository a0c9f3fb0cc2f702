"""The proxy workloads, round trips and one way: `python -m bench.proxy`, `python -m bench.proxy --bulk`."""

from __future__ import annotations

import argparse
import sys

from bench.columns import RIVAL, STANDARD_RATIOS, Ratio
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.traffic import Traffic, traffic_workload
from bench.units import GIBIBYTE, MEBIBYTE, ROUND_TRIP, size_text
from bench.workload import Workload, run_command_line

SPLICE = "haproxy splice"
HAPROXY = "servers/proxy_haproxy.py"

# MiB/s; every proxy reaches it.
STEADY_RATE = 512

PEERS = (
    Peer("C reference", ("reference/proxy.c",)),
    Peer("C on libuv", ("reference/proxy_libuv.c",), headers=("uv.h",)),
    Peer("uvnet pipe", ("servers/proxy_uvnet.py",), needs=("uvnet",)),
    Peer(
        "uvnet create_proxy",
        ("servers/proxy_uvnet_create_proxy.py",),
        needs=("uvnet:create_proxy",),
    ),
    Peer(RIVAL, ("servers/proxy_protocol.py", "uvloop"), needs=("uvloop",)),
    Peer("uvloop streams", ("servers/proxy_streams.py", "uvloop"), needs=("uvloop",)),
    Peer(
        "aiofastnet Protocol",
        ("servers/proxy_protocol.py", "aiofastnet"),
        needs=("uvloop", "aiofastnet"),
    ),
    Peer("asyncio Protocol", ("servers/proxy_protocol.py", "asyncio"), needs=("uvloop",)),
    Peer("asyncio streams", ("servers/proxy_streams.py", "asyncio"), needs=("uvloop",)),
    Peer("Node pipe", ("servers/proxy_node.js",)),
    Peer("haproxy nosplice", (HAPROXY, "nosplice"), tools=("haproxy",)),
    Peer(SPLICE, (HAPROXY, "splice"), tools=("haproxy",)),
)

THROUGH = (
    "the server is a proxy, and its upstream a C {upstream} on the core of the load, so the proxy is "
    "alone on its core and 'busy load' leaves the upstream out; {work}"
)


def round_trips(size: int, connections: int, *more: str) -> Traffic:
    return Traffic(
        load_arguments=("--mode", "echo", "--size", str(size), *more),
        connections=connections,
        unit=ROUND_TRIP,
        upstream="echo_server",
    )


def proxy_workload(size: int = 1024, connections: int = 20) -> Workload:
    return traffic_workload(
        name=f"proxy-{size}x{connections}",
        title=f"proxy: round trips of {size_text(size)} on {connections:,} connections",
        work=THROUGH.format(
            upstream="echo server",
            work="each connection keeps one message in flight and checks what comes back",
        ),
        traffic=round_trips(size, connections),
        peers=PEERS,
    )


def bulk_workload(
    size: int = 64 * 1024, connections: int = 4, rate: int | None = None
) -> Workload:
    """`rate` is in MiB/s, on all connections together; None is as fast as it goes."""
    pace: tuple[str, ...]
    if rate is None:
        suffix, text, pace = "", "", ()
        work = "each connection is written to without pause"
    else:
        suffix, text, pace = f"-{rate}", f", {rate} MiB/s", ("--rate", str(rate * MEBIBYTE))
        work = "the connections are written to at a steady rate, the same for every proxy"
    return traffic_workload(
        name=f"proxy-bulk-{size}x{connections}{suffix}",
        title=f"proxy, one way: {connections:,} connections, written {size_text(size)} at a time{text}",
        work=THROUGH.format(
            upstream="sink",
            work=f"{work}, and at its end the sink's count of bytes, which comes back through the "
            "proxy, must be right",
        ),
        traffic=Traffic(
            load_arguments=("--mode", "send", "--size", str(size), *pace),
            connections=connections,
            unit=GIBIBYTE,
            upstream="sink_server",
        ),
        peers=PEERS,
        ratios=(
            *STANDARD_RATIOS,
            Ratio("CPU/haproxy\nwith splice", "total", SPLICE),
        ),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.proxy", description=__doc__)
    parser.add_argument("--bulk", action="store_true", help="one way, without pause")
    parser.add_argument("--size", type=int, help="bytes in a message, or in one write")
    parser.add_argument("--connections", type=int)
    parser.add_argument("--rate", type=int, help="MiB/s that --bulk sends at most")

    def make(arguments: argparse.Namespace) -> Workload:
        given = {name: getattr(arguments, name) for name in ("size", "connections")}
        chosen = {name: value for name, value in given.items() if value is not None}
        if arguments.bulk:
            return bulk_workload(**chosen, rate=arguments.rate)
        return proxy_workload(**chosen)

    exit_on_signals()
    return run_command_line(parser, make)


if __name__ == "__main__":
    sys.exit(main())
