"""`--quic` of echo and cat: their bytes on streams of QUIC sessions instead of connections."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

import uvnet
from uvnet._cli.endpoint import Endpoint, describe
from uvnet._cli.program import explain, say

if TYPE_CHECKING:
    from uvnet.quic import QuicServerSession, QuicSocket, QuicStream

__all__ = ["accept_stream", "add_quic_options", "connect_stream", "echo_streams"]

ALPN = "uvnet"  # what both ends say when nothing is said


def add_quic_options(parser: argparse.ArgumentParser, needs: str) -> None:
    parser.add_argument(
        "--quic", action="store_true", help=f"speak QUIC instead of TCP, one stream; {needs} (pip install uvnet[quic])"
    )
    parser.add_argument("--alpn", metavar="NAME", default=ALPN, help="the protocol, with --quic (default: %(default)s)")


def _bound_to(endpoint: Endpoint) -> QuicSocket:
    _refuse_path(endpoint)
    host = endpoint.host or "0.0.0.0"
    kind: Any = "udp6" if ":" in host else "udp4"
    return uvnet.create_quic_socket(endpoint={"address": host, "port": endpoint.port, "type": kind})


def _refuse_path(endpoint: Endpoint) -> None:
    if endpoint.path is not None:
        raise uvnet.NetValueError("ERR_INVALID_ARG_VALUE", "--quic needs a port: there is no QUIC on Unix sockets")


async def _listen(socket: QuicSocket, alpn: str, security: Any) -> str:
    """Where it listens."""
    await socket.listen(alpn=alpn, cert=security["cert"], key=security["key"] or security["cert"])
    return describe(socket.endpoints[0].address)


async def echo_streams(endpoint: Endpoint, verbose: bool, alpn: str, security: Any) -> None:
    """The body of `echo --quic`."""
    socket = _bound_to(endpoint)

    def report(text: str) -> None:
        if verbose:
            say(text)

    @socket.on("session")
    def arrived(session: QuicServerSession) -> None:
        peer = describe(session.remote_address)
        # A client that breaks its connection is no error of this program.
        session.on("error", lambda error: report(f"{peer}: {explain(error)}"))
        session.on("secure", lambda *_: report(f"{peer}: connected"))
        session.on("close", lambda: report(f"{peer}: closed"))
        session.on("stream", lambda stream: returned(peer, stream))

    def returned(peer: str, stream: QuicStream) -> None:
        stream.on("error", lambda error: report(f"{peer}: {explain(error)}"))
        if stream.bidirectional:
            stream.on("close", lambda: report(f"{peer}: stream {stream.id} closed, {stream.bytes_sent} bytes echoed"))
            stream.pipe(stream)
        else:
            stream.resume()

    print(f"listening on {await _listen(socket, alpn, security)}", flush=True)
    await asyncio.Event().wait()


async def connect_stream(endpoint: Endpoint, verbose: bool, alpn: str, security: Any) -> tuple[QuicSocket, QuicStream]:
    """For `cat --quic`: a stream to there."""
    _refuse_path(endpoint)
    host = endpoint.host or "localhost"
    kind: Any = "udp6" if ":" in host else "udp4"
    socket = uvnet.create_quic_socket(endpoint={"type": kind})
    session = await socket.connect(
        address=host,
        port=endpoint.port,
        type=kind,
        alpn=alpn,
        ca=security["ca"],
        servername=security["servername"],
        reject_unauthorized=security["reject_unauthorized"],
    )
    failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    session.once("error", failed.set_result)
    try:
        stream = await session.open_stream()
    except uvnet.NetRuntimeError:
        if failed.done():
            raise failed.result() from None
        raise
    if verbose:
        say(f"connected to {endpoint}")
        say(f"QUIC, {session.cipher['name']}")
    return socket, stream


async def accept_stream(endpoint: Endpoint, verbose: bool, alpn: str, security: Any) -> tuple[QuicSocket, QuicStream]:
    """For `cat --quic -l`: the first stream of the first session that opens one."""
    socket = _bound_to(endpoint)
    accepted: asyncio.Future[QuicStream] = asyncio.get_running_loop().create_future()

    def opened(stream: QuicStream) -> None:
        if accepted.done() or stream.unidirectional:
            stream.on("error", lambda _: None)
            stream.destroy()
        else:
            accepted.set_result(stream)

    @socket.on("session")
    def arrived(session: QuicServerSession) -> None:
        session.on("error", lambda _: None)
        session.on("stream", opened)

    where = await _listen(socket, alpn, security)
    if verbose:
        say(f"listening on {where}")
    stream = await accepted
    socket.server_busy = True
    if verbose:
        say(f"connection from {describe(stream.session.remote_address)}")
    return socket, stream
