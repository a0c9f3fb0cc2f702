"""Options of a UDP socket, as (name, level, number, value) of setsockopt(2).

Those of an IPv6 socket are those of IPv6, also where it takes part in IPv4.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct

from uvnet.arguments.checks import check_integer
from uvnet.errors.codes import invalid_ip, out_of_range

__all__ = [
    "Option",
    "broadcast_options",
    "loopback_options",
    "membership_options",
    "multicast_interface_options",
    "multicast_ttl_options",
    "ttl_options",
]

Option = tuple[str, int, int, int | bytes]


def ttl_options(ipv6: bool, ttl: int) -> list[Option]:
    if check_integer(ttl, "ttl", 255) == 0:
        raise out_of_range("ttl", ">= 1 and <= 255", ttl)
    if ipv6:
        return [("ttl", socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)]
    return [("ttl", socket.IPPROTO_IP, socket.IP_TTL, ttl)]


def multicast_ttl_options(ipv6: bool, ttl: int) -> list[Option]:
    check_integer(ttl, "multicast_ttl", 255)
    if ipv6:
        return [("multicast_ttl", socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)]
    # The BSDs take one byte, and Linux takes one too.
    return [("multicast_ttl", socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, bytes([ttl]))]


def loopback_options(ipv6: bool, on: bool) -> list[Option]:
    if ipv6:
        return [("multicast_loopback", socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, int(on))]
    return [("multicast_loopback", socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, bytes([on]))]


def broadcast_options(on: bool) -> list[Option]:
    return [("broadcast", socket.SOL_SOCKET, socket.SO_BROADCAST, int(on))]


def multicast_interface_options(ipv6: bool, interface: str) -> list[Option]:
    if ipv6:
        return [("multicast_interface", socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, _number_of(interface))]
    return [("multicast_interface", socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _address(4, interface))]


def membership_options(ipv6: bool, group: str, interface: str | None, join: bool) -> list[Option]:
    if ipv6:
        number = socket.IPV6_JOIN_GROUP if join else socket.IPV6_LEAVE_GROUP
        wanted = _address(6, group) + struct.pack("@I", 0 if interface is None else _number_of(interface))
        return [("membership", socket.IPPROTO_IPV6, number, wanted)]
    number = socket.IP_ADD_MEMBERSHIP if join else socket.IP_DROP_MEMBERSHIP
    wanted = _address(4, group) + _address(4, "0.0.0.0" if interface is None else interface)
    return [("membership", socket.IPPROTO_IP, number, wanted)]


def _address(version: int, text: str) -> bytes:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise invalid_ip(text) from None
    if address.version != version:
        raise invalid_ip(text)
    return address.packed


def _number_of(interface: str) -> int:
    """The number of an interface named as in "::%eth0"; 0, any, where none is."""
    address, _, name = interface.partition("%")
    _address(6, address)
    if not name:
        return 0
    if name.isdecimal():
        return int(name)
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise OSError(errno.EADDRNOTAVAIL, f"{os.strerror(errno.EADDRNOTAVAIL)}: no interface {name!r}") from None
