"""The one grammar of addresses on the command line, and how addresses are printed.

PORT             every interface to listen on, localhost to connect to
HOST:PORT        a name or an IPv4 address
[IPV6]:PORT
tcp://...        the same, as other programs write it
unix:PATH        a Unix socket; a PATH with a slash needs no prefix
@NAME            an abstract Unix socket (Linux)
"""

from __future__ import annotations

import argparse
import re
from typing import Any, NamedTuple

from uvnet.addresses.address import Address, bracketed

__all__ = ["GRAMMAR", "Endpoint", "describe", "endpoint_type"]

GRAMMAR = (
    "Addresses: PORT, HOST:PORT, [IPV6]:PORT, unix:PATH, a PATH with a slash in it, or @NAME for an abstract "
    "Unix socket (Linux). A PORT alone means every interface to listen on, and localhost to connect to."
)

_WITH_HOST = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^\[\]:]+)):(?P<port>[0-9]+)")


class Endpoint(NamedTuple):
    """Where to listen or to connect: either a `path`, or a `port` and perhaps a `host`."""

    path: str | None = None
    host: str | None = None
    port: int = 0

    def options(self) -> dict[str, Any]:
        """The options of listen() and connect() that mean this place."""
        if self.path is not None:
            return {"path": self.path}
        return {"port": self.port} if self.host is None else {"port": self.port, "host": self.host}

    def __str__(self) -> str:
        if self.path is not None:
            return describe(self.path)
        return f"{bracketed(self.host or 'localhost')}:{self.port}"


def endpoint_type(text: str) -> Endpoint:
    """The Endpoint that `text` means; raises argparse.ArgumentTypeError."""
    if text.startswith("unix:"):
        return Endpoint(path=_check_path(text.removeprefix("unix:"), text))
    if text.startswith("@"):
        return Endpoint(path="\0" + _check_path(text[1:], text))
    given, text = text, text.removeprefix("tcp://")
    if given == text and "/" in text:
        return Endpoint(path=_check_path(text, text))
    if text.isascii() and text.isdigit():
        return Endpoint(port=_check_port(text))
    found = _WITH_HOST.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{given!r} is no address")
    return Endpoint(host=found["bracketed"] or found["plain"], port=_check_port(found["port"]))


def describe(address: Address | str | None) -> str:
    """What address() of a server gave, in the grammar of the command line."""
    if address is None:
        return "an unnamed socket"
    if isinstance(address, Address):
        return f"{bracketed(address.address)}:{address.port}"
    if address.startswith("\0"):
        return "@" + address[1:]
    return address if "/" in address else f"unix:{address}"


def _check_path(path: str, text: str) -> str:
    if not path or "\0" in path:
        raise argparse.ArgumentTypeError(f"{text!r} names no Unix socket")
    return path


def _check_port(text: str) -> int:
    # Not more digits than int() takes in any Python.
    port = int(text) if len(text) <= 9 else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return port
