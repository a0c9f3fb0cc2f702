"""What asking a block list costs, with few rules and with many: `python -m bench.blocklist`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.peers import Peer
from bench.rounds import PeerResult
from bench.table import Column, number, spread
from bench.timings import Timing, timing_main

PEERS = (
    Peer("uvnet BlockList", ("statements/blocklist_python.py", "uvnet"), needs=("uvnet",)),
    Peer("ipaddress networks", ("statements/blocklist_python.py", "ipaddress")),
    Peer("Node BlockList", ("statements/blocklist_node.js",)),
)

CASES = ("add", "check_10", "check_100000", "ratio")

METHOD = (
    "Nanoseconds for one call, from Python (or JavaScript), the loop around it included. Rules are "
    "addresses, ranges and subnets in equal parts, half of them IPv6, spread at random over all "
    "addresses; the 4,096 addresses asked for in turn are random too, a third of them covered by a rule. "
    "'add' is one of 100,000 rules added to an empty list, up to the first answer. "
    "A process takes the best of seven repeats (of 'add' one), every round runs every peer once in a "
    "new random order and in fresh processes on one core, and shown are medians over the rounds. "
    "'ipaddress networks' asks a list of ipaddress.IPv4Network and IPv6Network one by one, with 10 "
    "rules only, after ip_address() has read the text."
)


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    return [
        Column("add", lambda result: number(result.median("add"))),
        Column("check,\n10 rules", lambda result: number(result.median("check_10"))),
        Column("check,\n100,000 rules", lambda result: number(result.median("check_100000"))),
        Column(
            "\nlowest..highest", lambda result: spread(result.spread("check_100000"))
        ),
        Column("100,000 rules\n/ 10 rules", lambda result: number(result.median("ratio"), 2)),
    ]


BLOCKLIST = Timing(
    name="blocklist",
    title="blocklist: nanoseconds for each call",
    method=METHOD,
    peers=PEERS,
    cases=CASES,
    columns=_columns,
)


if __name__ == "__main__":
    sys.exit(timing_main(BLOCKLIST, __doc__))
