"""BlockList by example: rules 4.1 to 4.15 and decisions 1 to 3."""

from __future__ import annotations

import gc
import json
import math
import sys
import threading
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from uvnet import BlockList, NetTypeError, NetValueError, SocketAddress


def blocking(*texts: str) -> BlockList:
    """A list with the networks, or the addresses where there is no "/"."""
    block_list = BlockList()
    for text in texts:
        if "/" in text:
            block_list.add_cidr(text)
        else:
            block_list.add_address(ip_address(text))
    return block_list


# === 4.1 to 4.5, decisions 2 and 3: arguments ===


@pytest.mark.parametrize("family", ["ipv6", "IPv6", "IPV6"])
def test_family_in_any_case(family: str) -> None:
    """Rule 4.1."""
    block_list = BlockList()
    assert block_list.add_address("::1", family) is None
    assert block_list.check("::1", family)


BAD_CALLS = {
    "address": (lambda b: b.add_address(1), NetTypeError, "ERR_INVALID_ARG_TYPE", '"address" argument'),
    "bytes": (lambda b: b.add_address(b"1.2.3.4"), NetTypeError, "ERR_INVALID_ARG_TYPE", '"address" argument'),
    "start": (lambda b: b.add_range(None, 1), NetTypeError, "ERR_INVALID_ARG_TYPE", '"start" argument'),
    "end": (lambda b: b.add_range("1.1.1.1", 1), NetTypeError, "ERR_INVALID_ARG_TYPE", '"end" argument'),
    "end before text": (lambda b: b.add_range("x", 1), NetTypeError, "ERR_INVALID_ARG_TYPE", '"end" argument'),
    "network": (lambda b: b.add_subnet(1, None), NetTypeError, "ERR_INVALID_ARG_TYPE", '"network" argument'),
    "prefix": (lambda b: b.add_subnet("1.1.1.1", "8"), NetTypeError, "ERR_INVALID_ARG_TYPE", '"prefix" argument'),
    "bool": (lambda b: b.add_subnet("1.1.1.1", True), NetTypeError, "ERR_INVALID_ARG_TYPE", '"prefix" argument'),
    "family": (lambda b: b.add_address("::1", 6), NetTypeError, "ERR_INVALID_ARG_TYPE", '"family" argument'),
    "None": (lambda b: b.add_address("1.1.1.1", None), NetTypeError, "ERR_INVALID_ARG_TYPE", '"family" argument'),
    "check": (lambda b: b.check(None), NetTypeError, "ERR_INVALID_ARG_TYPE", '"address" argument'),
    "check family": (lambda b: b.check("1.1.1.1", None), NetTypeError, "ERR_INVALID_ARG_TYPE", '"family" argument'),
    "in": (lambda b: 1 in b, NetTypeError, "ERR_INVALID_ARG_TYPE", '"address" argument'),
    "cidr type": (lambda b: b.add_cidr(8), NetTypeError, "ERR_INVALID_ARG_TYPE", '"network" argument'),
    "one text": (lambda b: b.add_addresses("1.1.1.1"), NetTypeError, "ERR_INVALID_ARG_TYPE", '"addresses" argument'),
    "one network": (lambda b: b.add_cidrs("1.0.0.0/8"), NetTypeError, "ERR_INVALID_ARG_TYPE", '"networks" argument'),
    "json type": (lambda b: b.from_json(1), NetTypeError, "ERR_INVALID_ARG_TYPE", '"rules" argument'),
    "json item": (lambda b: b.from_json(["x", 1]), NetTypeError, "ERR_INVALID_ARG_TYPE", '"rules" argument'),
    "json object": (lambda b: b.from_json("{}"), NetTypeError, "ERR_INVALID_ARG_TYPE", '"rules" argument'),
    "foo": (lambda b: b.add_address("1.1.1.1", "foo"), NetValueError, "ERR_INVALID_ARG_VALUE", "'family' is invalid"),
    "text": (lambda b: b.add_address("1.1.1"), NetValueError, "ERR_INVALID_ADDRESS", "Invalid socket address"),
    "empty": (lambda b: b.add_address(""), NetValueError, "ERR_INVALID_ADDRESS", "Invalid socket address"),
    "zone only": (lambda b: b.add_address("%lo", "ipv6"), NetValueError, "ERR_INVALID_ADDRESS", "Invalid"),
    "6 in 4": (lambda b: b.add_address("::1"), NetValueError, "ERR_INVALID_ADDRESS", "Invalid socket address"),
    "4 in 6": (lambda b: b.add_address("1.1.1.1", "ipv6"), NetValueError, "ERR_INVALID_ADDRESS", "Invalid"),
    "bad end": (lambda b: b.add_range("1.1.1.1", "::1"), NetValueError, "ERR_INVALID_ADDRESS", "Invalid"),
    "mixed": (
        lambda b: b.add_range(ip_address("1.1.1.1"), ip_address("::1")), NetValueError, "ERR_INVALID_ADDRESS", "Invalid",
    ),
    "reversed": (
        lambda b: b.add_range("1.1.1.2", "1.1.1.1"), NetValueError, "ERR_INVALID_ARG_VALUE",
        "The argument 'start' must come before end. Received '1.1.1.2'",
    ),
    "reversed 6": (lambda b: b.add_range("1::", "::2", "ipv6"), NetValueError, "ERR_INVALID_ARG_VALUE", "'start' must"),
    "33": (lambda b: b.add_subnet("1.1.1.1", 33), NetValueError, "ERR_OUT_OF_RANGE", "and <= 32. Received 33"),
    "129": (lambda b: b.add_subnet("::", 129, "ipv6"), NetValueError, "ERR_OUT_OF_RANGE", "and <= 128. Received 129"),
    "-1": (lambda b: b.add_subnet("1.1.1.1", -1), NetValueError, "ERR_OUT_OF_RANGE", "and <= 32. Received -1"),
    "10**400": (lambda b: b.add_subnet("1.1.1.1", 10**400), NetValueError, "ERR_OUT_OF_RANGE", "and <= 32"),
    "1.5": (lambda b: b.add_subnet("1.1.1.1", 1.5), NetValueError, "ERR_OUT_OF_RANGE", "an integer. Received 1.5"),
    "nan": (lambda b: b.add_subnet("1.1.1.1", math.nan), NetValueError, "ERR_OUT_OF_RANGE", "an integer. Received nan"),
    "cidr": (lambda b: b.add_cidr("1.1.1.1"), NetValueError, "ERR_INVALID_ARG_VALUE", "prefix length"),
    "cidr sign": (lambda b: b.add_cidr("1.1.1.1/+8"), NetValueError, "ERR_INVALID_ARG_VALUE", "prefix length"),
    "cidr digits": (lambda b: b.add_cidr("1.1.1.1/٨"), NetValueError, "ERR_INVALID_ARG_VALUE", "prefix length"),
    "cidr two": (lambda b: b.add_cidr("1.1.1.1/8/8"), NetValueError, "ERR_INVALID_ARG_VALUE", "prefix length"),
    "cidr 33": (lambda b: b.add_cidr("1.1.1.1/33"), NetValueError, "ERR_OUT_OF_RANGE", "and <= 32"),
    "cidr text": (lambda b: b.add_cidr("a/8"), NetValueError, "ERR_INVALID_ADDRESS", "Invalid"),
    "second of two": (lambda b: b.add_addresses(["1.1.1.1", "x"]), NetValueError, "ERR_INVALID_ADDRESS", "Invalid"),
    "second cidr": (lambda b: b.add_cidrs(["1.0.0.0/8", "x/8"]), NetValueError, "ERR_INVALID_ADDRESS", "Invalid"),
    "remove": (lambda b: b.remove_address("x"), NetValueError, "ERR_INVALID_ADDRESS", "Invalid"),
    "no json": (lambda b: b.from_json("["), ValueError, None, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_arguments(name: str) -> None:
    """Rules 4.1 to 4.5 and 4.15, decisions 2 and 3; nothing is added by a call that raises."""
    call, kind, code, message = BAD_CALLS[name]
    block_list = BlockList()
    with pytest.raises(kind) as caught:
        call(block_list)
    if code is not None:
        assert caught.value.code == code  # type: ignore[attr-defined]
    assert message in str(caught.value)
    assert block_list.size == 0


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4 ", "::1", "١.2.3.4"])
def test_check_of_no_address_is_false(text: str) -> None:
    """Rules 4.4 and 4.9, decision 2."""
    everything = blocking("0.0.0.0/0", "::/0")
    assert everything.check("1.2.3.4") is True
    assert everything.check(text) is False
    assert everything.check("1.2.3.4", "ipv6") is False
    assert everything.check("1.2.3.4", "foo") is False


# === 4.5 to 4.10: what is blocked ===

BLOCKED = {
    "4.5 equal ends": (("range", "1.1.1.1", "1.1.1.1"), ["1.1.1.1"], ["1.1.1.0", "1.1.1.2"]),
    "4.6 numeric order": (
        ("range", "10.0.0.2", "10.0.0.10"),
        ["10.0.0.2", "10.0.0.3", "10.0.0.10"],
        ["10.0.0.1", "10.0.0.11", "192.168.0.3", "2.2.2.2", "11.0.0.5"],
    ),
    "4.6 across octets": (("range", "1.1.1.1", "1.1.2.0"), ["1.1.1.255", "1.1.2.0"], ["1.1.2.1", "1.1.1.0"]),
    "4.6 to the end": (("range", "255.255.255.0", "255.255.255.255"), ["255.255.255.255"], ["255.255.254.255", "0.0.0.0"]),
    "4.6 IPv6": (("range", "::1", "::1:0"), ["::1", "::ffff", "::1:0"], ["::", "::1:1", "0.0.0.1"]),
    "4.6 IPv6 to the end": (("range", "ffff::", "ffff:" * 7 + "ffff"), ["ffff:" * 7 + "ffff"], ["fffe::", "::"]),
    "4.7 /32": (("subnet", "1.1.1.1", 32), ["1.1.1.1"], ["1.1.1.0", "1.1.1.2", "2.2.2.2"]),
    "4.7 IPv4 /0": (("subnet", "9.9.9.9", 0), ["0.0.0.0", "255.255.255.255", "::ffff:1.1.1.1"], ["::", "::1", "::1.1.1.1"]),
    "4.7 IPv6 /0": (("subnet", "::", 0), ["::", "ffff::", "::ffff:1.1.1.1", "1.1.1.1", "0.0.0.0"], []),
    "4.7 IPv6 /128": (("subnet", "::5", 128), ["::5"], ["::4", "::6", "0.0.0.5"]),
    "4.8 unaligned": (("subnet", "10.1.2.3", 8), ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
    "4.8 /27": (("subnet", "1.1.1.32", 27), ["1.1.1.32", "1.1.1.63"], ["1.1.1.31", "1.1.1.64"]),
    "4.8 /25": (("subnet", "1.1.1.1", 25), ["1.1.1.0", "1.1.1.127"], ["1.1.1.128"]),
    "4.8 /31": (("subnet", "1.1.1.1", 31), ["1.1.1.0", "1.1.1.1"], ["1.1.1.2"]),
    "4.8 /51": (
        ("subnet", "2001:db8:1234:5678::", 51),
        ["2001:db8:1234:4000::", "2001:db8:1234:5fff:ffff::"],
        ["2001:db8:1234:3fff:ffff::", "2001:db8:1234:6000::"],
    ),
    "4.8 /64": (("subnet", "8592:757c:efae:4e45::", 64), ["8592:757c:efae:4e45:1::f"], ["8592:757c:efae:4e46::"]),
    "4.8 /65": (("subnet", "1::", 65), ["1::7fff:ffff:ffff:ffff"], ["1::8000:0:0:0"]),
    "4.10 address": (
        ("address", "123.123.123.123"),
        ["123.123.123.123", "::ffff:7b7b:7b7b", "::ffff:123.123.123.123", "0:0:0:0:0:FFFF:7b7b:7b7b"],
        ["::123.123.123.123", "::7b7b:7b7b", "::fffe:7b7b:7b7b", "1::ffff:7b7b:7b7b"],
    ),
    "4.10 mapped address": (("address", "::ffff:1.2.3.4"), ["1.2.3.4", "::ffff:102:304"], ["1.2.3.5", "::1.2.3.4"]),
    "4.10 compatible address": (("address", "::1.2.3.4"), ["::1.2.3.4"], ["1.2.3.4", "::ffff:1.2.3.4"]),
    "4.10 range": (("range", "1.1.1.1", "9.9.9.9"), ["::ffff:8.8.8.8"], ["::8.8.8.8", "::ffff:10.0.0.0"]),
    "4.10 mapped range": (("range", "::ffff:1.1.1.1", "::ffff:9.9.9.9"), ["8.8.8.8", "::ffff:8.8.8.8"], ["10.0.0.0"]),
    "4.10 range around": (("range", "::", "ffff::"), ["::ffff:8.8.8.8", "::1"], ["8.8.8.8"]),
    "4.10 range from mapped": (("range", "::ffff:0.0.0.0", "ffff::"), ["::ffff:8.8.8.8"], ["8.8.8.8", "::1"]),
    "4.10 subnet": (("subnet", "8.8.9.9", 16), ["::ffff:8.8.8.8"], ["::ffff:8.9.8.8"]),
    "4.10 mapped subnet": (("subnet", "::ffff:8.8.9.9", 112), ["8.8.8.8", "::ffff:8.8.0.0"], ["8.9.0.0", "8.7.255.255"]),
    "4.10 subnet /96": (("subnet", "::ffff:0:0", 96), ["0.0.0.0", "255.255.255.255"], ["::", "::fffe:ffff:ffff"]),
    "4.10 subnet /80": (("subnet", "::", 80), ["0.0.0.0", "::fffe:0:0", "255.255.255.255"], ["::1:0:0:0"]),
    "4.10 subnet /81": (("subnet", "::", 81), ["::7fff:0:0"], ["8.8.8.8", "::ffff:8.8.8.8"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BLOCKED)
def test_what_is_blocked(name: str) -> None:
    """Rules 4.5 to 4.10 and decision 1; and the same rule removed blocks nothing."""
    (kind, *arguments), inside, outside = BLOCKED[name]
    arguments.append("ipv6" if ":" in arguments[0] else "ipv4")
    block_list = BlockList()
    getattr(block_list, f"add_{kind}")(*arguments)
    for text in inside:
        assert block_list.check(text, "ipv6" if ":" in text else "ipv4"), text
        assert text in block_list
    for text in outside:
        assert not block_list.check(text, "ipv6" if ":" in text else "ipv4"), text
        assert text not in block_list
    assert getattr(block_list, f"remove_{kind}")(*arguments)
    for text in inside:
        assert text not in block_list


def test_zones_do_not_count() -> None:
    """Rule 4.11, and the names that interfaces really have."""
    block_list = BlockList()
    block_list.add_address("fe80::1%eth0", "ipv6")
    assert block_list.rules == ["Address: IPv6 fe80::1"]
    for text in ("fe80::1", "fe80::1%lo", "fe80::1%br_lan"):
        assert block_list.check(text, "ipv6") and text in block_list


def test_other_kinds_of_addresses() -> None:
    """Rule 4.15: a SocketAddress, and the addresses of `ipaddress`, say their family themselves."""
    block_list = BlockList()
    block_list.add_address(SocketAddress("::2", 80, "ipv6"), "foo")
    block_list.add_address(ip_address("1.1.1.1"), "ipv6")
    block_list.add_range(SocketAddress("2.0.0.1"), ip_address("2.0.0.9"))
    block_list.add_range("2::1", SocketAddress("2::9", family="ipv6"), "ipv6")
    block_list.add_subnet(ip_address("3::"), 16)
    assert block_list.rules == [
        "Subnet: IPv6 3::/16",
        "Range: IPv6 2::1-2::9",
        "Range: IPv4 2.0.0.1-2.0.0.9",
        "Address: IPv4 1.1.1.1",
        "Address: IPv6 ::2",
    ]
    assert block_list.check(SocketAddress("::2", 443, "ipv6"))
    assert block_list.check(SocketAddress("1.1.1.1")) and block_list.check(ip_address("3::5"), "ipv4")
    assert ip_address("2::5") in block_list and SocketAddress("2.0.0.10") not in block_list


# === 4.11 to 4.15: rules ===


def test_rules() -> None:
    """Rule 4.11: the newest first, duplicates kept, canonical text, a new list each time, read-only."""
    block_list = BlockList()
    block_list.add_address("1.1.1.1")
    block_list.add_range("10.0.0.1", "10.0.0.10")
    block_list.add_subnet("8592:757c:efae:4e45::", 64, "ipv6")
    block_list.add_address("2001:DB8:0:0:0:0:0:1", "ipv6")
    block_list.add_address("::FFFF:102:304", "ipv6")
    block_list.add_subnet("10.1.2.3", 8.0)
    block_list.add_address("1.1.1.1")
    rules = [
        "Address: IPv4 1.1.1.1",
        "Subnet: IPv4 10.1.2.3/8",
        "Address: IPv6 ::ffff:1.2.3.4",
        "Address: IPv6 2001:db8::1",
        "Subnet: IPv6 8592:757c:efae:4e45::/64",
        "Range: IPv4 10.0.0.1-10.0.0.10",
        "Address: IPv4 1.1.1.1",
    ]
    assert block_list.rules == rules
    block_list.rules.clear()
    assert block_list.rules == rules == block_list.to_json()
    assert block_list.size == 7
    with pytest.raises(AttributeError):
        block_list.rules = []  # type: ignore[misc]


def test_repr() -> None:
    """Rule 4.14; long lists are cut."""
    assert repr(BlockList()) == "<BlockList rules=[]>"
    block_list = blocking("1.1.1.1", "::1")
    assert repr(block_list) == "<BlockList rules=['Address: IPv6 ::1', 'Address: IPv4 1.1.1.1']>"
    block_list.add_addresses(f"1.1.{n >> 8}.{n & 255}" for n in range(1000))
    assert repr(block_list).endswith("'Address: IPv4 1.1.3.132', ... 902 more]>")


def test_is_block_list() -> None:
    """Rule 4.15."""
    assert BlockList.is_block_list(BlockList()) is True
    assert BlockList.is_block_list([]) is False


def test_json() -> None:
    """Rule 4.15: rules as text and back, in the order of the input."""
    block_list = blocking("1.1.1.1", "10.0.0.0/8", "::1", "fc00::/7")
    block_list.add_range("2.0.0.1", "2.0.0.9")
    for form in (block_list.to_json(), json.dumps(block_list.to_json()), tuple(block_list.rules)):
        copy = BlockList()
        copy.from_json(form)
        assert copy.rules == block_list.rules[::-1]
    copy.from_json(["Range: IPv6 ::1-::2", "Address: IPv4 9.9.9.9"])
    assert copy.rules[:2] == ["Address: IPv4 9.9.9.9", "Range: IPv6 ::1-::2"]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    "text",
    ["", "x", "Address: IPv4 ::1", "Address: IPv5 1.1.1.1", "address: IPv4 1.1.1.1", "Address: ipv4 1.1.1.1",
     "Address:IPv4 1.1.1.1", "Range: IPv4 1.1.1.1", "Range: IPv4 2.2.2.2-1.1.1.1", "Subnet: IPv4 1.1.1.1/33",
     "Subnet: IPv4 1.1.1.1", "Subnet: IPv6 1.1.1.1/8", "Subnet: IPv4 ::/8", "Address: IPv4 9.9.9.9 ",
     "Address: IPv4 localhost", "Domain: example.com", "10.0.0.0/8"],
)  # fmt: skip
def test_json_with_a_rule_that_is_none(text: str, place: int) -> None:
    """A list that protects does not pass over what it does not understand: it is named, and nothing is added."""
    block_list = blocking("1.1.1.1")
    rules = ["Address: IPv4 2.2.2.2", "Subnet: IPv6 fc00::/7"]
    rules.insert(place, text)
    for form in (rules, json.dumps(rules)):
        with pytest.raises(NetValueError) as caught:
            block_list.from_json(form)
        assert caught.value.code == "ERR_INVALID_ARG_VALUE"
        assert f"'rules[{place}]'" in str(caught.value) and repr(text) in str(caught.value)
        assert block_list.rules == ["Address: IPv4 1.1.1.1"]


def test_cidr_and_plural_forms() -> None:
    """Rule 4.15, Node v26: addCIDR, addCIDRs, addAddresses."""
    block_list = BlockList()
    block_list.add_cidr("10.1.2.3/8")
    block_list.add_cidr(ip_network("fc00::/7"))
    block_list.add_cidrs(iter(["1.0.0.0/32", "::/128"]))
    block_list.add_addresses(iter(["::1", ip_address("1.1.1.1")]), "ipv6")
    assert block_list.rules == [
        "Address: IPv4 1.1.1.1",
        "Address: IPv6 ::1",
        "Subnet: IPv6 ::/128",
        "Subnet: IPv4 1.0.0.0/32",
        "Subnet: IPv6 fc00::/7",
        "Subnet: IPv4 10.1.2.3/8",
    ]
    assert block_list.remove_cidr("10.1.2.3/8") and block_list.remove_cidr(ip_network("fc00::/7"))
    assert "10.0.0.1" not in block_list and "fc00::1" not in block_list and "1.0.0.0" in block_list


def test_private_ranges() -> None:
    """Rule 4.15, Node v26: PRIVATE_RANGES."""
    block_list = BlockList()
    block_list.add_cidrs(BlockList.PRIVATE_RANGES)
    for text in ("127.0.0.1", "10.1.1.1", "172.31.0.1", "192.168.1.1", "169.254.169.254", "::1", "fd00::1",
                 "fe80::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "100.64.0.1"):  # fmt: skip
        assert text in block_list
    for text in ("8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "100.128.0.1"):
        assert text not in block_list


def test_remove() -> None:
    """Rule 4.15, Node v26: removing takes every equal rule and no other that covers the same."""
    block_list = BlockList()
    for _ in range(3):
        block_list.add_address("1.1.1.1")
    block_list.add_range("1.1.1.1", "1.1.1.1")
    block_list.add_subnet("1.1.1.1", 32)
    block_list.add_address("::ffff:1.1.1.1", "ipv6")
    assert block_list.remove_address("1.1.1.1") is True
    assert block_list.remove_address("1.1.1.1") is False
    assert block_list.size == 3 and block_list.check("1.1.1.1")
    assert block_list.remove_range("1.1.1.1", "1.1.1.1") and block_list.check("1.1.1.1")
    assert not block_list.remove_subnet("1.1.1.0", 32) and not block_list.remove_subnet("1.1.1.1", 31)
    assert block_list.remove_subnet("1.1.1.1", 32) and block_list.check("1.1.1.1")
    assert block_list.remove_address("::FFFF:101:101", "ipv6") and not block_list.check("1.1.1.1")
    assert block_list.rules == []


def test_clear() -> None:
    """Rule 4.15, Node v26: clear() and size."""
    block_list = blocking("1.1.1.1", "::/0")
    assert block_list.size == 2 and block_list.check("::1", "ipv6")
    block_list.clear()
    assert block_list.size == 0 and block_list.rules == [] and not block_list.check("::1", "ipv6")
    block_list.clear()
    block_list.add_address("::1", "ipv6")
    assert block_list.check("::1", "ipv6") and not block_list.check("1.1.1.1")


# === What only Python has ===


def test_an_empty_list_is_true() -> None:
    """There is no len(): a list without rules must not pass for no list."""
    assert bool(BlockList()) is True


def test_an_empty_list_is_small() -> None:
    gc.collect()
    before = sys.getallocatedblocks()
    lists = [BlockList() for _ in range(100)]
    assert sys.getallocatedblocks() - before < 110
    assert sys.getsizeof(lists[0]) < 1024


def test_threads() -> None:
    """Several threads change and ask one list at the same time."""
    block_list = BlockList()
    block_list.add_subnet("10.0.0.0", 8)
    wrong: list[Any] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for index in range(2000):
            text = f"{number}.0.{index >> 8}.{index & 255}"
            block_list.add_address(text)
            if not block_list.check(text) or not block_list.check("10.1.1.1"):
                wrong.append(text)
            if index % 2:
                block_list.remove_address(text)
                if block_list.check(text):
                    wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert block_list.size == 1 + 4 * 1000
