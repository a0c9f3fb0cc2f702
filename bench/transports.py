"""Programs for asyncio on each loop, unchanged: `python -m bench.transports`.

Three kinds of them echo (a Protocol, a BufferedProtocol, streams), and one accepts, echoes and closes, after an
end of stream and after a reset. uvnet's own `Socket` stands beside them, and idle connections are weighed.
"""

from __future__ import annotations

import argparse
import sys

from bench.each_loop import LOOP_RATIOS, LoopRatio, on_each_loop
from bench.idle import idle_workload
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.traffic import Traffic, traffic_workload
from bench.units import CONNECTION, MESSAGE, size_text
from bench.workload import Settings, Workload, add_common_arguments, run_workload

SOCKET = Peer("uvnet 'data'", ("servers/echo_uvnet_data.py",), needs=("uvnet",))
PROTOCOLS = (*on_each_loop("Protocol", "servers/echo_protocol.py"), SOCKET)
BUFFERED = on_each_loop("BufferedProtocol", "servers/echo_buffered.py")
STREAMS = on_each_loop("streams", "servers/echo_streams.py")
IDLE_RATIOS = (LoopRatio("private\n/ uvloop", "private", "uvloop"),)


def _echo_workload(size: int = 1024, connections: int = 50) -> Workload:
    return traffic_workload(
        name=f"transports-echo-{size}x{connections}",
        title=f"one program on each loop, echo: {size_text(size)} on {connections:,} connections",
        work="each connection keeps one message in flight and checks what comes back",
        traffic=Traffic(("--mode", "echo", "--size", str(size)), connections, MESSAGE),
        peers=(*PROTOCOLS, *BUFFERED, *STREAMS),
        ratios=LOOP_RATIOS,
    )


def _accept_workload(resets: bool, size: int = 128, at_once: int = 50) -> Workload:
    how = "with a reset" if resets else "first"
    return traffic_workload(
        name=f"transports-{'reset' if resets else 'accept'}-{size}x{at_once}",
        title=f"one program on each loop, accept, echo {size_text(size)}, {'reset' if resets else 'close'}: "
        f"{at_once} connections at a time",
        work=f"each of the slots connects, has one message echoed, closes {how}, and starts again",
        traffic=Traffic(
            ("--mode", "accept", "--size", str(size), *(("--reset",) if resets else ())),
            at_once,
            CONNECTION,
        ),
        peers=PROTOCOLS,
        ratios=LOOP_RATIOS,
    )


def transports_workloads() -> tuple[Workload, ...]:
    return (
        _echo_workload(),
        _accept_workload(resets=False),
        _accept_workload(resets=True),
        # A BufferedProtocol's own buffer would hide what a connection costs.
        idle_workload(name="transports-idle", peers=(*PROTOCOLS, *STREAMS), ratios=IDLE_RATIOS),
    )


def run_transports(settings: Settings) -> bool:
    """All of them, whether or not one failed before."""
    return all([run_workload(workload, settings) for workload in transports_workloads()])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.transports", description=__doc__)
    add_common_arguments(parser)
    exit_on_signals()
    return 0 if run_transports(Settings.from_arguments(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
