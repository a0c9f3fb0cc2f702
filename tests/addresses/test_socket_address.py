"""SocketAddress: rule 4.16."""

from __future__ import annotations

import copy
import pickle
from ipaddress import ip_address
from typing import Any

import pytest

from uvnet import NetTypeError, NetValueError, SocketAddress


def fields(address: SocketAddress | None) -> tuple[Any, ...] | None:
    return address and (address.address, address.port, address.family, address.flow_label)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (SocketAddress(), ("127.0.0.1", 0, "ipv4", 0)),
        (SocketAddress(family="ipv6"), ("::", 0, "ipv6", 0)),
        (SocketAddress({}), ("127.0.0.1", 0, "ipv4", 0)),
        (SocketAddress({"family": "IPv6", "port": 1, "flow_label": 2}), ("::", 1, "ipv6", 2)),
        (SocketAddress({"address": "1.2.3.4", "port": 1}, port=2), ("1.2.3.4", 2, "ipv4", 0)),
        (SocketAddress("1.2.3.4", 80), ("1.2.3.4", 80, "ipv4", 0)),
        (SocketAddress("1.2.3.4", "80", "IPV4"), ("1.2.3.4", 80, "ipv4", 0)),
        (SocketAddress("2001:DB8:0::1", 65535, "IPv6", 0xFFFFF), ("2001:db8::1", 65535, "ipv6", 0xFFFFF)),
        (SocketAddress("fe80::1%lo", family="ipv6"), ("fe80::1", 0, "ipv6", 0)),
        (SocketAddress("1.2.3.4", flow_label=5), ("1.2.3.4", 0, "ipv4", 0)),
        (SocketAddress(ip_address("::1"), 5), ("::1", 5, "ipv6", 0)),
        (SocketAddress(ip_address("1.2.3.4"), family="ipv6"), ("1.2.3.4", 0, "ipv4", 0)),
        (SocketAddress(SocketAddress("::1", 5, "ipv6")), ("::1", 0, "ipv6", 0)),
    ],
    ids=str,
)
def test_fields(made: SocketAddress, expected: tuple[Any, ...]) -> None:
    """Rule 4.16: defaults, canonical text, no zone."""
    assert fields(made) == expected


