"""python -m uvnet proxy: passes every connection on to another address, both ways."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import uvnet
from uvnet._cli.endpoint import endpoint_type
from uvnet._cli.limits import add_limit_options, limit_options
from uvnet._cli.program import (
    add_parser,
    explain,
    keep_showing,
    number_type,
    peer_of,
    run,
    say,
    serve,
)
from uvnet._cli.security import (
    add_client_options,
    add_server_options,
    client_options,
    server_options,
)
from uvnet._cli.traffic import Totals, amount, on_request, seconds_since
from uvnet.addresses.address import bracketed

if TYPE_CHECKING:
    from uvnet.arguments.keywords import Drop

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
    parser.add_argument("--tls", action="store_true", help="clients speak TLS, which ends here; --cert is needed")
    add_server_options(parser)
    parser.add_argument("--upstream-tls", action="store_true", help="speak TLS to TARGET")
    add_client_options(parser, "--upstream-tls")
    parser.add_argument(
        "--connect-timeout",
        type=number_type(float, 0.001, 86_400),
        default=10,
        metavar="S",
        help="seconds that TARGET has to accept (default: %(default)s)",
    )
    parser.add_argument(
        "--idle-timeout",
        type=number_type(float, 0.001, 2_000_000),
        metavar="S",
        help="seconds without traffic after which both sides are cut (default: never)",
    )
    parser.add_argument(
        "--max-connections",
        type=number_type(int, 0, 2**31 - 1),
        metavar="N",
        help="clients at the same time; those beyond are closed at once (default: no limit)",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="report connections, and totals at the end, on stderr; SIGUSR1 asks for totals at any time",
    )
    add_limit_options(parser)


def _start(arguments: argparse.Namespace) -> int:
    return run(_proxy(arguments))


async def _proxy(arguments: argparse.Namespace) -> None:
    proxy = uvnet.create_proxy(
        arguments.target.options(),
        accept_proxy_protocol=arguments.proxy_protocol_in,
        send_proxy_protocol=arguments.proxy_protocol_out,
        connect_timeout=arguments.connect_timeout,
        idle_timeout=arguments.idle_timeout,
        max_connections=arguments.max_connections,
        tls=server_options(arguments) if arguments.tls else None,
        upstream_tls=client_options(arguments) if arguments.upstream_tls else None,
        **limit_options(arguments),
    )
    totals = Totals(proxy)

    def failed(error: BaseException, client: uvnet.Socket) -> None:
        # The failure of one connection; the client sees that it is closed.
        totals.failed += 1
        say(f"{peer_of(client)}: {explain(error)}")

    def refused(drop: Drop) -> None:
        totals.refused += 1
        if arguments.verbose:
            say(f"{_who(drop)}: refused, {drop['reason']}")

    def passed_on(client: uvnet.Socket, upstream: uvnet.Socket) -> None:
        totals.passed_on += 1
        if arguments.verbose:
            _follow(client, upstream, str(arguments.target))

    proxy.on("upstreamError", failed)
    proxy.on("drop", refused)
    proxy.on("upstream", passed_on)
    on_request(lambda: say(str(totals)))
    watched = sys.stderr is not None and sys.stderr.isatty()
    showing = asyncio.ensure_future(keep_showing(totals.at_the_moment)) if watched else None
    try:
        await serve(proxy, arguments.listen)
    finally:
        if showing is not None:
            showing.cancel()
            await asyncio.wait([showing])
        if (arguments.verbose or watched) and proxy.listening:
            say(str(totals))


def _follow(client: uvnet.Socket, upstream: uvnet.Socket, target: str) -> None:
    """Say what becomes of one connection."""
    peer = peer_of(client)
    begin = time.monotonic()

    def connected() -> None:
        say(f"{peer}: passed on to {target}")
        # Before that it is the proxy's to tell.
        upstream.on("error", lambda error: say(f"{peer}: {target}: {explain(error)}"))

    def closed(_had_error: bool) -> None:
        read, written = amount(client.bytes_read), amount(client.bytes_written)
        say(f"{peer}: closed after {seconds_since(begin)}, {read} in, {written} out")

    upstream.on("secureConnect" if isinstance(upstream, uvnet.tls.TLSSocket) else "connect", connected)
    client.on("error", lambda error: say(f"{peer}: {explain(error)}"))
    client.on("close", closed)


def _who(drop: Drop) -> str:
    """The other end of a connection that has no socket."""
    address, port = drop.get("remote_address"), drop.get("remote_port")
    if address is None or port is None:
        return "a Unix socket"
    return f"{bracketed(address)}:{port}"
