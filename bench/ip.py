"""What finding out whether a text is an IP address costs: `python -m bench.ip`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.peers import Peer
from bench.rounds import PeerResult, find
from bench.table import Column, number
from bench.timings import Timing, timing_main

RIVAL = "ipaddress.ip_address"

PEERS = (
    Peer("uvnet is_ip", ("statements/ip_python.py", "uvnet"), needs=("uvnet",)),
    Peer(RIVAL, ("statements/ip_python.py", "ipaddress")),
    Peer("Node isIP", ("statements/ip_node.js",)),
)

CASES = {
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "long_ipv6": "long\nIPv6",
    "name": "no\naddress",
}

METHOD = (
    "Each cell is nanoseconds for one call with one text, from Python (or JavaScript), the loop around it "
    "included: 192.168.100.200, 2001:db8::8a2e:370:7334, an IPv6 address of 39 characters, "
    "and www.example.com, for which ip_address() raises and the exception is caught. "
    "A process takes the best of seven repeats, every round runs every peer once in a new random "
    "order and in fresh processes on one core, and shown are medians over the rounds. "
    "ip_address() also makes an object of the address; Python's standard library has nothing that only tells."
)


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    rival = find(results, RIVAL)

    def median(case: str, title: str) -> Column:
        return Column(title, lambda result: number(result.median(case), 1))

    def ratio(case: str, title: str) -> Column:
        return Column(title, lambda result: number(result.ratio_to(rival, case), 3))

    columns = [median(case, title) for case, title in CASES.items()]
    columns.append(ratio("ipv4", "IPv4 /\nip_address"))
    columns.append(ratio("ipv6", "IPv6 /\nip_address"))
    return columns


IP = Timing(
    name="ip",
    title="ip: nanoseconds for each call",
    method=METHOD,
    peers=PEERS,
    cases=tuple(CASES),
    columns=_columns,
)


if __name__ == "__main__":
    sys.exit(timing_main(IP, __doc__))
