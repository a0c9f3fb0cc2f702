"""What a BlockList should answer, found by asking every rule, and random rules and addresses that meet."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

__all__ = ["Model", "Rule", "random_address", "random_rule"]

Address = IPv4Address | IPv6Address

MAPPED = int(IPv6Address("::ffff:0:0"))


def mapped(address: IPv4Address) -> IPv6Address:
    return IPv6Address(MAPPED + int(address))


@dataclass(frozen=True)
class Rule:
    """A rule by its method's name, such as "address", and that method's arguments."""

    kind: str
    arguments: tuple[str | int, ...]
    family: str

    @cached_property
    def text(self) -> str:
        """Rule 4.11."""
        first, *rest = (canonical(str(value)) for value in self.arguments)
        form = {"address": "Address: {} {}", "range": "Range: {} {}-{}", "subnet": "Subnet: {} {}/{}"}[self.kind]
        return form.format({"ipv4": "IPv4", "ipv6": "IPv6"}[self.family], first, *rest)

    @cached_property
    def ends(self) -> tuple[Address, Address]:
        """The first and the last address (rules 4.6 to 4.8)."""
        own = IPv4Address if self.family == "ipv4" else IPv6Address
        first, last = own(self.arguments[0]), own(self.arguments[-1] if self.kind == "range" else self.arguments[0])
        if self.kind == "subnet":
            network = ip_network((first, self.arguments[1]), strict=False)
            return network[0], network[-1]
        return first, last

    def blocks(self, address: Address) -> bool:
        """Rules 4.6 to 4.10."""
        first, last = self.ends
        if isinstance(address, IPv6Address) and self.family == "ipv4":
            return address.ipv4_mapped is not None and self.blocks(address.ipv4_mapped)
        if isinstance(address, IPv4Address) and self.family == "ipv6":
            if self.kind == "range" and None in (first.ipv4_mapped, last.ipv4_mapped):  # type: ignore[union-attr]
                return False
            address = mapped(address)
        return first <= address <= last  # type: ignore[operator]


def canonical(text: str) -> str:
    """The text as inet_ntop() writes it, which knows mapped and compatible addresses."""
    if ":" not in text:
        return text
    address = IPv6Address(text)
    if address.ipv4_mapped is not None:
        return f"::ffff:{address.ipv4_mapped}"
    if address in IPv6Network("::/96") and int(address) > 0xFFFF:
        return f"::{IPv4Address(int(address))}"
    return str(address)


class Model:
    """The rules in their order."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        self.rules.insert(0, rule)

    def remove(self, rule: Rule) -> bool:
        count = len(self.rules)
        self.rules = [other for other in self.rules if other.text != rule.text]
        return len(self.rules) < count

    def check(self, text: str) -> bool:
        address = IPv6Address(text) if ":" in text else IPv4Address(text)
        return any(rule.blocks(address) for rule in self.rules)


def random_address(source: random.Random, family: str) -> str:
    """Addresses close to a few places, so that they meet."""
    near = source.randrange(48)
    if family == "ipv4":
        return str(IPv4Address(source.choice((0, 0x0A000000, 0xC0A80100, 2**31 - 24, 2**32 - 48)) + near))
    place = source.choice((0, 2**64 - 24, int(IPv6Address("2001:db8::")), 2**127 - 24, 2**128 - 48))
    if source.random() < 0.5:
        # Mapped and compatible addresses, and both sides of the border between mapped and others.
        place = source.choice((MAPPED - 24, MAPPED + 0x0A000000, MAPPED + 2**32 - 24, 0x0A000000))
    address = IPv6Address(place + near)
    if address.ipv4_mapped and source.random() < 0.5:
        return f"::ffff:{address.ipv4_mapped}"
    return source.choice((str(address), address.exploded, str(address).upper()))


def random_rule(source: random.Random) -> Rule:
    family = source.choice(("ipv4", "ipv6"))
    kind = source.choice(("address", "range", "subnet"))
    first = random_address(source, family)
    if kind == "address":
        return Rule(kind, (first,), family)
    if kind == "range":
        key = IPv4Address if family == "ipv4" else IPv6Address
        ends = sorted((first, random_address(source, family)), key=key)  # type: ignore[arg-type]
        return Rule(kind, tuple(ends), family)
    longest = 32 if family == "ipv4" else 128
    prefix = source.choice((0, 1, longest // 2, longest - 33, longest, longest, longest - 1, longest - 3))
    prefix = source.choice((max(prefix, 0), source.randint(longest - 7, longest), source.randint(longest - 7, longest)))
    return Rule(kind, (first, prefix), family)
