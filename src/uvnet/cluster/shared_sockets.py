"""The listening sockets of a primary, and which workers listen on them.  Node: "How it works"."""

from __future__ import annotations

import logging
import os
import socket as _socket
from collections.abc import Iterator
from typing import Any

from uvnet._accept.server_socket import open_listening_socket
from uvnet._accept.sharing import Wanted
from uvnet._accept.socket_files import bound_inode, unlink_if_same
from uvnet._accept.stale_files import bind_to_path
from uvnet._channel.dealing import RoundRobin, Share, deal_out

__all__ = ["SharedSocket", "SharedSockets"]

_log = logging.getLogger("uvnet")


class SharedSocket:
    """One of them; who listens on it is told by number."""

    def __init__(self, number: int, key: str, socket: _socket.socket, wanted: Wanted, dealt: bool) -> None:
        self.number = number
        self.key = key
        self.socket = socket
        self.wanted = wanted
        self.dealt = dealt
        # What a worker has of it, by the worker's number: a Share where its connections are dealt out.
        self.users: dict[int, Share | None] = {}
        self._inode: Any = None
        self._path: str | None = None
        self._round_robin: RoundRobin | None = None
        if dealt:
            # It owns a descriptor of its own; this one tells the address, and is what workers get.
            descriptor = os.dup(socket.fileno())
            try:
                self._round_robin = deal_out(descriptor, wanted.backlog, socket.family, self._trouble)
            except BaseException:
                os.close(descriptor)
                raise
        else:
            socket.listen(wanted.backlog)

    def add(self, number: int, channel: Any) -> None:
        """A worker will listen."""
        robin = self._round_robin
        self.users[number] = None if robin is None else robin.share(channel, self.number)

    def remove(self, number: int) -> None:
        """A worker listens no more, or is gone."""
        share = self.users.pop(number, None)
        if share is not None:
            share.gone()

    @property
    def waiting(self) -> int:
        """How many connections were accepted, and not taken by a worker yet."""
        return 0 if self._round_robin is None else self._round_robin.waiting

    def pause(self) -> None:
        """Deal nothing out until go_on()."""
        if self._round_robin is not None:
            self._round_robin.pause()

    def go_on(self) -> None:
        if self._round_robin is not None:
            self._round_robin.go_on_accepting()

    def take_returned(self) -> list[tuple[int, bytes]]:
        """The connections that no worker has been dealt, which are the caller's then."""
        return [] if self._round_robin is None else self._round_robin.take_returned()

    def give_back(self, connections: list[tuple[int, bytes]]) -> None:
        """What take_returned() gave, by this or by an earlier primary."""
        if self._round_robin is not None:
            self._round_robin.give_back(connections)

    @property
    def has_file(self) -> bool:
        """Whether there is a socket file that is removed with it."""
        return self._path is not None

    def close(self) -> None:
        """Listen no more."""
        if self._path is not None:
            unlink_if_same(self._path, self._inode)
        if self._round_robin is not None:
            self._round_robin.close()
        self.socket.close()

    def remember_file(self, path: str) -> None:
        """The socket file is removed with the socket."""
        self._path = path
        self._inode = bound_inode(path)

    def _trouble(self, error: OSError) -> None:
        _log.error("connections to %s cannot be accepted: %s", self.key, error)


class SharedSockets:
    """All of a primary."""

    def __init__(self) -> None:
        self._by_key: dict[str, SharedSocket] = {}
        self._by_number: dict[int, SharedSocket] = {}
        self._numbers = 0
        # Bound by somebody else, and not asked for yet.
        self.offered: list[_socket.socket] = []
        # Whether a socket that nobody listens on is kept for workers to come.
        self.keeps_unused = False

    def __iter__(self) -> Iterator[SharedSocket]:
        return iter(list(self._by_number.values()))

    def find(self, number: int) -> SharedSocket | None:
        return self._by_number.get(number)

    def open(self, key: str, wanted: Wanted, dealt: bool) -> SharedSocket:
        """The socket of that key, made where there is none; raises OSError."""
        found = self._by_key.get(key)
        if found is not None:
            return found
        for socket in self.offered:
            if _is_bound_to(socket, wanted):
                self.offered.remove(socket)
                return self.add(key, socket, wanted, dealt, has_file=False)
        return self.add(key, _bind(wanted), wanted, dealt)

    def add(
        self,
        key: str,
        socket: _socket.socket,
        wanted: Wanted,
        dealt: bool,
        *,
        number: int | None = None,
        has_file: bool = True,
    ) -> SharedSocket:
        """A socket that is bound already; it is taken over.

        number: which workers know it by.  has_file: whether its socket file is removed with it, where it has one.
        """
        if number is None:
            number = self._numbers + 1
        self._numbers = max(self._numbers, number)
        try:
            shared = SharedSocket(number, key, socket, wanted, dealt)
            if wanted.path is not None and has_file:
                shared.remember_file(wanted.path)
        except BaseException:
            socket.close()
            raise
        self._by_key[key] = self._by_number[shared.number] = shared
        return shared

    def remove_worker(self, number: int) -> None:
        """A worker is gone."""
        for shared in self:
            if number in shared.users:
                self.remove_user(shared, number)

    def remove_user(self, shared: SharedSocket, number: int) -> None:
        """A worker listens no more on this one."""
        shared.remove(number)
        self.close_if_unused(shared)

    def close_if_unused(self, shared: SharedSocket) -> None:
        """Close it where nobody listens on it, and none is kept for workers to come."""
        if not shared.users and not self.keeps_unused:
            self._close(shared)

    def close_unused(self) -> None:
        """Close those that nobody listens on."""
        for shared in self:
            if not shared.users:
                self._close(shared)

    def close(self) -> None:
        """Close all."""
        for shared in self:
            self._close(shared)
        while self.offered:
            self.offered.pop().close()

    def _close(self, shared: SharedSocket) -> None:
        self._by_key.pop(shared.key, None)
        self._by_number.pop(shared.number, None)
        shared.close()


def _is_bound_to(socket: _socket.socket, wanted: Wanted) -> bool:
    name = socket.getsockname()
    if wanted.path is not None:
        return bool(name == (os.fsencode(wanted.path) if isinstance(name, bytes) else wanted.path))
    if not isinstance(name, tuple) or name[1] != wanted.port:
        return False
    # No address means both families at once where that can be.
    return name[0] in (("::", "0.0.0.0") if wanted.address is None else (wanted.address,))


def _bind(wanted: Wanted) -> _socket.socket:
    def bind() -> _socket.socket:
        return _socket.socket(
            fileno=open_listening_socket(wanted.address, wanted.port, wanted.path, wanted.ipv6_only)
        )

    if wanted.path is None:
        return bind()
    return bind_to_path(bind, wanted.path, wanted.file, wanted.replaces)