@pytest.mark.parametrize(
    ("arguments", "kind", "code", "message"),
    [
        ({"address": 1}, NetTypeError, "ERR_INVALID_ARG_TYPE", '"options.address" property must be of type str'),
        ({"address": b"1.1.1.1"}, NetTypeError, "ERR_INVALID_ARG_TYPE", '"options.address"'),
        ({"family": 4}, NetTypeError, "ERR_INVALID_ARG_TYPE", '"options.family"'),
        ({"family": None}, NetTypeError, "ERR_INVALID_ARG_TYPE", '"options.family"'),
        ({"family": "x"}, NetValueError, "ERR_INVALID_ARG_VALUE", "'options.family' is invalid. Received 'x'"),
        ({"port": -1}, NetValueError, "ERR_SOCKET_BAD_PORT", "options.port should be >= 0 and < 65536"),
        ({"port": 65536}, NetValueError, "ERR_SOCKET_BAD_PORT", "options.port"),
        ({"port": 1.5}, NetValueError, "ERR_SOCKET_BAD_PORT", "options.port"),
        ({"port": None}, NetTypeError, "ERR_INVALID_ARG_TYPE", "options.port"),
        ({"address": "x"}, NetValueError, "ERR_INVALID_ADDRESS", "Invalid socket address"),
        ({"address": ""}, NetValueError, "ERR_INVALID_ADDRESS", "Invalid socket address"),
        ({"address": "::1"}, NetValueError, "ERR_INVALID_ADDRESS", "Invalid socket address"),
        ({"address": "1.1.1.1", "family": "ipv6"}, NetValueError, "ERR_INVALID_ADDRESS", "Invalid socket address"),
        ({"flow_label": -1}, NetValueError, "ERR_OUT_OF_RANGE", "options.flow_label"),
        ({"flow_label": 2**20}, NetValueError, "ERR_OUT_OF_RANGE", "options.flow_label"),
        ({"flow_label": 10**400}, NetValueError, "ERR_OUT_OF_RANGE", "options.flow_label"),
        ({"flow_label": 1.5}, NetValueError, "ERR_OUT_OF_RANGE", "an integer"),
        ({"flow_label": float("nan")}, NetValueError, "ERR_OUT_OF_RANGE", "an integer"),
        ({"flow_label": "1"}, NetTypeError, "ERR_INVALID_ARG_TYPE", "options.flow_label"),
        ({"flowlabel": 1}, TypeError, None, "flowlabel"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_arguments(arguments: dict[str, Any], kind: type[Exception], code: str | None, message: str) -> None:
    """Rule 4.16, as keywords and as one mapping."""
    for call in (lambda: SocketAddress(**arguments), lambda: SocketAddress(arguments)):
        with pytest.raises(kind) as caught:
            call()
        if code is not None:
            assert caught.value.code == code  # type: ignore[attr-defined]
        assert message in str(caught.value)


@pytest.mark.parametrize("name", ["address", "port", "family", "flow_label", "other"])
def test_nothing_can_be_changed(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(SocketAddress(), name, 1)


def test_equality_and_hash() -> None:
    one = SocketAddress("2001:db8::1", 80, "ipv6")
    assert one == SocketAddress("2001:DB8:0::1", 80, "IPv6")
    assert hash(one) == hash(SocketAddress("2001:DB8:0::1", 80, "IPv6"))
    others = [
        SocketAddress("2001:db8::2", 80, "ipv6"),
        SocketAddress("2001:db8::1", 81, "ipv6"),
        SocketAddress("2001:db8::1", 80, "ipv6", 1),
        "[2001:db8::1]:80",
        None,
    ]
    assert one not in others
    assert SocketAddress("1.2.3.4") != SocketAddress("::ffff:1.2.3.4", family="ipv6")
    assert len({one, copy.copy(one), *others}) == 6


def test_order() -> None:
    """By family, then by number, then by port."""
    ordered = [
        SocketAddress("2.0.0.0", 9),
        SocketAddress("10.0.0.0", 1),
        SocketAddress("10.0.0.0", 2),
        SocketAddress("::1", 0, "ipv6"),
        SocketAddress("::ffff:1.1.1.1", 0, "ipv6"),
        SocketAddress("1::", 0, "ipv6"),
    ]
    assert sorted(reversed(ordered)) == ordered
    assert ordered[0] < ordered[1] <= ordered[1] and ordered[1] > ordered[0] >= ordered[0]
    with pytest.raises(TypeError):
        ordered[0] < "2.0.0.0:9"  # type: ignore[operator] # noqa: B015


def test_copies() -> None:
    address = SocketAddress("::1", 80, "ipv6", 7)
    for other in (pickle.loads(pickle.dumps(address)), copy.copy(address), copy.deepcopy(address)):
        assert other == address and fields(other) == fields(address)


def test_text() -> None:
    assert repr(SocketAddress("1.2.3.4", 80)) == "SocketAddress('1.2.3.4', 80, 'ipv4')"
    assert repr(SocketAddress("::1", 80, "ipv6", 7)) == "SocketAddress('::1', 80, 'ipv6', flow_label=7)"
    assert str(SocketAddress("1.2.3.4", 80)) == "1.2.3.4:80"
    assert str(SocketAddress("::1", 80, "ipv6")) == "[::1]:80"
    for address in (SocketAddress("1.2.3.4", 80), SocketAddress("::1", 5, "ipv6")):
        assert eval(repr(address)) == SocketAddress.parse(str(address)) == address


def test_is_socket_address() -> None:
    """Rule 8: SocketAddress.isSocketAddress."""
    assert SocketAddress.is_socket_address(SocketAddress()) is True
    assert SocketAddress.is_socket_address("127.0.0.1:0") is False


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("1.2.3.4:80", "1.2.3.4", 80),
        ("[::1]:80", "::1", 80),
        ("1.2.3.4", "1.2.3.4", 0),
        ("1.2.3.4:", "1.2.3.4", 0),
        ("1.2.3.4:0", "1.2.3.4", 0),
        ("1.2.3.4:0000065535", "1.2.3.4", 65535),
        ("[::1]", "::1", 0),
        ("[::1]:", "::1", 0),
        ("[2001:DB8::FFFF:1.2.3.4]:5", "2001:db8::ffff:102:304", 5),
        ("[::ffff:102:304]:5", "::ffff:1.2.3.4", 5),
        ("256", "0.0.1.0", 0),
        ("0xffffffff", "255.255.255.255", 0),
        ("4294967295:1", "255.255.255.255", 1),
        ("192.168.257:1", "192.168.1.1", 1),
        ("1.2", "1.0.0.2", 0),
        ("1.16777215", "1.255.255.255", 0),
        ("010.1", "8.0.0.1", 0),
        ("0x1.0X2.3", "1.2.0.3", 0),
        ("0x", "0.0.0.0", 0),
        ("0x.0x.0x.0x", "0.0.0.0", 0),
        ("1.2.3.4.", "1.2.3.4", 0),
    ],
)
def test_parse(text: str, address: str, port: int) -> None:
    """Rule 4.16: hosts are read as in a URL; port 80 stays 80."""
    family = "ipv6" if ":" in address else "ipv4"
    assert fields(SocketAddress.parse(text)) == (address, port, family, 0)


@pytest.mark.parametrize(
    "text",
    [
        "", ".", ":", ":80", "::1", "::1:80", "[]", "[::1", "::1]", "[::1]80", "[::1]]:80", "[[::1]]", "[1.2.3.4]", "[::1%lo]:1",
        "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4: 5", "1.2.3.4:8a", "1.2.3.4:5:6", "1.2.3.4:٥", "1.2.3.4:1_0",
        "1.2.3.256", "4294967296", "1.16777216", "1.2.65536", "256.1", "1.256.1", "1..2", "1.2.3.4.5", "1.2.3.4..",
        "08", "09.1", "0xg", "a.b", "localhost", "localhost:80", "1_0", "-1", "+1", "1e3", "١.2.3.4", "1.2. 3.4", " 1.2.3.4",
        "1.2.3.4 ", "1.2.3.4\n", "1.2.3.4:80\n", "u@1.2.3.4", "1.2.3.4/x", "9" * 5000, "1.2.3.4:" + "9" * 5000,
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_parse_of_anything_else(text: str) -> None:
    """Rule 4.16."""
    assert SocketAddress.parse(text) is None


def test_parse_takes_text_only() -> None:
    """Rule 4.16."""
    with pytest.raises(NetTypeError) as caught:
        SocketAddress.parse(80)  # type: ignore[arg-type]
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"
