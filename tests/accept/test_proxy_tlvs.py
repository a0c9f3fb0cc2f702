"""What a PROXY header of version 2 says beside the addresses, by the byte: HAProxy's document "The PROXY protocol"."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvnet._accept.crc32c import crc32c
from uvnet._accept.proxy_protocol import ProxyHeader, ProxyProtocolError, parse_header

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
V4 = bytes([192, 0, 2, 7, 198, 51, 100, 2]) + struct.pack("!HH", 4711, 443)
V6 = bytes(32) + struct.pack("!HH", 1, 2)
UNIX = b"/tmp/a".ljust(108, b"\0") + b"/tmp/b".ljust(108, b"\0")


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def header(rest: bytes, family: int = 0x11, ends: bytes = V4, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(ends + rest)) + ends + rest


def parsed(data: bytes) -> ProxyHeader:
    found = parse_header(data)
    assert found is not None
    assert found.length == len(data)
    return found


def summed(rest: bytes, change: int = 0) -> bytes:
    """A header that ends with its checksum."""
    zero = header(rest + tlv(3, bytes(4)))
    return zero[:-4] + ((crc32c(zero) + change) & 0xFFFFFFFF).to_bytes(4, "big")


def test_the_checksum_is_that_of_its_definition() -> None:
    """RFC 3720, B.4; and the usual check value."""
    assert crc32c(b"") == 0
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytearray(range(32))) == 0x46DD794E


@pytest.mark.parametrize(("family", "ends"), [(0x11, V4), (0x12, V4), (0x21, V6), (0x31, UNIX)])
def test_everything_at_once(family: int, ends: bytes) -> None:
    ssl = b"\x07" + bytes(4) + b"".join(
        tlv(kind, value)
        for kind, value in (
            (0x21, b"TLSv1.3"), (0x22, "Zo\u00eb".encode()), (0x23, b"AES"), (0x24, b"SHA256"), (0x25, b"RSA2048"),
            (0x77, b"?"),
        )
    )  # fmt: skip
    values = [(0x01, b"h2"), (0x02, b"example.org"), (0x05, b"\0\1\2"), (0x20, ssl), (0x30, b"blue"), (0xE0, b"own")]
    found = parsed(header(tlv(4, b"padding") + b"".join(tlv(*each) for each in values), family, ends))
    assert found.version == 2
    assert found.alpn == b"h2"
    assert found.authority == "example.org"
    assert found.unique_id == b"\0\1\2"
    assert found.netns == "blue"
    assert found.tlvs == tuple(values)
    assert found.ssl == (True, True, True, True, "TLSv1.3", "Zo\u00eb", "AES", "SHA256", "RSA2048")
    assert (found.source is None) == (family == 0x31)


@pytest.mark.parametrize("data", [b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", header(b""), header(tlv(4, b""))])
def test_nothing_is_said(data: bytes) -> None:
    found = parsed(data)
    assert found.version == (1 if data[:1] == b"P" else 2)
    assert found[4:] == (None, None, None, None, None, ())


@pytest.mark.parametrize(
    ("flags", "verify", "expected"),
    [
        (0, 0, (False, False, False, False)),
        (1, 0, (True, False, False, False)),
        (1, 1, (True, False, False, False)),
        (3, 0, (True, True, False, True)),
        (5, 0, (True, False, True, True)),
        (7, 21, (True, True, True, False)),
    ],
)
def test_what_is_known_of_a_certificate(flags: int, verify: int, expected: tuple[bool, ...]) -> None:
    """Without one there is nothing to verify, whatever the number says."""
    found = parsed(header(tlv(0x20, struct.pack("!BI", flags, verify)))).ssl
    assert found is not None
    assert found == (*expected, None, None, None, None, None)


def test_the_first_of_two_counts() -> None:
    found = parsed(header(tlv(2, b"first") + tlv(2, b"second")))
    assert found.authority == "first"
    assert len(found.tlvs) == 2


def test_the_checksum_is_checked() -> None:
    assert parsed(summed(tlv(2, b"example.org"))).authority == "example.org"
    for change in (1, 1 << 31):
        with pytest.raises(ProxyProtocolError, match="checksum"):
            parse_header(summed(tlv(2, b"example.org"), change))


@pytest.mark.parametrize("bit", [0, 8 * 13 + 6, 8 * 16, 8 * 30, 8 * 34])
def test_one_wrong_bit_is_found(bit: int) -> None:
    """Wherever it is."""
    data = bytearray(summed(tlv(2, b"example.org")))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProxyProtocolError):
        parse_header(bytes(data))


BAD = {
    "a type alone": b"\x01",
    "no whole length": b"\x01\x00",
    "longer than the header": b"\x01\x00\x05h2",
    "behind a good one": tlv(1, b"h2") + b"\x02\x00\x01",
    "authority is no text": tlv(2, b"\xff"),
    "namespace is no text": tlv(0x30, b"\xc3"),
    "unique id too long": tlv(5, bytes(129)),
    "checksum too short": tlv(3, bytes(3)),
    "checksum too long": tlv(3, bytes(5)),
    "checksum wrong": tlv(3, bytes(4)),
    "TLS too short": tlv(0x20, b"\x01\0\0\0"),
    "of TLS longer than that": tlv(0x20, b"\x01\0\0\0\0\x21\x00\x01"),
    "of TLS no text": tlv(0x20, b"\x01\0\0\0\0" + tlv(0x22, b"\xff")),
}


@pytest.mark.parametrize("rest", BAD.values(), ids=BAD)
def test_what_is_wrong(rest: bytes) -> None:
    with pytest.raises(ProxyProtocolError):
        parse_header(header(rest))


@pytest.mark.parametrize("rest", BAD.values(), ids=BAD)
@pytest.mark.parametrize("how", ["local", "unspecified"])
def test_what_is_to_be_ignored(rest: bytes, how: str) -> None:
    """A health check, and a connection of an unknown kind: the document says that nothing of it counts."""
    found = parsed(header(rest, command=0x20) if how == "local" else header(rest, 0x00))
    assert found[1:3] == (None, None)
    assert found.tlvs == ()


def test_the_limit_is_of_the_whole_header() -> None:
    data = header(tlv(2, b"x" * 200))
    assert parse_header(data, len(data)) is not None
    for length in (16, len(data)):
        with pytest.raises(ProxyProtocolError, match=f"of {len(data)} bytes"):
            parse_header(data[:length], len(data) - 1)
    largest = header(tlv(4, bytes(0xFFFF - len(V4) - 3)))
    assert parse_header(largest, len(largest)) is not None


@given(st.binary(max_size=60), st.sampled_from([0x11, 0x21, 0x31]))
def test_arbitrary_bytes(rest: bytes, family: int) -> None:
    """A header or an error; and what is given out is what came."""
    ends = {0x11: V4, 0x21: V6, 0x31: UNIX}[family]
    data = header(rest, family, ends)
    try:
        found: Any = parse_header(data)
    except ProxyProtocolError:
        return
    assert sum(3 + len(value) for _, value in found.tlvs) <= len(rest)
