"""What a PROXY header of version 2 says beside the addresses: its TLVs, of a type, a length and a value each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from uvnet._accept.crc32c import crc32c

__all__ = ["TLV", "ProxyProtocolError", "ProxySSL", "parse_tlvs"]

TLV = tuple[int, bytes]

ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL, NETNS = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x30
SSL_VERSION, SSL_CN, SSL_CIPHER, SSL_SIG_ALG, SSL_KEY_ALG = 0x21, 0x22, 0x23, 0x24, 0x25
CLIENT_SSL, CLIENT_CERT_CONN, CLIENT_CERT_SESS = 1, 2, 4
LONGEST_UNIQUE_ID = 128


class ProxyProtocolError(ValueError):
    """What came is no PROXY header; the connection cannot be trusted and has to be closed."""

    code = "ERR_PROXY_PROTOCOL"


class ProxySSL(NamedTuple):
    """The TLS between a client and the proxy, which has ended it.

    encrypted: the client came over TLS; certificate_on_connection, certificate_in_session: it has shown a certificate
    on this connection, or on one whose session this one resumes; verified: that was good.  Text is None where the
    header has not said it.  This is not in Node.
    """

    encrypted: bool
    certificate_on_connection: bool
    certificate_in_session: bool
    verified: bool
    version: str | None = None
    common_name: str | None = None
    cipher: str | None = None
    signature_algorithm: str | None = None
    key_algorithm: str | None = None


def parse_tlvs(header: bytes, start: int) -> dict[str, Any]:
    """The fields of a ProxyHeader that a whole header says from `start` on; raises ProxyProtocolError."""
    tlvs: list[TLV] = []
    for kind, begin, end in _each(header, start):
        if kind == CRC32C:
            _check_sum(header, begin, end)
        if kind != NOOP:
            tlvs.append((kind, header[begin:end]))
    unique_id = _first(tlvs, UNIQUE_ID)
    if unique_id is not None and len(unique_id) > LONGEST_UNIQUE_ID:
        raise ProxyProtocolError(f"a unique id of {len(unique_id)} bytes in a PROXY header")
    ssl = _first(tlvs, SSL)
    return {
        "alpn": _first(tlvs, ALPN),
        "authority": _text(tlvs, AUTHORITY),
        "unique_id": unique_id,
        "ssl": None if ssl is None else _parse_ssl(ssl),
        "netns": _text(tlvs, NETNS),
        "tlvs": tuple(tlvs),
    }


def _each(data: bytes, position: int) -> Iterator[tuple[int, int, int]]:
    """The type of each TLV, and where its value begins and ends."""
    while position < len(data):
        begin = position + 3
        end = begin + int.from_bytes(data[position + 1 : begin], "big")
        if begin > len(data) or end > len(data):
            raise ProxyProtocolError("a TLV is cut short in a PROXY header")
        yield data[position], begin, end
        position = end


def _first(tlvs: Sequence[TLV], kind: int) -> bytes | None:
    return next((value for type_, value in tlvs if type_ == kind), None)


def _text(tlvs: Sequence[TLV], kind: int) -> str | None:
    value = _first(tlvs, kind)
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        raise ProxyProtocolError(f"a TLV of type {kind:#04x} is no text in a PROXY header") from None


def _check_sum(header: bytes, begin: int, end: int) -> None:
    """The sum is of the whole header, with zeros in its own place."""
    said = header[begin:end]
    if len(said) != 4 or crc32c(header[:begin] + bytes(4) + header[end:]) != int.from_bytes(said, "big"):
        raise ProxyProtocolError("the checksum of a PROXY header is wrong")


def _parse_ssl(value: bytes) -> ProxySSL:
    if len(value) < 5:
        raise ProxyProtocolError("what a PROXY header says of TLS is too short")
    flags = value[0]
    tlvs = [(kind, value[begin:end]) for kind, begin, end in _each(value, 5)]
    return ProxySSL(
        bool(flags & CLIENT_SSL),
        bool(flags & CLIENT_CERT_CONN),
        bool(flags & CLIENT_CERT_SESS),
        # It is zero as well where there was no certificate.
        bool(flags & (CLIENT_CERT_CONN | CLIENT_CERT_SESS)) and not any(value[1:5]),
        *(_text(tlvs, kind) for kind in (SSL_VERSION, SSL_CN, SSL_CIPHER, SSL_SIG_ALG, SSL_KEY_ALG)),
    )
