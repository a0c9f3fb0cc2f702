"""Addresses as users see them.  Node: "socket.address()", "server.address()"; rules 2.5 and 1.10.2."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Address", "PeerCredentials"]


class Address(NamedTuple):
    """One end of a TCP connection: `address` (text), `family` ("IPv4" or "IPv6"), `port` (int)."""

    address: str
    family: str
    port: int


class PeerCredentials(NamedTuple):
    """Who is at the other end of a Unix socket: what socket.peer_credentials gives."""

    pid: int
    uid: int
    gid: int
