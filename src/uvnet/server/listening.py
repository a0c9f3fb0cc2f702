"""Arguments of listen() and of the Server constructor, checked, and what a path needs beside its socket.

Node: "server.listen()"; rules 1.1 to 1.3 and 1.6.
"""

from __future__ import annotations

import contextlib
import os
import socket as _socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from uvnet._accept.sharing import listening_source
from uvnet.addresses.endpoint import check_host, is_pipe_name, normalize
from uvnet.arguments.checks import check_path, check_port, reject_unknown, to_number
from uvnet.arguments.keywords import ListenKeywords, ServerKeywords
from uvnet.errors.codes import NetValueError, invalid_type, invalid_value, out_of_range
from uvnet.socket.system_options import LISTENING_OPTIONS, SystemOption, parse_system_options

__all__ = ["ListenOptions", "bound_inode", "open_up", "parse_listen_options", "unlink_if_same"]

DEFAULT_BACKLOG = 511

_LISTEN_OPTIONS = frozenset(ListenKeywords.__annotations__)
SERVER_OPTIONS = frozenset(ServerKeywords.__annotations__)


class ListenOptions(NamedTuple):
    """What listen() has been asked to do, checked.  Exactly one of handle, path and port is meant."""

    handle: Any
    path: str | None
    port: int
    host: str | None
    backlog: int
    ipv6_only: bool
    reuse_port: bool
    readable_all: bool
    writable_all: bool
    shared: bool  # on a socket that another process has
    system: dict[str, SystemOption]


def parse_listen_options(
    arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> tuple[ListenOptions, Callable[..., Any] | None]:
    """The options and the callback of listen(); raises TypeError or ValueError (rules 1.2 and 1.3)."""
    arguments, keywords = _name_a_handle(arguments, keywords)
    names: tuple[str, ...] = ("host", "backlog")
    if len(arguments) > 1 and isinstance(arguments[1], int):
        # listen(port, backlog)
        names = ("backlog",)
    options, callback = normalize("listen", arguments, keywords, names)
    reject_unknown(options, _LISTEN_OPTIONS, "listen()")
    handle = options.get("handle", options.get("fd"))
    # Node looks for a port or a path then.
    useless = "fd" in options and (isinstance(handle, bool) or not isinstance(handle, int) or handle < 0)
    if useless:
        handle = None
    if handle is None and options.get("port") is None and options.get("path") is None:
        # listen(), listen(None) and listen(callback) mean any free port, but not a mapping or keywords without one.
        given = bool(options) or bool(arguments and isinstance(arguments[0], Mapping))
        if given and (useless or "port" not in options):
            raise _no_port_or_path(options)
    backlog = _check_backlog(options.get("backlog"))
    flags = {
        name: bool(options.get(name, False))
        for name in ("ipv6_only", "reuse_port", "readable_all", "writable_all")
    }
    own = flags["reuse_port"] or bool(options.get("exclusive", False))
    flags["shared"] = handle is None and not own and listening_source() is not None
    system = parse_system_options(options, LISTENING_OPTIONS)
    if handle is not None:
        handle = _check_handle(handle)
        return ListenOptions(handle, None, 0, None, backlog, **flags, system=system), callback
    host = check_host(options.get("host"), "options.host")
    port = options.get("port")
    if port is not None:
        if isinstance(port, bool) or not isinstance(port, int | float | str):
            raise invalid_value("options", {"port": port})
        port = check_port(port, "options.port", "options.port")
        return ListenOptions(None, None, port, host, backlog, **flags, system=system), callback
    path = options.get("path")
    if path is not None:
        if not is_pipe_name(path) and not isinstance(path, bytes):
            raise invalid_value("options.path", path)
        path = check_path(path, "options.path")
        if path.startswith("\0") and (flags["readable_all"] or flags["writable_all"]):
            raise invalid_value(
                "options", {"path": path},
                "can not set readable_all or writable_all when path is an abstract unix socket",
            )  # fmt: skip
        return ListenOptions(None, path, 0, None, backlog, **flags, system=system), callback
    return ListenOptions(None, None, 0, host, backlog, **flags, system=system), callback


def _no_port_or_path(options: Mapping[str, Any]) -> NetValueError:
    return invalid_value("options", dict(options), 'must have the property "port" or "path"')


def _name_a_handle(
    arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Turn listen(handle[, backlog][, callback]) into the form with keywords."""
    if not arguments:
        return arguments, keywords
    first = arguments[0]
    if isinstance(first, int | float | str | bytes | os.PathLike | Mapping | None) or callable(first):
        return arguments, keywords
    rest = list(arguments[1:])
    named: dict[str, Any] = {**keywords, "handle": first}
    if rest and isinstance(rest[0], int) and not isinstance(rest[0], bool):
        named["backlog"] = rest.pop(0)
    if rest and callable(rest[0]):
        named["callback"] = rest.pop(0)
    if any(value is not None for value in rest):
        raise TypeError(f"listen() does not know what to do with {rest[0]!r}")
    return (), named


def _check_handle(value: Any) -> Any:
    """A server or a socket.socket as it is, anything else with a descriptor as the descriptor."""
    if isinstance(value, _socket.socket) or hasattr(value, "_take_listening_socket"):
        return value
    descriptor = getattr(value, "fd", value)
    if isinstance(descriptor, bool) or not isinstance(descriptor, int):
        raise invalid_value("options", value)
    if not 0 <= descriptor <= 2**31 - 1:
        raise out_of_range("options.fd", ">= 0 and <= 2147483647", descriptor)
    return descriptor


def _check_backlog(value: Any) -> int:
    if value is None:
        return DEFAULT_BACKLOG
    if isinstance(value, str):
        number = to_number(value)
        value = int(number) if isinstance(number, int) or number.is_integer() else value
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type("options.backlog", "of type int", value)
    if not 0 <= value <= 2**31 - 1:
        raise out_of_range("options.backlog", ">= 0 and <= 2147483647", value)
    return value or DEFAULT_BACKLOG


def open_up(path: str, readable: bool, writable: bool) -> None:
    """Add r and w for everybody to the mode that umask left (decision 12)."""
    if readable or writable:
        mode = os.stat(path).st_mode & 0o7777
        os.chmod(path, mode | (0o444 if readable else 0) | (0o222 if writable else 0))


def bound_inode(path: str) -> tuple[int, int, int] | None:
    """What tells the socket file at `path` from any other, and who bound it; None for an abstract name.

    A forked child has the same server, but the file is its parent's.
    """
    if path.startswith("\0"):
        return None
    status = os.stat(path)
    return os.getpid(), status.st_dev, status.st_ino


def unlink_if_same(path: str, inode: tuple[int, int, int] | None, new: bool = False) -> None:
    """Remove the socket file, if it is still the one that was bound (decision 10).

    A `new` one, which was bound just now, may have no inode yet.
    """
    # Where somebody else removed it, or took the right to, the server is closed all the same.
    with contextlib.suppress(OSError):
        if new and inode is None:
            inode = bound_inode(path)
        if inode is not None and bound_inode(path) == inode:
            os.unlink(path)
