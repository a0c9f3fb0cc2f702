"""sendfile() of an event loop: a file to a transport, by sendfile(2) where that can be.  asyncio: "loop.sendfile()"."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import socket as _socket
from typing import Any

from uvnet._stream.file_reading import copy_file, is_binary, leave_file_at, open_regular
from uvnet._stream.file_request import FileRequest
from uvnet.transports.secure_transport import SecureTransport
from uvnet.transports.transport import Transport

__all__ = ["sendfile", "sendfile_native", "sock_sendfile"]


def _check(file: Any, offset: int, count: int | None) -> None:
    """Raise what asyncio raises for arguments."""
    if not is_binary(file):
        raise ValueError("file should be opened in binary mode")
    if count is not None:
        if not isinstance(count, int):
            raise TypeError(f"count must be a positive integer (got {count!r})")
        if count <= 0:
            raise ValueError(f"count must be a positive integer (got {count!r})")
    if not isinstance(offset, int):
        raise TypeError(f"offset must be a non-negative integer (got {offset!r})")
    if offset < 0:
        raise ValueError(f"offset must be a non-negative integer (got {offset!r})")


async def sendfile(
    loop: Any, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
) -> int:
    """Send a file, or `count` bytes of it from `offset` on; returns how many were sent.

    Nothing else may be written meanwhile, and nothing is read.  Raises RuntimeError for a transport that is closing or
    cannot, asyncio.SendfileNotAvailableError where sendfile(2) cannot and there is to be no fallback, and the error of
    a connection that is lost.  asyncio: "loop.sendfile()".
    """
    if transport.is_closing():
        raise RuntimeError("Transport is closing")
    if type(transport) not in (Transport, SecureTransport):
        raise RuntimeError(f"sendfile is not supported for transport {transport!r}")
    _check(file, offset, count)
    if type(transport) is Transport:
        try:
            sent: int = await loop._sendfile_native(transport, file, offset, count)
            return sent
        except asyncio.SendfileNotAvailableError:
            if not fallback:
                raise
    if not fallback:
        raise RuntimeError(f"fallback is disabled and native sendfile is not supported for transport {transport!r}")
    with _sending(transport):
        return await _copy(loop, transport, file, offset, count)


async def sendfile_native(loop: Any, transport: Any, file: Any, offset: int, count: int | None) -> int:
    """By sendfile(2); raises SendfileNotAvailableError where that cannot be, and nothing was sent then."""
    try:
        regular = open_regular(file.fileno())
    except (AttributeError, io.UnsupportedOperation, OSError) as error:
        raise asyncio.SendfileNotAvailableError("not a regular file") from error
    if regular is None:
        raise asyncio.SendfileNotAvailableError("not a regular file")
    descriptor, size = regular
    end = size if count is None else min(offset + count, size)
    request = FileRequest(file, descriptor, offset, max(offset, end), None, whole=False, may_copy=False)
    with _sending(transport):
        try:
            await transport._until_empty()
            transport._send_file(request)
            await transport._until_empty(request)
        finally:
            request.stop()
            # Where it is known how far it got, a file is left there.
            if request.place > offset:
                leave_file_at(file, request.place)
    if request.refused:
        if request.place > offset:
            raise OSError(errno.EINVAL, "sendfile(2) refuses the rest of the file")
        raise asyncio.SendfileNotAvailableError("sendfile(2) refuses the file")
    request.raise_failure()
    return request.place - offset


async def _copy(loop: Any, transport: Any, file: Any, offset: int, count: int | None) -> int:
    """By reading and writing."""

    async def send(block: bytes) -> None:
        transport._write_piece(block)
        await transport._until_empty()

    await transport._until_empty()
    return await copy_file(loop, file, offset, count, send)


@contextlib.contextmanager
def _sending(transport: Any) -> Any:
    """Nobody else writes meanwhile, and the protocol gets no data."""
    reading = transport.is_reading()
    transport.pause_reading()
    transport._sends_file(True)
    try:
        yield
    finally:
        transport._sends_file(False)
        if reading:
            transport.resume_reading()


async def sock_sendfile(
    loop: Any, sock: _socket.socket, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = None
) -> int:
    """Send a file over a socket that no transport has.  asyncio: "loop.sock_sendfile()"."""
    if sock.gettimeout() != 0 and loop.get_debug():
        raise ValueError("the socket must be non-blocking")
    if sock.type != _socket.SOCK_STREAM:
        raise ValueError("only SOCK_STREAM type sockets are supported")
    _check(file, offset, count)
    return await copy_file(loop, file, offset, count, lambda block: loop.sock_sendall(sock, block))
