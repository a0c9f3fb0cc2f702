"""The echo workload over TLS 1.3: `python -m bench.tls --size 1024 --connections 20`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bench.certificate import TOOL
from bench.each_loop import LOOP_RATIOS, on_each_loop
from bench.echo import BULK_SIZE
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.traffic import Traffic, traffic_workload
from bench.units import CONNECTION, GIBIBYTE, MESSAGE, size_text
from bench.workload import Workload, run_command_line

STANDARD = ((1024, 20), (64 * 1024, 10))
SECURE: Any = {"tools": (TOOL,), "headers": ("openssl/ssl.h",)}
EMITTERS = (
    Peer("uvnet tls 'data'", ("servers/echo_uvnet_tls.py",), needs=("uvnet",), **SECURE),
    Peer("Node tls 'data'", ("servers/echo_node_tls.js",), **SECURE),
)
NOTE = (
    "uvloop and asyncio decrypt into 256 KiB, aiofastnet at times too, which glibc maps for each read. Where it need not, "
    "they are nearer."
)


def tls_workload(size: int, connections: int) -> Workload:
    return traffic_workload(
        name=f"tls-{size}x{connections}",
        title=f"echo over TLS 1.3: {size_text(size)} on {connections:,} connections",
        work="each connection keeps one message in flight and checks what comes back; the load is OpenSSL",
        traffic=Traffic(
            load_arguments=("--mode", "echo", "--size", str(size)),
            connections=connections,
            unit=GIBIBYTE if size >= BULK_SIZE else MESSAGE,
            secure=True,
        ),
        peers=(*on_each_loop("Protocol", "servers/echo_protocol.py", secure=True), *EMITTERS),
        ratios=LOOP_RATIOS,
        note=NOTE,
    )


def handshake_workload(size: int = 128, at_once: int = 20) -> Workload:
    """Connections that are short: a handshake costs more than all that comes after it."""
    return traffic_workload(
        name=f"tls-handshake-{size}x{at_once}",
        title=f"handshakes of TLS 1.3, echo {size_text(size)}, close: {at_once} connections at a time",
        work="each of the slots connects, shakes hands, has one message echoed, closes first, and starts again; the load "
        "is OpenSSL",
        traffic=Traffic(
            load_arguments=("--mode", "accept", "--size", str(size)),
            connections=at_once,
            unit=CONNECTION,
            secure=True,
        ),
        peers=(*on_each_loop("Protocol", "servers/echo_protocol.py", secure=True), *EMITTERS),
        ratios=LOOP_RATIOS,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.tls", description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="bytes in a message")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--handshakes", action="store_true", help="connections with one message each")
    exit_on_signals()

    def workload(arguments: argparse.Namespace) -> Workload:
        make = handshake_workload if arguments.handshakes else tls_workload
        return make(arguments.size, arguments.connections)

    return run_command_line(parser, workload)


if __name__ == "__main__":
    sys.exit(main())
