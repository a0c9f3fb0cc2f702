"""Addresses as users see them.  Node: "socket.address()", "server.address()"; rules 2.5 and 1.10.2."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Address"]


class Address(NamedTuple):
    """One end of a TCP connection: `address` (text), `family` ("IPv4" or "IPv6"), `port` (int)."""

    address: str
    family: str
    port: int
