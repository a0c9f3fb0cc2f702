"""Which texts are IP addresses: rules 5.1 to 5.6, by example, by model and by comparison with Node.js."""

from __future__ import annotations

import ipaddress
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.ask import ask
from oracle.node import MISSING

from uvnet import is_ip, is_ipv4, is_ipv6

IPV4 = ["0.0.0.0", "127.0.0.1", "255.255.255.255", "1.20.30.40", "8.8.8.100"]

NOT_IPV4 = [
    "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.", ".1.2.3.4", "...",
    "256.0.0.1", "1.2.3.256", "1.2.3.1000", "999.1.1.1", "4294967296.1.1.1",
    "127.0.0.01", "00.0.0.0", "0.0.0.00", "010.1.1.1", "0x7f.0.0.1", "0x7f000001",
    "+1.2.3.4", "1.2.3.-4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "1.2.3.4\0", "1,2,3,4", "a.b.c.d",
    "1.2.3.4:80", "1.2.3.4/8", "1.2.3.4%lo", "[1.2.3.4]",
    "١.2.3.4", "1.2.3.４", "1。2。3。4",
]  # fmt: skip

IPV6 = [
    "::", "::1", "1::", "1:2:3:4:5:6:7:8", "FFFF:ffff:AbCd:0:00:000:0000:1",
    "1::8", "1:2::7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6::8", "1:2:3::5:6:7:8",
    "::1.2.3.4", "::ffff:1.2.3.4", "::FFFF:255.255.255.255", "1:2:3:4:5:6:1.2.3.4", "1::1.2.3.4",
    "1:2:3:4:5::1.2.3.4", "::2:3:4:5:6:1.2.3.4", "64:ff9b::0.0.0.0",
    "fe80::1%eth0", "::%1", "::1%eth0.1-x:y", "fe80::1%Z", "1:2:3:4:5:6:7:8%0", "::ffff:1.2.3.4%lo",
    "::1%" + "x" * 5000,
]  # fmt: skip

NOT_IPV6 = [
    "", ":", ":::", "::::", ":1", "1:", "1:2", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8",
    "1::2:3:4:5:6:7:8", "1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "::1::", "1:::2",
    "00001::", "12345::", "::10000", "g::", "::g", "::-1", "::1 ", " ::1", "::1\n", "::\x001",
    "::1.2.3", "::1.2.3.4.5", "::1.2.3.256", "::FFFF:1.2.3.04", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4",
    "::1:2:3:4:5:6:1.2.3.4:", "1.2.3.4::", "::1.2.3.4::", "1:2:3:4:5:1.2.3.4", "::a.2.3.4", "1:2:3:4:5:6::1.2.3.4",
    "::1%", "%eth0", "::1%eth 0", "::1%eth_0", "::1%a@b", "::1%%", "::1%é", "fe80::1%eth0\n", "::1%[", "::1%`",
    "::1/64", "[::1]", "[::1]:80", "::１",
]  # fmt: skip


@pytest.mark.parametrize("text", IPV4)
def test_ipv4(text: str) -> None:
    """Rule 5.2."""
    assert (is_ip(text), is_ipv4(text), is_ipv6(text)) == (4, True, False)


@pytest.mark.parametrize("text", IPV6, ids=lambda text: text[:40])
def test_ipv6(text: str) -> None:
    """Rules 5.3 and 5.4."""
    assert (is_ip(text), is_ipv4(text), is_ipv6(text)) == (6, False, True)


@pytest.mark.parametrize("text", [*NOT_IPV4, *NOT_IPV6])
def test_no_address(text: str) -> None:
    """Rules 5.2 to 5.5: no shorthand, no leading zero, no bracket, no port, no prefix, nothing around it."""
    assert (is_ip(text), is_ipv4(text), is_ipv6(text)) == (0, False, False)


def test_the_types_of_the_answers() -> None:
    """Rule 5.1."""
    assert type(is_ip("::")) is int
    assert is_ipv4("1.2.3.4") is True and is_ipv6("1.2.3.4") is False


class Text(str):
    """A str with another face."""

    def __str__(self) -> str:
        return "no address"


