"""The limits of a server as options of a subcommand; see the docstring of uvnet.Server."""

from __future__ import annotations

import argparse
from typing import Any

from uvnet._cli.program import number_type

__all__ = ["add_limit_options", "limit_options"]

LONGEST = 2_000_000  # seconds
MOST = 2**31 - 1
# The name of the option of a server, its type and least value, and what --help says.
LIMITS: tuple[tuple[str, type[int] | type[float], float, str, str], ...] = (
    ("max_connections_per_host", int, 1, "N", "clients of one host at the same time"),
    ("accept_rate", float, 0.001, "N", "new clients a second"),
    ("accept_rate_per_host", float, 0.001, "N", "new clients of one host a second"),
    ("first_data_timeout", float, 0.001, "S", "seconds in which something has to come from a client"),
    ("max_lifetime", float, 0.001, "S", "seconds that a connection may last"),
    ("min_receive_rate", int, 1, "B", "bytes a second that a client has to send while it sends"),
    ("max_total_buffered", int, 1, "B", "bytes that may wait for clients to read them, in all"),
)


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits of clients", "Those beyond a limit are closed. None has a default.")
    for name, kind, least, letter, what in LIMITS:
        group.add_argument(
            f"--{name.replace('_', '-')}", type=number_type(kind, least, LONGEST if letter == "S" else MOST),
            metavar=letter, help=what,
        )  # fmt: skip
    group.add_argument(
        "--internet", action="store_true", help="the limits that a server needs that anybody may reach, unless given"
    )


def limit_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those that were given, as options of a server."""
    values = {name: getattr(arguments, name) for name, *_ in LIMITS}
    options = {name: value for name, value in values.items() if value is not None}
    return {**options, "preset": "internet"} if arguments.internet else options
