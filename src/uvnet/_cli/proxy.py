"""python -m uvnet proxy: passes every connection on to another address, both ways."""

from __future__ import annotations

import argparse
from typing import Any

import uvnet
from uvnet._cli.endpoint import endpoint_type
from uvnet._cli.program import add_parser, explain, number_type, run, say, serve

__all__ = ["add_proxy"]


def add_proxy(subcommands: Any) -> None:
    parser = add_parser(
        subcommands,
        "proxy",
        "pass connections on to another address",
        "Pass every connection on to TARGET, both ways and with each side's end. Ends with Ctrl-C.",
        _start,
    )
    parser.add_argument("listen", type=endpoint_type, metavar="LISTEN", help="where to listen")
    parser.add_argument("target", type=endpoint_type, metavar="TARGET", help="where to connect")
    parser.add_argument(
        "--proxy-protocol-in",
        action="store_true",
        help="each client begins with a PROXY protocol header, version 1 or 2; others are refused",
    )
    parser.add_argument(
        "--proxy-protocol-out",
        type=int,
        choices=(1, 2),
        help="begin each connection to TARGET with such a header, of this version",
    )
    parser.add_argument(
        "--connect-timeout",
        type=number_type(float, 0.001, 86_400),
        default=10,
        metavar="S",
        help="seconds that TARGET has to accept (default: %(default)s)",
    )
    parser.add_argument(
        "--max-connections",
        type=number_type(int, 0, 2**31 - 1),
        metavar="N",
        help="clients at the same time; those beyond are closed at once (default: no limit)",
    )


def _start(arguments: argparse.Namespace) -> int:
    proxy = uvnet.create_proxy(
        arguments.target.options(),
        accept_proxy_protocol=arguments.proxy_protocol_in,
        send_proxy_protocol=arguments.proxy_protocol_out,
        connect_timeout=arguments.connect_timeout,
        max_connections=arguments.max_connections,
    )
    # The failure of one connection; the client sees that it is closed.
    proxy.on("upstreamError", lambda error, client: say(explain(error)))
    return run(serve(proxy, arguments.listen))
