"""python -m uvnet top: the servers and the busiest connections of a program, see uvnet.introspection()."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import uvnet
from uvnet._cli.program import add_parser, number_type, run
from uvnet._cli.table import CLEAR, size, table

__all__ = ["add_top"]

PATIENCE = 10  # seconds for an answer
LONGEST = 2**24  # bytes of an answer
FIRST_LOOK = 0.5  # seconds, for rates
SERVERS = ("SERVER", "OPEN", "ACCEPTED", "/S", "DROPPED", "HANDSHAKES", "IN/S", "OUT/S", "QUEUED", "IN", "OUT")
CONNECTIONS = ("REMOTE", "LOCAL", "QUEUED", "IN/S", "OUT/S", "RTT", "IN", "OUT", "KIND")


def add_top(subcommands: Any) -> None:
    parser = add_parser(
        subcommands,
        "top",
        "show the servers and the busiest connections of a program",
        "Show what the servers and the busiest connections of a program do that has called uvnet.introspection(PATH): "
        "again and again on a terminal, until Ctrl-C; else once.",
        lambda arguments: run(_show(arguments)),
        takes_addresses=False,
    )
    parser.add_argument("target", metavar="PATH", help="the Unix socket of the program")
    parser.add_argument(
        "--interval",
        type=number_type(float, 0.1, 3600),
        default=1,
        metavar="S",
        help="seconds between two looks (default: %(default)s)",
    )
    parser.add_argument(
        "--connections",
        type=number_type(int, 0, 1000),
        metavar="N",
        help="so many of the busiest (default: as many as the terminal has room for, else 20)",
    )
    parser.add_argument("--json", action="store_true", help="print what the program has answered, as it is")


async def _show(arguments: argparse.Namespace) -> None:
    again = sys.stdout.isatty() and not arguments.json
    async with await uvnet.open_connection(path=arguments.target) as socket:
        before = await _ask(socket, 0)
        await asyncio.sleep(FIRST_LOOK)
        while True:
            now = await _ask(socket, arguments.connections if arguments.connections is not None else _room(again))
            if arguments.json:
                print(json.dumps(now), flush=True)
                return
            text = "\n".join(_lines(before, now))
            print(CLEAR + text if again else text, flush=True)
            if not again:
                return
            before = now
            await asyncio.sleep(arguments.interval)


def _room(again: bool) -> int:
    return max(1, shutil.get_terminal_size().lines - 10) if again else 20


async def _ask(socket: uvnet.Socket, connections: int) -> dict[str, Any]:
    socket.write(b"%d\n" % connections)
    answer = await asyncio.wait_for(socket.read_until(b"\n", LONGEST), PATIENCE)
    found: dict[str, Any] = json.loads(answer)
    return found


def _lines(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    loop, period = now["loop"], now["period"]
    yield (
        f"process {now['pid']}: {now['streams']} connections, {size(loop['bytes_read'])} in, "
        f"{size(loop['bytes_written'])} out, {size(loop['bytes_queued'])} queued; "
        f"{(loop['turns'] - before['loop']['turns']) / period:.0f} turns a second, "
        f"the longest {loop['longest_turn'] * 1000:.1f} ms"
    )
    yield ""
    known = {tuple(server["addresses"]): server for server in before["servers"]}
    servers = [_server(known.get(tuple(server["addresses"])), server, period) for server in now["servers"]]
    yield from table([SERVERS, *servers], (0,))
    if now["connections"]:
        yield ""
        yield from table([CONNECTIONS, *map(_connection, now["connections"])], (0, 1, 8))


def _server(before: dict[str, Any] | None, now: dict[str, Any], period: float) -> tuple[str, ...]:
    def rate(name: str) -> float | None:
        # One that another has taken the place of has less than it.
        if before is None or now[name] < before[name]:
            return None
        change: float = (now[name] - before[name]) / period
        return change

    accepted = rate("accepted")
    return (
        ", ".join(now["addresses"]),
        str(now["open"]),
        str(now["accepted"]),
        "-" if accepted is None else f"{accepted:.0f}",
        str(sum(now["dropped"].values())),
        str(now["handshakes"]),
        size(rate("bytes_read")),
        size(rate("bytes_written")),
        size(now["bytes_queued"]),
        size(now["bytes_read"]),
        size(now["bytes_written"]),
    )


def _connection(now: dict[str, Any]) -> tuple[str, ...]:
    return (
        now["remote"] or "-",
        now["local"] or "-",
        size(now["bytes_queued"]),
        size(now["read_rate"]),
        size(now["write_rate"]),
        "-" if now["rtt"] is None else f"{now['rtt'] * 1000:.1f} ms",
        size(now["bytes_read"]),
        size(now["bytes_written"]),
        now["kind"],
    )
