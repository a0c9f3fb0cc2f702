"""Why connections are dropped: numbers that the counters in C have room for, and a name for each."""

from __future__ import annotations

import re

from harness import Player
from places import ROOT

import uvnet

ROOMS = ROOT / "src" / "uvnet"


def test_every_reason_has_its_counter_and_its_name(play: Player) -> None:
    room_for = re.search(r"KINDS_OF_DROPS = (\d+)", (ROOMS / "_loop" / "record.pxd").read_text())
    listener = (ROOMS / "_accept" / "listener.pxd").read_text()
    declared = re.search(r"cdef enum DropReason:\n((?:    .*\n)+)", listener)
    assert room_for is not None
    assert declared is not None
    reasons = [line.split()[0] for line in declared[1].splitlines()]
    assert reasons[0] == "NOT_DROPPED"
    assert len(reasons) <= int(room_for[1])

    async def main() -> None:
        assert len(uvnet.Server().dropped) == len(reasons) - 1

    play(main)
