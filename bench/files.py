"""Files that are sent and received: `python -m bench.files`."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile

from bench.build import BUILD
from bench.columns import CPU_TO_UVLOOP, REFERENCE, RIVAL, Ratio
from bench.interrupt import exit_on_signals
from bench.peers import Peer
from bench.traffic import Traffic, traffic_workload
from bench.units import GIBIBYTE, MEBIBYTE
from bench.workload import Settings, Workload, add_common_arguments, run_workload

SIZE = 16 * MEBIBYTE
# The text of the load generator.
TEXT = bytes(range(251))
# Where files are written without a disk in the way.
MEMORY = "/dev/shm"

ASYNCIO_SENDFILE = "asyncio loop.sendfile"
SEND_PEERS = (
    Peer(REFERENCE, ("reference/file_server.c",)),
    Peer("uvnet send_file", ("servers/send_file_uvnet.py",), needs=("uvnet",)),
    Peer("uvnet loop.sendfile", ("servers/send_file_loop.py", "uvnet"), needs=("uvnet",)),
    Peer(ASYNCIO_SENDFILE, ("servers/send_file_loop.py", "asyncio"), needs=("uvloop",)),
)
RECEIVE_PEERS = (
    Peer(REFERENCE, ("reference/file_sink.c", "splice")),
    Peer("C, copying", ("reference/file_sink.c", "copy")),
    Peer("uvnet receive_file", ("servers/receive_file_uvnet.py",), needs=("uvnet",)),
    Peer("uvnet Protocol", ("servers/receive_file_protocol.py", "uvnet"), needs=("uvnet",)),
    Peer(RIVAL, ("servers/receive_file_protocol.py", "uvloop"), needs=("uvloop",)),
    Peer("asyncio Protocol", ("servers/receive_file_protocol.py", "asyncio"), needs=("uvloop",)),
)
TO_C = Ratio("CPU\n/ C", "total", REFERENCE)


@functools.cache
def _sent_file() -> str:
    path = BUILD / f"file-{SIZE}"
    if not path.exists() or path.stat().st_size != SIZE:
        BUILD.mkdir(exist_ok=True)
        path.write_bytes((TEXT * (SIZE // len(TEXT) + 1))[:SIZE])
    return str(path)


def sending_workload(connections: int = 4) -> Workload:
    return traffic_workload(
        name=f"files-sent-{connections}",
        title=f"files that are sent: {SIZE // MEBIBYTE} MiB at a time on {connections} connections",
        work="each connection asks by one byte for a file, which the server sends (the C reference by sendfile(2) "
        "and nothing else), and again when it is there",
        traffic=Traffic(
            load_arguments=("--mode", "ask", "--size", "1", "--answer", str(SIZE)),
            connections=connections,
            unit=GIBIBYTE,
            arguments=lambda: [_sent_file()],
        ),
        peers=SEND_PEERS,
        ratios=(TO_C, Ratio("CPU\n/ asyncio", "total", ASYNCIO_SENDFILE)),
    )


def receiving_workload(connections: int = 4) -> Workload:
    directory = MEMORY if os.access(MEMORY, os.W_OK) else tempfile.gettempdir()
    return traffic_workload(
        name=f"files-received-{connections}",
        title=f"files that are received: {connections} connections, written 64 KiB at a time",
        work=f"each connection is written to without pause, what comes goes into a file in {directory}, which is begun "
        f"anew after {SIZE // MEBIBYTE} MiB (the C reference by splice(2) through a pipe), and at the end the server's "
        "count of bytes must be right",
        traffic=Traffic(
            load_arguments=("--mode", "send", "--size", str(64 * 1024)),
            connections=connections,
            unit=GIBIBYTE,
            arguments=lambda: [directory, str(SIZE)],
        ),
        peers=RECEIVE_PEERS,
        ratios=(TO_C, CPU_TO_UVLOOP),
    )


def run_files(settings: Settings) -> bool:
    """Both, whether or not the first one failed."""
    return all([run_workload(workload, settings) for workload in (sending_workload(), receiving_workload())])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.files", description=__doc__)
    exit_on_signals()
    add_common_arguments(parser)
    return 0 if run_files(Settings.from_arguments(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
