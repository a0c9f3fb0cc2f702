"""What goes with a message: a server, a socket or a socket.socket, as a descriptor and what makes an object of it.

Node: "subprocess.send(message[, sendHandle[, options]][, callback])".
"""

from __future__ import annotations

import os
import socket as _socket
from collections.abc import Callable, Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

from uvnet._loop.loop import running_record
from uvnet.errors.codes import cannot_be_sent, handle_closed, of_another_loop, several_sockets
from uvnet.server.server import Server
from uvnet.socket.socket import Socket

__all__ = ["Counter", "Sendable", "Sent", "count_by", "discard", "pack", "unpack"]

Sendable = Server | Socket | _socket.socket


class Counter:
    """Tells the process that a connection came from of its end, which may be in yet another process."""

    def __init__(self, say_closed: Callable[[int], object], number: int) -> None:
        self._say_closed = say_closed
        self._number = number

    def _connection_ended(self) -> None:
        self._say_closed(self._number)


# Of sockets that came from another process.
_counters: WeakKeyDictionary[Socket, Counter] = WeakKeyDictionary()


def count_by(socket: Any, counter: Counter) -> None:
    """Have the counter told once the connection that the socket has now is over."""
    _counters[socket] = counter
    socket._observe("close", lambda *_: _closed(socket), once=True)


def _closed(socket: Socket) -> None:
    # None where the connection was sent on.
    counter = _counters.pop(socket, None)
    if counter is not None:
        counter._connection_ended()


class Sent:
    """A handle on its way: open here until the other process has it."""

    def __init__(self, kind: str, descriptor: int) -> None:
        self.descriptor = descriptor
        self.info: dict[str, Any] = {"type": kind}
        self.unread = b""

    def delivered(self) -> Any:
        """The other process has it; who still counts it, until its end is told, or None."""
        os.close(self.descriptor)
        return None

    def failed(self) -> None:
        """It did not get there."""
        os.close(self.descriptor)


class _SentConnection(Sent):
    """A connection that its socket has given up."""

    def __init__(self, socket: Any) -> None:
        self.parcel = socket._send_away()
        super().__init__("socket", self.parcel.fileno())
        self.unread = self.parcel.unread
        self.info["writable"] = self.parcel.writable
        self.socket: Socket = socket
        self.counter = _counters.pop(socket, None)

    def delivered(self) -> Any:
        return self.parcel.delivered() or self.counter

    def failed(self) -> None:
        counter = self.counter
        if counter is not None and self.socket.destroyed:
            counter._connection_ended()
        elif counter is not None:
            # It is told of the end of the socket already.
            _counters[self.socket] = counter
        self.parcel.back()


def pack(handle: Any, keep_open: bool) -> Sent:
    """Prepare a handle for sending.

    A Socket has given up its connection then, unless `keep_open`; a Server and a socket.socket go on as they are.
    Raises TypeError for what cannot be sent, and RuntimeError for what is closed or of another loop.
    """
    if isinstance(handle, _socket.socket):
        if handle.fileno() < 0:
            raise handle_closed(handle)
        return Sent("plain", os.dup(handle.fileno()))
    if not isinstance(handle, Server | Socket):
        raise cannot_be_sent(handle)
    return _pack_ours(handle, isinstance(handle, Server), keep_open)


def _pack_ours(handle: Any, is_server: bool, keep_open: bool) -> Sent:
    if handle._record is not running_record():
        raise of_another_loop(handle)
    if is_server:
        descriptors = handle._listening_descriptors()
        if not descriptors:
            raise handle_closed(handle)
        if len(descriptors) > 1:
            raise several_sockets(handle)
        return Sent("server", os.dup(descriptors[0]))
    if handle.pending or handle.destroyed or handle.connecting:
        raise handle_closed(handle)
    if not keep_open:
        return _SentConnection(handle)
    sent = Sent("socket", os.dup(handle._connection_descriptor()))
    sent.info["writable"] = handle.writable
    return sent


def unpack(info: Mapping[str, Any], unread: bytes, descriptors: list[int]) -> Sendable:
    """What was sent, for this process, which takes the first of the descriptors."""
    given = _socket.socket(fileno=descriptors[0])
    descriptors[0] = -1
    try:
        if info["type"] == "plain":
            return given
        if info["type"] == "server":
            return Server().listen(given)
        received: Any = Socket(handle=given, writable=info["writable"])
        received._received_before(unread)
    except BaseException:
        given.close()
        raise
    return cast("Socket", received)


def discard(handle: Any) -> None:
    """Close what nobody wanted to have."""
    if isinstance(handle, Socket):
        handle.destroy()
    else:
        handle.close()
