"""python -m uvnet serve: a program in several processes that are kept running, see uvnet.cluster.serve()."""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import uvnet
from uvnet import cluster
from uvnet._cli.endpoint import Endpoint, endpoint_type
from uvnet._cli.program import add_parser, number_type
from uvnet._cli.status_table import show_status

__all__ = ["add_serve"]

LONGEST = 86_400  # seconds


def add_serve(subcommands: Any) -> None:
    def start(arguments: argparse.Namespace) -> int:
        if arguments.target is not None:
            return _serve(arguments)
        if arguments.status is None:
            parser.error("MODULE:NAME is missing, or --status SOCKET")
        return show_status(arguments.status)

    parser = add_parser(
        subcommands,
        "serve",
        "run a server in several processes, and keep them running",
        "Run what NAME of MODULE is in several worker processes, which share what they listen on, and replace those "
        "that die. SIGHUP: a rolling restart; SIGTERM: the end, gracefully; Ctrl-C: the same, and at once when it "
        "comes again.",
        start,
    )
    parser.add_argument(
        "target",
        nargs="?",
        type=_target_type,
        metavar="MODULE:NAME",
        help="a function or coroutine function that makes its servers; with --listen one that is given connections",
    )
    parser.add_argument(
        "--workers",
        type=_workers_type,
        default="auto",
        metavar="N",
        help='how many processes; "auto" (default): as many as there are CPUs for this program',
    )
    parser.add_argument(
        "--listen",
        type=endpoint_type,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="make a server that listens there, for which NAME is the connection listener; may be repeated",
    )
    parser.add_argument(
        "--status",
        metavar="SOCKET",
        help="tell at this Unix socket how the workers are; without MODULE:NAME: show it",
    )
    for name, default, what in (
        ("start", 30, "that a worker has to listen"),
        ("shutdown", 30, "that the connections of a worker have to finish"),
        ("heartbeat", 30, "without an answer after which a worker is replaced; 0: never"),
    ):
        parser.add_argument(
            f"--{name}-timeout",
            type=number_type(float, 0, LONGEST),
            default=default,
            metavar="S",
            help=f"seconds {what} (default: %(default)s)",
        )


def _target_type(text: str) -> tuple[str, str]:
    module, colon, name = text.partition(":")
    if not (colon and module and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not MODULE:NAME")
    return module, name


def _workers_type(text: str) -> Any:
    return text if text == "auto" else number_type(int, 1, 1024)(text)


def _serve(arguments: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    module, name = arguments.target
    cluster.serve(
        functools.partial(_run, module, name, arguments.listen),
        workers=arguments.workers,
        start_timeout=arguments.start_timeout,
        shutdown_timeout=arguments.shutdown_timeout,
        heartbeat_timeout=arguments.heartbeat_timeout,
        status=arguments.status,
    )
    return 0


# === In a worker ===


def _run(module: str, name: str, endpoints: Sequence[Endpoint]) -> Any:
    target = _find(module, name)
    return _listen(target, endpoints) if endpoints else target()


def _find(module: str, name: str) -> Callable[..., Any]:
    """What MODULE:NAME means; raises what importing it raises, and ImportError or TypeError."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ImportError(f"the module {module!r} has no {name!r}") from None
    if not callable(found):
        raise TypeError(f"{module}:{name} is no function, but of type {type(found).__name__}")
    return found  # type: ignore[no-any-return]


async def _listen(listener: Callable[..., Any], endpoints: Sequence[Endpoint]) -> None:
    """Servers for the listener, until they are closed."""
    servers = []
    for endpoint in endpoints:
        server = uvnet.create_server(listener)
        # A primary that was killed has left its file, and is to be started again.
        server.listen(**endpoint.options(), replace_stale=endpoint.path is not None)
        servers.append(server)
        await uvnet.once(server, "listening")
    await asyncio.gather(*(server.closed() for server in servers))
