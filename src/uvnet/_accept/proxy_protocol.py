"""The PROXY protocol, versions 1 and 2: whose connection it is that a proxy passes on.

Both directions: the header that a proxy writes in front of the data, and the parser of one.  The protocol is that of
HAProxy's document "The PROXY protocol"; nothing here touches a socket.
"""

from __future__ import annotations

import socket
import struct
from typing import Literal, NamedTuple

from uvnet._accept.proxy_tlvs import TLV, ProxyProtocolError, ProxySSL, parse_tlvs
from uvnet.addresses.ip import is_ip, is_ipv4

__all__ = ["ProxyHeader", "ProxyProtocolError", "build_header", "parse_header"]

Name = tuple[str, int]

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LONGEST_TEXT = 107  # bytes of a version 1 header, with its end of line
LONGEST_BINARY = 4096  # bytes after the fixed part of a version 2 header, as a rule; the protocol allows 65,535
_FIXED = struct.Struct("!12sBBH")
LONGEST_HEADER = _FIXED.size + LONGEST_BINARY
_IPV4, _IPV6 = struct.Struct("!4s4sHH"), struct.Struct("!16s16sHH")
_UNIX_NAMES = 216  # bytes of two paths


class ProxyHeader(NamedTuple):
    """A header of the PROXY protocol: how long it was in bytes, and what it says of the connection behind it.

    source, destination: (address, port), or None where the proxy speaks for itself (a health check) or of a connection
    that has no IP addresses: then those of the connection at hand are right.
    alpn: the protocol that client and proxy have agreed on (bytes); authority: the host that the client has named
    (str); unique_id: bytes; ssl: a ProxySSL; netns: a network namespace (str); each None where it is not said.
    tlvs: these and all others as they came, (type, value) each, but for padding.  This is not in Node.
    """

    length: int
    source: Name | None
    destination: Name | None
    version: Literal[1, 2] = 2
    alpn: bytes | None = None
    authority: str | None = None
    unique_id: bytes | None = None
    ssl: ProxySSL | None = None
    netns: str | None = None
    tlvs: tuple[TLV, ...] = ()


def build_header(version: int, source: Name | None, destination: Name | None) -> bytes:
    """The header of `version` (1 or 2) for a connection from `source` to `destination`, each (address, port)."""
    if source is None or destination is None:
        # LOCAL: receivers do the same as for a PROXY command without a family, which HAProxy 2.6 refuses.
        return b"PROXY UNKNOWN\r\n" if version == 1 else _FIXED.pack(SIGNATURE, 0x20, 0x00, 0)
    ends = _packed(source, destination)
    both_ipv4 = len(ends) == _IPV4.size
    if version == 1:
        family = "TCP4" if both_ipv4 else "TCP6"
        addresses = " ".join(_plain(end[0], family) for end in (source, destination))
        return f"PROXY {family} {addresses} {source[1]} {destination[1]}\r\n".encode("ascii")
    return _FIXED.pack(SIGNATURE, 0x21, 0x11 if both_ipv4 else 0x21, len(ends)) + ends


def parse_header(data: bytes, limit: int = LONGEST_HEADER) -> ProxyHeader | None:
    """The header that `data` begins with, or None where more of it has to come first.

    Raises ProxyProtocolError for anything that cannot become a header of `limit` bytes at most.
    """
    if data[: len(SIGNATURE)] == SIGNATURE[: len(data)]:
        return _parse_binary(data, limit) if len(data) >= _FIXED.size else None
    if data[:6] == b"PROXY "[: len(data)]:
        return _parse_text(data)
    raise ProxyProtocolError("no PROXY protocol header")


def _parse_text(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, LONGEST_TEXT)
    if end < 0:
        if len(data) >= LONGEST_TEXT:
            raise ProxyProtocolError("the PROXY header has no end")
        return None
    words = data[:end].split(b" ")
    length = end + 2
    if words[1] == b"UNKNOWN":
        return ProxyHeader(length, None, None, 1)
    if words[1] not in (b"TCP4", b"TCP6") or len(words) != 6:
        raise ProxyProtocolError(f"bad PROXY header: {data[:end]!r}")
    family = 4 if words[1] == b"TCP4" else 6
    addresses = [word.decode("latin-1") for word in words[2:4]]
    ports = [_port(word) for word in words[4:]]
    # A zone means nothing on another machine.
    if any(is_ip(address) != family or "%" in address for address in addresses) or -1 in ports:
        raise ProxyProtocolError(f"bad PROXY header: {data[:end]!r}")
    return ProxyHeader(length, (addresses[0], ports[0]), (addresses[1], ports[1]), 1)


def _port(word: bytes) -> int:
    """The port of a text header, or -1; leading zeros are not allowed."""
    if not word.isdigit() or (word[:1] == b"0" and len(word) > 1):
        return -1
    return int(word) if int(word) <= 65535 else -1


def _parse_binary(data: bytes, limit: int) -> ProxyHeader | None:
    _, command, family, length = _FIXED.unpack_from(data)
    if command >> 4 != 2 or command & 0xF > 1:
        raise ProxyProtocolError("bad version or command in a PROXY header")
    whole = _FIXED.size + length
    if whole > limit:
        raise ProxyProtocolError(f"a PROXY header of {whole} bytes, where {limit} are the limit")
    if len(data) < whole:
        return None
    if command & 0xF == 0:
        return ProxyHeader(whole, None, None)
    if family >> 4 > 3 or family & 0xF > 2:
        raise ProxyProtocolError("bad address family or transport in a PROXY header")
    layout = {0x1: _IPV4, 0x2: _IPV6}.get(family >> 4)
    if layout is None or family & 0xF == 0:
        # Where the family is not known, neither is where its addresses end.
        at_unix = family >> 4 == 0x3 and length >= _UNIX_NAMES
        said = parse_tlvs(data[:whole], _FIXED.size + _UNIX_NAMES) if at_unix else {}
        return ProxyHeader(whole, None, None, **said)
    if length < layout.size:
        raise ProxyProtocolError("a PROXY header is too short for its addresses")
    source, destination, source_port, destination_port = layout.unpack_from(data, _FIXED.size)
    kind = socket.AF_INET if layout is _IPV4 else socket.AF_INET6
    return ProxyHeader(
        whole,
        (socket.inet_ntop(kind, source), source_port),
        (socket.inet_ntop(kind, destination), destination_port),
        **parse_tlvs(data[:whole], _FIXED.size + layout.size),
    )


def _plain(address: str, family: str) -> str:
    """An address as the text header wants it: no zone, and IPv6 where the other end is IPv6."""
    address = address.partition("%")[0]
    return f"::ffff:{address}" if family == "TCP6" and is_ipv4(address) else address


def _packed(source: Name, destination: Name) -> bytes:
    """Both ends in binary, of one family."""
    if is_ipv4(source[0]) and is_ipv4(destination[0]):
        kind, layout, family = socket.AF_INET, _IPV4, "TCP4"
    else:
        kind, layout, family = socket.AF_INET6, _IPV6, "TCP6"
    packed = [socket.inet_pton(kind, _plain(end[0], family)) for end in (source, destination)]
    return layout.pack(*packed, source[1], destination[1])
