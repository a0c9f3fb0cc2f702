"""What emitting an event costs, beside pyee and Node: `python -m bench.emitter`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.peers import Peer
from bench.report import Chart
from bench.rounds import PeerResult, find
from bench.table import Column, number, spread
from bench.timings import Timing, timing_main

RIVAL = "pyee EventEmitter"

PEERS = (
    Peer("direct call", ("statements/emit_python.py", "call")),
    Peer("uvnet EventEmitter", ("statements/emit_python.py", "uvnet"), needs=("uvnet",)),
    Peer(RIVAL, ("statements/emit_python.py", "pyee"), needs=("pyee",)),
    Peer("Node EventEmitter", ("statements/emit_node.js",)),
)

CASES = {
    "one_listener": "one\nlistener",
    "one_listener_own_name": "one, name\nof one's own",
    "three_listeners": "three\nlisteners",
    "no_listener": "no\nlistener",
    "once_and_emit": "once\n+ emit",
    "on_and_remove": "on\n+ remove",
}

METHOD = (
    "Each cell is nanoseconds for one statement with one argument (1 KiB of bytes), called from "
    "Python (or JavaScript) through a bound method to a listener that does nothing. "
    "A process takes the best of seven repeats, every round runs every peer once in a new random "
    "order and in fresh processes on one core, and shown are medians over the rounds; the loop "
    "around the statement is included. "
    "'direct call' calls the listener without an emitter, 'data' is a name uvnet knows, the name "
    "of one's own is not; Node's compiler inlines what it can prove, so its row compares "
    "languages more than emitters."
)


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    rival = find(results, RIVAL)

    def median(case: str, title: str) -> Column:
        return Column(title, lambda result: number(result.median(case), 1))

    columns = [median(case, title) for case, title in CASES.items()]
    columns.insert(
        1,
        Column("\nlowest..highest", lambda result: spread(result.spread("one_listener"), 1)),
    )
    columns.append(
        Column(
            "one listener\n/ pyee",
            lambda result: number(result.ratio_to(rival, "one_listener"), 2),
        )
    )
    return columns


EMITTER = Timing(
    name="emitter",
    title="emitter: nanoseconds for each statement",
    method=METHOD,
    peers=PEERS,
    cases=tuple(CASES),
    columns=_columns,
    chart=Chart("one_listener", "emit to one listener, ns", digits=0),
)


if __name__ == "__main__":
    sys.exit(timing_main(EMITTER, __doc__))
