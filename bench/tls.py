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
from bench.units import GIBIBYTE, MESSAGE, size_text
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.tls", description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="bytes in a message")
    parser.add_argument("--connections", type=int, default=20)
    exit_on_signals()
    return run_command_line(
        parser, lambda arguments: tls_workload(arguments.size, arguments.connections)
    )


if __name__ == "__main__":
    sys.exit(main())
