"""python -m uvnet cat: stdin to a socket, the socket to stdout, each at the pace of the slower side.

Both directions end by themselves: the end of stdin becomes a FIN, a FIN the end of stdout; the program ends when both
have.  What arrived before a connection failed is still written.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING, Any

import uvnet
from uvnet._cli.endpoint import Endpoint, describe, endpoint_type
from uvnet._cli.over_quic import accept_stream, add_quic_options, connect_stream
from uvnet._cli.program import add_parser, peer_of, run, say
from uvnet._cli.security import (
    add_client_options,
    add_server_options,
    client_options,
    server_options,
    tell_security,
)
from uvnet._cli.standard import StandardInput, StandardOutput
from uvnet._cli.traffic import amount, on_request, seconds_since

if TYPE_CHECKING:
    from uvnet.quic import QuicStream

__all__ = ["add_cat"]


def add_cat(subcommands: Any) -> None:
    parser = add_parser(
        subcommands,
        "cat",
        "stdin to a socket, the socket to stdout",
        "Connect, send stdin, and write what comes back to stdout. The end of either side is passed on, and "
        "the other goes on until it ends, too.",
        _start,
    )
    parser.add_argument(
        "address", type=endpoint_type, metavar="ADDRESS", help="where to connect, or with -l listen"
    )
    parser.add_argument(
        "-l", "--listen", action="store_true", help="wait for one connection instead of making one"
    )
    parser.add_argument("--tls", action="store_true", help="speak TLS; with -l --cert is needed")
    add_quic_options(parser, "with -l --cert is needed")
    add_client_options(parser)
    add_server_options(parser, "with -l: ")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="report connections and their TLS on stderr, every second what went through, and the sum at the end; SIGUSR1 asks "
        "for it at any time",
    )


def _start(arguments: argparse.Namespace) -> int:
    security: Any = None
    if arguments.tls or arguments.quic:
        security = server_options(arguments) if arguments.listen else client_options(arguments)
    if arguments.quic:
        return run(_cat_over_quic(arguments.address, arguments.listen, arguments.verbose, arguments.alpn, security))
    return run(_cat(arguments.address, arguments.listen, arguments.verbose, security))


async def _cat(endpoint: Endpoint, listen: bool, verbose: bool, security: Any) -> None:
    socket = await (_accept if listen else _connect)(endpoint, verbose, security)
    if verbose:
        tell_security(socket)
    await _talk(socket, verbose)


async def _cat_over_quic(endpoint: Endpoint, listen: bool, verbose: bool, alpn: str, security: Any) -> None:
    socket, stream = await (accept_stream if listen else connect_stream)(endpoint, verbose, alpn, security)
    stream.on("error", _heard_elsewhere)
    try:
        await _talk(stream, verbose)
    finally:
        # The other end has all of it by then.
        await socket.close()


async def _talk(socket: uvnet.Socket | QuicStream, verbose: bool) -> None:
    progress = _Progress(socket)
    on_request(progress.tell)
    if not verbose:
        await _join(socket)
        return
    telling = asyncio.create_task(progress.tell_every(1))
    try:
        await _join(socket)
    finally:
        telling.cancel()
        progress.tell()


class _Progress:
    """How much went through so far."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.begin = time.monotonic()

    def sums(self) -> tuple[int, int]:
        if hasattr(self.socket, "bytes_written"):
            return self.socket.bytes_written - self.socket.writable_length, self.socket.bytes_read
        return self.socket.bytes_sent, self.socket.bytes_received

    def tell(self) -> None:
        sent, received = self.sums()
        say(f"{amount(sent)} sent, {amount(received)} received, {seconds_since(self.begin)}")

    async def tell_every(self, seconds: float) -> None:
        """Where something has moved since."""
        told = self.sums()
        while True:
            await asyncio.sleep(seconds)
            if told != self.sums():
                told = self.sums()
                self.tell()


async def _connect(endpoint: Endpoint, verbose: bool, security: Any) -> uvnet.Socket:
    if security is None:
        socket = uvnet.connect(**endpoint.options(), allow_half_open=True)
    else:
        socket = uvnet.tls.connect(**endpoint.options(), **security, allow_half_open=True)
    socket.on("error", _heard_elsewhere)
    await uvnet.once(socket, "connect" if security is None else "secureConnect")
    if verbose:
        say(f"connected to {endpoint}")
    return socket


async def _accept(endpoint: Endpoint, verbose: bool, security: Any) -> uvnet.Socket:
    """The first connection; there will be no other."""
    accepted: asyncio.Future[uvnet.Socket] = asyncio.get_running_loop().create_future()

    def on_connection(socket: uvnet.Socket) -> None:
        socket.on("error", _heard_elsewhere)
        server.close()
        accepted.set_result(socket)

    server: uvnet.Server
    if security is None:
        server = uvnet.create_server(on_connection, allow_half_open=True)
    else:
        server = uvnet.tls.create_server(connection_listener=on_connection, allow_half_open=True, **security)
    server.listen(**endpoint.options())
    await uvnet.once(server, "listening")
    if verbose:
        say(f"listening on {describe(server.address())}")
    socket = await accepted
    if verbose:
        say(f"connection from {peer_of(socket)}")
    return socket


def _heard_elsewhere(_error: BaseException) -> None:
    """finished() raises it, but an error may come before that listens."""


async def _join(socket: uvnet.Socket | QuicStream) -> None:
    sending = asyncio.create_task(_send(socket, StandardInput()))
    receiving = asyncio.create_task(_receive(socket, StandardOutput()))
    try:
        await uvnet.finished(socket)
    except Exception:
        # Nobody takes what stdin may still give; but what has been received is written to the end.
        sending.cancel()
        await receiving
        raise
    await asyncio.gather(sending, receiving)


async def _send(socket: uvnet.Socket | QuicStream, source: StandardInput) -> None:
    try:
        while chunk := await source.read():
            if not socket.write(chunk):
                await uvnet.once(socket, "drain")
    except OSError as error:
        socket.destroy(error)
        raise
    socket.end()


async def _receive(socket: uvnet.Socket | QuicStream, sink: StandardOutput) -> None:
    try:
        async for chunk in socket:
            await sink.write(chunk)
    except Exception as error:
        if error is not socket.errored:
            socket.destroy(error)
        else:
            # A connection that failed may have left something in its buffer.
            while rest := socket.read():
                await sink.write(rest)
        raise
    await sink.close()
