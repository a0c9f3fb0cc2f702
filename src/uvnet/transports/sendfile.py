"""sendfile() of an event loop: a file to a transport, by sendfile(2) where that can be.  asyncio: "loop.sendfile()"."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket as _socket
import stat
from typing import Any

from uvnet.transports.secure_transport import SecureTransport
from uvnet.transports.transport import Transport

__all__ = ["sendfile", "sendfile_native", "sock_sendfile"]

MOST_AT_ONCE = 1 << 30  # bytes, of sendfile(2)
PIECE = 16384  # bytes written to learn when the system takes more
BLOCK = 262144  # bytes read at once where there is no sendfile(2)


def _check(file: Any, offset: int, count: int | None) -> None:
    """Raise what asyncio raises for arguments."""
    if "b" not in getattr(file, "mode", "b"):
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
        source = file.fileno()
        status = os.fstat(source)
    except (AttributeError, io.UnsupportedOperation, OSError) as error:
        raise asyncio.SendfileNotAvailableError("not a regular file") from error
    if not stat.S_ISREG(status.st_mode):
        raise asyncio.SendfileNotAvailableError("not a regular file")
    size = status.st_size
    end = size if count is None else min(offset + count, size)
    place = offset
    with _sending(transport):
        try:
            while place < end:
                await transport._until_empty()
                try:
                    sent = os.sendfile(transport._fileno(), source, place, min(end - place, MOST_AT_ONCE))
                except BlockingIOError:
                    piece = os.pread(source, min(PIECE, end - place), place)
                    transport._write_piece(piece)
                    sent = len(piece)
                except (ConnectionError, BrokenPipeError) as error:
                    transport._force_close(error)
                    raise
                except OSError as error:
                    if place > offset:
                        raise
                    raise asyncio.SendfileNotAvailableError("sendfile(2) refuses the file") from error
                if sent == 0:
                    break
                place += sent
            await transport._until_empty()
        finally:
            # Where it is known how far it got, a file is left there.
            if place > offset:
                with contextlib.suppress(OSError, ValueError):
                    file.seek(place)
    return place - offset


async def _copy(loop: Any, transport: Any, file: Any, offset: int, count: int | None) -> int:
    """By reading and writing."""
    seekable = hasattr(file, "seek") and (not hasattr(file, "seekable") or file.seekable())
    if offset or seekable:
        file.seek(offset)
    total = 0
    try:
        while count is None or total < count:
            await transport._until_empty()
            wanted = BLOCK if count is None else min(BLOCK, count - total)
            block = await loop.run_in_executor(None, file.read, wanted)
            if not block:
                break
            transport._write_piece(block)
            total += len(block)
        await transport._until_empty()
    finally:
        if total > 0 and seekable:
            file.seek(offset + total)
    return total


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
    file.seek(offset)
    total = 0
    try:
        while count is None or total < count:
            wanted = BLOCK if count is None else min(BLOCK, count - total)
            block = await loop.run_in_executor(None, file.read, wanted)
            if not block:
                break
            await loop.sock_sendall(sock, block)
            total += len(block)
    finally:
        if total > 0:
            file.seek(offset + total)
    return total
