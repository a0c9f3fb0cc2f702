"""BlockList against a model that asks every rule, and against Node.js: rules 4.5 to 4.11."""

from __future__ import annotations

import random

import pytest
from blocklist_model import Model, random_address, random_rule
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.ask import ask
from oracle.node import LINE, MISSING

from uvnet import BlockList

FAMILIES = ("ipv4", "ipv6")


def play(source: random.Random, operations: int, weights: tuple[int, int, int, int]) -> None:
    """Add, remove, check and clear at random, and compare every answer."""
    block_list, model = BlockList(), Model()
    for _ in range(operations):
        (what,) = source.choices(("add", "remove", "check", "clear"), weights)
        if what == "check":
            family = source.choice(FAMILIES)
            address = random_address(source, family)
            assert block_list.check(address, family) == model.check(address), (address, model.rules)
        elif what == "clear":
            block_list.clear()
            model.rules.clear()
        else:
            rule = random_rule(source)
            if what == "remove" and model.rules and source.random() < 0.8:
                rule = source.choice(model.rules)
            result = getattr(block_list, f"{what}_{rule.kind}")(*rule.arguments, rule.family)
            expected = getattr(model, what)(rule)
            assert result == expected
    assert block_list.rules == [rule.text for rule in model.rules]
    assert block_list.size == len(model.rules)


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_short_lives(source: random.Random) -> None:
    play(source, 40, (6, 3, 10, 1))


@pytest.mark.parametrize("weights", [(5, 4, 10, 0), (20, 18, 1, 0), (2, 1, 60, 0)], ids=["mixed", "bulk", "asked"])
def test_long_lives(weights: tuple[int, int, int, int]) -> None:
    """Long enough for every rank of addresses/coverage.pyx to be summed up many times."""
    play(random.Random(4), 4000, weights)


def test_spread_out() -> None:
    """Addresses from everywhere, one of which lies far from the others."""
    source = random.Random(6)
    block_list = BlockList()
    block_list.add_address("ff02::1", "ipv6")
    blocked = {f"2001:db8::{source.getrandbits(16):x}:{source.getrandbits(16):x}" for _ in range(3000)}
    block_list.add_addresses(blocked, "ipv6")
    asked = [f"2001:db8::{source.getrandbits(16):x}:{source.getrandbits(16):x}" for _ in range(3000)]
    for text in [*blocked, *asked, "ff02::1", "::", "ff02::2", "2001:db8::", "1.2.3.4"]:
        family = "ipv6" if ":" in text else "ipv4"
        assert block_list.check(text, family) == (text in blocked or text == "ff02::1")


def without_addresses(rules: list[str]) -> list[str]:
    return sorted(rule for rule in rules if not rule.startswith("Address"))


ON_NODE = """
(lists, net) => lists.map(({ rules, asked }) => {
  const list = new net.BlockList();
  const add = { address: "addAddress", range: "addRange", subnet: "addSubnet" };
  for (const [kind, given, family] of rules) list[add[kind]](...given, family);
  return { rules: list.rules, blocked: asked.map(([address, family]) => list.check(address, family)) };
})
"""


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_ten_thousand_answers_as_node_gives_them() -> None:
    """Rules 4.5 to 4.11, which Node.js has kept to since v20 (decision 1).

    But for `rules`: in v20 all of them, the newest first, as here; in v24 addresses come first, each once, then
    subnets, then ranges.  Node's documentation has never promised an order.
    """
    source = random.Random(11)
    lists = []
    for _ in range(100):
        rules = [random_rule(source) for _ in range(source.randrange(1, 12))]
        asked = [(random_address(source, family), family) for family in source.choices(FAMILIES, k=100)]
        lists.append({"rules": [(rule.kind, rule.arguments, rule.family) for rule in rules], "asked": asked})
    answers = ask(ON_NODE, lists)
    hits = 0
    for question, answer in zip(lists, answers, strict=True):
        block_list = BlockList()
        for kind, arguments, family in question["rules"]:
            getattr(block_list, f"add_{kind}")(*arguments, family)
        if LINE == 20:
            assert block_list.rules == answer["rules"]
        else:
            assert without_addresses(block_list.rules) == without_addresses(answer["rules"])
        for (address, family), blocked in zip(question["asked"], answer["blocked"], strict=True):
            assert block_list.check(address, family) == blocked, (address, block_list.rules)
            hits += blocked
    assert 2000 < hits < 8000
