"""What get_extra_info("socket") gives: the socket under a transport, to be looked at and tuned, not used or closed."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Generator
from typing import Any, NoReturn

__all__ = ["ListeningSocket", "TransportSocket", "unix_names"]


class _Borrowed:
    """A socket that belongs to somebody else.  asyncio: "asyncio.trsock.TransportSocket"."""

    def fileno(self) -> int:
        """The descriptor, or -1 once it is closed."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _borrow(self) -> Generator[socket.socket, None, None]:
        number = self.fileno()
        if number < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        borrowed = socket.socket(fileno=number)
        try:
            yield borrowed
        finally:
            borrowed.detach()

    @property
    def family(self) -> int:
        with self._borrow() as borrowed:
            return borrowed.family

    @property
    def type(self) -> int:
        with self._borrow() as borrowed:
            return borrowed.type

    @property
    def proto(self) -> int:
        with self._borrow() as borrowed:
            return borrowed.proto

    def getsockname(self) -> Any:
        with self._borrow() as borrowed:
            return borrowed.getsockname()

    def getpeername(self) -> Any:
        with self._borrow() as borrowed:
            return borrowed.getpeername()

    def getsockopt(self, *arguments: Any) -> Any:
        with self._borrow() as borrowed:
            return borrowed.getsockopt(*arguments)

    def setsockopt(self, *arguments: Any) -> None:
        with self._borrow() as borrowed:
            borrowed.setsockopt(*arguments)

    def dup(self) -> socket.socket:
        """A socket of its own on the same connection."""
        with self._borrow() as borrowed:
            copy = borrowed.dup()
        copy.setblocking(False)
        return copy

    def get_inheritable(self) -> bool:
        with self._borrow() as borrowed:
            return borrowed.get_inheritable()

    def setblocking(self, flag: bool) -> None:
        """Refused unless it stays as it is: not blocking."""
        if flag:
            raise ValueError("transport sockets cannot be blocking")

    def settimeout(self, value: float | None) -> None:
        """Refused unless it stays as it is: 0."""
        if value != 0:
            raise ValueError("transport sockets can only have the timeout 0")

    def gettimeout(self) -> float:
        return 0.0

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __repr__(self) -> str:
        number = self.fileno()
        if number < 0:
            return f"<{type(self).__name__} [closed]>"
        with self._borrow() as borrowed:
            family, kind = socket.AddressFamily(borrowed.family).name, socket.SocketKind(borrowed.type).name
            names = f"laddr={self.getsockname()!r}"
            with contextlib.suppress(OSError):
                names += f", raddr={self.getpeername()!r}"
            return f"<{type(self).__name__} fd={number}, family={family}, type={kind}, proto={borrowed.proto}, {names}>"


def _refused(name: str) -> Callable[..., NoReturn]:
    def refuse(self: _Borrowed, *_arguments: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} does not support {name}() method; the transport has it")

    refuse.__name__ = name
    return refuse


for _name in (
    "accept", "bind", "close", "connect", "connect_ex", "detach", "listen", "makefile", "recv", "recv_into",
    "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "send", "sendall", "sendfile", "sendmsg",
    "sendmsg_afalg", "sendto", "shutdown",
):  # fmt: skip
    setattr(_Borrowed, _name, _refused(_name))


class TransportSocket(_Borrowed):
    """That of a transport."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def fileno(self) -> int:
        """The descriptor, or -1 once it is closed."""
        number: int = self._transport._fileno()
        return number

    def getsockname(self) -> Any:
        name = self._transport._sockname()
        return super().getsockname() if name is None else name

    def getpeername(self) -> Any:
        name = self._transport._peername()
        return super().getpeername() if name is None else name


def unix_names(number: int) -> tuple[Any, Any]:
    """What getsockname() and getpeername() say of a Unix socket's descriptor, None for what they do not."""
    try:
        borrowed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=number)
    except (OSError, ValueError):
        # Somebody else has closed it.
        return None, None
    try:
        own = borrowed.getsockname()
        try:
            return own, borrowed.getpeername()
        except OSError:
            return own, None
    except OSError:
        return None, None
    finally:
        borrowed.detach()


class ListeningSocket(_Borrowed):
    """One that a server listens on."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening

    def fileno(self) -> int:
        """The descriptor, or -1 once it is closed."""
        return self._listening.fileno()
