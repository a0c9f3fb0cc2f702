"""Arguments of listen() and of the Server constructor, checked.

Node: "server.listen()"; rules 1.1 to 1.3 and 1.6.
"""

from __future__ import annotations

import os
import socket as _socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from uvnet._accept.sharing import listening_source
from uvnet._accept.socket_files import SocketFile, check_socket_file
from uvnet.addresses.endpoint import check_hosts, is_pipe_name, normalize
from uvnet.arguments.checks import check_path, check_port, reject_unknown, to_number
from uvnet.arguments.keywords import ListenKeywords, ServerKeywords
from uvnet.errors.codes import NetValueError, invalid_type, invalid_value, out_of_range
from uvnet.socket.system_options import LISTENING_OPTIONS, SystemOption, parse_system_options

__all__ = ["ListenOptions", "parse_listen_options"]

DEFAULT_BACKLOG = 511

_LISTEN_OPTIONS = frozenset(ListenKeywords.__annotations__)
SERVER_OPTIONS = frozenset(ServerKeywords.__annotations__)


class ListenOptions(NamedTuple):
    """What listen() has been asked to do, checked.  Exactly one of handle, path and port is meant."""

    handle: Any
    path: str | None
    port: int
    hosts: tuple[str, ...]  # none: every interface
    backlog: int
    file: SocketFile
    ipv6_only: bool
    reuse_port: bool
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
    flags = {name: bool(options.get(name, False)) for name in ("ipv6_only", "reuse_port")}
    own = flags["reuse_port"] or bool(options.get("exclusive", False))
    flags["shared"] = handle is None and not own and listening_source() is not None
    system = parse_system_options(options, LISTENING_OPTIONS)
    if handle is not None:
        handle = _check_handle(handle)
        return ListenOptions(handle, None, 0, (), backlog, check_socket_file(options, None), **flags, system=system), callback
    hosts = check_hosts(options.get("host"), "options.host")
    port = options.get("port")
    if port is not None:
        if isinstance(port, bool) or not isinstance(port, int | float | str):
            raise invalid_value("options", {"port": port})
        port = check_port(port, "options.port", "options.port")
        return ListenOptions(None, None, port, hosts, backlog, check_socket_file(options, None), **flags, system=system), callback
    path = options.get("path")
    if path is not None:
        if not is_pipe_name(path) and not isinstance(path, bytes):
            raise invalid_value("options.path", path)
        path = check_path(path, "options.path")
        file = check_socket_file(options, path)
        if path.startswith("\0") and (file.readable_all or file.writable_all):
            raise invalid_value(
                "options", {"path": path},
                "can not set readable_all or writable_all when path is an abstract unix socket",
            )  # fmt: skip
        return ListenOptions(None, path, 0, (), backlog, file, **flags, system=system), callback
    return ListenOptions(None, None, 0, hosts, backlog, check_socket_file(options, None), **flags, system=system), callback


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
    if isinstance(value, _socket.socket) or hasattr(value, "_take_listening_sockets"):
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

