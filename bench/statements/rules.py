"""Writes the rules and questions that every peer of the block list benchmark gets, as JSON.

usage: rules.py

Half of everything is IPv6.  Rules are addresses, ranges and subnets in equal parts, spread over all
addresses; a third of the questions are about addresses that a rule covers.
"""

from __future__ import annotations

import json
import random
from ipaddress import IPv4Address, IPv6Address
from typing import Any

SMALL, LARGE = 10, 100_000  # rules
QUESTIONS = 4096
SEED = 1

Rule = tuple[str, list[Any], str]


def make_rule(source: random.Random) -> Rule:
    """The kind, the arguments and the family of one rule."""
    family, bits, kind = source.choice((("ipv4", 32, IPv4Address), ("ipv6", 128, IPv6Address)))
    first = source.getrandbits(bits)
    what = source.choice(("address", "range", "subnet"))
    if what == "address":
        return what, [str(kind(first))], family
    if what == "range":
        last = min(first + source.getrandbits(bits // 4), 2**bits - 1)
        return what, [str(kind(first)), str(kind(last))], family
    return what, [str(kind(first)), source.randint(bits // 2, bits)], family


def make_question(source: random.Random, rules: list[Rule]) -> tuple[str, str]:
    """An address and its family."""
    if source.random() < 1 / 3:
        _, arguments, family = source.choice(rules)
        return arguments[0], family
    if source.random() < 0.5:
        return str(IPv4Address(source.getrandbits(32))), "ipv4"
    return str(IPv6Address(source.getrandbits(128))), "ipv6"


def make_lists() -> dict[str, Any]:
    """By the number of rules: the rules and the questions."""
    source = random.Random(SEED)
    lists = {}
    for size in (SMALL, LARGE):
        rules = [make_rule(source) for _ in range(size)]
        lists[str(size)] = {
            "rules": rules,
            "questions": [make_question(source, rules) for _ in range(QUESTIONS)],
        }
    # A question must not be the very string of a rule: it would lie wherever the rule lies in memory.
    return json.loads(json.dumps(lists))


if __name__ == "__main__":
    print(json.dumps(make_lists()))