@pytest.mark.parametrize(
    ("value", "family"),
    [
        (b"1.2.3.4", 4),
        (bytearray(b"::1"), 6),
        (b"1.2.3.4\0", 0),
        (b"\xff", 0),
        (b"::1%\xe9", 0),
        (Text("1.2.3.4"), 4),
        (ipaddress.IPv4Address("1.2.3.4"), 4),
        (ipaddress.IPv6Address("fe80::1%eth0"), 6),
        (ipaddress.IPv6Address("fe80::1%é"), 0),
        (ipaddress.IPv4Network("1.2.3.0/24"), 0),
        (memoryview(b"1.2.3.4"), 0),
        (None, 0),
        (123, 0),
        (True, 0),
        ({}, 0),
        (["127.0.0.1"], 0),
        (object(), 0),
    ],
    ids=lambda value: repr(value).partition(" at 0x")[0],
)
def test_other_types(value: Any, family: int) -> None:
    """Rule 5.6: bytes and the addresses of `ipaddress` count by their text, nothing else does, nothing raises."""
    assert (is_ip(value), is_ipv4(value), is_ipv6(value)) == (family, family == 4, family == 6)


@given(st.ip_addresses())
def test_what_ipaddress_writes_is_an_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Rules 5.2 and 5.3: the short and the long form of every address."""
    for text in (str(address), address.exploded, str(address).upper()):
        assert is_ip(text) == address.version


@given(st.text(alphabet="0129afF:.", max_size=24))
def test_without_zones_it_is_the_grammar_of_ipaddress(text: str) -> None:
    """Rules 5.2 and 5.3, for texts near the edge between addresses and others."""
    try:
        expected = ipaddress.ip_address(text).version
    except ValueError:
        expected = 0
    assert is_ip(text) == expected


def random_text(source: random.Random) -> str:
    """A text that is an address, or is one but for a detail or two."""

    def ipv4() -> str:
        octets = [str(source.choice((0, 1, 9, 10, 99, 100, 199, 249, 255))) for _ in range(4)]
        if source.random() < 0.2:
            octets[source.randrange(4)] = source.choice(("", "00", "01", "256", "300", "1000", "a", "-1", " 1", "٣"))
        if source.random() < 0.1:
            octets = octets[: source.randrange(5)] + ["1"] * source.randrange(3)
        return ".".join(octets)

    def ipv6() -> str:
        count = source.choice((8, 8, 7, 6, 5, 4, 2, 1, 0, 9))
        groups = [f"{source.getrandbits(16):x}" for _ in range(count)]
        if groups and source.random() < 0.15:
            groups[source.randrange(count)] = source.choice(("", "0000", "00001", "g", "FFFF", "12345", " "))
        if source.random() < 0.3:
            groups[-2:] = [ipv4()]
        text = ":".join(groups)
        if len(groups) < 8 or source.random() < 0.1:
            cut = source.randrange(len(groups) + 1)
            text = ":".join(groups[:cut]) + "::" + ":".join(groups[cut:])
        if source.random() < 0.2:
            text += "%" + source.choice(("", "1", "eth0", "a-b.c:d", "_", "é", "x%", "x\n"))
        return text

    text = ipv4() if source.random() < 0.4 else ipv6()
    if source.random() < 0.15:
        place = source.randrange(len(text) + 1)
        cut = place + source.randrange(2)
        text = text[:place] + source.choice(("", ":", ".", "0", "f", "%", "\n", "é", "]")) + text[cut:]
    return text


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_ten_thousand_texts_as_node_sees_them() -> None:
    """Rules 5.1 to 5.5."""
    source = random.Random(5)
    texts = [random_text(source) for _ in range(10_000)]
    answers = ask("(texts, net) => texts.map((t) => [net.isIP(t), net.isIPv4(t), net.isIPv6(t)])", texts)
    ours = [[is_ip(text), is_ipv4(text), is_ipv6(text)] for text in texts]
    different = [pair for pair in zip(texts, answers, ours, strict=True) if pair[1] != pair[2]]
    assert different == []
    families = [family for family, _, _ in ours]
    assert min(families.count(0), families.count(4), families.count(6)) > 2000
