"""The PROXY protocol by the byte: HAProxy's document "The PROXY protocol", versions 1 and 2."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from uvnet._accept.proxy_protocol import (
    LONGEST_BINARY,
    LONGEST_TEXT,
    SIGNATURE,
    ProxyHeader,
    ProxyProtocolError,
    build_header,
    parse_header,
)
from uvnet.addresses.ip import is_ip

# What the document says, in bytes of its own: not taken from the code under test.
SIGNATURE_BYTES = bytes.fromhex("0d0a0d0a000d0a515549540a")
LOCAL, PROXY = 0x20, 0x21
UNSPEC, TCP4, UDP4, TCP6, UDP6, UNIX, UNIX_DATAGRAM = 0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32
ENOUGH = 16 + LONGEST_BINARY  # bytes after which every answer is known

V4 = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + bytes([0xDC, 0x04, 0x01, 0xBB])
# A TLV that means nothing, and makes a header as long as it may be.
PADDED = struct.pack("!BH", 4, LONGEST_BINARY - len(V4) - 3) + bytes(LONGEST_BINARY - len(V4) - 3)
V4_ENDS = (("192.0.2.1", 56324), ("198.51.100.2", 443))
V6 = (
    bytes.fromhex("20010db8" + "00" * 11 + "01")
    + bytes.fromhex("20010db8" + "00" * 11 + "02")
    + bytes([0xFF, 0xFF, 0x00, 0x00])
)
V6_ENDS = (("2001:db8::1", 65535), ("2001:db8::2", 0))


def start_of(data: bytes) -> object:
    """What is said of the length and the addresses."""
    header = parse_header(data)
    return None if header is None else header[:3]


def binary(command: int, family: int, payload: bytes, length: int | None = None) -> bytes:
    """A version 2 header, put together by hand."""
    size = len(payload) if length is None else length
    return SIGNATURE_BYTES + bytes([command, family, size >> 8, size & 0xFF]) + payload


def long_v6(last: int) -> str:
    return f"ffff:ffff:ffff:ffff:ffff:ffff:ffff:{last:04x}"


VALID = {
    "text IPv4": (b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", V4_ENDS),
    "text IPv4, longest": (
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        (("255.255.255.255", 65535), ("255.255.255.255", 65535)),
    ),
    "text IPv4, shortest": (
        b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n",
        (("0.0.0.0", 0), ("0.0.0.0", 0)),
    ),
    "text IPv6": (b"PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n", V6_ENDS),
    "text IPv6, longest": (
        f"PROXY TCP6 {long_v6(0xFFFF)} {long_v6(0xFFFE)} 65535 65535\r\n".encode(),
        ((long_v6(0xFFFF), 65535), (long_v6(0xFFFE), 65535)),
    ),
    "text IPv6, mapped": (
        b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n",
        (("::ffff:192.0.2.1", 1), ("::1", 2)),
    ),
    "text unknown": (b"PROXY UNKNOWN\r\n", None),
    "text unknown with addresses": (
        f"PROXY UNKNOWN {long_v6(0xFFFF)} {long_v6(0xFFFF)} 65535 65535\r\n".encode(),
        None,
    ),
    "text unknown with anything": (b"PROXY UNKNOWN \0\xff\r \n\r\n", None),
    "binary IPv4": (binary(PROXY, TCP4, V4), V4_ENDS),
    "binary IPv6": (binary(PROXY, TCP6, V6), V6_ENDS),
    "binary IPv4 datagrams": (binary(PROXY, UDP4, V4), V4_ENDS),
    "binary IPv6 datagrams": (binary(PROXY, UDP6, V6), V6_ENDS),
    "binary Unix": (binary(PROXY, UNIX, b"/a".ljust(108, b"\0") + b"/b".ljust(108, b"\0")), None),
    "binary Unix datagrams": (binary(PROXY, UNIX_DATAGRAM, bytes(216)), None),
    "binary unspecified": (binary(PROXY, UNSPEC, b""), None),
    "binary unspecified with something": (binary(PROXY, UNSPEC, b"something"), None),
    "binary IPv4 without transport": (binary(PROXY, 0x10, V4), None),
    "binary IPv6 without transport": (binary(PROXY, 0x20, V6), None),
    "binary local": (binary(LOCAL, UNSPEC, b""), None),
    "binary local with addresses": (binary(LOCAL, TCP4, V4), None),
    "binary local of a family that does not exist": (binary(LOCAL, 0xFF, b"xyz"), None),
    "binary with TLVs": (
        # PP2_TYPE_AUTHORITY, PP2_TYPE_ALPN, PP2_TYPE_NOOP
        binary(PROXY, TCP4, V4 + b"\x02\0\x0bexample.org" + b"\x01\0\x02h2" + b"\x04\0\0"),
        V4_ENDS,
    ),
    "binary, longest": (binary(PROXY, TCP4, V4 + PADDED), V4_ENDS),
}
valid = pytest.mark.parametrize(("data", "ends"), VALID.values(), ids=VALID)


@valid
def test_every_field(data: bytes, ends: tuple[tuple[str, int], tuple[str, int]] | None) -> None:
    source, destination = ends or (None, None)
    assert start_of(data) == (len(data), source, destination)


@valid
def test_what_follows_is_left_alone(data: bytes, ends: object) -> None:
    header = parse_header(data)
    for rest in (b"\r\n", b"GET / HTTP/1.1\r\n\r\n", data, bytes(70_000)):
        assert parse_header(data + rest) == header


@valid
def test_byte_by_byte_gives_the_same_as_at_once(data: bytes, ends: object) -> None:
    assert [length for length in range(len(data)) if parse_header(data[:length]) is not None] == []
    assert parse_header(data) is not None


REFUSED = {
    "nothing of the kind": b"GET / HTTP/1.1\r\n",
    "TLS": b"\x16\x03\x01\x02\x00",
    "small letters": b"proxy TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
    "no space": b"PROXY\r\n",
    "tab": b"PROXY\tTCP4",
    "nothing named": b"PROXY \r\n",
    "two spaces": b"PROXY  TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
    "two spaces later": b"PROXY TCP4 192.0.2.1  198.51.100.2 56324 443\r\n",
    "space at the end": b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n",
    "another family": b"PROXY UDP4 192.0.2.1 198.51.100.2 56324 443\r\n",
    "another family with IPv6": b"PROXY UDP6 2001:db8::1 2001:db8::2 56324 443\r\n",
    "unknown and more": b"PROXY UNKNOWNS\r\n",
    "unknown in small letters": b"PROXY unknown\r\n",
    "one address": b"PROXY TCP4 192.0.2.1 56324 443\r\n",
    "a field too many": b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 1\r\n",
    "IPv6 for IPv4": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "IPv4 for IPv6": b"PROXY TCP6 192.0.2.1 198.51.100.2 56324 443\r\n",
    "mixed": b"PROXY TCP6 ::1 198.51.100.2 56324 443\r\n",
    "a name": b"PROXY TCP4 localhost 198.51.100.2 56324 443\r\n",
    "leading zeros in an address": b"PROXY TCP4 192.0.02.1 198.51.100.2 56324 443\r\n",
    "an address too large": b"PROXY TCP4 256.0.2.1 198.51.100.2 56324 443\r\n",
    "brackets": b"PROXY TCP6 [::1] [::1] 1 2\r\n",
    "a zone": b"PROXY TCP6 fe80::1%1 fe80::2 1 2\r\n",
    "a zone with a name": b"PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n",
    "beyond ASCII": b"PROXY TCP4 192.0.2.1 198.51.100.2 5632\xb2 443\r\n",
    "a port too large": b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
    "a negative port": b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
    "a signed port": b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n",
    "an empty port": b"PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n",
    "a port in hexadecimal": b"PROXY TCP4 192.0.2.1 198.51.100.2 0x1f 443\r\n",
    "leading zeros in a port": b"PROXY TCP4 192.0.2.1 198.51.100.2 080 443\r\n",
    "two zeros": b"PROXY TCP4 192.0.2.1 198.51.100.2 80 00\r\n",
    "a port of 10,000 digits": b"PROXY TCP4 192.0.2.1 198.51.100.2 " + b"1" * 10_000 + b" 443\r\n",
    "no end": b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n" + bytes(70),
    "no end, unknown": b"PROXY UNKNOWN " + b"x" * 93,
    "an end too late": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "signature, then something else": SIGNATURE_BYTES[:11] + b"\r",
    "version 1 in binary": binary(0x11, TCP4, V4),
    "version 3": binary(0x31, TCP4, V4),
    "a command that does not exist": binary(0x22, TCP4, V4),
    "another command that does not exist": binary(0x2F, TCP4, V4),
    "a family that does not exist": binary(PROXY, 0x41, bytes(216)),
    "another family that does not exist": binary(PROXY, 0xF1, bytes(216)),
    "a transport that does not exist": binary(PROXY, 0x13, V4),
    "another transport that does not exist": binary(PROXY, 0x0F, b""),
    "too short for IPv4": binary(PROXY, TCP4, V4[:-1]),
    "too short for IPv6": binary(PROXY, TCP6, V6[:-1]),
    "no addresses": binary(PROXY, TCP4, b""),
    "half a TLV": binary(PROXY, TCP6, V6 + b"\x02\0"),
    "too long": binary(PROXY, TCP4, V4, LONGEST_BINARY + 1),
    "far too long": binary(PROXY, TCP4, V4, 0xFFFF),
    "local and too long": binary(LOCAL, UNSPEC, b"", 0xFFFF),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes) -> None:
    with pytest.raises(ProxyProtocolError) as caught:
        parse_header(data)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == "ERR_PROXY_PROTOCOL"


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_refused_byte_by_byte_too(data: bytes) -> None:
    for length in range(len(data) + 1):
        try:
            assert parse_header(data[:length]) is None
        except ProxyProtocolError:
            return
    pytest.fail("never refused")


def test_what_cannot_become_a_header_is_refused_at_once() -> None:
    for data in (b"G", b"\n", b"\r\r", b"PROXI", b"PROXYZ", SIGNATURE_BYTES[:4] + b"\1"):
        with pytest.raises(ProxyProtocolError):
            parse_header(data)


def test_limits() -> None:
    assert SIGNATURE == SIGNATURE_BYTES
    assert LONGEST_TEXT == 107
    longest = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
    assert len(longest) == LONGEST_TEXT
    assert start_of(longest) == (LONGEST_TEXT, None, None)
    assert parse_header(longest[:-1]) is None
    with pytest.raises(ProxyProtocolError):
        parse_header(longest[:-2] + b"xx")
    assert LONGEST_BINARY == 4096 > 536, "the document wants every receiver to take 536"


# === Anything at all ===

beginnings = st.sampled_from([
    b"", b"PROXY ", b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN", SIGNATURE_BYTES,
    SIGNATURE_BYTES + b"\x21\x11", SIGNATURE_BYTES + b"\x21\x21\0", SIGNATURE_BYTES + b"\x20\x00\0",
])  # fmt: skip
texts = st.builds(
    lambda words, end: b"PROXY " + b" ".join(words) + end,
    st.lists(
        st.sampled_from([b"TCP4", b"TCP6", b"UNKNOWN", b"1.2.3.4", b"::1", b"80", b"080", b"65536", b"", b"\r"]),
        max_size=7,
    ),
    st.sampled_from([b"", b"\r", b"\r\n", b"\n"]),
)
anything = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda first, rest: first + rest, beginnings, st.binary(max_size=300)),
    texts,
)


def outcome(data: bytes) -> ProxyHeader | type[ProxyProtocolError] | None:
    try:
        return parse_header(data)
    except ProxyProtocolError:
        return ProxyProtocolError


@given(anything)
@example(b"PROXY ")
@example(b"PROXY")
@example(b"")
def test_arbitrary_bytes(data: bytes) -> None:
    """A header, an error or a wish for more; a header is good whatever it says."""
    answer = outcome(data)
    if isinstance(answer, ProxyHeader):
        assert 0 < answer.length <= len(data)
        assert (answer.source is None) == (answer.destination is None)
        ends = [end for end in answer[1:3] if end is not None]
        assert all(is_ip(address) and 0 <= port <= 65535 for address, port in ends)
        assert len({is_ip(address) for address, _ in ends}) <= 1


@given(anything)
def test_arbitrary_bytes_in_any_pieces(data: bytes) -> None:
    """The first answer that is one is that of everything together."""
    answers = (outcome(data[:length]) for length in range(len(data) + 1))
    assert next((answer for answer in answers if answer is not None), None) == outcome(data)


@given(anything, st.sampled_from([b"\0", b"x", b" ", b"\n"]))
def test_never_needs_unbounded_data(data: bytes, filler: bytes) -> None:
    assert outcome(data + filler * ENOUGH) is not None


# === Both directions ===

ports = st.integers(0, 65535)
ipv4 = st.tuples(st.ip_addresses(v=4).map(str), ports)
ipv6 = st.tuples(st.ip_addresses(v=6).map(str), ports)
names = st.one_of(ipv4, ipv6)


def as_ipv6(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(address)
    return ipaddress.IPv6Address(f"::ffff:{parsed}") if parsed.version == 4 else parsed


@pytest.mark.parametrize("version", [1, 2])
@given(names, names)
@example(("1.2.3.4", 5), ("::1", 6))
@example(("::1", 5), ("1.2.3.4", 6))
@example((long_v6(0xFFFF), 65535), (long_v6(0xFFFE), 65535))
def test_round_trip(version: int, source: tuple[str, int], destination: tuple[str, int]) -> None:
    header = build_header(version, source, destination)
    parsed = parse_header(header)
    assert parsed is not None
    assert parsed.length == len(header) <= LONGEST_TEXT
    assert parsed.source is not None and parsed.destination is not None
    assert (parsed.source[1], parsed.destination[1]) == (source[1], destination[1])
    if is_ip(source[0]) == is_ip(destination[0]):
        plain = ipaddress.ip_address
    else:
        plain = as_ipv6
    assert ipaddress.ip_address(parsed.source[0]) == plain(source[0])
    assert ipaddress.ip_address(parsed.destination[0]) == plain(destination[0])


def test_built_byte_by_byte() -> None:
    assert build_header(1, *V4_ENDS) == b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
    assert build_header(2, *V4_ENDS) == binary(PROXY, TCP4, V4)
    assert build_header(1, *V6_ENDS) == b"PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"
    assert build_header(2, *V6_ENDS) == binary(PROXY, TCP6, V6)


def test_mixed_families_are_sent_as_ipv6() -> None:
    source, destination = ("192.0.2.1", 1), ("2001:db8::2", 2)
    assert build_header(1, source, destination) == b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"
    mapped = bytes(10) + b"\xff\xff" + V4[:4]
    assert build_header(2, source, destination) == binary(
        PROXY, TCP6, mapped + V6[16:32] + struct.pack("!HH", 1, 2)
    )
    assert build_header(1, destination, source) == b"PROXY TCP6 2001:db8::2 ::ffff:192.0.2.1 2 1\r\n"


def test_a_zone_is_not_sent() -> None:
    source, destination = ("fe80::1%lo", 1), ("fe80::2%1", 2)
    assert build_header(1, source, destination) == b"PROXY TCP6 fe80::1 fe80::2 1 2\r\n"
    assert start_of(build_header(2, source, destination)) == (52, ("fe80::1", 1), ("fe80::2", 2))


@pytest.mark.parametrize(("source", "destination"), [(None, None), (V4_ENDS[0], None), (None, V4_ENDS[1])])
def test_a_connection_without_addresses(
    source: tuple[str, int] | None, destination: tuple[str, int] | None
) -> None:
    assert build_header(1, source, destination) == b"PROXY UNKNOWN\r\n"
    assert build_header(2, source, destination) == binary(LOCAL, UNSPEC, b"")
    for version in (1, 2):
        header = build_header(version, source, destination)
        assert start_of(header) == (len(header), None, None)
