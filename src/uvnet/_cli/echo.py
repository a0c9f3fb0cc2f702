"""python -m uvnet echo: sends back whatever it gets."""

from __future__ import annotations

import argparse
from typing import Any

import uvnet
from uvnet._cli.endpoint import Endpoint, endpoint_type
from uvnet._cli.over_quic import add_quic_options, echo_streams
from uvnet._cli.program import add_parser, explain, peer_of, run, say, serve
from uvnet._cli.security import add_server_options, server_options

__all__ = ["add_echo"]

DEFAULT = "127.0.0.1:8124"


def add_echo(subcommands: Any) -> None:
    parser = add_parser(
        subcommands,
        "echo",
        "an echo server",
        "Send back to every client what it sends. Ends with Ctrl-C.",
        _start,
    )
    parser.add_argument(
        "address",
        nargs="?",
        type=endpoint_type,
        default=DEFAULT,
        metavar="ADDRESS",
        help="where to listen (default: %(default)s); port 0 takes any free one",
    )
    parser.add_argument("--tls", action="store_true", help="speak TLS; --cert is needed")
    add_quic_options(parser, "--cert is needed")
    add_server_options(parser)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="report each connection on stderr"
    )


def _start(arguments: argparse.Namespace) -> int:
    if arguments.quic:
        return run(echo_streams(arguments.address, arguments.verbose, arguments.alpn, server_options(arguments)))
    return run(_echo(arguments.address, arguments.verbose, server_options(arguments) if arguments.tls else None))


async def _echo(endpoint: Endpoint, verbose: bool, security: Any) -> None:
    def on_connection(socket: uvnet.Socket) -> None:
        peer = peer_of(socket)
        # A client that resets its connection is no error of this program.
        socket.on("error", lambda error: report(f"{peer}: {explain(error)}"))
        report(f"{peer}: connected")
        socket.on("close", lambda _: report(f"{peer}: closed, {socket.bytes_written} bytes echoed"))
        socket.pipe(socket)

    def report(text: str) -> None:
        if verbose:
            say(text)

    if security is None:
        await serve(uvnet.create_server(on_connection), endpoint)
    else:
        await serve(uvnet.tls.create_server(connection_listener=on_connection, **security), endpoint)
