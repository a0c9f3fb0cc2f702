"""Whatever is called on two transports that talk to each other, from inside whatever callback: their promises hold.

What must be true is in transport_lives.py: bytes arrive in order and whole unless a connection is cut,
connection_made() comes once and first, connection_lost() once and last, pause_writing() and resume_writing() take
turns, the end is told once, whoever has paused hears nothing, what callbacks raise is reported, and nothing is left.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tls_stage import Reports, on_loop
from transport_lives import CALLBACKS, LONG, Action, Life

from uvnet._loop.counters import snapshot

SIZES = (1, 100, 5_000, 70_000, 300_000, 300_000)
GENTLE: list[Action] = [
    *[(name, size) for name in ("write", "write", "writelines", "sendfile") for size in SIZES],
    *[(name, 0) for name in ("resume", "pause", "resume", "names", "looks", "drain", "collect")],
    *[(name, number) for name in ("limits", "set_protocol") for number in range(3)],
]
# What ends everything is the exception, or little would come before it.
ENDING: list[Action] = [(name, 0) for name in ("close", "close", "write_eof", "write_eof", "abort", "force")]
PAUSES: list[Action] = [("turn", 0), ("turn", 0), ("wait", 0), ("upgrade", 0)]
HOW = ["close", "abort", "server ends", "client ends"]
WHO = st.sampled_from(["server", "client"])


def steps(calls: list[Action], most: int) -> st.SearchStrategy[list[tuple[str, Action]]]:
    return st.lists(st.tuples(WHO, st.sampled_from(calls)), max_size=most)


REACTIONS = st.dictionaries(
    st.tuples(WHO, st.sampled_from(CALLBACKS)),
    st.lists(st.sampled_from([*GENTLE * 2, *ENDING, *[("raise", 0)] * 12]), min_size=1, max_size=3),
    min_size=1,
    max_size=8,
)
STYLE = st.sampled_from([0, 1, 2])


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_promises_hold(kind: str, tls: bool, certificates: Certificates, tmp_path: Path) -> None:
    contexts = certificates.server(), certificates.client()
    file = tmp_path / "file"
    file.write_bytes(LONG)

    # To shrink what waits for ever would take nearly as long.
    @settings(
        max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @given(
        before=steps(GENTLE + PAUSES * 4, 16), after=steps(ENDING * 2 + GENTLE + PAUSES * 4, 8), reactions=REACTIONS, keeps_open=st.booleans(), styles=st.tuples(STYLE, STYLE),
        waits=st.sampled_from([True, True, False]), narrow=st.booleans(), how=st.sampled_from(HOW),
    )  # fmt: skip
    def lives(
        before: list[tuple[str, Action]], after: list[tuple[str, Action]],
        reactions: dict[tuple[str, str], list[Action]], keeps_open: bool,
        styles: tuple[int, int], waits: bool, narrow: bool, how: str,
    ) -> None:  # fmt: skip
        reports: Reports = []

        async def scenario() -> Life:
            life = Life(
                kind, str(tmp_path / "socket"), str(file), contexts if tls else None,
                keeps_open=keeps_open, narrow=narrow, styles=styles, reactions=reactions,
            )  # fmt: skip
            await life.begin()
            for _ in range(200):
                if not waits or all(end.heard for end in life.ends.values()):
                    break
                await asyncio.sleep(0.001)
            for who, action in before + after:
                if action[0] == "turn":
                    await asyncio.sleep(0)
                elif action[0] == "wait":
                    await asyncio.sleep(0.002)
                elif action[0] == "upgrade":
                    await life.upgrade(contexts)
                else:
                    life.ends[who].act(action)
            await life.settle(how)
            # What is late must have its chance to break a promise.
            await asyncio.sleep(0.001)
            return life

        life: Any = on_loop(scenario, reports=reports, timeout=60)
        life.check(reports)
        assert snapshot() == {"handles": 0, "requests": 0, "pinned": 0}

    lives()
