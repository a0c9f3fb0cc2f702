"""Whether the primary of cluster.serve() stays as it is over many rolling restarts: `python -m bench.restart_memory`.

A few clients ask meanwhile.  Each line is a moment: restarts so far, the primary's resident memory, the blocks that
Python has, its open descriptors, its children (two workers, and no zombies); in the end, which files are left.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from bench.build import BENCH
from bench.interrupt import exit_on_signals
from bench.restarting import Restarted, restarted, until

THREADS = 2


def _resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def _line(server: Restarted, restarts: int, began: float) -> str:
    process = server.primary
    before = server.said().count("blocks")
    os.kill(process, signal.SIGUSR1)
    until(lambda: server.said().count("blocks") > before, "an answer")
    blocks = int(server.said().split()[-1])
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    descriptors = len(os.listdir(f"/proc/{process}/fd"))
    return (
        f"{restarts:6} restarts  {time.monotonic() - began:6.0f} s  {_resident(process):7} KiB  {blocks:8} blocks  "
        f"{descriptors:3} descriptors  {len(children):2} children"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.restart_memory", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--how", default="net", choices=("net", "patient", "serve-uvicorn"))
    arguments = parser.parse_args()
    exit_on_signals()
    began = time.monotonic()
    command = [sys.executable, str(BENCH / "servers/restarts.py"), arguments.how]
    with restarted(command, THREADS) as server:
        for restarts in range(arguments.count + 1):
            if restarts:
                server.restart()
            if restarts % max(1, arguments.count // 20) == 0:
                print(_line(server, restarts, began), flush=True)
    print(dict(server.clients.counts))
    print("files left:", server.files_left)
    return 0


if __name__ == "__main__":
    sys.exit(main())
