"""Every rule of Node's sockets has a test: a scenario of the oracle, or a test that names it.

The rules are those of sections 0, 2 and 3 of the project's description of Node's behaviour, by number.  A test
names the rules it asserts as "Rule 2.1.4" or "Rules 2.1.4 and 2.1.5" in its docstring, a scenario in its `rule`.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

from oracle.catalogue import SERVER_CASES, SOCKET_CASES
from places import TESTS

# How many rules each part has: 2.1.1 to 2.1.8, ...
PARTS = {
    "0.1": 4, "0.2": 8, "0.3": 3, "0.4": 5,
    "2.1": 8, "2.2": 9, "2.3": 10, "2.4": 4, "2.5": 5, "2.6": 5, "2.7": 14, "2.8": 10, "2.9": 7, "2.10": 4,
    "2.11": 9, "2.12": 8, "2.13": 6, "2.14": 3, "2.15": 8, "2.16": 6,
    "3.1": 8, "3.2": 4, "3.3": 6, "3.4": 4, "3.5": 4,
}  # fmt: skip
RULES = [f"{part}.{number}" for part, count in PARTS.items() for number in range(1, count + 1)]

# What has no test, and why.
NOT_APPLICABLE = {
    "0.4.5": "about the inside of libuv: when a TCP handle gets its descriptor cannot be observed",
    "2.1.8": "an internal listener of Node's, which is not here",
    "2.11.8": "says what is not in v15; reset_and_destroy() is taken from later releases (decision 24)",
}

NUMBER = re.compile(r"\b\d+\.\d+\.\d+\b")
NAMED = re.compile(r"\b[Rr]ules? ((?:\d+\.\d+\.\d+(?:, (?:and )?| and )?)+)")


def docstrings() -> Iterator[str]:
    """Those of test functions, in every file of tests."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield ast.get_docstring(node) or ""


@functools.cache
def covered() -> frozenset[str]:
    found = {
        number
        for case in [*SOCKET_CASES, *SERVER_CASES]
        for number in NUMBER.findall(case.scenario.rule)
    }
    for text in docstrings():
        for names in NAMED.findall(text):
            found.update(NUMBER.findall(names))
    return frozenset(found)


def test_every_rule_is_covered() -> None:
    missing = [rule for rule in RULES if rule not in covered() and rule not in NOT_APPLICABLE]
    assert missing == []


def test_what_does_not_apply_has_no_test() -> None:
    assert set(NOT_APPLICABLE) <= set(RULES)
    assert sorted(covered() & {*NOT_APPLICABLE}) == []


def test_no_rule_is_made_up() -> None:
    """A number that no part has would look like a test of something."""
    sections = tuple({part.split(".")[0] + "." for part in PARTS})
    known = set(RULES)
    assert sorted(rule for rule in covered() if rule.startswith(sections) and rule not in known) == []
