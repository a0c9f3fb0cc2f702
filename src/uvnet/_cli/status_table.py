"""The table of `python -m uvnet serve --status`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from typing import Any

import uvnet
from uvnet._cli.program import run
from uvnet._cli.table import CLEAR, duration, table

__all__ = ["show_status"]

INTERVAL = 1.0  # seconds
PATIENCE = 10  # seconds for an answer
MOST = 2**20  # bytes of an answer
COLUMNS = ("WORKER", "PID", "STATE", "AGE", "CONNECTIONS", "ACCEPTED", "CPU", "MEMORY")


def show_status(path: str) -> int:
    """Print it once, or again and again on a terminal; returns the exit code."""
    return run(_show(path, sys.stdout.isatty()))


async def _show(path: str, again: bool) -> None:
    while True:
        text = "\n".join(_lines(await _ask(path)))
        print(CLEAR + text if again else text, flush=True)
        if not again:
            return
        await asyncio.sleep(INTERVAL)


async def _ask(path: str) -> dict[str, Any]:
    async with await uvnet.open_connection(path=path) as socket:
        text = await asyncio.wait_for(socket.read_all(MOST), PATIENCE)
    found: dict[str, Any] = json.loads(text)
    return found


def _lines(snapshot: dict[str, Any]) -> Iterable[str]:
    workers = snapshot["workers"]
    yield (
        f"primary {snapshot['pid']}, {snapshot['state']}, up {duration(snapshot['age'])}: "
        f"{sum(worker['state'] == 'serving' for worker in workers)} of {snapshot['wanted']} workers serve"
    )
    yield from table([COLUMNS, *map(_row, workers)], (2,))


def _row(worker: dict[str, Any]) -> tuple[str, ...]:
    cpu, memory = worker["cpu"], worker["memory"]
    return (
        str(worker["id"]),
        str(worker["pid"]),
        worker["state"],
        duration(worker["age"]),
        _number(worker["connections"]),
        _number(worker["accepted"]),
        "-" if cpu is None else f"{cpu:.1f} s",
        "-" if memory is None else f"{memory / 2**20:.1f} MiB",
    )


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
