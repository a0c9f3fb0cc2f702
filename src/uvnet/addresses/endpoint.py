"""Where to connect or to listen, as calls are given it: Node's overloads, turned into options.

Node: "server.listen()", "socket.connect()"; rule 1.2.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uvnet.addresses.address import Address
from uvnet.addresses.host_port import port_comes_first
from uvnet.addresses.ip import text_of
from uvnet.arguments.checks import to_number
from uvnet.errors.codes import invalid_callback, invalid_type, invalid_value

__all__ = ["check_host", "check_hosts", "is_pipe_name", "normalize"]


def is_pipe_name(value: object) -> bool:
    """A str (or path object) that is a path rather than a port (rule 1.2.2)."""
    if isinstance(value, os.PathLike):
        return True
    return isinstance(value, str) and not to_number(value) >= 0


def normalize(
    call: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[dict[str, Any], Callable[..., Any] | None]:
    """Options and callback from (options[, callback]), (path[, ...]) or (port[, ...]) (rule 1.2.1).

    `call` is the name of what was called, and `names` are what the positional arguments after a port are called.
    Text that is an address is no path here; Node takes it for one.
    """
    callback = None
    rest = list(arguments)
    while rest and rest[-1] is None and len(rest) > 1:
        rest.pop()
    if rest and callable(rest[-1]) and not isinstance(rest[-1], Mapping):
        callback = rest.pop()
    options: dict[str, Any] = {}
    if rest:
        first, rest = rest[0], rest[1:]
        if isinstance(first, Mapping | Address):
            options.update(first._asdict() if isinstance(first, Address) else first)
            names = ()
        elif is_pipe_name(first):
            options["path"] = first
            names = tuple(name for name in names if name != "host")
            if isinstance(first, str):
                # Where nothing may follow a path, a number is a port in the wrong place.
                mistake = port_comes_first(call, first, rest[0] if rest else None, bool(names))
                if mistake is not None:
                    raise mistake
        else:
            options["port"] = first
        if len(rest) > len(names):
            raise TypeError(f"too many arguments, or a callback that cannot be called: {rest[-1]!r}")
        for name, value in zip(names, rest, strict=False):
            if value is not None:
                options[name] = value
    options.update(keywords)
    given = options.pop("callback", None)
    if given is not None:
        callback = given
    if callback is not None and not callable(callback):
        raise invalid_callback(callback)
    return options, callback


def check_host(value: Any, name: str) -> str | None:
    """A host name, or an address as text or of `ipaddress`; None where there is none.  Raises TypeError or ValueError."""
    if value is None:
        return None
    host = text_of(value)
    if host is None:
        raise invalid_type(name, "of type str, IPv4Address or IPv6Address", value)
    if "\0" in host:
        raise invalid_value(name, host, "must not contain a null character")
    return host or None


def check_hosts(value: Any, name: str) -> tuple[str, ...]:
    """Hosts to listen on, given as one or as a sequence; none where every interface is meant.

    Raises TypeError or ValueError.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview):
        host = check_host(value, name)
        return () if host is None else (host,)
    hosts = tuple(check_host(each, name) for each in value)
    named = tuple(host for host in hosts if host is not None)
    if not named or len(named) < len(hosts):
        raise invalid_value(name, value, "must be a host or several: none of them may be missing")
    return named
