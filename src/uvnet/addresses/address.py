"""Addresses as users see them.  Node: "socket.address()", "server.address()"; rules 2.5 and 1.10.2."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

__all__ = ["Address", "Host", "PeerCredentials", "bracketed"]

# What is taken as a host: a name, or an IP address as text or as an object.
Host = str | IPv4Address | IPv6Address


class Address(NamedTuple):
    """One end of a TCP connection: `address` (str), `family` ("IPv4" or "IPv6"), `port` (int).

    Node: "socket.address()".
    """

    address: str
    family: str
    port: int


class PeerCredentials(NamedTuple):
    """Who is at the other end of a Unix socket: `pid`, `uid` and `gid` (int), see socket.peer_credentials.

    This is not in Node.
    """

    pid: int
    uid: int
    gid: int


def bracketed(host: str) -> str:
    """A host as it is written in front of ":port"."""
    return f"[{host}]" if ":" in host else host
