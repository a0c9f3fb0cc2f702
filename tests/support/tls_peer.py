"""The other end of a TLS connection, on one of Python's blocking sockets: does what a test says, step by step.

It is for threads: `await asyncio.to_thread(...)`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from typing import Any

__all__ = ["Peer", "accepted", "connected", "pair_socket", "reset"]

LIMIT = 20  # seconds, for each system call


def reset(sock: socket.socket) -> None:
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def pair_socket() -> tuple[socket.socket, int]:
    """A blocking socket that listens, and its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(LIMIT)
    return listening, listening.getsockname()[1]


class Peer:
    """TLS by hand: an SSLObject, so that every record leaves when the test says so."""

    def __init__(
        self, raw: socket.socket, context: ssl.SSLContext, server_side: bool = False, hostname: str = "localhost"
    ) -> None:
        raw.settimeout(LIMIT)
        self.raw = raw
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side,
            server_hostname=None if server_side else hostname,
        )  # fmt: skip

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.raw.close()

    def shake_hands(self) -> Peer:
        self._do(self.tls.do_handshake)
        return self

    def send(self, data: Any) -> None:
        view = memoryview(data)
        while view:
            view = view[self._do(self.tls.write, view[:16384]) :]

    def records(self, data: bytes) -> bytes:
        """What send() would have sent."""
        self.tls.write(data)
        return self._outgoing.read()

    def receive(self) -> bytes:
        """Something; nothing after a close_notify.  Raises EOFError at an end without one."""
        data: bytes = self._do(self.tls.read, 65536)
        return data

    def receive_exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self.receive()
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def receive_all(self) -> tuple[bytes, str]:
        """Everything, and how it ended: "notified", "cut" or "reset"."""
        data = bytearray()
        try:
            while piece := self.receive():
                data += piece
        except (EOFError, ssl.SSLEOFError):
            return bytes(data), "cut"
        except ssl.SSLZeroReturnError:
            pass
        except ConnectionError:
            return bytes(data), "reset"
        return bytes(data), "notified"

    def notify(self) -> None:
        """Send a close_notify, and wait for nothing."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self._flush()

    def raw_end(self) -> bool:
        """Whether the connection ends now, without another byte."""
        try:
            return self.raw.recv(1) == b""
        except ConnectionError:
            return True

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.raw.sendall(self._outgoing.read())

    def _do(self, operation: Any, *arguments: Any) -> Any:
        while True:
            try:
                result = operation(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                data = self.raw.recv(65536)
                if not data:
                    raise EOFError from None
                self._incoming.write(data)
            except ssl.SSLZeroReturnError:
                raise
            except ssl.SSLError:
                # The alert.
                with contextlib.suppress(OSError):
                    self._flush()
                raise
            else:
                self._flush()
                return result


def connected(port: int, context: ssl.SSLContext, **options: Any) -> Peer:
    """A client that has shaken hands."""
    raw = socket.create_connection(("127.0.0.1", port))
    try:
        return Peer(raw, context, **options).shake_hands()
    except BaseException:
        raw.close()
        raise


def accepted(listening: socket.socket, context: ssl.SSLContext) -> Peer:
    """A server's end that has shaken hands."""
    raw, _ = listening.accept()
    try:
        return Peer(raw, context, server_side=True).shake_hands()
    except BaseException:
        raw.close()
        raise
