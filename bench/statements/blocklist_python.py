"""Times block lists of Python and prints nanoseconds per call as one JSON object.

usage: blocklist_python.py uvnet|ipaddress SECONDS_PER_CASE
"""

from __future__ import annotations

import ipaddress
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from rules import LARGE, SMALL, make_lists
from timing import nanoseconds

Check = Callable[[str, str], bool]


def uvnet_list(rules: list[Any]) -> Check:
    import uvnet

    block_list = uvnet.BlockList()
    add = {
        "address": block_list.add_address,
        "range": block_list.add_range,
        "subnet": block_list.add_subnet,
    }
    for kind, arguments, family in rules:
        add[kind](*arguments, family)
    return block_list.check


def ipaddress_list(rules: list[Any]) -> Check:
    networks: list[Any] = []
    for kind, arguments, _ in rules:
        if kind == "range":
            ends = map(ipaddress.ip_address, arguments)
            networks.extend(ipaddress.summarize_address_range(*ends))
        else:
            networks.append(ipaddress.ip_network("/".join(map(str, arguments)), strict=False))

    def check(text: str, family: str) -> bool:
        address = ipaddress.ip_address(text)
        return any(address in network for network in networks)

    return check


def main() -> None:
    kind, seconds = sys.argv[1], float(sys.argv[2])
    make, sizes = (uvnet_list, (SMALL, LARGE)) if kind == "uvnet" else (ipaddress_list, (SMALL,))
    lists = make_lists()
    results = {}
    for size in sizes:
        rules, questions = lists[str(size)]["rules"], lists[str(size)]["questions"]
        begin = time.perf_counter()
        check = make(rules)
        check(*questions[0])
        if size == LARGE:
            results["add"] = (time.perf_counter() - begin) / size * 1e9
        names = {"check": check, "questions": questions}
        statement = "for address, family in questions: check(address, family)"
        results[f"check_{size}"] = nanoseconds(statement, names, seconds, len(questions))
    if LARGE in sizes:
        results["ratio"] = results[f"check_{LARGE}"] / results[f"check_{SMALL}"]
    print(json.dumps(results))


main()
