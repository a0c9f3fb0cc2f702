"""Text that names a host and a port: what tells it from the path of a Unix socket.

Node takes every text that is no number for a path; here one that is an address is a mistake, and is told so.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from uvnet.addresses.ip import is_ip
from uvnet.errors.codes import NetValueError, invalid_value

__all__ = ["HostPort", "is_number", "parse_host_port", "port_comes_first"]

_WITH_PORT = re.compile(r"(?:\[(?P<bracketed>[^\[\]/\0]+)\]|(?P<plain>[\w.*%-]*)):(?P<port>\w*)")


class HostPort(NamedTuple):
    """What a text names.  `port` is None where there is none, and not always a number."""

    host: str
    port: str | None
    bracketed: bool = False


def parse_host_port(text: str) -> HostPort | None:
    """The host and port that `text` names: "127.0.0.1", "localhost:80", "[::1]:80"; None where it is a path."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if is_ip(bare) or text.lower() == "localhost":
        return HostPort(bare, None, bare is not text)
    found = _WITH_PORT.fullmatch(text)
    if found is not None:
        bracketed = found["bracketed"]
        return HostPort(bracketed or found["plain"], found["port"], bracketed is not None)
    host, _, port = text.rpartition(":")
    # A port behind an IPv6 address without brackets.
    return HostPort(host, port) if is_ip(host) else None


def is_number(port: str) -> bool:
    """Whether it is the text of a port, as far as digits tell."""
    return port.isascii() and port.isdecimal()


def port_comes_first(call: str, text: str, second: Any, may_follow: bool) -> NetValueError | None:
    """The error of a call whose first argument is `text`, where that is no path of a Unix socket, or None.

    `second` is the argument after it, a port where the two were exchanged; `may_follow` says whether a number may
    follow a path.
    """
    found = parse_host_port(text)
    if found is None:
        if may_follow or isinstance(second, bool) or not isinstance(second, int):
            return None
        found = HostPort(text, None)
    host, port, _ = found
    if port is None:
        taken = "an address" if is_ip(host) else "the name of a host"
        port = str(second) if isinstance(second, int | str) else "port"
    elif is_number(port):
        taken = "a host and a port"
    else:
        taken = f"a host and a port, which {port!r} cannot be"
        port = "port"
    example = f"{call}({port}, {host!r})" if host else f"{call}({port})"
    return invalid_value(
        "path", text, f"is taken for {taken}, and the port comes first, as in {example}; "
        f"the Unix socket of that name is {f'./{text}'!r}",
    )  # fmt: skip
